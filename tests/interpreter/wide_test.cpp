// The ways for processors with AVX2 answer as the plain ones do, place by place; and an event has the same matches and the same steps whichever way was chosen.
#include "interpreter/wide.hpp"

#include <random>

#include "interpreter/fixture.hpp"
#include "interpreter/state.hpp"

namespace creance::test {
namespace {

using interpreter::Ways;

std::string random_text(std::mt19937& random, size_t size, std::string_view letters) {
  std::string out;
  while (out.size() < size) out += letters[random() % letters.size()];
  return out;
}

TEST(Wide, HitsAreThoseOfTheFilterAtEachPlace) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    const uint32_t log2 = 6 + static_cast<uint32_t>(random() % 11);
    std::vector<uint64_t> words((size_t{1} << log2) / 64);
    for (uint64_t& word : words) word = random() % 4 == 0 ? uint64_t{1} << (random() % 64) | uint64_t{random()} << 32 : 0;
    const interpreter::GramFilter filter{words.data(), log2, random() % 2 == 0 ? 0xffffffu : 0xffffffffu};
    const size_t places = round < 200 ? static_cast<size_t>(round) : random() % 5'000;
    const std::string text = random_text(random, places + interpreter::kGramReach, "abcdefgh\\/.- \xc3\xa9");
    for (const uint32_t stride : {1u, 2u, 4u}) {
      std::vector<size_t> expected;
      for (size_t at = 0; at < places; at += stride) {
        if (filter.has(channel::load_gram(text.data() + at))) expected.push_back(at);
      }
      for (const Ways& ways : {interpreter::plain_ways(), interpreter::best_ways()}) {
        std::vector<size_t> found;
        EXPECT_TRUE(interpreter::each_hit(ways.find_hits, filter, text.data(), places, stride, [&](size_t at) { return found.push_back(at), true; }));
        ASSERT_EQ(found, expected) << places << " places, every " << stride;
      }
    }
  }
}

TEST(Wide, HitsEndWhereTheCallerSaysSo) {
  const std::vector<uint64_t> words(1, ~uint64_t{0});
  const std::string text(200, 'a');
  size_t calls = 0;
  EXPECT_FALSE(interpreter::each_hit(interpreter::best_ways().find_hits, {words.data(), 6, 0xffffff}, text.data(), 100, 1, [&](size_t) { return ++calls < 3; }));
  EXPECT_EQ(calls, 3u);
}

TEST(Wide, OneOfFourGramsIsSeenAtEachFourthPlace) {
  const auto way = interpreter::best_ways().may_have_one;
  if (way == nullptr) GTEST_SKIP() << "this processor has the plain way alone";
  const auto gram = [](const char* text) { return channel::load_gram(text) | 0x20202020u; };
  const std::array<uint32_t, 4> grams{gram("abcd"), gram("wxyz"), gram("1234"), gram("\\\\.\\")};
  for (size_t size = interpreter::kWideBytes; size < 150; ++size) {
    const std::string plain(size, '_');
    EXPECT_FALSE(way(grams, plain.data(), size));
    for (size_t at = 0; at + 4 <= size; ++at) {
      for (const char* word : {"ABcd", "wxyz", "1234"}) {
        std::string text = plain;
        text.replace(at, 4, word);
        const std::string exact(text);  // no room behind it: the sanitizer sees a read too many
        ASSERT_EQ(way(grams, exact.data(), size), at % 4 == 0) << at << " of " << size;
      }
    }
    for (size_t at = 0; at < size; ++at) {
      std::string text = plain;
      text[at] = '\xc3';
      ASSERT_TRUE(way(grams, text.data(), size)) << at << " of " << size;
    }
  }
}

TEST(Wide, EndsAreFoundWhereTheyStand) {
  const auto way = interpreter::best_ways().find_ends;
  if (way == nullptr) GTEST_SKIP() << "this processor has the plain way alone";
  std::mt19937 random(2);
  for (int round = 0; round < 2'000; ++round) {
    const size_t reach = random() % 20;
    const size_t places = interpreter::kWideBytes + random() % 100;
    const std::string text = random_text(random, places + reach, "abcdefghijklmnop");
    const size_t from = random() % places;
    size_t expected = from;
    while (expected < places && (text[expected] != 'a' || text[expected + reach] != 'b')) ++expected;
    ASSERT_EQ(way(text.data(), places, reach, 'a', 'b', from), expected);
  }
}

TEST(Wide, EventsHaveTheSameMatchesAndStepsEitherWay) {
  std::mt19937 random(3);
  const std::string_view letters = "abcABC\\/.- \xc3\xa9";
  const auto literal = [&] { return random_text(random, 2 + random() % 9, "abc-/. "); };
  size_t matched = 0;
  for (int round = 0; round < 60; ++round) {
    std::string yaml;
    const bool has_keyword = round % 3 == 0;
    // All literals of a field have the same shortest length, so that each distance between places is tried.
    const size_t shortest = 2 + static_cast<size_t>(round) % 6;
    const auto long_enough = [&] {
      std::string out = literal();
      while (out.size() < shortest) out += "abc"[random() % 3];
      return out;
    };
    for (int n = 1; n <= 30; ++n) {
      const std::string kinds[] = {
          "sel:\n  A|contains: '" + long_enough() + "'\ncondition: sel",
          "sel:\n  A|contains|all:\n    - '" + long_enough() + "'\n    - '" + long_enough() + "'\ncondition: sel",
          "sel:\n  B|endswith: '" + literal() + "'\n  A|contains: '" + long_enough() + "'\ncondition: sel",
          "sel:\n  B|startswith: '" + literal() + "'\ncondition: sel",
      };
      yaml += (n == 1 ? "" : "---\n") + rule_yaml(n == 30 && has_keyword ? "keywords:\n  - 'abcabc-a'\ncondition: keywords" : kinds[random() % std::size(kinds)], n);
    }
    const schema::TemplateType type = type_of({"A", "B"});
    Diagnostics diagnostics;
    Loaded best(type, compile_rules(type, parse_rules(yaml), diagnostics));
    Loaded plain(type, compile_rules(type, parse_rules(yaml), diagnostics));
    plain.scratch().state().ways = interpreter::plain_ways();
    for (int event = 0; event < 50; ++event) {
      const std::string a = random_text(random, random() % 300, letters) + (event % 5 == 0 ? "abcabc-a" : "");
      const std::string b = random_text(random, random() % 40, letters);
      const std::vector<schema::InputValue> values{schema::InputValue(a), schema::InputValue(b)};
      const interpreter::Outcome first = best.run({values, {}, {}});
      const interpreter::Outcome second = plain.run({values, {}, {}});
      ASSERT_TRUE(std::ranges::equal(first.matches, second.matches)) << yaml << "\non `" << a << "`, `" << b << "`";
      ASSERT_EQ(first.steps, second.steps);
      matched += first.matches.size();
    }
  }
  EXPECT_GT(matched, 500u);
}

}  // namespace
}  // namespace creance::test

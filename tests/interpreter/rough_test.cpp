// What an index says of a text as it stands: "no" only where its tables would find nothing, whatever the text's length, case and characters.
#include "interpreter/rough.hpp"

#include <random>

#include "interpreter/fixture.hpp"
#include "interpreter/state.hpp"

namespace creance::test {
namespace {

Bytes compiled(const schema::TemplateType& type, const std::string& yaml) {
  Diagnostics diagnostics;
  return compile_rules(type, parse_rules(yaml), diagnostics);
}

const interpreter::Rough& rough_of(Loaded& loaded) { return loaded.scratch().state().indexes.at(0).rough; }

TEST(Rough, TextsThatTheIndexFindsAreLetThroughAndMostOthersAreNot) {
  const schema::TemplateType type = type_of({"A"});
  Loaded loaded(type, compiled(type, rule_yaml("sel:\n  - A: ['4688', 'whole value', 'K']\n  - A|endswith: ['\\Tool.exe', '.ps1']\n  - A|contains: ['inner text', 'sixsix']\ncondition: sel")));
  const interpreter::Rough& rough = rough_of(loaded);
  ASSERT_TRUE(static_cast<bool>(rough));
  for (const std::string text : {"4688", "WHOLE value", "k", "C:\\a\\tOOL.exe", "x.PS1", ".ps1", "some inner TEXT", "inner text", "1inner text2", "22inner text", "333inner text", "SIXSIX", "_sixsix", "__sixsix", "___sixsix"}) {
    EXPECT_TRUE(rough.may_hold(text)) << text;
  }
  EXPECT_TRUE(rough.may_hold("\xe2\x84\xaa"));  // the Kelvin sign folds to k
  EXPECT_TRUE(rough.may_hold("nothing of that \xc3\xa9 here"));
  for (const std::string text : {"", "1", "46", "4689", "468", "46880", "whole", "C:\\Windows\\explorer.exe", "nothing of the kind", "a.ps2"}) EXPECT_FALSE(rough.may_hold(text)) << text;
}

TEST(Rough, WholesAloneAreToldByTheirBytesAtEachLength) {
  const schema::TemplateType type = type_of({"A"});
  const std::string longest = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string list;
  for (size_t size = 1; size <= longest.size(); ++size) list += (size == 1 ? "'" : ", '") + longest.substr(0, size) + "'";
  Loaded loaded(type, compiled(type, rule_yaml("sel:\n  A: [" + list + "]\ncondition: sel")));
  const interpreter::Rough& rough = rough_of(loaded);
  ASSERT_TRUE(static_cast<bool>(rough));
  for (size_t size = 1; size <= longest.size(); ++size) {
    std::string text = longest.substr(0, size);
    EXPECT_TRUE(rough.may_hold(text));
    for (char& letter : text) letter = static_cast<char>(letter >= 'a' ? letter - 32 : letter);
    EXPECT_TRUE(rough.may_hold(text));
    for (size_t at = 0; at < size; ++at) {
      std::string beyond = text;
      beyond[at] = '\xc5';
      EXPECT_TRUE(rough.may_hold(beyond)) << size << ' ' << at;
    }
  }
  EXPECT_FALSE(rough.may_hold("bcd"));
}

TEST(Rough, EventsHaveTheSameMatchesWithAndWithoutIt) {
  std::mt19937 random(5);
  const auto text = [&](size_t size, std::string_view letters) {
    std::string out;
    while (out.size() < size) out += letters[random() % letters.size()];
    return out;
  };
  size_t matched = 0, asked = 0, refused = 0;
  for (int round = 0; round < 200; ++round) {
    const size_t shortest = 4 + static_cast<size_t>(round) % 5;
    std::string yaml;
    for (int n = 1; n <= 6; ++n) {
      const std::string a = text(shortest + random() % 4, "abc/. ");
      const std::string kinds[] = {"A|contains: '" + a + "'", "A: '" + text(1 + random() % 12, "abc") + "'", "A|endswith: '" + text(1 + random() % 3, "abc") + "'", "A|contains: '" + a + "x'"};
      yaml += (n == 1 ? "" : "---\n") + rule_yaml("sel:\n  " + kinds[random() % std::size(kinds)] + "\ncondition: sel", n);
    }
    const schema::TemplateType type = type_of({"A"});
    const Bytes bytes = compiled(type, yaml);
    Loaded with(type, bytes);
    Loaded without(type, bytes);
    const interpreter::Rough& rough = rough_of(with);
    without.scratch().state().indexes.at(0).rough = {};
    for (int event = 0; event < 300; ++event) {
      const std::string value = text(random() % 60, event % 4 == 0 ? "abcABC/. \xc3\xa9" : event % 4 == 1 ? "abc" : event % 4 == 2 ? "abcABC/. x" : "abcdefghijklmnop/. x");
      const std::vector<schema::InputValue> values{schema::InputValue(value)};
      const interpreter::Outcome first = with.run({values, {}, {}});
      const interpreter::Outcome second = without.run({values, {}, {}});
      ASSERT_TRUE(std::ranges::equal(first.matches, second.matches)) << yaml << "\non `" << value << "`";
      matched += first.matches.size();
      if (!rough || value.size() > interpreter::Rough::kTextBytesMax) continue;
      ++asked;
      refused += rough.may_hold(value) ? 0 : 1;
    }
  }
  EXPECT_GT(matched, 5'000u);
  EXPECT_GT(asked, 10'000u);
  EXPECT_GT(refused, 5'000u);
}

}  // namespace
}  // namespace creance::test

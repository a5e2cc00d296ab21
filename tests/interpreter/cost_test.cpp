// The law of the verifier: what it accepted never costs more than declared, also on events made to hurt. Loaded::run checks it for each event.
#include <random>

#include "interpreter/fixture.hpp"

namespace creance::test {
namespace {

const char* const kDetections[] = {
    "sel:\n  A|contains:\n    - aaaaaaab\n    - abababab\n    - aab\n    - ab\n  B|endswith: aab\ncondition: sel",
    "sel:\n  A: '*a?a*aab*ab?b*'\ncondition: sel",
    "sel:\n  A: '*a*a*a*a*a*a*a*b'\ncondition: not sel",
    "sel:\n  A|re: '(a|ab|aa)*a{2,40}(b|a){3}c$'\ncondition: sel",
    "sel:\n  A|re|i: '(x+x+)+y'\n  B|re: '^(a?){30}a{30}$'\ncondition: not sel",
    "sel:\n  A|fieldref|contains: B\nf:\n  B|fieldref|endswith: A\ncondition: sel or f",
    "kw:\n  - aab\n  - 'b*?b'\n  - aaaaaaaab\ncondition: not kw",
    "sel:\n  A|contains|windash: ' -a -b -c'\n  B|startswith:\n    - aa\n    - aaa\n    - aaaaaaaaaaaaa\ncondition: not sel",
    "sel:\n  C|cidr: 10.0.0.0/8\n  C|gt: 5\n  A|contains|cased: aB\ncondition: not sel",
};

std::string repeated(std::string_view piece, size_t bytes) {
  std::string out;
  while (out.size() + piece.size() <= bytes) out += piece;
  return out;
}

}  // namespace

TEST(Cost, NeverPassesItsBoundOnHostileEvents) {
  std::vector<std::string> texts;
  for (const std::string_view piece : {"a", "ab", "aab", "aaaaaaab", "ba", "x", " -a /b", "Ä", "Ⱥ", "\xff", "aB", "\n", "aaaaaaaaaaaaaaac"}) {
    texts.push_back(repeated(piece, 20'000));
  }
  for (const char* detection : kDetections) {
    Loaded loaded = load(detection);
    for (const std::string& text : texts) {
      for (const std::string& other : {text, texts[0].substr(0, 64) + "b", std::string()}) {
        const std::vector<schema::InputValue> values{schema::InputValue(text), schema::InputValue(other), schema::InputValue("10.1.2.3")};
        loaded.run({values, {}, {}});
      }
    }
    if (HasFailure()) FAIL() << detection;
  }
}

TEST(Budget, NamesWhoTakesMoreThanItMayAndASuspendedInstanceCostsNothing) {
  const schema::TemplateType type = type_of({"A", "B"});
  std::vector<sigma::Rule> rules;
  constexpr uint32_t kDear = 66;  // in the second word of the bit sets
  for (int i = 0; i < 70; ++i) {
    for (sigma::Rule& rule : parse_rules(rule_yaml(i == kDear ? "sel:\n  A|re: '(a|ab|aa)*a{2,40}(b|a){3}c$'\nother:\n  B: y\ncondition: sel or other" : "sel:\n  B: x\ncondition: sel", i + 1))) rules.push_back(std::move(rule));
  }
  Diagnostics diagnostics;
  const Bytes bytes = compile_rules(type, rules, diagnostics);
  const auto channel = channel::VerifiedChannel::verify(bytes, {type.fingerprint, 2});
  ASSERT_TRUE(channel);
  interpreter::Scratch scratch(*channel);
  const std::string text(1'000, 'a');
  const auto run = [&](const char* b = "x") {
    const std::vector<schema::InputValue> values{schema::InputValue(text), schema::InputValue(std::string_view(b))};
    return interpreter::evaluate(*channel, {values, {}, {}}, scratch);
  };
  EXPECT_EQ(run("y").matches.size(), 1u);
  scratch.begin_period();
  scratch.budget_steps(interpreter::kNoStepBudget, true);
  const auto without = run();
  EXPECT_TRUE(without.over_budget.empty()) << "no budget was set";
  EXPECT_EQ(without.matches.size(), 69u);
  const uint64_t one = scratch.steps_of(kDear);
  ASSERT_GE(one, 500u);
  uint64_t all = 0;
  for (uint32_t i = 0; i < 70; ++i) {
    EXPECT_TRUE(i == kDear || scratch.steps_of(i) < 10) << i;
    all += scratch.steps_of(i);
  }
  EXPECT_LE(all, without.steps) << "no step is counted twice";
  scratch.begin_period();
  scratch.budget_steps(2 * one, true);
  EXPECT_TRUE(run().over_budget.empty());
  EXPECT_TRUE(run().over_budget.empty()) << "at the budget";
  const auto over = run();
  ASSERT_EQ(std::vector<uint32_t>(over.over_budget.begin(), over.over_budget.end()), std::vector<uint32_t>{kDear}) << "one past it";
  EXPECT_EQ(over.steps, without.steps) << "accounts are no work";
  scratch.suspend(kDear, true);
  EXPECT_TRUE(run("y").matches.empty());
  const auto suspended = run();
  EXPECT_TRUE(suspended.over_budget.empty());
  EXPECT_EQ(scratch.steps_of(kDear), 3 * one);
  EXPECT_LE(suspended.steps + one, without.steps);
  scratch.begin_period();
  scratch.suspend(kDear, false);
  EXPECT_EQ(run("y").matches.size(), 1u);
  scratch.suspend(70'000, true);
  // Counted at some events alone, it comes to the same.
  scratch.begin_period();
  scratch.budget_steps(interpreter::kNoStepBudget);
  const uint64_t events = 100 * interpreter::kCountedOneIn;
  for (uint64_t i = 0; i < events; ++i) run();
  EXPECT_GT(scratch.steps_of(kDear), events * one / 2);
  EXPECT_LT(scratch.steps_of(kDear), events * one * 3 / 2);
}

TEST(Cost, NeverPassesItsBoundWithManyValues) {
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;
  for (uint32_t i = 0; i < limits::kFurtherValuesMax / 16; ++i) further.push_back({i % 3, i % 2 == 0 ? "aaaaaaab aab" : "ab"});
  for (uint32_t i = 0; i < 200; ++i) others.push_back("b aab");
  for (const char* detection : kDetections) {
    Loaded loaded = load(detection);
    const std::vector<schema::InputValue> values{schema::InputValue("aaaaaaab"), schema::InputValue("aab"), {}};
    loaded.run({values, further, others});
    if (HasFailure()) FAIL() << detection;
  }
}

TEST(Cost, CountsInputsThatAreAbsent) {
  std::vector<std::string> names{"A", "B", "C"};
  for (int i = 0; i < 40; ++i) names.push_back("Input" + std::to_string(i));
  for (const char* detection : kDetections) {
    Loaded loaded = load(detection, names);
    const std::vector<schema::InputValue> nothing(names.size());
    loaded.run({nothing, {}, {}});
    std::vector<schema::InputValue> one(names.size());
    one[20] = schema::InputValue("a");
    loaded.run({one, {}, {}});
    if (HasFailure()) FAIL() << detection;
  }
}

// One file of 64 KiB values costs about as much per byte whatever stands in it: no backtracking, no quadratic search for one literal.
TEST(Cost, OfRegularExpressionsIsLinearInTheText) {
  Loaded loaded = load("sel:\n  A|re: '(a|ab|aa)*(x|y)'\ncondition: sel");
  const auto steps = [&](size_t bytes) {
    const std::string text = repeated("ab", bytes);
    const std::vector<schema::InputValue> values{schema::InputValue(text), {}, {}};
    return loaded.run({values, {}, {}}).steps;
  };
  EXPECT_LE(steps(60'000), 11 * steps(6'000));
}


// Five hundred rules, all of them awake over fields of 64 KiB: per byte no dearer than in texts of a sixteenth. Steps do not depend on the machine.
TEST(Cost, OfHostileFieldsIsLinearWithHundredsOfRulesAwake) {
  std::mt19937 random(7);
  const auto word = [&](size_t size) {
    std::string out;
    while (out.size() < size) out += static_cast<char>('a' + random() % 26);
    return out;
  };
  std::vector<std::string> words;
  std::string yaml;
  for (int n = 1; n <= 500; ++n) {
    words.push_back(word(3 + random() % 9));
    const std::string& w = words.back();
    const std::string kinds[] = {
        "sel:\n  A|contains: '" + w + "'\n  B|endswith: '\\" + w + ".exe'\ncondition: sel",
        "sel:\n  A|contains|all:\n    - '" + w + "'\n    - ' -" + word(3) + "'\ncondition: sel",
        "sel:\n  A|contains:\n    - '" + w + "'\n    - '" + word(2) + "-'\nf:\n  B|startswith: 'c:\\" + word(6) + "'\ncondition: sel and not f",
        "sel:\n  A|re: '" + w + "[0-9]+(a|ab)*(c|d)$'\ncondition: sel",
        "sel:\n  A: '*" + w + "*" + word(4) + "?x*'\ncondition: sel",
    };
    yaml += (n == 1 ? "" : "---\n") + rule_yaml(kinds[static_cast<size_t>(n) % std::size(kinds)], n);
  }
  const schema::TemplateType type = type_of({"A", "B"});
  Diagnostics diagnostics;
  Loaded loaded(type, compile_rules(type, parse_rules(yaml), diagnostics));
  ASSERT_TRUE(diagnostics.empty());
  ASSERT_EQ(loaded.channel().instance_count(), 500u);

  const auto steps_of = [&](const std::string& a, const std::string& b) {
    const std::vector<schema::InputValue> values{schema::InputValue(a), schema::InputValue(b)};
    return static_cast<double>(loaded.run({values, {}, {}}).steps);
  };
  const auto all_of = [&](auto change) {
    std::string out;
    for (const std::string& w : words) out += change(w);
    return out;
  };
  const std::string hostile[] = {
      "a",
      words[0].substr(0, 4),
      words[7].substr(0, words[7].size() - 1),
      all_of([](std::string w) { return w.back() = static_cast<char>(w.back() ^ 1), w; }),
      all_of([](std::string w) { return w; }),
      all_of([](const std::string& w) { return w + "0123ababababa"; }),
      all_of([](const std::string& w) { return w.substr(0, 2) + "-"; }),
      words[3] + "1abababababababababababababab",
  };
  for (const std::string& piece : hostile) {
    const std::string small = repeated(piece, std::max<size_t>(4'096, piece.size()));
    const std::string large = repeated(piece, limits::kInputBytesMax);
    const double of_small = steps_of(small, small) / static_cast<double>(2 * small.size());
    const double of_large = steps_of(large, large) / static_cast<double>(2 * large.size());
    EXPECT_LE(of_large, 1.1 * of_small) << piece.substr(0, 60);
    EXPECT_LE(of_large, 2) << piece.substr(0, 60);  // literals, patterns and regular expressions are each looked for together
  }
}

}  // namespace creance::test

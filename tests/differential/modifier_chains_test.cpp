// Every chain of up to three (two in builds with checks) modifiers, in every order: parser, compiler and reference agree on which of them are rules, and the judges on what those mean.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "both_judges.hpp"
#include "reference/rule_builder.hpp"
#include "sigma/modifiers.hpp"
#include "sigma/parser.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;
using Chain = std::vector<std::string>;

// All but `expand`, which is gone before a judge sees a rule.
const std::vector<std::string>& modifiers() {
  static const std::vector<std::string> all = {"contains", "startswith", "endswith", "all", "cased", "re", "i", "m", "s", "cidr", "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "windash", "exists", "fieldref", "lt", "lte", "gt", "gte", "neq",
                                               "minute", "hour", "day", "week", "month", "year"};
  return all;
}

bool has(const Chain& chain, std::initializer_list<std::string_view> any) {
  return std::ranges::any_of(chain, [&](const std::string& m) { return std::ranges::find(any, m) != any.end(); });
}

#ifdef CREANCE_DCHECK
constexpr bool kThree = false;  // tens of thousands of rules are slow under sanitizers
#else
constexpr bool kThree = true;
#endif

// A value that fits the chain, as it stands in YAML.
std::string fitting(const Chain& chain) {
  if (has(chain, {"exists"})) return "true";
  if (has(chain, {"minute", "hour", "day", "week", "month", "year", "lt", "lte", "gt", "gte"})) return "12";
  if (has(chain, {"cidr"})) return "10.0.0.0/8";
  if (has(chain, {"fieldref"})) return "B";
  return "'/abcd x'";
}

std::string yaml_of(const Chain& chain, bool keyword) {
  std::string key = keyword ? "" : "A";
  for (const std::string& m : chain) key += "|" + m;
  const std::string value = fitting(chain);
  std::string values = " " + value;
  if (has(chain, {"all"})) values = "\n      - " + value + "\n      - " + (value == "B" ? "C" : value == "12" ? "13" : value == "10.0.0.0/8" ? "10.0.0.0/9" : value == "true" ? "false" : "'bcde'");
  return "title: Chain\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  category: x\ndetection:\n  sel:\n    '" + key + "':" + values + "\n  condition: sel\n";
}

TEST(ModifierChains, AreTheSameRulesToParserCompilerAndReference) {
  std::vector<Chain> chains;
  for (const std::string& a : modifiers()) {
    chains.push_back({a});
    for (const std::string& b : modifiers()) {
      if (b == a) continue;
      chains.push_back({a, b});
      for (const std::string& c : modifiers()) {
        if (kThree && c != a && c != b) chains.push_back({a, b, c});
      }
    }
  }
  std::vector<sigma::Rule> rules;
  std::vector<std::string> names;
  for (const bool keyword : {false, true}) {
    for (const Chain& chain : chains) {
      sigma::ParseOutcome parsed = sigma::parse(yaml_of(chain, keyword), "chain.yml");
      if (std::ranges::any_of(parsed.diagnostics, [](const Diagnostic& d) { return d.severity == Severity::kError; })) continue;
      ASSERT_EQ(parsed.rules.size(), 1u);
      names.push_back(keyword ? "(keyword)" : "A");
      for (const std::string& m : chain) names.back() += "|" + m;
      rules.push_back(std::move(parsed.rules[0]));
    }
  }
  EXPECT_GT(rules.size(), kThree ? 1000u : 100u);
  const schema::TemplateType type = type_of({"A", "B", "C"});
  BothJudges both(type, std::move(rules));
  ASSERT_EQ(both.error(), "");
  size_t wrong = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if ((!both.compiled(i) || !both.judged(i)) && ++wrong <= 20) ADD_FAILURE() << names[i] << ": the parser takes it, " << (both.compiled(i) ? "" : "the compiler does not ") << (both.judged(i) ? "" : "the reference does not");
  }
  EXPECT_EQ(wrong, 0u);
  // Texts that the chains could mean, in each other's encodings.
  std::vector<std::string> values = {"", "/abcd x", "-ABCD X", "x –abcd x y", "/abcd xbcde", "bcde", "12", "13", "11.5", "10.1.2.3", "10.200.0.1", "2026-12-12 12:12:12", "2012-03-19T12:30Z", "b", "B", "no"};
  const auto forms_of = [](const std::string& text) {
    std::string little, big;
    for (const char c : text) {
      little += std::string{c, '\0'};
      big += std::string{'\0', c};
    }
    std::vector<std::string> forms;
    for (const std::string& bytes : {text, little, big, "\xff\xfe" + little}) {
      forms.push_back(bytes);
      for (const char* before : {"", "x", "xy"}) forms.push_back(to_base64(as_bytes(before + bytes)));
    }
    return forms;
  };
  std::vector<std::pair<std::string, std::string>> pairs = {{"12", "13"}, {"10.1.2.3", "10.1.2.3"}, {"B", "c"}};  // of one input: what `all` asks for
  const std::vector<std::string> second = forms_of("bcde");
  for (const std::string text : {"/abcd x", "-abcd x"}) {
    const std::vector<std::string> first = forms_of(text);
    values.insert(values.end(), first.begin(), first.end());
    for (size_t i = 0; i < first.size(); ++i) pairs.emplace_back(first[i], second[i]);
  }
  std::vector<uint64_t> matched(names.size(), 0);
  for (const std::string& a : values) {
    for (const char* b : {"b", "/ABCD X", "12"}) {
      const std::string said = both.disagreement(Event(type).set("A", a).set("B", b).set("C", "C").inputs(), nullptr, &matched);
      if (!said.empty() && ++wrong <= 10) ADD_FAILURE() << said;
    }
  }
  std::vector<Event> odd;
  for (int i = 0; i < 5; ++i) odd.emplace_back(type);
  odd[1].set("B", "x");
  odd[2].set("A", "q").add("A", "12").set("B", "12");
  odd[3].unavailable("A");
  odd[4].set("A", "b").unavailable("B");
  for (const auto& [first, other] : pairs) odd.emplace_back(type).set("A", first).add("A", other).set("B", "b").set("C", "c");
  for (const Event& event : odd) {
    const std::string said = both.disagreement(event.inputs(), nullptr, &matched);
    if (!said.empty() && ++wrong <= 10) ADD_FAILURE() << said;
  }
  EXPECT_EQ(wrong, 0u);
  std::string never;
  size_t silent = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (matched[i] == 0 && ++silent <= 40) never += names[i] + " ";
  }
  std::printf("%zu chains of %zu are rules; %zu of them matched nothing here: %s\n", names.size(), 2 * chains.size(), silent, never.c_str());
  EXPECT_LT(silent * 5, names.size()) << "too many chains were not tried";
}

}  // namespace
}  // namespace creance::differential

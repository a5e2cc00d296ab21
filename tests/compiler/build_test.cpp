// What of a set of rules runs when a part of it cannot.
#include "compiler/build.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sigma/parser.hpp"

namespace creance::compiler {
namespace {

std::string uuid(int n) { return "00000000-0000-4000-8000-00000000000" + std::to_string(n); }
std::string rule(int n, const std::string& name, const std::string& field = "Image") {
  return "title: " + name + "\nid: " + uuid(n) + "\nname: " + name + "\nlogsource: {product: windows, category: process_creation}\ndetection:\n  s:\n    " + field + ": x" + name + "\n  condition: s\n---\n";
}
std::string correlation(int n, const std::string& name, const std::string& body) {
  return "title: " + name + "\nid: " + uuid(n) + "\nname: " + name + "\ncorrelation: {" + body + "}\n---\n";
}
const std::string kGood = "type: event_count, group-by: [Computer], timespan: 5m, condition: {gte: 3}, rules: ";
const std::string kBroken = "type: event_count, group-by: [Computer], timespan: soon, condition: {gte: 3}, rules: ";      // refused when it is read
const std::string kUnknown = "type: event_count, group-by: [NoSuch], timespan: 5m, condition: {gte: 3}, rules: ";         // refused when it is compiled

struct Tried {
  std::vector<std::string> running;  // names of rules and correlations, sorted
  std::vector<std::string> held;     // those with C047
  uint32_t instances = 0;
};
Tried run(const std::string& yaml) {
  auto parsed = sigma::parse(yaml, "r.yml");
  const auto built = build(parsed.rules, schema::Catalog::embedded(), parsed.diagnostics, parsed.correlations);
  Tried out;
  EXPECT_TRUE(built);
  if (!built) return out;
  for (uint32_t i = 0; i < parsed.rules.size(); ++i) {
    if (std::ranges::count(built->refused, i) == 0) out.running.push_back(parsed.rules[i].name);
  }
  for (uint32_t i = 0; i < parsed.correlations.size(); ++i) {
    if (std::ranges::count(built->refused_correlations, i) == 0) out.running.push_back(parsed.correlations[i].name);
  }
  for (const BuiltChannel& channel : built->channels) out.instances += static_cast<uint32_t>(channel.rules.size());
  for (const Diagnostic& d : parsed.diagnostics) {
    if (d.code == "C047") out.held.push_back(d.message.substr(1, d.message.find('`', 1) - 1));
  }
  std::ranges::sort(out.running);
  std::ranges::sort(out.held);
  return out;
}
using Names = std::vector<std::string>;

TEST(Held, RulesOfARefusedCorrelationReportNothing) {
  for (const std::string& bad : {kBroken, kUnknown}) {
    const Tried t = run(rule(1, "a") + rule(2, "b") + rule(3, "free") + correlation(4, "c", bad + "[a, b]"));
    EXPECT_EQ(t.running, Names{"free"}) << bad;
    EXPECT_EQ(t.held, (Names{"a", "b"})) << bad;
    EXPECT_EQ(t.instances, 1u) << bad;  // what is held is in no channel
  }
}

TEST(Held, EveryRuleThatCouldBeReadIsHeldByACorrelationWithErrorsElsewhere) {
  const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "c", "type: event_count, rules: [a, [x], a, b], nonsense: 1"));
  EXPECT_EQ(t.running, Names{});
  EXPECT_EQ(t.held, (Names{"a", "b"}));
}

TEST(Held, WithGenerateTheRulesReportByThemselves) {
  const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "c", "generate: true, " + kBroken + "[a, b]"));
  EXPECT_EQ(t.running, (Names{"a", "b"}));
  EXPECT_EQ(t.held, Names{});
}

TEST(Held, ARuleThatAnotherCorrelationCountsRuns) {
  const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "bad", kUnknown + "[a, b]") + correlation(5, "good", kGood + "[a]"));
  EXPECT_EQ(t.running, (Names{"a", "good"}));
  EXPECT_EQ(t.held, Names{"b"});
}

TEST(Held, ACorrelationThatOnlyARefusedOneRefersToIsHeldWithItsRules) {
  for (const std::string& bad : {kBroken, kUnknown}) {
    const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "inner", kGood + "[a]") + correlation(5, "outer", bad + "[inner, b]"));
    EXPECT_EQ(t.running, Names{}) << bad;
    EXPECT_EQ(t.held, (Names{"a", "b", "inner"})) << bad;
    EXPECT_EQ(t.instances, 0u) << bad;
  }
}

TEST(Held, WhatRefersToARefusedCorrelationIsRefusedAndHoldsItsOtherRules) {
  for (const std::string& bad : {kBroken, kUnknown}) {
    const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "inner", bad + "[a]") + correlation(5, "outer", kGood + "[b, inner]"));
    EXPECT_EQ(t.running, Names{}) << bad;
    EXPECT_EQ(t.held, (Names{"a", "b"})) << bad;
  }
}

TEST(Held, ARuleThatCannotRunHoldsTheOthersOfItsCorrelation) {
  const Tried t = run(rule(1, "a") + rule(2, "b", "NoSuchField") + correlation(4, "c", kGood + "[a, b]"));
  EXPECT_EQ(t.running, Names{});
  EXPECT_EQ(t.held, Names{"a"});  // b has its own error
}

TEST(Held, OfAnAmbiguousNameAllAreHeld) {
  const Tried t = run(rule(1, "a") + rule(2, "a") + correlation(4, "c", kGood + "[a]"));
  EXPECT_EQ(t.running, Names{});
  EXPECT_EQ(t.held, (Names{"a", "a"}));
}

TEST(Held, ACorrelationWithTheIdOfAnotherRuleHoldsItsRules) {
  const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(2, "c", kGood + "[a]"));
  EXPECT_EQ(t.running, Names{"b"});
  EXPECT_EQ(t.held, Names{"a"});
}

TEST(Held, AllRunsWhereNothingIsRefused) {
  const Tried t = run(rule(1, "a") + rule(2, "b") + correlation(4, "inner", kGood + "[a]") + correlation(5, "outer", kGood + "[inner, b]"));
  EXPECT_EQ(t.running, (Names{"a", "b", "inner", "outer"}));
  EXPECT_EQ(t.held, Names{});
}

// `id` is optional, and correlations may name their rules by `name`.
TEST(WithoutIds, RulesRunAndAreCountedAndTheOrderDoesNotShow) {
  const auto bare = [](std::string text) {
    for (size_t at = text.find("\nid: "); at != std::string::npos; at = text.find("\nid: ")) text.erase(at, text.find('\n', at + 1) - at);
    return text;
  };
  const std::string a = bare(rule(1, "a"));
  const std::string b = bare(rule(2, "b"));
  const std::string both = bare(correlation(3, "c", "type: temporal, group-by: [Computer], timespan: 5m, rules: [a, b]"));
  const Tried t = run(a + b + both);
  EXPECT_EQ(t.running, (Names{"a", "b", "c"}));
  EXPECT_EQ(t.instances, 2u);
  const auto bytes = [](const std::string& yaml, const std::string& file) {
    auto parsed = sigma::parse(yaml, file);
    const auto built = build(parsed.rules, schema::Catalog::embedded(), parsed.diagnostics, parsed.correlations);
    EXPECT_TRUE(built && built->correlations && built->channels.size() == 1);
    return std::pair(built->channels.at(0).bytes, built->correlations->bytes);
  };
  EXPECT_EQ(bytes(a + b + both, "one.yml"), bytes(both + b + a, "two.yml"));
  EXPECT_EQ(run(a + a).instances, 2u);  // twins are two
}

}  // namespace
}  // namespace creance::compiler

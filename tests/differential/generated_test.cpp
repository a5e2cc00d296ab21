// Generated rules against generated events: both judges must agree. A failure prints RC_PARAMS="reproduce=…", with which the same command replays and shrinks it.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/bytes.hpp"

#include "both_judges.hpp"
#include "reference/rule_builder.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;

// Small, so that rules and events meet often.
const std::vector<std::string>& letters() {
  static const std::vector<std::string> made = {"a", "b", "A", "B", "1", "0", ".", " ", "-", "/", "\\", "*", "?", "ä", "Ä", "–", "\n", "cmd.exe", "powershell", "abcdef", "BCDEFG", "\\\\", "=", "127.0.0.1", "::1"};
  return made;
}

rc::Gen<std::string> text_of_at_most(size_t elements) {
  return rc::gen::map(rc::gen::resize(static_cast<int>(elements), rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(letters()))), [](const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
  });
}

bool is_time(const std::string& chain) { return std::ranges::any_of(std::vector<const char*>{"|minute", "|hour", "|day", "|week", "|month", "|year"}, [&](const char* part) { return chain.starts_with(part); }); }

const schema::TemplateType& type() {
  static const schema::TemplateType made = type_of({"A", "B", "C", "D"});
  return made;
}

sigma::Item generate_item() {
  static const std::vector<std::string> kChains = {
      "", "", "", "|contains", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased", "|endswith|cased", "|windash", "|windash|contains", "|contains|all|windash",
      "|base64", "|base64|contains", "|base64offset|contains", "|wide|base64offset|contains", "|wide|contains", "|utf16be|contains", "|re", "|re", "|re|i", "|re|m", "|re|s", "|cidr", "|exists", "|fieldref",
      "|fieldref|startswith", "|fieldref|endswith", "|fieldref|contains", "|lt", "|lte", "|gt", "|gte", "|neq", "|contains|neq", "|hour", "|minute|lt", "|day|gte", "|week", "|month|lte", "|year|neq", "|year|gt"};
  static const std::vector<std::string> kFields = {"A", "B", "C", "D"};
  const std::string chain = *rc::gen::elementOf(kChains);
  const bool keyword = (chain == "|re" && *rc::gen::inRange(0, 2) == 0) || (chain.empty() && *rc::gen::inRange(0, 8) == 0);
  const std::string field = keyword ? "" : *rc::gen::elementOf(kFields);
  const bool one = chain == "|exists";
  const int count = one ? 1 : chain.find("|all") != std::string::npos ? *rc::gen::inRange(2, 4) : *rc::gen::inRange(1, 4);
  std::vector<V> values;
  for (int i = 0; i < count; ++i) {
    if (chain == "|exists") {
      values.emplace_back(Flag{*rc::gen::arbitrary<bool>()});
    } else if (chain.starts_with("|fieldref")) {
      values.emplace_back(*rc::gen::elementOf(kFields));
    } else if (chain == "|cidr") {
      values.emplace_back(*rc::gen::elementOf(std::vector<std::string>{"127.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128", "10.0.0.0/9", "fe80::/10"}));
    } else if (is_time(chain)) {
      values.emplace_back(*rc::gen::elementOf(std::vector<int>{0, 1, 2, 12, 22, 31, 52, 53, 59, 2026}));
    } else if (chain.starts_with("|lt") || chain.starts_with("|gt")) {
      values.emplace_back(*rc::gen::inRange(-2, 12));
    } else if (chain.starts_with("|re")) {
      values.emplace_back(*rc::gen::elementOf(std::vector<std::string>{"a.*b", "^a", "b$", "[0-9]+", "(a|b){2,3}", "\\.exe$", "^$", "cmd|power", "\\s-", "[^a]b", "a+?b", "(?i)ABC", "^.{3}$", "ä", "\\bcmd\\b", "a(b|1)*0", "(a*)(a*)b", "."}));
    } else if (chain.empty() && !keyword && *rc::gen::inRange(0, 6) == 0) {
      values.emplace_back(Null{});
    } else if (chain.empty() && *rc::gen::inRange(0, 6) == 0) {
      values.emplace_back(*rc::gen::inRange(0, 12));
    } else {
      std::string text = *text_of_at_most(4);
      if (text.empty() && chain.find("base64") != std::string::npos) text = "abc";
      values.emplace_back(std::move(text));
    }
  }
  return item(field + chain, std::move(values));
}

sigma::Rule generate_rule() {
  std::vector<sigma::Selection> selections;
  const int count = *rc::gen::inRange(1, 4);
  for (int s = 0; s < count; ++s) {
    std::vector<Items> alternatives(static_cast<size_t>(*rc::gen::inRange(1, 3)));
    for (Items& items : alternatives) {
      const int lines = *rc::gen::inRange(1, 4);
      for (int i = 0; i < lines; ++i) items.push_back(generate_item());
    }
    selections.push_back(selection("s" + std::to_string(s), std::move(alternatives)));
  }
  // Leaves first, then operators over anything before them; the last one joins what is left open.
  std::vector<sigma::ConditionNode> nodes;
  for (int s = 0; s < count; ++s) nodes.push_back(leaf(static_cast<uint32_t>(s)));
  std::vector<uint32_t> open;
  for (uint32_t i = 0; i < nodes.size(); ++i) open.push_back(i);
  const auto take = [&] {
    const auto at = static_cast<size_t>(*rc::gen::inRange(0, static_cast<int>(open.size())));
    const uint32_t node = open[at];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    return node;
  };
  for (int n = *rc::gen::inRange(0, 5); n > 0 || open.size() > 1; --n) {
    const int kind = *rc::gen::inRange(0, 3);
    if (open.size() == 1 || kind == 0) {
      if (n <= 0) {  // no more negations: join
        const uint32_t a = take();
        const uint32_t b = take();
        nodes.push_back(both({a, b}));
      } else {
        nodes.push_back(negated(take()));
      }
    } else {
      const uint32_t a = take();
      const uint32_t b = take();
      nodes.push_back(kind == 1 ? both({a, b}) : either({a, b}));
    }
    open.push_back(static_cast<uint32_t>(nodes.size()) - 1);
  }
  return rule(std::move(selections), std::move(nodes));
}

// A text that a value of the rule is likely to match: wildcards filled, case changed, something before and behind.
std::string likely_text(const std::vector<std::string>& wanted) {
  static const std::vector<std::string> kTimes = {"2026-12-31 22:59:12.5", "2026-12-31T22:59Z", "2026-01-02T00:01:02+01:00", "2024-02-12T12:12", "2027-01-01T00:00:00-2359", "2026-02-31T00:00"};
  if (*rc::gen::inRange(0, 10) == 0) return *rc::gen::elementOf(kTimes);
  if (wanted.empty() || *rc::gen::inRange(0, 3) == 0) return *text_of_at_most(5);
  std::string out;
  for (const char c : *rc::gen::elementOf(wanted)) {
    if (c == '*') out += *text_of_at_most(2);
    else if (c == '?') out += *rc::gen::elementOf(letters());
    else out += c;
  }
  switch (*rc::gen::inRange(0, 6)) {
    case 0: out = *text_of_at_most(2) + out; break;
    case 1: out += *text_of_at_most(2); break;
    case 2:
      for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
      }
      break;
    case 3: out = to_base64(as_bytes(*text_of_at_most(1) + out)); break;
    case 4:
      for (char& c : out) {
        if (c == '-') c = '/';
      }
      break;
    default: break;
  }
  return out;
}

Event generate_event(const std::vector<std::string>& wanted) {
  Event event(type());
  for (const schema::InputDefinition& input : type().inputs) {
    const int state = *rc::gen::inRange(0, 20);
    if (state == 0) event.unavailable(input.name);
    else if (state > 5) event.set(input.name, likely_text(wanted));
    if (state > 16) event.add(input.name, likely_text(wanted));
  }
  if (*rc::gen::inRange(0, 4) == 0) event.other(likely_text(wanted));
  return event;
}

TEST(Generated, RulesAndEvents) {
  uint64_t events = 0, matches = 0, rules = 0, refused = 0;
  ChainTally tally;
  const bool ok = rc::check("both judges agree", [&] {
    std::vector<sigma::Rule> made;
    const int count = *rc::gen::inRange(1, 12);
    for (int i = 0; i < count; ++i) made.push_back(generate_rule());
    std::vector<std::string> wanted;
    for (const sigma::Rule& each : made) {
      for (const sigma::Selection& selection : each.selections) {
        for (const sigma::Alternative& alternative : selection.alternatives) {
          for (const sigma::Item& line : alternative.items) {
            for (const sigma::Value& value : line.values) wanted.push_back(value.text);
          }
        }
      }
    }
    BothJudges judges(type(), std::move(made));
    if (!judges.error().empty()) RC_FAIL(judges.error());
    for (size_t i = 0; i < judges.rules().size(); ++i) {
      ++rules;
      refused += !judges.compiled(i);
      if (judges.compiled(i) && !judges.judged(i)) RC_FAIL("only the reference refuses " + describe(judges.rules()[i]) + ": " + judges.reason(i));
    }
    std::vector<uint64_t> matched(judges.rules().size(), 0);
    for (int i = 0; i < 24; ++i) {
      const Event event = generate_event(wanted);
      const std::string said = judges.disagreement(event.inputs(), &matches, &matched);
      if (!said.empty()) RC_FAIL(said);
      ++events;
    }
    tally.add(judges, matched);
  });
  EXPECT_TRUE(ok);
  EXPECT_GT(matches, events / 10) << "rules and events hardly meet";
  EXPECT_EQ(tally.never(), "") << "no rule with these modifiers ever matches";
  EXPECT_LT(refused, rules / 2) << "the compiler refuses most generated rules";
  std::cout << fmt::format("{} rules ({} refused by the compiler), {} events, {} matches\n", rules, refused, events, matches);
}

}  // namespace
}  // namespace creance::differential

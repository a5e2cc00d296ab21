// Bytes -> rules with every modifier over three inputs, and events for them: no YAML in between, so that each byte means something. Both judges (D5) must give one answer on every pair, what
// the compiler takes the reference must take, and nothing may fault or cost more than declared.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "differential/both_judges.hpp"
#include "reference/rule_builder.hpp"

namespace {
using namespace creance;
using namespace creance::testing_rules;

class Source {
 public:
  Source(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  size_t below(size_t n) { return (empty() ? 0 : *at_++) % n; }
  template <class List>
  const auto& one_of(const List& list) { return list[below(list.size())]; }

  // Pieces that rules and events share, and now and then bytes as they come.
  std::string text(size_t pieces_max) {
    static const std::vector<std::string> kPieces = {"a", "b", "A", "1", "0", ".", " ", "-", "/", "\\", "*", "?", "ä", "Ä", "–", "\n", "cmd.exe", "powershell", "abcdef", "BCDEFG", "\\\\", "=", "127.0.0.1", "::1", "k", "\u212A", "\xff", "(", ")", "[^a]", "|", "$", "^", "+", "{2}", "\\b", "\\W", "5", "-1", "1e3"};
    std::string out;
    for (size_t n = below(pieces_max + 1); n > 0; --n) {
      const size_t which = below(kPieces.size() + 2);
      if (which < kPieces.size()) out += kPieces[which];
      else out += static_cast<char>(below(256));
    }
    return out;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

const std::vector<std::string> kInputs = {"A", "B", "C"};

sigma::Item read_item(Source& from, std::vector<std::string>& wanted) {
  static const std::vector<std::string> kModifiers = {"contains", "startswith", "endswith", "all", "cased", "re", "i", "m", "s", "cidr", "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "windash", "exists", "fieldref",
                                                      "lt", "lte", "gt", "gte", "neq", "minute", "hour", "day", "week", "month", "year"};
  const size_t place = from.below(8);
  std::string field = place == 7 ? "" : kInputs[place % kInputs.size()];
  std::string modifiers;
  for (size_t n = from.below(4); n > 0; --n) modifiers += "|" + from.one_of(kModifiers);
  const bool is_reference = modifiers.find("fieldref") != std::string::npos;
  std::vector<V> values;
  for (size_t n = 1 + from.below(3); n > 0; --n) {
    switch (is_reference ? 6 : from.below(8)) {
      case 0: values.emplace_back(Null{}); break;
      case 1: values.emplace_back(static_cast<int>(from.below(12)) - 2); break;
      case 2: values.emplace_back(Flag{from.below(2) == 0}); break;
      case 3: values.emplace_back(from.one_of(std::vector<std::string>{"127.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128", "10.0.0.0/9", "fe80::/10"})); break;
      case 6: values.emplace_back(from.one_of(kInputs)); break;
      default: values.emplace_back(from.text(5)); break;
    }
    wanted.push_back(values.back().value.text);
  }
  return item(field + modifiers, std::move(values));
}

sigma::Rule read_rule(Source& from, std::vector<std::string>& wanted) {
  std::vector<sigma::Selection> selections;
  std::vector<sigma::ConditionNode> nodes;
  const auto count = static_cast<uint32_t>(1 + from.below(3));
  for (uint32_t s = 0; s < count; ++s) {
    std::vector<Items> alternatives(1 + from.below(2));
    for (Items& items : alternatives) {
      for (size_t n = 1 + from.below(2); n > 0; --n) items.push_back(read_item(from, wanted));
    }
    selections.push_back(selection("s" + std::to_string(s), std::move(alternatives)));
    nodes.push_back(leaf(s));
  }
  for (uint32_t open = 0; open + 1 < nodes.size();) {  // every node but the last gets one parent
    if (from.below(4) == 0 && nodes.size() < 12) {
      nodes.push_back(negated(open++));
      continue;
    }
    nodes.push_back(from.below(2) == 0 ? both({open, open + 1}) : either({open, open + 1}));
    open += 2;
  }
  return rule(std::move(selections), std::move(nodes));
}

Event read_event(Source& from, const schema::TemplateType& type, const std::vector<std::string>& wanted) {
  Event event(type);
  const auto text = [&]() -> std::string {
    static const std::vector<std::string> kTimes = {"2026-12-31 22:59:12.5", "2026-01-02T00:01Z", "2027-01-01T00:00:00-23:59"};
    if (from.below(16) == 0) return from.one_of(kTimes);
    std::string out = from.below(3) == 0 ? from.text(6) : from.one_of(wanted);
    switch (from.below(6)) {
      case 0: out = from.text(2) + out; break;
      case 1: out += from.text(2); break;
      case 2: out = to_base64(as_bytes(from.text(1) + out)); break;
      default: break;
    }
    return out;
  };
  for (const std::string& input : kInputs) {
    const size_t state = from.below(10);
    if (state == 0) event.unavailable(input);
    else if (state > 2) event.set(input, text());
    if (state > 8) event.add(input, text());
  }
  if (from.below(4) == 0) event.other(text());
  return event;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4'096) return 0;
  static const schema::TemplateType type = type_of({"A", "B", "C"});
  Source from(data, size);
  std::vector<sigma::Rule> rules;
  std::vector<std::string> wanted;
  for (size_t n = 1 + from.below(3); n > 0; --n) rules.push_back(read_rule(from, wanted));
  differential::BothJudges judges(type, std::move(rules));
  const auto fail = [](const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  };
  if (!judges.error().empty()) fail(judges.error());
  for (size_t i = 0; i < judges.rules().size(); ++i) {
    if (judges.compiled(i) && !judges.judged(i)) fail("only the reference refuses " + differential::describe(judges.rules()[i]) + ": " + judges.reason(i));
  }
  for (int n = 0; n < 6; ++n) {
    const Event event = read_event(from, type, wanted);
    const std::string said = judges.disagreement(event.inputs());
    if (!said.empty()) fail(said);
  }
  return 0;
}

// Every public rule that binds, against events made from its own values: full of near misses, and each event goes through the whole channel of its Type, index and wake-up
// included. Deterministic. Both judges must agree on the rule that the event was made from, on every rule that the interpreter lets match, and on a sample of the others.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "both_judges.hpp"
#include "reference/rule_builder.hpp"
#include "schema/catalog.hpp"
#include "shared_data.hpp"
#include "sigma/binder.hpp"

namespace creance::differential {
namespace {

using testing_rules::Event;

#ifdef CREANCE_DCHECK
constexpr int kEventsPerRule = 2;
constexpr int kOthersPerEvent = 3;
#else
constexpr int kEventsPerRule = 12;
constexpr int kOthersPerEvent = 12;
#endif

class EventMaker {
 public:
  explicit EventMaker(const schema::TemplateType& type) : type_(type) {}

  Event make(const sigma::Rule& rule, const schema::AnsweredLogSource* logsource) {
    Event event(type_);
    texts_.clear();
    for (const sigma::Selection& selection : rule.selections) {
      const bool is_filter = selection.name.starts_with("filter");
      if (!chance(is_filter ? 25 : 85)) continue;
      const sigma::Alternative& alternative = selection.alternatives[below(selection.alternatives.size())];
      for (const sigma::Item& item : alternative.items) {
        if (chance(92)) fill(item);
      }
    }
    if (logsource != nullptr) {
      for (const schema::Restriction& restriction : logsource->when) texts_[restriction.input] = restriction.values[below(restriction.values.size())];
    }
    for (auto& [input, text] : texts_) {
      if (!type_.input_index(input)) continue;
      if (chance(1)) event.unavailable(input);
      else event.set(input, changed(text));
      if (chance(2)) event.add(input, "further");
    }
    return event;
  }
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

 private:
  static bool has(const sigma::Item& item, sigma::Modifier modifier) { return std::find(item.modifiers.begin(), item.modifiers.end(), modifier) != item.modifiers.end(); }

  std::string junk() {
    static const std::vector<std::string> kJunk = {"", "C:\\Windows\\System32\\", " ", "x", "\"", " -x ", "/", "ä", "a long piece of text that says nothing ", "\n"};
    return kJunk[below(kJunk.size())];
  }

  // A text that the value is meant to match.
  std::string text_for(const sigma::Item& item, const sigma::Value& value) {
    using enum sigma::Modifier;
    if (has(item, kCidr)) return value.text.substr(0, value.text.find('/'));
    if (has(item, kExists)) return "there";
    std::string out;
    for (size_t i = 0; i < value.text.size(); ++i) {
      const char c = value.text[i];
      const bool escape = c == '\\' && i + 1 < value.text.size() && std::string_view("*?\\").find(value.text[i + 1]) != std::string_view::npos;
      if (escape) out += value.text[++i];
      else if (c == '*' && !has(item, kRegex)) out += junk();
      else if (c == '?' && !has(item, kRegex)) out += "q";
      else out += c;
    }
    if (has(item, kBase64Offset) || has(item, kBase64)) out = to_base64(as_bytes(std::string(below(3), 'x') + out + "tail"));
    if (has(item, kContains) || has(item, kEndsWith) || item.is_keyword()) out = junk() + out;
    if (has(item, kContains) || has(item, kStartsWith) || item.is_keyword()) out += junk();
    return out;
  }

  void fill(const sigma::Item& item) {
    const std::string input = item.is_keyword() ? type_.inputs[below(type_.inputs.size())].name : item.field;
    std::string& text = texts_[input];  // several lines over one field add up
    if (has(item, sigma::Modifier::kAll)) {
      for (const sigma::Value& value : item.values) text += text_for(item, value);
      return;
    }
    const sigma::Value& value = item.values[below(item.values.size())];
    if (value.kind == sigma::ValueKind::kNull) {
      texts_.erase(input);
      return;
    }
    const std::string made = text_for(item, value);
    const bool begins = has(item, sigma::Modifier::kStartsWith);
    text = begins ? made + text : text + made;
  }

  std::string changed(std::string text) {
    if (text.empty()) return text;
    switch (below(8)) {
      case 0:
        for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' && chance(50) ? c - 32 : c);
        break;
      case 1: text.erase(below(text.size()), 1); break;  // may end inside a character: bytes are bytes
      case 2: text.insert(below(text.size()), 1, ' '); break;
      case 3:
        for (char& c : text) c = c == '-' ? '/' : c;
        break;
      case 4: text.resize(1 + below(text.size())); break;
      default: break;
    }
    return text;
  }

  const schema::TemplateType& type_;
  std::mt19937_64 random_{20261123};
  std::map<std::string, std::string> texts_;
};

TEST(PublicRules, JudgesAgreeOnEventsMadeFromEachRule) {
  SKIP_WITHOUT_SHARED_DATA();
  const schema::Catalog& catalog = schema::Catalog::embedded();
  struct OfType {
    std::vector<sigma::Rule> rules;
    std::vector<const schema::AnsweredLogSource*> logsources;
  };
  std::map<std::string, OfType> by_type;
  for (const sigma::Rule& rule : shared_data::rules()) {
    Diagnostics diagnostics;
    for (const sigma::Binding& binding : sigma::bind(rule, catalog, diagnostics)) {
      OfType& to = by_type[binding.type->id];
      to.rules.push_back(rule);
      to.logsources.push_back(binding.logsource);
    }
  }
  EXPECT_GT(by_type.size(), 10u);
  uint64_t rules = 0, events = 0, own_matches = 0, pairs = 0, wrong = 0;
  for (auto& [id, of_type] : by_type) {
    const schema::TemplateType& type = *catalog.find(id);
    BothJudges both(type, of_type.rules, of_type.logsources);
    ASSERT_EQ(both.error(), "") << id;
    EventMaker maker(type);
    const size_t count = both.rules().size();
    for (size_t i = 0; i < count; ++i) {
      if (!both.compiled(i)) continue;
      ASSERT_TRUE(both.judged(i)) << both.rules()[i].file << ": " << both.reason(i).substr(0, 300);
      ++rules;
      for (int n = 0; n < kEventsPerRule; ++n) {
        const Event event = maker.make(both.rules()[i], of_type.logsources[i]);
        ++events;
        std::string trouble;
        const std::vector<bool> fast = both.interpret(event.inputs(), trouble);
        EXPECT_EQ(trouble, "") << id;
        const auto check = [&](size_t rule) {
          ++pairs;
          const bool slow = both.judge(rule, event.inputs());
          if (rule == i) own_matches += slow;
          if (slow == fast[rule] || ++wrong > 10) return;
          ADD_FAILURE() << both.rules()[rule].file << ": interpreter " << (fast[rule] ? "matches" : "does not match") << ", reference " << (slow ? "matches" : "does not match") << "\n" << describe(type, event.inputs());
        };
        check(i);
        for (size_t rule = 0; rule < count; ++rule) {
          if (rule != i && fast[rule]) check(rule);
        }
        for (int k = 0; k < kOthersPerEvent; ++k) {
          const size_t rule = maker.below(count);
          if (both.compiled(rule)) check(rule);
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(rules, 1500u);
  EXPECT_GT(own_matches, events / 5) << "the events hardly meet their rules";
  std::cout << fmt::format("{} rules, {} events, {} pairs, {} events match the rule they were made from\n", rules, events, pairs, own_matches);
}

}  // namespace
}  // namespace creance::differential

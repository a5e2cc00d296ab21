// Every public rule on every public event: the interpreter and the reference evaluator say the same, and where the data publishes what matches, exactly that.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "both_judges.hpp"
#include "events/decoder.hpp"
#include "schema/catalog.hpp"
#include "shared_data.hpp"
#include "sigma/binder.hpp"

namespace creance::differential {
namespace {

constexpr uint64_t kJudgedAgainOneOf = 64;  // of what is remembered

// Rules that look at the same inputs. The reference is slow and events repeat themselves: what it said about the same values is remembered, and sometimes asked again.
class Group {
 public:
  explicit Group(std::optional<std::vector<uint32_t>> reads) : reads_(std::move(reads)) {}
  void add(size_t rule) { rules_.push_back(rule); }

  // Appends the rules that match.
  void judge(const BothJudges& judges, const schema::Inputs& inputs, std::vector<size_t>& matched, uint64_t& judged) {
    if (!reads_) return ask(judges, inputs, matched, judged);
    write_key(inputs);
    Remembered& slot = remembered_[std::hash<std::string>{}(key_) % kRemembered];
    const bool known = slot.key == key_;
    if (!known || ++hits_ % kJudgedAgainOneOf == 0) {
      std::vector<size_t> now;
      ask(judges, inputs, now, judged);
      if (known) {
        EXPECT_EQ(now, slot.matched) << "the answer depends on more than what the rule says that it reads";
      }
      slot = {key_, std::move(now)};
    }
    matched.insert(matched.end(), slot.matched.begin(), slot.matched.end());
  }

 private:
  static constexpr size_t kRemembered = 2048;
  struct Remembered {
    std::string key;  // whole: two events never share an answer by accident
    std::vector<size_t> matched;
  };

  void ask(const BothJudges& judges, const schema::Inputs& inputs, std::vector<size_t>& matched, uint64_t& judged) const {
    for (const size_t rule : rules_) {
      if (judges.judge(rule, inputs)) matched.push_back(rule);
    }
    judged += rules_.size();
  }
  void put(char kind, std::string_view text) {
    const auto size = static_cast<uint32_t>(text.size());
    key_ += kind;
    key_.append(reinterpret_cast<const char*>(&size), sizeof size);
    key_ += text;
  }
  void write_key(const schema::Inputs& inputs) {
    key_ = "+";  // no key is the empty one of a fresh slot
    for (const uint32_t input : *reads_) {
      const schema::InputValue& value = inputs.values[input];
      put(static_cast<char>('0' + static_cast<int>(value.presence)), value.has_value() ? value.text() : std::string_view{});
      for (const schema::FurtherValue& more : inputs.further) {
        if (more.input == input) put('+', more.text);
      }
    }
  }

  std::optional<std::vector<uint32_t>> reads_;
  std::vector<size_t> rules_;
  std::vector<Remembered> remembered_ = std::vector<Remembered>(kRemembered);
  std::string key_;
  uint64_t hits_ = 0;
};

struct OfType {
  std::vector<size_t> rules;  // of `both` -> of all
  std::unique_ptr<BothJudges> both;
  std::map<std::optional<std::vector<uint32_t>>, Group> groups;
};

struct Judges {
  std::vector<sigma::Rule> rules;
  std::map<const schema::TemplateType*, OfType> types;
  size_t bound = 0;
};

Judges make_judges(const schema::Catalog& catalog) {
  struct Bound {
    std::vector<sigma::Rule> rules;
    std::vector<const schema::AnsweredLogSource*> logsources;
  };
  Judges out;
  out.rules = shared_data::rules();
  std::map<const schema::TemplateType*, Bound> bound;
  for (size_t i = 0; i < out.rules.size(); ++i) {
    Diagnostics diagnostics;
    const auto bindings = sigma::bind(out.rules[i], catalog, diagnostics);
    if (!bindings.empty()) ++out.bound;
    for (const sigma::Binding& binding : bindings) {
      out.types[binding.type].rules.push_back(i);
      bound[binding.type].rules.push_back(out.rules[i]);
      bound[binding.type].logsources.push_back(binding.logsource);
    }
  }
  for (auto& [type, of_type] : out.types) {
    of_type.both = std::make_unique<BothJudges>(*type, std::move(bound[type].rules), bound[type].logsources);
    EXPECT_EQ(of_type.both->error(), "") << type->id;
    for (size_t i = 0; i < of_type.rules.size(); ++i) {
      EXPECT_EQ(of_type.both->compiled(i), of_type.both->judged(i)) << out.rules[of_type.rules[i]].file << ": " << of_type.both->reason(i).substr(0, 300);
      if (!of_type.both->judged(i)) continue;
      const auto reads = of_type.both->reads(i);
      of_type.groups.try_emplace(reads, reads).first->second.add(i);
    }
  }
  return out;
}

void compare(const std::vector<std::string>& files, uint64_t positives_least) {
  const schema::Catalog& catalog = schema::Catalog::embedded();
  Judges judges = make_judges(catalog);
  EXPECT_GT(judges.bound, 2000u) << "rules that bind";
  const auto known = shared_data::rules_with_expectation();
  const auto expected = shared_data::expected_matches();
  std::unordered_map<std::string, std::set<size_t>> expected_at;  // place -> rules that bind
  for (const auto& [type, of_type] : judges.types) {
    for (const size_t rule : of_type.rules) {
      const auto at = expected.find(judges.rules[rule].id);
      if (at == expected.end()) continue;
      for (const shared_data::Place& place : at->second) expected_at[text_of(place)].insert(rule);
    }
  }

  uint64_t pairs = 0, judged = 0, positives = 0, unpublished = 0, events = 0, wrong = 0;
  const auto complain = [&](const std::string& place, size_t rule, const std::string& what) {
    if (++wrong <= 40) ADD_FAILURE() << place << ": " << judges.rules[rule].file << " (" << judges.rules[rule].id << ") " << what;
  };
  for (const std::string& file : files) {
    events::Decoder decoder(catalog);
    const auto look_at = [&](uint64_t line, std::string_view json) {
      const auto decoded = decoder.decode(json);
      ASSERT_TRUE(decoded.has_value()) << file << ":" << line << ": " << decoded.error().detail;
      ++events;
      const std::string place = shared_data::text_of({file, line});
      std::set<size_t> found;
      for (const events::Decoded& each : *decoded) {
        const auto at = judges.types.find(each.type);
        if (at == judges.types.end()) continue;
        OfType& of_type = at->second;
        pairs += of_type.rules.size();
        std::vector<size_t> slow;
        for (auto& [reads, group] : of_type.groups) group.judge(*of_type.both, each.inputs, slow, judged);
        std::vector<bool> said(of_type.rules.size(), false);
        for (const size_t rule : slow) said[rule] = true;
        std::string trouble;
        const std::vector<bool> fast = of_type.both->interpret(each.inputs, trouble);
        if (!trouble.empty() && ++wrong <= 40) ADD_FAILURE() << place << ": " << trouble;
        for (size_t rule = 0; rule < said.size(); ++rule) {
          if (said[rule]) found.insert(of_type.rules[rule]);
          if (said[rule] != fast[rule]) complain(place, of_type.rules[rule], said[rule] ? "matches, and the interpreter says no" : "does not match, and the interpreter says that it does");
        }
      }
      const auto wanted = expected_at.find(place);
      for (const size_t rule : found) {
        ++positives;
        if (!known.contains(judges.rules[rule].id)) ++unpublished;
        else if (wanted == expected_at.end() || !wanted->second.contains(rule)) complain(place, rule, "matches and should not");
      }
      if (wanted == expected_at.end()) return;
      for (const size_t rule : wanted->second) {
        // A rule over all of Windows is expected to match events of logs that no Type stands for.
        const bool whole_product = judges.rules[rule].logsource.category.empty() && judges.rules[rule].logsource.service.empty();
        if (!found.contains(rule) && (!whole_product || !decoded->empty())) complain(place, rule, "does not match and should");
      }
    };
    EXPECT_EQ(shared_data::each_event(shared_data::folder() / file, look_at), "");
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GE(positives, positives_least);
  std::cout << fmt::format("{} rules, {} events, {} pairs of rule and event, {} of them judged anew, {} matches, {} of rules without a published expectation\n", judges.bound, events, pairs, judged, positives, unpublished);
}

TEST(ReferenceExpectations, QuickEvents) {
  SKIP_WITHOUT_SHARED_DATA();
  compare(shared_data::event_files(true), 500);
}

// Half an hour of processor time in all: only in the full check, one test for each file.
class AllEvents : public testing::TestWithParam<int> {};
TEST_P(AllEvents, OfOneFile) {
  SKIP_WITHOUT_SHARED_DATA();
  if (std::getenv("CREANCE_FULL") == nullptr) GTEST_SKIP() << "half an hour of work: set CREANCE_FULL";
  const auto files = shared_data::event_files(false);
  if (static_cast<size_t>(GetParam()) >= files.size()) GTEST_SKIP() << "there are fewer files";
  compare({files[static_cast<size_t>(GetParam())]}, 0);
}
INSTANTIATE_TEST_SUITE_P(ReferenceExpectations, AllEvents, testing::Range(0, 14));

}  // namespace
}  // namespace creance::differential

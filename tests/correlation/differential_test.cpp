// Both judges on the same events: all short sequences over small correlations, and generated long ones. As long as memory suffices they must say the same.
#include <rapidcheck.h>

#include <cstdlib>

#include "correlation/harness.hpp"

namespace creance::test {
namespace {

// Each is a set of correlations that is judged together.
const std::vector<std::vector<std::string>>& sets() {
  static const std::vector<std::vector<std::string>> kSets{
      {body("event_count", "[a]", "2s", "{gte: 2}"), body("event_count", "[a, b]", "2s", "{eq: 3}"), body("event_count", "[b]", "1s", "{lt: 2}")},
      {body("value_count", "[a]", "2s", "{field: Value, gte: 2}"), body("value_count", "[a, b]", "3s", "{field: [Host, Value], gt: 2}")},
      {body("temporal", "[a, b]", "2s", ""), body("temporal", "[a, b, c]", "2s", "{gte: 2}"), body("temporal", "[a, b, c]", "3s", "a and not b or c and b")},
      {body("temporal_ordered", "[a, b]", "2s", ""), body("temporal_ordered", "[b, a, c]", "3s", "{gte: 2}"), body("temporal_ordered", "[a, b, c]", "3s", "a and (b or not c)")},
      {body("temporal_ordered", "[a, b, c]", "4s", ""), body("temporal_ordered", "[c, b, a]", "4s", "(c or b) and a")},
      {body("value_sum", "[a]", "2s", "{field: Value, gte: 3}"), body("value_avg", "[a]", "2s", "{field: Value, gt: 1.5}"), body("value_max", "[a]", "2s", "{field: Value, gte: 2}"), body("value_min", "[a]", "2s", "{field: Value, lt: 2}")},
      {body("value_median", "[a]", "2s", "{field: Value, gt: 1}"), body("value_percentile", "[a]", "2s", "{field: Value, percentile: 75, gte: 1.75}"), body("value_percentile", "[a]", "3s", "{field: Value, lte: 40}")},
      {body("temporal_ordered", "[c1, b]", "3s", ""), body("event_count", "[a]", "2s", "{gte: 2}"), body("event_count", "[c0, c1]", "5s", "{gte: 2}", "[Host]")},
      {body("event_count", "[a, b]", "2s", "{gte: 2}", "[it]") + "\naliases:\n  it: {a: User, b: Host}", body("value_count", "[c0, c]", "4s", "{field: it, gte: 2}", "[Value]") + "\naliases:\n  it: {c0: it, c: Host}"},
  };
  return kSets;
}

std::vector<TestEvent> alphabet() {
  std::vector<TestEvent> out;
  for (const char* rules : {"a", "b", "ab", "bc", "c"}) {
    for (const char* value : {"1", "2"}) out.push_back({0, rules, value[0] == '1' ? "u" : "h", "u", value});
  }
  return out;
}

TEST(BothJudges, AgreeOnAllShortSequences) {
  const auto letters = alphabet();
  const std::vector<int64_t> steps{0, 1, 2, -1};
  for (const auto& set : sets()) {
    Pair pair(set);
    ASSERT_TRUE(pair.ready());
    // Length 4 over each choice of letters, times advancing by each choice of steps: sampled by a fixed stride that is prime to the number of all.
    const uint64_t per_place = letters.size() * steps.size();
    const uint64_t all = per_place * per_place * per_place * per_place;
    for (uint64_t n = 0; n < all; n += std::getenv("CREANCE_FULL") != nullptr ? 7 : 211) {
      std::vector<TestEvent> events;
      int64_t time = 10;
      for (uint64_t rest = n, i = 0; i < 4; ++i, rest /= per_place) {
        TestEvent e = letters[rest % per_place / steps.size()];
        time += steps[rest % steps.size()];
        e.time = time;
        events.push_back(e);
      }
      pair.reset();
      ASSERT_EQ(pair.difference(events), "");
    }
  }
}

TEST(BothJudges, AgreeOnAllSequencesOfTwoAndThree) {
  const auto letters = alphabet();
  for (const auto& set : sets()) {
    Pair pair(set);
    for (const int64_t step : {0, 1, 2, 3, -1, -3}) {
      for (const TestEvent& first : letters) {
        for (const TestEvent& second : letters) {
          for (const TestEvent& third : letters) {
            std::vector<TestEvent> events{first, second, third};
            events[0].time = 10;
            events[1].time = 10 + step;
            events[2].time = 11;
            pair.reset();
            ASSERT_EQ(pair.difference(events), "");
          }
        }
      }
    }
  }
}

rc::Gen<TestEvent> events_gen() {
  using rc::gen::element;
  return rc::gen::build<TestEvent>(rc::gen::set(&TestEvent::rules, rc::gen::element<std::string>("a", "a", "b", "c", "ab", "bc", "abc", "acd", "e", "ef")),
                                   rc::gen::set(&TestEvent::host, rc::gen::element<std::string>("h", "u", "x")),
                                   rc::gen::set(&TestEvent::user, rc::gen::element<std::optional<std::string>>("u", "u", "h", "x", std::nullopt)),
                                   rc::gen::set(&TestEvent::value, rc::gen::element<std::string>("1", "2", "3", "-1.5", "0.25", "none", "999999999999999999", "+7")));
}

std::string generated_correlation(int number, bool second_type) {
  const auto pick = [](const std::vector<std::string>& from) { return *rc::gen::elementOf(from); };
  std::vector<std::string> kinds{"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_max", "value_min", "value_avg", "value_percentile", "value_median"};
  const std::string kind = pick(kinds);
  const bool temporal = kind.starts_with("temporal");
  std::string rules = pick({"[a]", "[a, b]", "[b, a]", "[a, b, c]", "[c, a, b, d]"});
  if (number > 0 && *rc::gen::inRange(0, 3) == 0) rules = pick({"[c0, a]", "[b, c0]", "[c0]"});
  std::string group = pick({"[User]", "[Host]", "[Host, User]", "[Value]"});
  std::string extra;
  if (second_type && number == 0) {
    rules = pick({"[a, e]", "[e, f, b]"});
    group = "[it]";
    extra = rules == "[a, e]" ? "\naliases:\n  it: {a: User, e: Account}" : "\naliases:\n  it: {e: Host, f: Account, b: User}";
  }
  const std::string span = std::to_string(*rc::gen::inRange(1, 8)) + "s";
  const auto count = [&](int most) { return std::to_string(*rc::gen::inRange(1, most + 1)); };
  const auto rule_count = static_cast<int>(1 + std::ranges::count(rules, ','));
  std::string condition;
  if (temporal) {
    const std::string first = rules.substr(1, rules.find_first_of(",]") - 1);
    condition = pick({"", "", "{gte: " + count(rule_count) + "}", "words"});
    if (condition == "words") {
      std::vector<std::string> names;
      for (size_t at = 1; at < rules.size();) {
        const size_t end = rules.find_first_of(",]", at);
        names.push_back(rules.substr(at, end - at));
        at = end + 2;
      }
      condition = names[0];
      for (size_t i = 1; i < names.size(); ++i) condition = (i % 2 == 0 ? "(" + condition + ")" : condition) + pick({" and ", " or ", " and not ", " or not "}) + names[i];
    }
  } else {
    const std::string bound = kind == "event_count" || kind == "value_count" ? pick({"gte: " + count(4), "gt: " + count(3), "eq: " + count(3), "lt: 3", "neq: 1", "gt: 1, lte: 3"}) : pick({"gte: 2", "gt: 1.5", "lt: 1", "eq: 2", "neq: 1", "gte: 0, lt: 2.25"});
    const std::string percentile = kind == "value_percentile" && *rc::gen::inRange(0, 2) == 0 ? ", percentile: " + pick({"0", "25", "50", "66.6", "99.9", "100"}) : "";
    condition = kind == "event_count" ? "{" + bound + "}" : "{field: Value, " + (kind == "value_percentile" && percentile.empty() ? pick({"lte: 40", "gte: 60", "lt: 50"}) : bound) + percentile + "}";
  }
  return body(kind, rules, span, condition, group) + extra;
}

TEST(BothJudges, AgreeOnGeneratedCorrelationsAndEvents) {
  uint64_t hits = 0;
  const bool good = rc::check("both judges say the same", [&hits] {
    std::vector<std::string> bodies;
    const int count = *rc::gen::inRange(1, 4);
    const bool second_type = *rc::gen::inRange(0, 3) == 0;
    for (int i = 0; i < count; ++i) bodies.push_back(generated_correlation(i, second_type));
    if (second_type && bodies.size() > 1) bodies.resize(1);  // fields of one Type only
    Pair pair(bodies);
    if (!pair.ready()) return;  // refused, as `a and not a` is
    auto events = *rc::gen::container<std::vector<TestEvent>>(events_gen());
    int64_t time = 100;
    for (TestEvent& e : events) {
      time += *rc::gen::element(0, 0, 1, 1, 2, 5, -1, -2, -9, 20);
      if (*rc::gen::inRange(0, 12) != 0) e.time = time;
    }
    RC_LOG() << bodies[0] << "\n";
    const std::string difference = pair.difference(events);
    if (!difference.empty()) {
      for (const std::string& b : bodies) RC_LOG() << b << "\n";
      RC_FAIL(difference);
    }
    hits += pair.state().counts().hits;
  });
  EXPECT_TRUE(good);
  EXPECT_GT(hits, 50u);  // else the events would not try the conditions
}

}  // namespace
}  // namespace creance::test

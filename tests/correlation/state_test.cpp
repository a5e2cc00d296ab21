// The state as a machine: its memory, its cost, what it takes over at a swap, and what damaged files can do to it.
#include <random>

#include "correlation/harness.hpp"
#include "support/allocations.hpp"

namespace creance::channel {
class UncheckedCorrelationsForTests {
 public:
  static VerifiedCorrelations make(const CorrelationLayout& layout) { return VerifiedCorrelations(layout); }
};
}  // namespace creance::channel

namespace creance::test {
namespace {

using Strings = std::vector<std::string>;

std::vector<TestEvent> random_events(uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  std::vector<TestEvent> out;
  const std::vector<std::string> rules{"a", "b", "c", "ab", "abc", "e"};
  int64_t time = 1000;
  for (size_t i = 0; i < count; ++i) {
    time += static_cast<int64_t>(random() % 4) - (random() % 9 == 0 ? 5 : 0);
    out.push_back({time, rules[random() % rules.size()], std::string(1, static_cast<char>('g' + random() % 2)), std::string(1, static_cast<char>('u' + random() % 3)), std::to_string(random() % 5)});
  }
  return out;
}

TEST(Memory, OldestGroupLeavesAndIsCounted) {
  Pair pair({body("event_count", "[a]", "1h", "{gte: 2}")}, kSmallest);
  const uint64_t cells = channel::state_cells(kSmallest);
  const uint64_t groups = cells / 2;  // a group and an event each
  const auto event = [](uint64_t n, int64_t time) { return TestEvent{time, "a", "h", "u" + std::to_string(n), "1"}; };
  for (uint64_t i = 0; i < groups; ++i) EXPECT_TRUE(pair.fast(event(i, static_cast<int64_t>(i))).empty());
  EXPECT_EQ(pair.state().counts().evicted, 0u);
  EXPECT_TRUE(pair.fast(event(groups, 1000)).empty());  // one too many: group 0 leaves
  EXPECT_EQ(pair.state().counts().evicted, 1u);
  EXPECT_EQ(pair.fast(event(groups, 1001)).size(), 1u);  // its second event needed room: group 1 leaves
  EXPECT_EQ(pair.state().counts().evicted, 2u);
  EXPECT_EQ(pair.fast(event(2, 1002)).size(), 1u);  // the newer ones stayed
  EXPECT_TRUE(pair.fast(event(0, 1003)).empty());   // these had to begin anew
  EXPECT_TRUE(pair.fast(event(1, 1004)).empty());
}

TEST(Memory, GroupsThatArePastDoNotCountAsLost) {
  Pair pair({body("event_count", "[a]", "5s", "{gte: 2}")}, kSmallest);
  for (int64_t i = 0; i < 10'000; ++i) EXPECT_TRUE(pair.fast({i * 10, "a", "h", "u" + std::to_string(i), "1"}).empty());
  EXPECT_EQ(pair.state().counts().evicted, 0u);
}

TEST(Memory, OneGreatGroupLosesItsOldestEvents) {
  Pair pair({body("value_max", "[a]", "1h", "{field: Value, gte: 5}")}, kSmallest);
  const uint64_t cells = channel::state_cells(kSmallest);
  EXPECT_EQ(pair.fast({0, "a", "h", "u", "5"}).size(), 1u);
  for (uint64_t i = 1; i < cells + 10; ++i) EXPECT_TRUE(pair.fast({static_cast<int64_t>(i), "a", "h", "u", "1"}).empty());
  EXPECT_EQ(pair.state().counts().dropped, 11u);  // one cell is the group
  EXPECT_EQ(pair.fast({2000, "a", "h", "u", "5"}).size(), 1u);  // the first 5 is among those that left: it had ceased to hold
  Pair large({body("value_max", "[a]", "1h", "{field: Value, gte: 5}")}, limits::kCorrelationStateBytesMax);
  for (uint32_t i = 0; i < limits::kCorrelationEntriesMax + 3; ++i) (void)large.fast({0, "a", "h", "u", "1"});
  EXPECT_EQ(large.state().counts().dropped, 3u);
}

TEST(Memory, LimitsAreThoseOfTheFile) {
  Pair pair({body("event_count", "[a]", "1h", "{gte: 2}")}, kSmallest);
  Bytes bytes = pair.bytes();
  const auto set = [&](uint64_t state) {
    std::memcpy(bytes.data() + offsetof(channel::CorrelationHeader, state_bytes), &state, 8);
    const uint64_t cost = channel::correlation_cost(pair.file().layout(), state);
    std::memcpy(bytes.data() + offsetof(channel::CorrelationHeader, cost_bound), &cost, 8);
    const auto verified = channel::VerifiedCorrelations::verify(bytes);
    return verified ? std::string_view("") : verified.error().code;
  };
  EXPECT_EQ(set(kSmallest), "");
  EXPECT_EQ(set(kSmallest - 1), "V047");
  EXPECT_EQ(set(limits::kCorrelationStateBytesMax), "");
  EXPECT_EQ(set(limits::kCorrelationStateBytesMax + 1), "V047");
}

#ifndef __SANITIZE_ADDRESS__
TEST(State, AllocatesNothingForAnEvent) {
  Pair pair(all_kinds(), kSmallest);
  const std::vector<schema::InputValue> values{{}, schema::InputValue("h"), schema::InputValue("u"), schema::InputValue("3")};
  std::vector<uint32_t> sources;
  for (uint32_t i = 0; i < pair.file().source_count(); ++i) {
    if (pair.file().source(i).type == 0) sources.push_back(i);
  }
  std::vector<std::string> users;
  for (int i = 0; i < 500; ++i) users.push_back("user" + std::to_string(i));
  std::vector<schema::InputValue> event = values;
  uint64_t hits = 0;
  const uint64_t before = allocations;
  for (int64_t i = 0; i < 5'000; ++i) {
    event[2] = schema::InputValue(users[static_cast<size_t>(i / 3) % users.size()]);
    hits += pair.state().observe({0, sources, {event, {}, {}}, i * kSecond}).hits.size();
  }
  EXPECT_EQ(allocations, before);
  EXPECT_GT(hits, 1'000u);
}
#endif

TEST(State, StepsStayWithinTheBoundOnHostileEvents) {
  Pair pair(all_kinds(), kSmallest);
  const std::string large(limits::kInputBytesMax, 'x');
  std::mt19937 random(7);
  for (int64_t i = 0; i < 20'000; ++i) {
    TestEvent e{i % 5 == 0 ? 1000 : static_cast<int64_t>(random() % 40), "abc", i % 97 == 0 ? large : "h", "u" + std::to_string(random() % 40), std::to_string(random() % 50)};
    (void)pair.fast(e);  // checks the bound and that nothing faults
  }
  EXPECT_GT(pair.steps_most(), 100u);
}

TEST(State, ResultsDoNotDependOnTheKey) {
  Pair pair(all_kinds());
  interpreter::CorrelationState other(pair.file(), {42, 43});
  std::vector<uint32_t> sources;
  for (uint32_t i = 0; i < pair.file().source_count(); ++i) {
    if (pair.file().source(i).type == 0) sources.push_back(i);
  }
  for (const TestEvent& e : random_events(3, 2'000)) {
    const std::vector<schema::InputValue> values{{}, schema::InputValue(e.host), schema::InputValue(*e.user), schema::InputValue(e.value)};
    const interpreter::ObservedEvent seen{0, std::span(sources).first(1 + e.value.size() % sources.size()), {values, {}, {}}, *e.time * kSecond};
    const auto a = pair.state().observe(seen);
    const auto b = other.observe(seen);
    ASSERT_EQ(a.hits.size(), b.hits.size());
    for (size_t i = 0; i < a.hits.size(); ++i) ASSERT_EQ(a.hits[i].correlation, b.hits[i].correlation);
  }
}

TEST(State, HeldCorrelationsSeeNothing) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 1}"), body("event_count", "[b, a]", "10s", "{gte: 1}")});
  pair.state().hold(0);
  EXPECT_EQ(pair.fast({0, "a"}), (std::vector<std::string>{"c1[u]:1"}));
}

TEST(Swap, StateOfTheSameCorrelationsSurvives) {
  const std::string same = body("event_count", "[a]", "1m", "{gte: 3}");
  const std::string values = body("value_count", "[b]", "1m", "{field: Value, gte: 2}");
  Pair before({same, body("event_count", "[b]", "1m", "{gte: 3}"), values});
  Pair after({body("event_count", "[b]", "1m", "{gte: 4}"), values, same});
  for (const int64_t time : {0, 1}) {
    (void)before.fast({time, "a"});
    (void)before.fast({time, "b"});
  }
  after.state().inherit(before.state());  // its id and title are not what makes it the same
  EXPECT_EQ(after.fast({2, "a"}), (std::vector<std::string>{"c2[u]:3"}));
  EXPECT_EQ(after.fast({2, "b", "h", "u", "other"}), (std::vector<std::string>{"c1[u]:2"}));
  EXPECT_TRUE(after.fast({3, "b"}).empty());
}

TEST(Swap, OfTheSameCorrelationsTakesTheirMemoryAsItIs) {
  const std::string same = body("event_count", "[a]", "1h", "{gte: 2}");
  Pair before({same});
  Pair after({same});
  for (int64_t i = 0; i < 1'000; ++i) (void)before.fast({i, "a", "h", "u" + std::to_string(i), "1"});
  after.state().inherit(before.state());
  EXPECT_EQ(after.fast({1000, "a", "h", "u0", "1"}).size(), 1u);
  EXPECT_EQ(after.fast({1001, "a", "h", "u999", "1"}).size(), 1u);
  EXPECT_TRUE(after.fast({1002, "a", "h", "new", "1"}).empty());
  EXPECT_TRUE(before.fast({1003, "a", "h", "u1", "1"}).empty()) << "nothing is in two places";
  EXPECT_EQ(before.fast({1004, "a", "h", "u1", "1"}).size(), 1u);
}

// However full the memory is and however much the list of correlations changed, no event waits for it: nothing is copied.
TEST(Swap, OfFullMemoryTakesStepsForCorrelationsAloneNotForGroups) {
  const std::string same = body("event_count", "[a]", "1h", "{gte: 2}");
  for (const uint64_t after_bytes : {limits::kCorrelationStateBytes, 2 * limits::kCorrelationStateBytes, limits::kCorrelationStateBytes / 2}) {
    Pair before({same, body("event_count", "[b]", "1h", "{gte: 2}"), body("value_max", "[c]", "1h", "{field: Value, gte: 5}")}, limits::kCorrelationStateBytes);
    Pair after({body("value_min", "[b]", "1h", "{field: Value, lt: 0}"), same}, after_bytes);
    const auto groups = static_cast<int64_t>(channel::state_cells(limits::kCorrelationStateBytes) / 2);
    for (int64_t i = 0; i < groups; ++i) (void)before.fast({i / 1'000, i % 2 == 0 ? "a" : "b", "h", "u" + std::to_string(i), "1"});
    ASSERT_EQ(before.state().counts().evicted, 0u);
    EXPECT_LE(after.state().inherit(before.state()), 2u * (3 + 2) + 200);
    const auto newest = std::to_string((groups - 1) / 2 * 2);
    EXPECT_EQ(after.fast({groups / 1'000, "a", "h", "u" + newest, "1"}), Strings{"c1[u" + newest + "]:2"}) << "and nothing is lost";
    for (int64_t i = 0; i < 4'000; ++i) {  // what belongs to no correlation any more leaves by and by, and less memory is kept to
      (void)after.fast({groups / 1'000, "a", "h", "v" + std::to_string(i), "1"});
    }
    EXPECT_EQ(after.state().counts().evicted > 0, after_bytes < limits::kCorrelationStateBytes) << "the room of what is no more is enough";
  }
}

TEST(Swap, BackAndForthKeepsWhatBothHave) {
  const std::string one = body("event_count", "[a]", "1h", "{gte: 50}"), two = body("event_count", "[b]", "1h", "{gte: 50}"), three = body("event_count", "[c]", "1h", "{gte: 50}");
  auto now = std::make_unique<Pair>(std::vector<std::string>{one, two});
  for (int64_t i = 0; i < 49; ++i) {
    (void)now->fast({i, "a"});
    (void)now->fast({i, "bc"});
    auto next = std::make_unique<Pair>(i % 2 == 0 ? std::vector<std::string>{three, one} : std::vector<std::string>{two, one, three});
    next->state().inherit(now->state());
    now = std::move(next);
  }
  EXPECT_EQ(now->fast({50, "a"}), (Strings{"c1[u]:50"}));
  EXPECT_EQ(now->fast({50, "c"}), (Strings{})) << "it came later";
}

TEST(Swap, IntoLessMemoryKeepsTheNewest) {
  const std::string same = body("event_count", "[a]", "1h", "{gte: 2}");
  Pair before({same});
  Pair after({same}, kSmallest);
  for (int64_t i = 0; i < 1'000; ++i) (void)before.fast({i, "a", "h", "u" + std::to_string(i), "1"});
  after.state().inherit(before.state());
  for (int64_t i = 0; i < 1'000; ++i) (void)after.fast({1'000, "a", "h", "v" + std::to_string(i), "1"});
  EXPECT_GE(after.state().counts().evicted, 1'000 + 1'000 - channel::state_cells(kSmallest) / 2) << "what the new file declares is kept to";
  EXPECT_TRUE(after.fast({1'001, "a", "h", "u0", "1"}).empty());
  EXPECT_EQ(after.fast({1'001, "a", "h", "v999", "1"}).size(), 1u);
}

// ---- budgets

TEST(Budget, WhoIsOverItsStepsSeesNothingUntilThePeriodIsOverAndTheOthersDo) {
  Pair pair({body("value_max", "[a]", "1h", "{field: Value, gte: 5}"), body("event_count", "[a]", "1h", "{gte: 1}")});
  pair.state().budget({20'000, ~uint64_t{0}});
  const std::vector<schema::InputValue> values{{}, schema::InputValue("h"), schema::InputValue("u"), schema::InputValue("1")};
  const uint32_t source[] = {0};
  std::vector<uint32_t> over;
  uint64_t hits = 0;
  for (int64_t i = 0; i < 1'000; ++i) {
    const auto outcome = pair.state().observe({0, source, {values, {}, {}}, i * kSecond});
    over.insert(over.end(), outcome.over_budget.begin(), outcome.over_budget.end());
    hits += outcome.hits.size();
  }
  EXPECT_EQ(over, (std::vector<uint32_t>{0})) << "said once";
  EXPECT_EQ(hits, 1'000u);
  const uint64_t spent = pair.state().used(0).steps;
  EXPECT_GT(spent, 20'000u);
  EXPECT_LT(spent, 20'000u + 1'000) << "what is over its budget costs nothing more";
  EXPECT_LT(pair.state().used(1).steps, 20'000u);
  pair.state().begin_period();
  EXPECT_EQ(pair.state().used(0).steps, 0u);
  (void)pair.state().observe({0, source, {values, {}, {}}, 1'000 * kSecond});
  EXPECT_GT(pair.state().used(0).steps, 0u);
}

TEST(Budget, WhoPushesOthersOutOfTheMemoryIsOverIt) {
  Pair pair({body("event_count", "[a]", "1h", "{gte: 2}"), body("event_count", "[b]", "1h", "{gte: 2}")}, kSmallest);
  const uint64_t groups = channel::state_cells(kSmallest) / 2;
  const auto event = [](const char* rules, uint64_t n) { return TestEvent{1, rules, "h", "u" + std::to_string(n), "1"}; };
  for (uint64_t i = 0; i < groups; ++i) (void)pair.fast(event("a", i));
  constexpr uint64_t kMost = 10 * 2 * channel::kStateCellBytes;
  pair.state().budget({~uint64_t{0}, kMost});
  for (uint64_t i = 0; i < 100; ++i) (void)pair.fast(event("b", i));
  EXPECT_EQ(pair.state().used(1).pushed_out_bytes, kMost + 2 * channel::kStateCellBytes);
  EXPECT_EQ(pair.state().used(0).pushed_out_bytes, 0u);
  EXPECT_EQ(pair.state().counts().evicted, 11u);
  EXPECT_EQ(pair.fast(event("a", groups - 1)).size(), 1u) << "what the others know stays";
  for (uint64_t i = 0; i < 3 * groups; ++i) (void)pair.fast(event("a", 1'000 + i));
  EXPECT_LE(pair.state().used(0).pushed_out_bytes, kMost + 4 * channel::kStateCellBytes) << "pushing out groups of one's own is one's own affair";
}

// ---- damaged files

void drive(const channel::VerifiedCorrelations& file, bool is_verified) {
  interpreter::CorrelationState state(file, kKey);
  const std::vector<schema::InputValue> one{schema::InputValue("5"), schema::InputValue("h"), schema::InputValue("u"), schema::InputValue("3")};
  std::vector<schema::InputValue> two = one;
  two[2] = {};
  two[3] = schema::InputValue("-7.5");
  for (int64_t i = 0; i < 12; ++i) {
    for (uint32_t type = 0; type < 2; ++type) {
      std::vector<uint32_t> sources;
      for (uint32_t s = 0; s < file.source_count(); ++s) {
        if (!is_verified || file.layout().sources[s].type == type) sources.push_back(s);
      }
      if (type >= file.type_count() || file.layout().types[type].input_count != one.size()) continue;
      const auto outcome = state.observe({type, sources, {i % 3 == 2 ? two : one, {}, {}}, i % 4 == 3 ? std::nullopt : std::optional(i * kSecond)});
      if (!is_verified) continue;
      ASSERT_EQ(outcome.faults, 0u);
      ASSERT_LE(outcome.steps, file.cost_bound());
      for (const auto& hit : outcome.hits) {
        (void)file.correlation(hit.correlation);
        for (const uint32_t input : file.group_inputs(hit.feed)) ASSERT_LT(input, one.size());
      }
    }
  }
}

void drive_unchecked(BytesView bytes) {
  auto layout = channel::map_correlation_sections(bytes);
  if (!layout || layout->header->state_bytes > limits::kCorrelationStateBytesMax) return;  // the memory itself is asked for once, by whoever verified the file
  drive(channel::UncheckedCorrelationsForTests::make(*layout), false);
}

size_t bit_step() {
#ifdef __SANITIZE_ADDRESS__
  return std::getenv("CREANCE_FULL") != nullptr ? 1 : 11;
#else
  return std::getenv("CREANCE_FULL") != nullptr ? 1 : 3;
#endif
}

TEST(CorrelationFile, EveryTruncationIsRefused) {
  Pair pair(all_kinds(), kSmallest);
  const Bytes& bytes = pair.bytes();
  ASSERT_LE(bytes.size(), 16'384u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(channel::VerifiedCorrelations::verify(cut)) << size;
    drive_unchecked(cut);
  }
  Bytes longer = bytes;
  longer.resize(bytes.size() + 8);
  EXPECT_FALSE(channel::VerifiedCorrelations::verify(longer));
}

TEST(CorrelationFile, EveryFlippedBitIsRefusedOrHarmless) {
  Pair pair(all_kinds(), kSmallest);
  Bytes bytes = pair.bytes();
  size_t accepted = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; bit += bit_step()) {
    const auto flip = static_cast<uint8_t>(1u << (bit % 8));
    bytes[bit / 8] ^= flip;
    if (const auto file = channel::VerifiedCorrelations::verify(bytes)) {
      ++accepted;
      drive(*file, true);
    }
    drive_unchecked(bytes);
    bytes[bit / 8] ^= flip;
    if (HasFatalFailure()) FAIL() << "bit " << bit;
  }
  EXPECT_GT(accepted, 0u);
}

TEST(CorrelationFile, SplicesAreRefusedOrHarmless) {
  Pair pair(all_kinds(), kSmallest);
  Pair other({body("temporal_ordered", "[a, b]", "10s", "a and not b"), body("value_count", "[e]", "1s", "{field: Value, gte: 9}", "[Account, Host]")}, kSmallest);
  std::mt19937 random(11);
  for (const auto& [into, from] : {std::pair(&pair.bytes(), &other.bytes()), std::pair(&other.bytes(), &pair.bytes()), std::pair(&pair.bytes(), &pair.bytes())}) {
    for (int round = 0; round < 2'000; ++round) {
      Bytes spliced = *into;
      const size_t words = std::min(into->size(), from->size()) / 4;
      const size_t at = random() % words;
      const size_t count = 1 + random() % std::min<size_t>(16, words - at);
      std::copy_n(from->begin() + static_cast<ptrdiff_t>((random() % (words - count + 1)) * 4), count * 4, spliced.begin() + static_cast<ptrdiff_t>(at * 4));
      if (const auto file = channel::VerifiedCorrelations::verify(spliced)) drive(*file, true);
      drive_unchecked(spliced);
      if (HasFatalFailure()) FAIL() << "round " << round;
    }
  }
}

TEST(CorrelationFile, SameCorrelationsInAnyOrderGiveTheSameBytes) {
  const auto yaml = [](const std::vector<int>& order) {
    std::string out;
    for (const int i : order) out += correlation_document(i, all_kinds()[static_cast<size_t>(i)]);
    return out + rule_documents();
  };
  const auto build = [&](const std::vector<int>& order) {
    auto parsed = sigma::parse(yaml(order), "c.yml");
    const auto built = compiler::compile_correlations(parsed.correlations, parsed.rules, types_of(parsed.rules), parsed.diagnostics);
    EXPECT_TRUE(built && built->built);
    return built->built->bytes;
  };
  EXPECT_EQ(build({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), build({9, 8, 3, 2, 7, 6, 5, 4, 1, 0}));
}

}  // namespace
}  // namespace creance::test

#include "interpreter/correlation.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace creance::interpreter {
namespace {

using channel::CorrelationRecord;
using channel::FeedRecord;
using channel::ListRef;
using channel::MeasureKind;

constexpr uint32_t kNone = 0xffffffff;
constexpr int64_t kTimeMax = 1ll << 60;  // microseconds; beyond, times are cut to it, so that sums of times never overflow
constexpr Int128 kPercentUnits = Int128{100} * kDecimalUnits;

// INVARIANT: an index of a cell comes from this file alone, never from a channel file.
struct Group {
  Hash128 key;
  Hash128 sum;        // of numbers, as Int128
  uint32_t bucket_next, bucket_previous;
  uint32_t newer, older;  // of all groups, by last use
  uint32_t first, last;   // events by time
  uint32_t correlation;
  uint32_t events;
  uint32_t holds;         // the condition held at the last look (kinds that do not use up their events)
  uint32_t unused;
};
struct Entry {  // an event of a group; kValues and kRules keep the newest one of each value or rule only
  Hash128 value;  // kValues, kShare: its hash; kRules: the rule; numbers: an Int128
  int64_t time;
  uint32_t next, previous;
  uint32_t bucket_next, bucket_previous;
  uint32_t group;
  uint32_t rules;  // bits
};
union Cell {
  Group group;
  Entry entry;
  uint32_t next_free;
};
static_assert(sizeof(Cell) == channel::kStateCellBytes);

Int128 number_of(const Hash128& words) noexcept { return std::bit_cast<Int128>(words); }
Hash128 words_of(Int128 number) noexcept { return std::bit_cast<Hash128>(number); }
// Wraps around: no file, however broken, makes it undefined.
Int128 times(Int128 a, Int128 b) noexcept {
  __extension__ using Unsigned = unsigned __int128;
  return static_cast<Int128>(static_cast<Unsigned>(a) * static_cast<Unsigned>(b));
}
Int128 number_of(const channel::Wide& wide) noexcept { return std::bit_cast<Int128>(wide); }

struct Measure {  // value = number / divisor, in units of 10^-9
  Int128 number = 0;
  Int128 divisor = 1;
};

bool within(const CorrelationRecord& c, const Measure& m) noexcept {
  if ((c.bounds & channel::kHasLow) != 0) {
    const Int128 low = times(number_of(c.low), m.divisor);
    if (m.number < low || (m.number == low && (c.bounds & channel::kLowOpen) != 0)) return false;
  }
  if ((c.bounds & channel::kHasHigh) != 0) {
    const Int128 high = times(number_of(c.high), m.divisor);
    if (m.number > high || (m.number == high && (c.bounds & channel::kHighOpen) != 0)) return false;
  }
  return (c.bounds & channel::kHasUnequal) == 0 || m.number != times(number_of(c.unequal), m.divisor);
}

// One group that the present event belongs to.
struct Observation {
  Hash128 key;
  Hash128 value;
  uint32_t rules;  // bits
  uint32_t feed;   // the first that brought it
};

// All that is remembered of events; changes hands as a whole.
struct Memory {
  std::unique_ptr<Cell[]> cells;
  std::vector<uint64_t> kinds;  // per cell one bit: a group
  std::vector<uint32_t> buckets;
  uint32_t untouched = 0;    // cells from here on were never used
  uint32_t free = kNone;
  uint32_t newest = kNone;   // groups by last use
  uint32_t oldest = kNone;
  std::vector<int64_t> clocks;  // of the last event, per correlation
};

}  // namespace

struct CorrelationState::State : Memory {
  State(const channel::VerifiedCorrelations& verified, Hash128 hash_key)
      : l(verified.layout()), key(hash_key), cell_count(static_cast<uint32_t>(std::min<uint64_t>(channel::state_cells(l.header->state_bytes), limits::kCorrelationStateBytesMax / channel::kStateCellBytes))) {
    cells = std::make_unique_for_overwrite<Cell[]>(cell_count);
    kinds.assign(cell_count / 64 + 1, 0);
    bucket_count = std::bit_floor(std::max(cell_count, 2u));
    buckets.assign(bucket_count, kNone);
    pending.assign(l.feeds.size(), 0);
    awake.assign(l.correlations.size(), 0);
    held.assign(l.correlations.size(), 0);
    clocks.assign(l.correlations.size(), 0);
    uint32_t most = 0;
    for (const CorrelationRecord& c : l.correlations) most = std::max(most, std::min<uint32_t>(c.feeds.count, static_cast<uint32_t>(l.feeds.size())));
    observations.resize(most);
    hits.resize(l.feeds.size());
    const bool sorts = std::ranges::any_of(l.correlations, [](const CorrelationRecord& c) { return c.kind == MeasureKind::kPercentile; });
    if (sorts) sorted.resize(std::min(cell_count, limits::kCorrelationEntriesMax + 1));
  }

  channel::CorrelationLayout l;
  Hash128 key;
  uint32_t cell_count;
  uint32_t bucket_count = 0;
  int64_t clock = 0;         // of the last event with a time
  std::vector<uint8_t> pending;  // per feed: the present event comes by it
  std::vector<uint8_t> awake;    // per correlation
  std::vector<uint8_t> held;
  std::vector<Observation> observations;
  std::vector<CorrelationHit> hits;
  std::vector<Int128> sorted;
  CorrelationCounts counts;
  uint64_t steps = 0;
  uint32_t faults = 0;

  // ---- file, checked once more

  bool fits(ListRef ref, size_t table) noexcept {
    if (uint64_t{ref.first} + ref.count <= table) return true;
    ++faults;
    return false;
  }
  std::span<const uint32_t> numbers(ListRef ref) noexcept { return fits(ref, l.numbers.size()) ? l.numbers.subspan(ref.first, ref.count) : std::span<const uint32_t>(); }

  // ---- cells

  Group& group(uint32_t index) noexcept { return cells[index].group; }
  Entry& entry(uint32_t index) noexcept { return cells[index].entry; }

  uint32_t bucket_of(uint64_t owner, const Hash128& hash) const noexcept { return static_cast<uint32_t>((hash.low ^ owner * 0x9e3779b97f4a7c15ull) >> 32) & (bucket_count - 1); }
  uint32_t group_bucket(const Group& g) const noexcept { return bucket_of(g.correlation, g.key); }
  uint32_t entry_bucket(const Entry& e) const noexcept { return bucket_of(uint64_t{e.group} + (uint64_t{1} << 32), e.value); }

  template <class Node>
  void link(uint32_t bucket, uint32_t index, Node& node) noexcept {
    node.bucket_next = buckets[bucket];
    node.bucket_previous = kNone;
    if (node.bucket_next != kNone) set_previous(node.bucket_next, index);
    buckets[bucket] = index;
  }
  template <class Node>
  void unlink(uint32_t bucket, Node& node) noexcept {
    if (node.bucket_previous == kNone) buckets[bucket] = node.bucket_next;
    else set_next(node.bucket_previous, node.bucket_next);
    if (node.bucket_next != kNone) set_previous(node.bucket_next, node.bucket_previous);
  }
  // Chains hold groups and entries side by side; which one a cell is, its kind byte says.
  void set_next(uint32_t index, uint32_t to) noexcept { (is_group(index) ? group(index).bucket_next : entry(index).bucket_next) = to; }
  void set_previous(uint32_t index, uint32_t to) noexcept { (is_group(index) ? group(index).bucket_previous : entry(index).bucket_previous) = to; }
  uint32_t next_in_bucket(uint32_t index) noexcept { return is_group(index) ? group(index).bucket_next : entry(index).bucket_next; }
  bool is_group(uint32_t index) const noexcept { return (kinds[index / 64] >> (index % 64) & 1) != 0; }
  void set_group(uint32_t index, bool is) noexcept {
    const uint64_t bit = uint64_t{1} << (index % 64);
    kinds[index / 64] = is ? kinds[index / 64] | bit : kinds[index / 64] & ~bit;
  }

  void give_back(uint32_t index) noexcept {
    cells[index].next_free = free;
    free = index;
  }

  // A cell; `keep` is the group that must not go. When memory is full the group that was used least recently leaves, or the oldest event of `keep` if there is no other.
  uint32_t take(uint32_t keep) noexcept {
    if (free == kNone && untouched == cell_count) {
      const uint32_t victim = oldest == keep && oldest != kNone ? group(oldest).newer : oldest;
      if (victim != kNone) {
        ++(is_past(victim) ? expired : counts.evicted);
        remove(victim);
      } else if (keep != kNone && group(keep).first != kNone) {
        ++counts.dropped;
        drop(keep, group(keep).first);
      } else {
        return kNone;
      }
    }
    if (free == kNone) return untouched++;
    const uint32_t index = free;
    free = cells[index].next_free;
    return index;
  }
  uint64_t expired = 0;

  // ---- groups

  static int64_t span_of(const CorrelationRecord& c) noexcept { return std::clamp<int64_t>(c.timespan_us, 0, kTimeMax); }
  bool is_past(uint32_t index) noexcept {
    const Group& g = group(index);
    return g.last == kNone || entry(g.last).time < clocks[g.correlation] - span_of(l.correlations[g.correlation]);
  }

  void detach(uint32_t index) noexcept {  // from the order of use
    Group& g = group(index);
    (g.newer == kNone ? newest : group(g.newer).older) = g.older;
    (g.older == kNone ? oldest : group(g.older).newer) = g.newer;
  }
  void make_newest(uint32_t index) noexcept {
    Group& g = group(index);
    g.newer = kNone;
    g.older = newest;
    if (newest != kNone) group(newest).newer = index;
    newest = index;
    if (oldest == kNone) oldest = index;
  }

  uint32_t find_group(uint32_t correlation, const Hash128& hash) noexcept {
    for (uint32_t at = buckets[bucket_of(correlation, hash)]; at != kNone; at = next_in_bucket(at)) {
      ++steps;
      if (is_group(at) && group(at).correlation == correlation && group(at).key == hash) return at;
    }
    return kNone;
  }

  uint32_t make_group(uint32_t correlation, const Hash128& hash) noexcept {
    const uint32_t index = take(kNone);
    if (index == kNone) return kNone;
    set_group(index, true);
    group(index) = {hash, words_of(0), kNone, kNone, kNone, kNone, kNone, kNone, correlation, 0, 0, 0};
    link(group_bucket(group(index)), index, group(index));
    make_newest(index);
    return index;
  }

  MeasureKind kind_of(const Group& g) const noexcept { return l.correlations[g.correlation].kind; }
  static bool is_keyed(MeasureKind kind) noexcept { return kind == MeasureKind::kValues || kind == MeasureKind::kRules; }

  void empty(uint32_t index) noexcept {
    while (group(index).first != kNone) drop(index, group(index).first);
    group(index).holds = 0;
  }
  void remove(uint32_t index) noexcept {
    empty(index);
    unlink(group_bucket(group(index)), group(index));
    detach(index);
    give_back(index);
    ++steps;
  }

  // ---- events of a group

  void drop(uint32_t in, uint32_t index) noexcept {
    ++steps;
    Group& g = group(in);
    Entry& e = entry(index);
    (e.previous == kNone ? g.first : entry(e.previous).next) = e.next;
    (e.next == kNone ? g.last : entry(e.next).previous) = e.previous;
    if (is_keyed(kind_of(g))) unlink(entry_bucket(e), e);
    if (channel::counts_numbers(kind_of(g))) g.sum = words_of(number_of(g.sum) - number_of(e.value));
    --g.events;
    give_back(index);
  }

  uint32_t find_entry(uint32_t in, const Hash128& value) noexcept {
    for (uint32_t at = buckets[bucket_of(uint64_t{in} + (uint64_t{1} << 32), value)]; at != kNone; at = next_in_bucket(at)) {
      ++steps;
      if (!is_group(at) && entry(at).group == in && entry(at).value == value) return at;
    }
    return kNone;
  }

  // Into the order of time, behind those of the same time.
  void insert(uint32_t in, const Hash128& value, int64_t time, uint32_t rules) noexcept {
    const bool keyed = is_keyed(kind_of(group(in)));
    if (keyed) {
      const uint32_t same = find_entry(in, value);
      if (same != kNone && entry(same).time > time) return;
      if (same != kNone) drop(in, same);
    }
    if (group(in).events >= limits::kCorrelationEntriesMax) {
      ++counts.dropped;
      drop(in, group(in).first);
    }
    const uint32_t index = take(in);  // before a place is looked for: the oldest event may leave
    if (index == kNone) {
      ++counts.dropped;
      return;
    }
    Group& g = group(in);
    uint32_t after = g.last;
    for (; after != kNone && entry(after).time > time; after = entry(after).previous) ++steps;
    set_group(index, false);
    Entry& e = entry(index);
    e = {value, time, after == kNone ? g.first : entry(after).next, after, kNone, kNone, in, rules};
    (after == kNone ? g.first : entry(after).next) = index;
    (e.next == kNone ? g.last : entry(e.next).previous) = index;
    if (keyed) link(entry_bucket(e), index, e);
    if (channel::counts_numbers(kind_of(g))) g.sum = words_of(number_of(g.sum) + number_of(value));
    ++g.events;
    ++steps;
  }

  // ---- conditions

  bool in_order(const Group& g, uint32_t required) noexcept {
    for (uint32_t at = g.first; at != kNone && required != 0; at = entry(at).next) {
      ++steps;
      const uint32_t next = required & (~required + 1);  // its lowest bit: the rule that is waited for
      if ((entry(at).rules & next) != 0) required &= ~next;
    }
    return required == 0;
  }
  uint32_t longest_chain(const Group& g, uint32_t rule_count) noexcept {
    std::array<uint32_t, limits::kCorrelationRulesMax> longest{};  // of chains that end with a rule
    const uint32_t count = std::min(rule_count, limits::kCorrelationRulesMax);
    for (uint32_t at = g.first; at != kNone; at = entry(at).next) {
      steps += count;
      uint32_t before = 0;
      for (uint32_t rule = 0; rule < count; ++rule) {  // one event is one link: `before` holds what stood before this event
        const uint32_t was = longest[rule];
        if ((entry(at).rules >> rule & 1) != 0) longest[rule] = std::max(was, before + 1);
        before = std::max(before, was);
      }
    }
    return *std::ranges::max_element(longest);
  }
  uint32_t rules_present(const Group& g) noexcept {
    uint32_t present = 0;
    for (uint32_t at = g.first; at != kNone; at = entry(at).next, ++steps) present |= entry(at).rules;
    return present;
  }
  Measure percentile(const Group& g, uint64_t percent) noexcept {
    size_t n = 0;
    for (uint32_t at = g.first; at != kNone && n < sorted.size(); at = entry(at).next) sorted[n++] = number_of(entry(at).value);
    steps += n * (1 + static_cast<uint64_t>(std::bit_width(n)));
    if (n == 0) return {};
    std::sort(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(n));
    const Int128 position = Int128{percent} * static_cast<int64_t>(n - 1);
    const auto below = static_cast<size_t>(position / kPercentUnits);
    const Int128 rest = position % kPercentUnits;
    if (below + 1 >= n) return {sorted[n - 1], 1};
    return {sorted[below] * (kPercentUnits - rest) + sorted[below + 1] * rest, kPercentUnits};
  }
  Measure extreme(const Group& g, bool largest) noexcept {
    Int128 best = number_of(entry(g.first).value);
    for (uint32_t at = g.first; at != kNone; at = entry(at).next, ++steps) {
      const Int128 value = number_of(entry(at).value);
      if (largest ? value > best : value < best) best = value;
    }
    return {best, 1};
  }
  Measure share(const Group& g, const Hash128& value) noexcept {
    Int128 equal = 0;
    for (uint32_t at = g.first; at != kNone; at = entry(at).next, ++steps) equal += entry(at).value == value ? 1 : 0;
    return {equal * kPercentUnits, g.events};
  }

  // Whether the condition holds for the group; `counted` is what CorrelationHit::events says.
  bool condition(const CorrelationRecord& c, const Group& g, const Hash128& value, uint32_t& counted) noexcept {
    counted = g.events;
    switch (c.kind) {
      case MeasureKind::kEvents:
      case MeasureKind::kValues: return within(c, {Int128{g.events} * kDecimalUnits, 1});
      case MeasureKind::kRules:
      case MeasureKind::kRulesInOrder: {
        const bool ordered = c.kind == MeasureKind::kRulesInOrder;
        const uint32_t present = rules_present(g);
        counted = static_cast<uint32_t>(std::popcount(present));
        if (c.terms.count == 0) {
          if (ordered) counted = longest_chain(g, c.rule_count);
          return within(c, {Int128{counted} * kDecimalUnits, 1});
        }
        if (!fits(c.terms, l.terms.size())) return false;
        return std::ranges::any_of(l.terms.subspan(c.terms.first, c.terms.count), [&](const channel::TermRecord& term) {
          ++steps;
          return (term.required & ~present) == 0 && (term.forbidden & present) == 0 && (!ordered || in_order(g, term.required));
        });
      }
      case MeasureKind::kSum: return within(c, {number_of(g.sum), 1});
      case MeasureKind::kAverage: return within(c, {number_of(g.sum), g.events});
      case MeasureKind::kMax: return within(c, extreme(g, true));
      case MeasureKind::kMin: return within(c, extreme(g, false));
      case MeasureKind::kPercentile: return within(c, percentile(g, c.percentile));
      case MeasureKind::kShare: return within(c, share(g, value));
    }
    return false;
  }

  // ---- one event

  // A value of the event, cut as the interpreter cuts; nothing where there is none.
  std::optional<std::string_view> value_of(const ObservedEvent& event, uint32_t input) noexcept {
    if (input >= event.inputs.values.size()) return ++faults, std::nullopt;
    const schema::InputValue& value = event.inputs.values[input];
    if (!value.has_value()) return std::nullopt;
    return std::string_view(value.data, std::min<size_t>(value.size, limits::kInputBytesMax));
  }
  bool hash_values(const ObservedEvent& event, std::span<const uint32_t> inputs, Hash128& out) noexcept {
    for (const uint32_t input : inputs) {
      const auto value = value_of(event, input);
      if (!value) return false;
      steps += 1 + value->size() / 16;
      const Hash128 part = siphash({key.low ^ out.low, key.high ^ out.high}, *value);
      out = part;
    }
    return true;
  }

  // The group and the value of what comes by one feed; false: it does not count.
  bool read(const ObservedEvent& event, const CorrelationRecord& c, const FeedRecord& feed, Observation& out) noexcept {
    const auto columns = numbers(feed.columns);
    const size_t groups = c.group_names.count;
    if (columns.size() != groups + c.value_count) return ++faults, false;
    if (!hash_values(event, columns.first(groups), out.key)) return ++counts.without_group, false;
    const auto values = columns.subspan(groups);
    if (channel::counts_numbers(c.kind)) {
      const auto text = values.empty() ? std::nullopt : value_of(event, values[0]);
      const auto number = text ? parse_decimal(*text) : std::nullopt;
      if (!number) return ++counts.without_value, false;
      out.value = words_of(*number);
    } else if (!hash_values(event, values, out.value)) {
      return ++counts.without_value, false;
    }
    return true;
  }

  size_t collect(const ObservedEvent& event, const CorrelationRecord& c) noexcept {
    size_t count = 0;
    for (uint32_t f = c.feeds.first; f < c.feeds.first + c.feeds.count; ++f) {
      ++steps;
      if (pending[f] == 0) continue;
      pending[f] = 0;
      const FeedRecord& feed = l.feeds[f];
      if (feed.rule >= limits::kCorrelationRulesMax) {
        ++faults;
        continue;
      }
      Observation found{{}, {}, 1u << feed.rule, f};
      if (!read(event, c, feed, found)) continue;
      size_t at = 0;
      while (at < count && !(observations[at].key == found.key)) ++at, ++steps;
      if (at < count) observations[at].rules |= found.rules;
      else observations[count++] = found;
    }
    return count;
  }

  bool look(uint32_t correlation, const CorrelationRecord& c, const Observation& seen, int64_t time, CorrelationHit& hit) noexcept {
    uint32_t in = find_group(correlation, seen.key);
    if (in == kNone) in = make_group(correlation, seen.key);
    if (in == kNone) return ++counts.dropped, false;
    detach(in);
    make_newest(in);
    const int64_t span = span_of(c);
    if (group(in).last != kNone && time < entry(group(in).last).time - span) {
      ++counts.restarted;
      empty(in);
    }
    const int64_t end = group(in).last == kNone ? time : std::max(time, entry(group(in).last).time);
    while (group(in).first != kNone && entry(group(in).first).time < end - span) drop(in, group(in).first);
    if (group(in).first == kNone) group(in).holds = 0;
    if (c.kind == MeasureKind::kRules) {
      for (uint32_t rules = seen.rules; rules != 0; rules &= rules - 1) insert(in, {static_cast<uint64_t>(std::countr_zero(rules)), 0}, time, rules & (~rules + 1));
    } else {
      insert(in, seen.value, time, seen.rules);
    }
    uint32_t counted = 0;
    if (group(in).first == kNone) return remove(in), false;
    const bool holds = condition(c, group(in), seen.value, counted);
    const bool fires = holds && (c.kind == MeasureKind::kShare || channel::uses_up(c.kind) || group(in).holds == 0);
    group(in).holds = holds ? 1 : 0;
    if (!fires) return false;
    hit = {correlation, seen.feed, counted, entry(group(in).first).time, time};
    if (channel::uses_up(c.kind)) remove(in);
    return true;
  }

  void wake(std::span<const uint32_t> feeds, uint32_t after, uint32_t source) noexcept {
    for (const uint32_t f : feeds) {
      ++steps;
      if (f >= l.feeds.size()) {
        ++faults;
        continue;
      }
      const FeedRecord& feed = l.feeds[f];
      const bool forward = feed.correlation < l.correlations.size() && (after == kNone || feed.correlation > after);
      if (!forward) ++faults;
      else if (feed.source == source && held[feed.correlation] == 0) pending[f] = awake[feed.correlation] = 1;
    }
  }

  size_t observe(const ObservedEvent& event) noexcept {
    if (event.type >= l.types.size() || event.inputs.values.size() != l.types[event.type].input_count) return ++faults, 0;
    if (event.time_us) clock = std::clamp(*event.time_us, -kTimeMax, kTimeMax);
    else ++counts.untimed;
    for (const uint32_t source : event.sources) {
      if (source >= l.sources.size() || l.sources[source].type != event.type) ++faults;
      else wake(numbers(l.sources[source].feeds), kNone, source);
    }
    size_t hit_count = 0;
    for (uint32_t i = 0; i < l.correlations.size(); ++i) {
      ++steps;
      if (awake[i] == 0) continue;
      awake[i] = 0;
      const CorrelationRecord& c = l.correlations[i];
      if (!fits(c.feeds, l.feeds.size()) || c.feeds.count > observations.size()) continue;
      clocks[i] = clock;
      const size_t count = collect(event, c);
      for (size_t k = 0; k < count && hit_count < hits.size(); ++k) {
        if (!look(i, c, observations[k], clock, hits[hit_count])) continue;
        wake(numbers(c.feeds_out), i, l.feeds[observations[k].feed].source);
        ++hit_count;
      }
    }
    return hit_count;
  }
};

CorrelationState::CorrelationState(const channel::VerifiedCorrelations& file, Hash128 key) : state_(std::make_unique<State>(file, key)) {}
CorrelationState::CorrelationState(CorrelationState&&) noexcept = default;
CorrelationState& CorrelationState::operator=(CorrelationState&&) noexcept = default;
CorrelationState::~CorrelationState() = default;

void CorrelationState::hold(uint32_t correlation) {
  CHECK(correlation < state_->held.size());
  state_->held[correlation] = 1;
}

CorrelationOutcome CorrelationState::observe(const ObservedEvent& event) noexcept {
  State& s = *state_;
  s.steps = 0;
  s.faults = 0;
  ++s.counts.observed;
  const size_t hits = s.observe(event);
  s.counts.hits += hits;
  s.counts.faults += s.faults;
  return {std::span(s.hits).first(hits), s.steps, s.faults};
}

const CorrelationCounts& CorrelationState::counts() const { return state_->counts; }

void CorrelationState::inherit(CorrelationState& before) {
  State& to = *state_;
  State& from = *before.state_;
  CHECK(to.newest == kNone);
  to.key = from.key;
  to.clock = from.clock;
  // Digests are what the compiler says; how cells are linked follows from the kind, so that a file that lies in this does not make them anything else than they are.
  const auto same_cells = [](const CorrelationRecord& a, const CorrelationRecord& b) { return a.digest == b.digest && a.kind == b.kind; };
  if (to.cell_count == from.cell_count && std::ranges::equal(to.l.correlations, from.l.correlations, same_cells)) {
    std::swap(static_cast<Memory&>(to), static_cast<Memory&>(from));  // what cells say of correlations are their indices
    return;
  }
  std::vector<uint32_t> now(from.l.correlations.size(), kNone);
  for (uint32_t i = 0; i < now.size(); ++i) {
    const auto same = std::ranges::find(to.l.correlations, from.l.correlations[i].digest, &CorrelationRecord::digest);
    if (same == to.l.correlations.end()) continue;
    now[i] = static_cast<uint32_t>(same - to.l.correlations.begin());
    to.clocks[now[i]] = from.clocks[i];
  }
  for (uint32_t at = from.oldest; at != kNone; at = from.group(at).newer) {
    const Group& old = from.group(at);
    if (now[old.correlation] == kNone) continue;
    const uint32_t in = to.make_group(now[old.correlation], old.key);
    if (in == kNone) continue;
    for (uint32_t e = old.first; e != kNone; e = from.entry(e).next) to.insert(in, from.entry(e).value, from.entry(e).time, from.entry(e).rules);
    to.group(in).holds = old.holds;
  }
}

}  // namespace creance::interpreter

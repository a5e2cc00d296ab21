#include "interpreter/correlation.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/correlation_limits.hpp"

namespace creance::interpreter {
namespace {

using channel::CorrelationRecord;
using channel::FeedRecord;
using channel::ListRef;
using channel::MeasureKind;

constexpr uint32_t kNone = 0xffffffff;
constexpr int64_t kTimeMax = 1ll << 60;  // microseconds; beyond, times are cut to it, so that sums of times never overflow
constexpr Int128 kPercentUnits = Int128{100} * kDecimalUnits;

// One strand of a group: events whose times are near each other (docs/adr/0180). A group that never saw time jump has one.
// INVARIANT: an index of a cell comes from this file alone, never from a channel file.
struct Group {
  Hash128 key;
  Hash128 sum;        // of numbers, as Int128
  uint32_t bucket_next, bucket_previous;
  uint32_t newer, older;  // of all groups, by last use
  uint32_t first, last;   // events by time
  uint32_t slot;          // whose it is: of a correlation, or of one that is no more
  uint32_t events : 31;
  uint32_t holds : 1;     // the condition held at the last look (kinds that do not use up their events)
  uint32_t lag;           // microseconds from the event that came last to the newest one; at most limits::kCorrelationLagMax
  uint32_t used;          // the number of its last use
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

constexpr uint32_t kChunkCells = 1'024;
struct Chunk {  // cells are taken from the system piece by piece as they are used, and memory can grow without one of them moving
  std::array<uint64_t, kChunkCells / 64> groups{};  // one bit for each cell: a group in use
  std::array<Cell, kChunkCells> cells;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): what a cell holds is written before it is read
  Chunk() {}
};
struct Slot {  // whose a group is; stays its place when correlations change theirs
  uint32_t correlation = kNone;  // of the file; kNone: it is no more, its groups only wait to be let go
  MeasureKind kind{};
  int64_t span = 0;
  int64_t clock = 0;             // of the last event
  uint32_t groups = 0;
};

// All that is remembered of events; changes hands as a whole.
struct Memory {
  std::vector<std::unique_ptr<Chunk>> chunks;
  std::vector<uint32_t> buckets;
  std::vector<Slot> slots;
  uint32_t untouched = 0;    // cells from here on were never used
  uint32_t in_use = 0;
  uint32_t free = kNone;
  uint32_t newest = kNone;   // groups by last use
  uint32_t oldest = kNone;
  uint32_t uses = 0;         // numbers them; wraps around
  uint32_t sweep = 0;        // cells from here to `sweep_end` may be groups of slots that are no correlation's any more
  uint32_t sweep_end = 0;
};

}  // namespace

struct CorrelationState::State : Memory {
  State(const channel::VerifiedCorrelations& verified, Hash128 hash_key)
      : l(verified.layout()), key(hash_key), cell_count(static_cast<uint32_t>(std::min<uint64_t>(channel::state_cells(l.header->state_bytes), limits::kCorrelationStateBytesMax / channel::kStateCellBytes))) {
    for (uint32_t have = 0; have < cell_count; have += kChunkCells) chunks.push_back(std::make_unique<Chunk>());
    buckets.assign(std::bit_floor(std::max(cell_count, 2u)), kNone);
    pending.assign(l.feeds.size(), 0);
    awake.assign(l.correlations.size(), 0);
    held.assign(l.correlations.size(), 0);
    over.assign(l.correlations.size(), 0);
    used.assign(l.correlations.size(), {});
    over_now.reserve(l.correlations.size());
    own_slots();
    for (uint32_t i = 0; i < l.correlations.size(); ++i) by_digest.push_back(i);
    std::ranges::sort(by_digest, {}, [this](uint32_t i) { return l.correlations[i].digest; });
    uint32_t most = 0;
    for (const CorrelationRecord& c : l.correlations) most = std::max(most, std::min<uint32_t>(c.feeds.count, static_cast<uint32_t>(l.feeds.size())));
    observations.resize(most);
    hits.resize(l.feeds.size());
    const bool sorts = std::ranges::any_of(l.correlations, [](const CorrelationRecord& c) { return c.kind == MeasureKind::kPercentile; });
    if (sorts) sorted.resize(std::min(cell_count, limits::kCorrelationEntriesMax + 1));
  }

  channel::CorrelationLayout l;
  Hash128 key;
  uint32_t cell_count;       // at most; after a swap into less memory more may be in use for a while
  std::vector<uint32_t> slot_of;    // per correlation
  std::vector<uint32_t> by_digest;  // correlations
  int64_t clock = 0;         // of the last event with a time
  std::vector<uint8_t> pending;  // per feed: the present event comes by it
  std::vector<uint8_t> awake;    // per correlation
  std::vector<uint8_t> held;
  std::vector<uint8_t> over;     // per correlation: its budget is used up
  std::vector<CorrelationUse> used;
  std::vector<uint32_t> over_now;  // by the present event
  CorrelationUse allowed = kNoCorrelationBudget;
  uint32_t at_work = 0;          // the correlation that looks
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

  Cell& cell(uint32_t index) noexcept { return chunks[index / kChunkCells]->cells[index % kChunkCells]; }
  Group& group(uint32_t index) noexcept { return cell(index).group; }
  Entry& entry(uint32_t index) noexcept { return cell(index).entry; }

  uint32_t bucket_of(uint64_t owner, const Hash128& hash) const noexcept { return static_cast<uint32_t>((hash.low ^ owner * 0x9e3779b97f4a7c15ull) >> 32) & (static_cast<uint32_t>(buckets.size()) - 1); }
  uint32_t group_bucket(const Group& g) const noexcept { return bucket_of(g.slot, g.key); }
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
  // Chains hold groups and entries side by side; which one a cell is, its bit says.
  void set_next(uint32_t index, uint32_t to) noexcept { (is_group(index) ? group(index).bucket_next : entry(index).bucket_next) = to; }
  void set_previous(uint32_t index, uint32_t to) noexcept { (is_group(index) ? group(index).bucket_previous : entry(index).bucket_previous) = to; }
  uint32_t next_in_bucket(uint32_t index) noexcept { return is_group(index) ? group(index).bucket_next : entry(index).bucket_next; }
  uint64_t& group_bits(uint32_t index) const noexcept { return chunks[index / kChunkCells]->groups[index % kChunkCells / 64]; }
  bool is_group(uint32_t index) const noexcept { return (group_bits(index) >> (index % 64) & 1) != 0; }
  void set_group(uint32_t index, bool is) noexcept {
    const uint64_t bit = uint64_t{1} << (index % 64);
    uint64_t& bits = group_bits(index);
    bits = is ? bits | bit : bits & ~bit;
  }

  void give_back(uint32_t index) noexcept {
    set_group(index, false);
    cell(index).next_free = free;
    free = index;
    --in_use;
  }

  // A few strands of one group. INVARIANT: no more than a group can have, so that add() always finds room.
  struct Strands {
    std::array<uint32_t, limits::kCorrelationStrandsMax + 1> list{};
    size_t count = 0;
    void add(uint32_t in) noexcept {
      if (count < list.size()) list[count++] = in;
    }
    template <class Less>
    void sort(Less less) noexcept {  // a handful
      for (size_t i = 1; i < count; ++i) {
        for (size_t k = i; k > 0 && less(list[k], list[k - 1]); --k) std::swap(list[k], list[k - 1]);
      }
    }
    void erase(size_t at) noexcept {
      for (--count; at < count; ++at) list[at] = list[at + 1];
    }
    const uint32_t* begin() const noexcept { return list.data(); }
    const uint32_t* end() const noexcept { return list.data() + count; }
  };
  Strands pinned;  // must not go meanwhile

  // What leaves for another's sake: counted, and held against whose event it is.
  void push_out(uint32_t victim) noexcept {
    const Group& g = group(victim);
    if (is_past(victim)) {
      ++expired;
    } else {
      ++counts.evicted;
      if (g.slot != slot_of[at_work]) used[at_work].pushed_out_bytes += (uint64_t{g.events} + 1) * sizeof(Cell);
    }
    remove(victim);
  }

  // A cell; `keep` is the group that must not go. When memory is full the group that was used least recently leaves, or the oldest event of `keep` if there is no other.
  uint32_t take(uint32_t keep) noexcept {
    const uint32_t most_cells = std::min(cell_count, static_cast<uint32_t>(chunks.size()) * kChunkCells);
    constexpr int kAtOnce = 2;  // memory that became less is made free in steps
    for (int n = 0; n < kAtOnce && in_use >= most_cells; ++n) {
      uint32_t victim = oldest;
      while (victim != kNone && (victim == keep || std::find(pinned.begin(), pinned.end(), victim) != pinned.end())) victim = group(victim).newer;
      if (victim != kNone) {
        push_out(victim);
      } else if (keep != kNone && group(keep).first != kNone) {
        ++counts.dropped;
        drop(keep, group(keep).first);
      } else {
        return kNone;
      }
    }
    const uint32_t index = free != kNone ? free : untouched;
    if (free != kNone) free = cell(free).next_free;
    else if (untouched < chunks.size() * kChunkCells) ++untouched;
    else return kNone;
    ++in_use;
    return index;
  }
  uint64_t expired = 0;
  // ---- groups

  static int64_t span_of(const CorrelationRecord& c) noexcept { return std::clamp<int64_t>(c.timespan_us, 0, kTimeMax); }
  bool is_past(uint32_t index) noexcept {
    const Group& g = group(index);
    const Slot& of = slots[g.slot];
    return of.correlation == kNone || g.last == kNone || entry(g.last).time < of.clock - of.span;
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

  // The strands of a group, by what they are to an event of this time. Near is one if its newest event is at most a timespan away. `behind`: of those that the event is not older than the latest;
  // `earlier`: the others of those, that have nothing to add, since whatever they saw of the same window, that one saw, too. `ahead`: near ones in which it is late, by time.
  struct Near {
    uint32_t behind = kNone;
    Strands ahead, earlier;
    uint32_t last = kNone;   // of all: the one that was used last …
    uint32_t least = kNone;  // … and of those that do not take the event: the one that was used least recently
    uint32_t count = 0;      // of all
  };
  static bool is_later(uint32_t use, uint32_t than) noexcept { return static_cast<int32_t>(use - than) > 0; }
  int64_t newest_time(uint32_t in) noexcept { return group(in).last == kNone ? -2 * kTimeMax : entry(group(in).last).time; }
  Near near_strands(uint32_t slot, const Hash128& hash, int64_t time) noexcept {
    Near out;
    const int64_t span = slots[slot].span;
    const auto may_leave = [&](uint32_t in) {
      if (out.least == kNone || is_later(group(out.least).used, group(in).used)) out.least = in;
    };
    for (uint32_t at = buckets[bucket_of(slot, hash)]; at != kNone; at = next_in_bucket(at)) {
      ++steps;
      if (!is_group(at) || group(at).slot != slot || !(group(at).key == hash)) continue;
      ++out.count;
      if (out.last == kNone || is_later(group(at).used, group(out.last).used)) out.last = at;
      const int64_t n = newest_time(at);
      if (time < n - span || time > n + span) {
        may_leave(at);
      } else if (n > time) {
        out.ahead.add(at);
      } else if (const uint32_t earlier = out.behind == kNone || n > newest_time(out.behind) ? std::exchange(out.behind, at) : at; earlier != kNone) {
        out.earlier.add(earlier);
        may_leave(earlier);
      }
    }
    out.ahead.sort([this](uint32_t a, uint32_t b) { return newest_time(a) < newest_time(b); });
    return out;
  }

  uint32_t make_group(uint32_t slot, const Hash128& hash) noexcept {
    const uint32_t index = take(kNone);
    if (index == kNone) return kNone;
    set_group(index, true);
    group(index) = {hash, words_of(0), kNone, kNone, kNone, kNone, kNone, kNone, slot, 0, 0, 0, 0};
    link(group_bucket(group(index)), index, group(index));
    make_newest(index);
    ++slots[slot].groups;
    return index;
  }

  MeasureKind kind_of(const Group& g) const noexcept { return slots[g.slot].kind; }
  static bool is_keyed(MeasureKind kind) noexcept { return kind == MeasureKind::kValues || kind == MeasureKind::kRules; }

  void own_slots() {
    slot_of.clear();
    slots.clear();
    for (uint32_t i = 0; i < l.correlations.size(); ++i) {
      slot_of.push_back(i);
      slots.push_back({i, l.correlations[i].kind, span_of(l.correlations[i])});
    }
  }

  void remove(uint32_t index) noexcept {
    while (group(index).first != kNone) drop(index, group(index).first);
    unlink(group_bucket(group(index)), group(index));
    detach(index);
    --slots[group(index).slot].groups;
    give_back(index);
    ++steps;
  }

  // Lets go what belongs to no correlation any more, a little at each event: nothing of it is looked for, it only takes room.
  void let_go() noexcept {
    constexpr int kAtOnce = 64;
    for (int n = 0; n < kAtOnce && sweep < sweep_end; ++n, ++steps) {
      if (!is_group(sweep) || slots[group(sweep).slot].correlation != kNone) ++sweep;
      else if (group(sweep).first != kNone) drop(sweep, group(sweep).first);
      else remove(sweep);
    }
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
    if (uint32_t{group(in).events} >= limits::kCorrelationEntriesMax) {
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

  void touch(uint32_t in) noexcept {
    detach(in);
    make_newest(in);
    group(in).used = ++uses;
  }

  uint32_t begin_strand(uint32_t slot, const Hash128& hash, Near& near) noexcept {
    if (near.count >= limits::kCorrelationStrandsMax) {
      if (const auto* const at = std::find(near.earlier.begin(), near.earlier.end(), near.least); at != near.earlier.end()) near.earlier.erase(static_cast<size_t>(at - near.earlier.begin()));
      remove(near.least);
    }
    const uint32_t in = make_group(slot, hash);
    if (in != kNone) touch(in);
    else ++counts.dropped;
    return in;
  }

  // A strand with what `from` knows since then; `from` stays as it is.
  uint32_t fork_strand(uint32_t from, int64_t since, Near& near) noexcept {
    const uint32_t in = begin_strand(group(from).slot, group(from).key, near);
    if (in == kNone) return kNone;
    for (uint32_t at = group(from).first; at != kNone; at = entry(at).next, ++steps) {
      if (entry(at).time >= since) insert(in, entry(at).value, entry(at).time, entry(at).rules);
    }
    group(in).holds = group(from).holds;
    return in;
  }

  // Which strands take an event: the one that it goes on with, and those in which it is late; docs/adr/0180 has the reasons. `left`: near it, and left as they are.
  struct Taken {
    Strands by, left;
  };
  Taken strands_for(uint32_t slot, const Hash128& hash, int64_t time) noexcept {
    const int64_t span = slots[slot].span;
    Near near = near_strands(slot, hash, time);
    Taken out;
    const auto begins = [&](uint32_t in) {
      if (in != kNone) out.by.add(in);
    };
    if (near.behind == kNone && near.ahead.count == 0) {
      if (near.last != kNone && time < newest_time(near.last) - span) {
        ++counts.went_back;
        if (near.count >= limits::kCorrelationStrandsMax) ++counts.evicted;
      }
      begins(begin_strand(slot, hash, near));
      return out;
    }
    Strands in_order = near.ahead;  // they stay in the order of their use, so that an event that is near all of them makes the one that others go on with no older than the rest
    in_order.sort([this](uint32_t a, uint32_t b) { return is_later(group(b).used, group(a).used); });
    for (const uint32_t in : in_order) touch(in);
    const int64_t step = near.behind == kNone ? 0 : time - newest_time(near.behind);
    if (step > 0 && step + group(near.behind).lag > span / 2) {  // it leaps: it may be forged, so that the strand stays as it is, beside the one with this event
      // Where no further strand has room, the one that was used least recently leaves; if that is this one, it goes on with the event.
      const bool has_room = near.count < limits::kCorrelationStrandsMax || (near.least != kNone && is_later(group(near.behind).used, group(near.least).used));
      if (has_room && uint32_t{group(near.behind).events} < limits::kCorrelationEntriesMax / 2) {
        pinned = near.ahead;
        pinned.add(near.behind);
        begins(fork_strand(near.behind, time - span, near));
        near.earlier.add(std::exchange(near.behind, kNone));
      }
    }
    out.left = near.earlier;
    if (near.behind != kNone) {
      touch(near.behind);
      out.by.add(near.behind);
    }
    uint32_t events = 0;
    for (const uint32_t in : near.ahead) out.by.add(in);
    for (const uint32_t in : out.by) events += group(in).events;
    while (out.by.count > 1 && events >= limits::kCorrelationEntriesMax) {  // all of them are one group, which has so many at most
      const auto least = static_cast<size_t>(std::min_element(out.by.begin(), out.by.end(), [this](uint32_t a, uint32_t b) { return group(a).events < group(b).events; }) - out.by.begin());
      events -= group(out.by.list[least]).events;
      counts.dropped += group(out.by.list[least]).events;
      remove(out.by.list[least]);
      out.by.erase(least);
    }
    return out;
  }

  // Puts the event into one strand; whether that is a hit.
  bool add(uint32_t correlation, const CorrelationRecord& c, const Observation& seen, int64_t time, uint32_t in, CorrelationHit& hit) noexcept {
    const int64_t end = std::max(time, newest_time(in));
    while (group(in).first != kNone && entry(group(in).first).time < end - span_of(c)) drop(in, group(in).first);
    if (group(in).first == kNone) group(in).holds = 0;
    group(in).lag = static_cast<uint32_t>(std::min<int64_t>(end - time, limits::kCorrelationLagMax));
    if (c.kind == MeasureKind::kRules) {
      for (uint32_t rules = seen.rules; rules != 0; rules &= rules - 1) insert(in, {static_cast<uint64_t>(std::countr_zero(rules)), 0}, time, rules & (~rules + 1));
    } else {
      insert(in, seen.value, time, seen.rules);
    }
    if (group(in).first == kNone) return false;
    uint32_t counted = 0;
    const bool holds = condition(c, group(in), seen.value, counted);
    const bool fires = holds && (c.kind == MeasureKind::kShare || channel::uses_up(c.kind) || group(in).holds == 0);
    group(in).holds = holds ? 1 : 0;
    if (fires) hit = {correlation, seen.feed, counted, entry(group(in).first).time, time};
    return fires;
  }

  bool look(uint32_t correlation, const CorrelationRecord& c, const Observation& seen, int64_t time, CorrelationHit& hit) noexcept {
    pinned = {};
    const Taken taken = strands_for(slot_of[correlation], seen.key, time);
    pinned = taken.by;
    for (const uint32_t in : taken.left) pinned.add(in);
    bool fires = false;
    for (const uint32_t in : taken.by) {
      CorrelationHit another;
      const bool one = add(correlation, c, seen, time, in, fires ? another : hit);
      fires = fires || one;
    }
    pinned = {};
    const bool used_up = fires && channel::uses_up(c.kind);
    for (const uint32_t in : taken.by) {
      if (used_up || group(in).first == kNone) remove(in);
    }
    for (const uint32_t in : taken.left) {
      if (used_up) remove(in);  // what they know of the window was looked at, too
    }
    return fires;
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
      else if (feed.source == source && held[feed.correlation] == 0 && over[feed.correlation] == 0) pending[f] = awake[feed.correlation] = 1;
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
    let_go();
    size_t hit_count = 0;
    for (uint32_t i = 0; i < l.correlations.size(); ++i) {
      ++steps;
      if (awake[i] == 0) continue;
      awake[i] = 0;
      const CorrelationRecord& c = l.correlations[i];
      if (!fits(c.feeds, l.feeds.size()) || c.feeds.count > observations.size()) continue;
      at_work = i;
      slots[slot_of[i]].clock = clock;
      const uint64_t before = steps;
      const size_t count = collect(event, c);
      for (size_t k = 0; k < count && hit_count < hits.size(); ++k) {
        if (!look(i, c, observations[k], clock, hits[hit_count])) continue;
        wake(numbers(c.feeds_out), i, l.feeds[observations[k].feed].source);
        ++hit_count;
      }
      CorrelationUse& own = used[i];
      own.steps += steps - before;
      if (own.steps <= allowed.steps && own.pushed_out_bytes <= allowed.pushed_out_bytes) continue;
      over[i] = 1;
      over_now.push_back(i);
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
  s.over_now.clear();
  ++s.counts.observed;
  const size_t hits = s.observe(event);
  s.counts.hits += hits;
  s.counts.faults += s.faults;
  return {std::span(s.hits).first(hits), s.over_now, s.steps, s.faults};
}

void CorrelationState::budget(const CorrelationUse& most) { state_->allowed = most; }

void CorrelationState::begin_period() {
  std::ranges::fill(state_->used, CorrelationUse{});
  std::ranges::fill(state_->over, uint8_t{0});
}

const CorrelationUse& CorrelationState::used(uint32_t correlation) const {
  CHECK(correlation < state_->used.size());
  return state_->used[correlation];
}

const CorrelationCounts& CorrelationState::counts() const { return state_->counts; }

uint64_t CorrelationState::inherit(CorrelationState& before) {
  State& to = *state_;
  State& from = *before.state_;
  CHECK(to.newest == kNone);
  to.key = from.key;
  to.clock = from.clock;
  std::swap(static_cast<Memory&>(to), static_cast<Memory&>(from));
  uint64_t steps = to.slots.size();
  for (Slot& slot : to.slots) slot.correlation = kNone;
  // Digests are what the compiler says; how cells are linked follows from the kind, so that a file that lies in this does not make them anything else than they are.
  std::vector<uint8_t> known(to.l.correlations.size(), 0);
  for (size_t i = 0, k = 0; i < to.by_digest.size() && k < from.by_digest.size(); ++steps) {
    const CorrelationRecord& now = to.l.correlations[to.by_digest[i]];
    const CorrelationRecord& then = from.l.correlations[from.by_digest[k]];
    if (now.digest != then.digest) {
      ++(now.digest < then.digest ? i : k);
      continue;
    }
    const uint32_t slot = from.slot_of[from.by_digest[k++]];
    const uint32_t index = to.by_digest[i++];
    if (now.kind != then.kind) continue;
    to.slots[slot].correlation = index;
    to.slots[slot].span = State::span_of(now);
    to.slot_of[index] = slot;
    known[index] = 1;
  }
  for (uint32_t i = 0, unused = 0; i < known.size(); ++i, ++steps) {
    if (known[i] != 0) continue;
    for (; unused < to.slots.size() && (to.slots[unused].correlation != kNone || to.slots[unused].groups > 0); ++unused) ++steps;
    if (unused == to.slots.size()) to.slots.emplace_back();
    to.slots[unused] = {i, to.l.correlations[i].kind, State::span_of(to.l.correlations[i])};
    to.slot_of[i] = unused;
  }
  to.sweep = 0;
  to.sweep_end = to.untouched;
  for (; to.chunks.size() * kChunkCells < to.cell_count && !from.chunks.empty(); from.chunks.pop_back(), ++steps) to.chunks.push_back(std::move(from.chunks.back()));
  from.own_slots();
  return steps;
}

}  // namespace creance::interpreter

// The records of a correlation file, as they lie in it: which matches it wants to see, of which inputs, and what is to be found in them. In the spirit of format.hpp:
// little-endian, 8-byte aligned sections one behind the other, no pointers. docs/reference/channel-format.md, "Correlation file", says it in words.
#pragma once
#include <algorithm>
#include <bit>

#include "base/limits.hpp"
#include "channel/format.hpp"

namespace creance::channel {

inline constexpr std::array<uint8_t, 8> kCorrelationMagic = {'C', 'r', 'e', 'C', 'o', 'r', 'r', 0x1a};
inline constexpr uint32_t kCorrelationFormatVersion = 1;

// In releases it stands among the channel files, as if it were that of a Template Type: under this name, for sensors that know this form of the file.
inline constexpr std::string_view kCorrelationsId = "correlations";
inline constexpr std::array<uint8_t, 32> kCorrelationsInterface = {'c', 'r', 'e', 'a', 'n', 'c', 'e', ' ', 'c', 'o', 'r', 'r', 'e', 'l', 'a', 't', 'i', 'o', 'n', ' ', 'f', 'i', 'l', 'e', ' ', '1'};
static_assert(kCorrelationFormatVersion == 1, "the interface names the version");

enum class CorrelationSection : uint32_t {
  kTexts,         // bytes
  kTextRefs,      // TextRef: tags, references, names of group-by
  kNumbers,       // uint32_t: lists of inputs and of feeds
  kTypes,         // ObservedTypeRecord, by id, ascending
  kSources,       // SourceRecord, by Type and rule id, ascending
  kCorrelations,  // CorrelationRecord; one that is referred to stands before those that refer to it
  kFeeds,         // FeedRecord, by correlation, rule and source, ascending
  kTerms,         // TermRecord
};
inline constexpr uint32_t kCorrelationSectionCount = 8;

struct CorrelationHeader {
  std::array<uint8_t, 8> magic;
  uint32_t format_version;
  uint32_t file_bytes;
  uint64_t state_bytes;  // memory for groups and their events, taken once and never more
  uint64_t cost_bound;   // worst-case steps of one event
  std::array<SectionEntry, kCorrelationSectionCount> sections;
};
static_assert(sizeof(CorrelationHeader) == 96);

struct ObservedTypeRecord {
  TextRef id;
  std::array<uint8_t, 32> fingerprint;
  uint32_t input_count;
  uint32_t zero;
  ListRef times;  // kNumbers: inputs that can say when, best first
};
static_assert(sizeof(ObservedTypeRecord) == 56);

// A rule over a Template Type: its matches are what comes in.
struct SourceRecord {
  uint32_t type;
  uint32_t flags;  // kSilent
  TextRef rule_id;
  ListRef feeds;   // kNumbers: the feeds with this source that come from no correlation, ascending
};
inline constexpr uint32_t kSilent = 1;  // of a source or a correlation: reports nothing by itself, it is there for others

enum class MeasureKind : uint8_t { kEvents = 1, kValues, kRules, kRulesInOrder, kSum, kMax, kMin, kAverage, kPercentile, kShare };
constexpr bool counts_numbers(MeasureKind kind) { return kind >= MeasureKind::kSum && kind != MeasureKind::kShare; }
constexpr bool has_values(MeasureKind kind) { return kind == MeasureKind::kValues || kind >= MeasureKind::kSum; }
constexpr bool walks(MeasureKind kind) { return kind == MeasureKind::kRulesInOrder || kind == MeasureKind::kMax || kind == MeasureKind::kMin || kind >= MeasureKind::kPercentile; }
// After a hit the events of the group are used up; the others fire when they begin to hold (kShare: each time that they hold).
constexpr bool uses_up(MeasureKind kind) { return kind <= MeasureKind::kSum; }

struct Wide {  // 128 bits, two's complement, in units of 10^-9
  uint64_t low;
  int64_t high;
};

inline constexpr uint8_t kHasLow = 1, kLowOpen = 2, kHasHigh = 4, kHighOpen = 8, kHasUnequal = 16;  // bounds

struct CorrelationRecord {
  TextRef rule_id;
  TextRef title;
  TextRef level;
  TextRef author;
  ListRef tags;         // kTextRefs
  ListRef references;   // kTextRefs
  ListRef group_names;  // kTextRefs: as written in group-by
  MeasureKind kind;
  uint8_t bounds;
  uint8_t rule_count;   // 1 to limits::kCorrelationRulesMax
  uint8_t value_count;  // inputs of the condition's field: none, one, or several (kValues)
  uint32_t flags;       // kSilent
  int64_t timespan_us;
  Wide low;
  Wide high;
  Wide unequal;
  uint64_t percentile;  // kPercentile: in units of 10^-9 percent
  ListRef feeds;        // kFeeds: its own
  ListRef feeds_out;    // kNumbers: feeds of others that come from this one, ascending
  ListRef terms;        // kTerms: kRules and kRulesInOrder with a condition in words; then there are no bounds
  std::array<uint8_t, 32> digest;  // equal: the same correlation over the same rules; its state may be kept
};
static_assert(sizeof(CorrelationRecord) == 184);

// How a match comes to a correlation.
struct FeedRecord {
  uint32_t correlation;  // where to
  uint32_t rule;         // as which of its rules
  uint32_t source;       // whose event it is
  uint32_t from;         // kFromSource, or the correlation (before `correlation`) whose hit it is
  ListRef columns;       // kNumbers: inputs of the source's Type; those of group-by, then those of the condition's field
};
inline constexpr uint32_t kFromSource = 0xffffffff;

// One way in which a condition in words can hold: all required rules are there, none of the forbidden ones is. Bits are rules.
struct TermRecord {
  uint32_t required;
  uint32_t forbidden;
};

struct CorrelationLayout {
  const CorrelationHeader* header = nullptr;
  std::string_view texts;
  std::span<const TextRef> text_refs;
  std::span<const uint32_t> numbers;
  std::span<const ObservedTypeRecord> types;
  std::span<const SourceRecord> sources;
  std::span<const CorrelationRecord> correlations;
  std::span<const FeedRecord> feeds;
  std::span<const TermRecord> terms;
};

// State: cells of 72 bytes, each a group or an event, and at most 8 bytes of hash table for each.
inline constexpr uint64_t kStateCellBytes = 72;
constexpr uint64_t state_cells(uint64_t state_bytes) noexcept { return state_bytes / (kStateCellBytes + 8); }

// Worst-case steps of one event. One step = one record or cell visited, or up to 16 bytes of text hashed. Saturates. INVARIANT of the callers: lists are in bounds.
constexpr uint64_t correlation_cost(const CorrelationLayout& l, uint64_t state_bytes) noexcept {
  const uint64_t cells = state_cells(state_bytes);
  const uint64_t entries = std::min<uint64_t>(cells, limits::kCorrelationEntriesMax + 1);
  uint64_t total = l.correlations.size() + 1;
  const auto add = [&](uint64_t a, uint64_t b) {
    uint64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(total, product, &total)) total = ~0ull;
  };
  for (const CorrelationRecord& c : l.correlations) {
    uint64_t walk = walks(c.kind) || c.kind == MeasureKind::kRules ? 1 : 0;  // looks at each event of a group
    if (c.kind == MeasureKind::kRulesInOrder) walk += std::max<uint64_t>(c.rule_count, c.terms.count);
    if (c.kind == MeasureKind::kPercentile) walk += static_cast<uint64_t>(std::bit_width(entries));
    const uint64_t inserted = c.kind == MeasureKind::kRules ? c.rule_count : 1;
    const uint64_t columns = c.group_names.count + c.value_count;
    const uint64_t feeds = c.feeds.count;
    add(feeds, 2 + columns * (2 + limits::kInputBytesMax / 16) + feeds);  // noticed, hashed, compared with the other groups of this event
    add(feeds, c.feeds_out.count + c.terms.count + 4);                    // answered
    add(feeds, 4 * cells + walk * entries);                               // the group found, others let go; the events that are past; the condition
    add(feeds, inserted * (2 * cells + entries + 4));                     // the event put in order
  }
  return total;
}

}  // namespace creance::channel

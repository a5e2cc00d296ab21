// The records of a channel file, as they lie in it. Only shapes: reading is verified_channel.hpp, proving verifier.cpp, writing writer.hpp.
// Little-endian, 8-byte aligned sections, no pointers; every byte of a file is a record, a text or a zero. docs/reference/channel-format.md says it in words.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace creance::channel {

inline constexpr std::array<uint8_t, 8> kMagic = {'C', 'r', 'e', 'a', 'n', 'c', 'e', 0x1a};
inline constexpr uint32_t kFormatVersion = 1;

// In file order. The sections lie one behind the other, each padded with zeros to a multiple of 8.
enum class Section : uint32_t {
  kTexts,         // bytes: names, literals, addresses
  kTextRefs,      // TextRef: tags and references of instances
  kNumbers,       // uint32_t: lists of inputs, wake lists, clauses, prefix lengths
  kInstances,     // InstanceRecord
  kEntries,       // EntryRecord, one per instance
  kNodes,         // NodeRecord
  kPredicates,    // PredicateRecord
  kGlobTokens,    // GlobToken
  kRegexes,       // RegexRecord
  kInstructions,  // InstructionRecord
  kClasses,       // ClassRecord
  kRanges,        // RangeRecord
  kIndexes,       // IndexRecord, at most one per input, ascending; last the one over every value
  kSlots,         // SlotRecord
  kCandidates,    // CandidateRecord
  kBitmaps,       // uint64_t
};
inline constexpr uint32_t kSectionCount = 16;

struct SectionEntry {
  uint32_t offset;  // from the start of the file
  uint32_t count;   // of records
};

struct TextRef {
  uint32_t offset;  // into kTexts
  uint32_t size;
};

struct Header {
  std::array<uint8_t, 8> magic;
  uint32_t format_version;
  uint32_t file_bytes;
  std::array<uint8_t, 32> fingerprint;  // of the Template Type
  uint32_t type_version;
  uint32_t input_count;
  TextRef type_id;
  uint64_t cost_bound;      // worst-case steps of one event
  uint64_t cost_fixed;      // steps <= cost_fixed + cost_per_value * values + cost_per_byte * bytes
  uint64_t cost_per_value;
  uint64_t cost_per_byte;
  std::array<SectionEntry, kSectionCount> sections;
  uint32_t sample_events;   // on which the compiler counted how often literals hold; 0: it guessed
  uint32_t zero;
};
static_assert(sizeof(Header) == 232);

struct ListRef {  // into kNumbers or kTextRefs
  uint32_t first;
  uint32_t count;
};

struct InstanceRecord {
  TextRef rule_id;
  TextRef title;
  TextRef level;
  TextRef author;
  ListRef tags;        // kTextRefs
  ListRef references;  // kTextRefs
  ListRef inputs;      // kNumbers: inputs that it reads, ascending
  ListRef clause;      // kNumbers: predicates, ascending. If none of them holds, the condition does not. Empty: always awake
  uint32_t flags;      // kReadsEveryValue
  uint32_t zero;
};
static_assert(sizeof(InstanceRecord) == 72);
inline constexpr uint32_t kReadsEveryValue = 1;

// Where an instance's condition lies.
struct EntryRecord {
  uint32_t first_node;
  uint32_t node_count;  // >= 1
};

// One decision. Targets are node indices greater than the node's own and inside the instance's nodes, or kAccept, or kReject: so every walk ends.
struct NodeRecord {
  uint32_t predicate;
  uint32_t if_true;
  uint32_t if_false;
};
inline constexpr uint32_t kAccept = 0xffffffff;
inline constexpr uint32_t kReject = 0xfffffffe;

enum class PredicateKind : uint8_t {
  kPresent = 1,      // the input has a value
  kEquals,           // operand: text, case-folded unless kCased
  kStartsWith,
  kEndsWith,
  kContains,
  kGlob,             // operand: GlobTokens
  kRegex,            // operand.first: RegexRecord, operand.count 1
  kCidr,             // operand: 16 bytes of text (IPv4 in the first 4); other: family << 8 | prefix length, family 4 or 6
  kLess,             // other: NumberForm of the limit; extra: its bits
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kFieldEquals,      // other: the other input
  kFieldStartsWith,
  kFieldEndsWith,
  kFieldContains,
  kTimePart,         // other: TimePart << 8 | NumberTest; extra.first: the number, at most kTimeNumberMax. What counts as a time: time_text.hpp
};
inline constexpr PredicateKind kLastPredicateKind = PredicateKind::kTimePart;
constexpr bool reads_two_inputs(PredicateKind kind) { return kind >= PredicateKind::kFieldEquals && kind <= PredicateKind::kFieldContains; }

enum class NumberForm : uint32_t { kDouble = 0, kWhole = 1 };  // kWhole: a signed integer of 64 bits
enum class TimePart : uint32_t { kMinute = 1, kHour, kDay, kWeek, kMonth, kYear };  // week: of ISO 8601
enum class NumberTest : uint32_t { kEqual = 1, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
inline constexpr uint32_t kTimeNumberMax = 9999;

inline constexpr uint8_t kCased = 1;    // compare bytes as they are
inline constexpr uint8_t kIndexed = 2;  // kEquals…kContains, not kCased: found through the index of its input (or of every value); extra is its wake list in kNumbers (ascending)
inline constexpr uint32_t kEveryValue = 0xffffffff;  // as input: holds if it holds for any value of the event

struct PredicateRecord {
  PredicateKind kind;
  uint8_t flags;
  uint16_t zero;
  uint32_t input;
  ListRef operand;
  ListRef extra;
  uint32_t other;
  uint32_t seen;      // sample events in which it held, at most the header's number; literals only
};
static_assert(sizeof(PredicateRecord) == 32);

// A pattern over the whole value, of tokens. Never two kAnyRun next to each other.
enum class GlobKind : uint32_t { kText = 1, kAnyRun = 2, kAnyOne = 3, kDash = 4 };  // kDash: one of `-` `/` and the three long dashes (windash)
struct GlobToken {
  GlobKind kind;
  TextRef text;  // kText only; else zero
};

// A regular expression as a Thompson program over code points, run as a set of states: no backtracking. Entry is its first instruction.
struct RegexRecord {
  uint32_t first_instruction;
  uint32_t instruction_count;
  std::array<uint64_t, 4> first_bytes;  // bytes that a match can begin with; all ones if it can be empty
  uint32_t flags;                       // kAnchoredAtStart, kCanBeEmpty
  uint32_t zero;
};
static_assert(sizeof(RegexRecord) == 48);
inline constexpr uint32_t kAnchoredAtStart = 1;  // every path begins with kTextBegin: only position 0 is tried
inline constexpr uint32_t kCanBeEmpty = 2;       // the end can be reached without taking a character (assertions left aside)

enum class InstructionKind : uint8_t {
  kMatch = 1,
  kRune,         // one code point: operand
  kClass,        // one code point of ClassRecord operand
  kAny,          // any code point
  kAnyNotNewline,
  kSplit,        // out and operand
  kAssert,       // AssertKind in `argument`
};
enum class AssertKind : uint8_t { kTextBegin = 1, kTextEnd, kLineBegin, kLineEnd, kWordBoundary, kNotWordBoundary };

struct InstructionRecord {
  InstructionKind kind;
  uint8_t argument;
  uint16_t zero;
  uint32_t out;      // relative to the program
  uint32_t operand;
};

struct ClassRecord {
  std::array<uint64_t, 2> ascii;  // members below 128
  ListRef ranges;                 // into kRanges: members from 128 on, ascending, apart
};
struct RangeRecord {
  uint32_t low;
  uint32_t high;  // inclusive
};

// A hash table in kSlots: open addressing, linear probing, 2^log2 slots, at least one of them empty.
struct TableRef {
  uint32_t first_slot;
  uint32_t log2_slots;  // kNoTable: there is none
};
inline constexpr uint32_t kNoTable = 0xffffffff;

struct SlotRecord {
  uint32_t tag;         // upper half of the hash
  uint32_t first;       // into kCandidates
  uint32_t count;       // 0: empty
};

struct CandidateRecord {
  uint32_t predicate;  // indexed
  uint32_t offset;     // grams: where in the literal the gram lies; else 0
};

// 2^log2 bits in kBitmaps: which keys some table knows, some others among them.
struct BitmapRef {
  uint32_t first_word;
  uint32_t log2_bits;   // kBitmapLog2Min to kBitmapLog2Max; kNoTable: there is none
};
inline constexpr uint32_t kBitmapLog2Min = 6;
inline constexpr uint32_t kBitmapLog2Max = 18;

// How the indexed predicates of one input are found. See hash.hpp for the hashes.
struct IndexRecord {
  uint32_t input;          // or kEveryValue
  uint32_t suffix_sizes;     // bit k-1: some kEndsWith literal has a key of its last k bytes, k = min(8, length)
  TableRef exact;            // kEquals: key of length and both ends
  TableRef suffix;
  TableRef prefix;
  ListRef prefix_lengths;    // kNumbers, ascending: lengths of kStartsWith literals; key is the last min(8, length) bytes of the prefix
  TableRef near_grams;       // kContains of 2 to 6 bytes: one gram of min(4, length) bytes, looked for at every position
  TableRef far_grams;        // kContains of 7 and more: four neighbouring grams, looked for at every fourth position
  BitmapRef anchored_bitmap; // of the keys in exact, suffix and prefix: asked before a slot is touched
  BitmapRef near_bitmap;
  BitmapRef far_bitmap;
  uint32_t near_sizes;       // bit k-1: some near gram has k bytes
  uint32_t zero;
};
static_assert(sizeof(IndexRecord) == 88);
inline constexpr uint32_t kNearMin = 2;
inline constexpr uint32_t kFarMin = 7;

// The sections as spans over the bytes.
struct Layout {
  const Header* header = nullptr;
  std::string_view texts;
  std::span<const TextRef> text_refs;
  std::span<const uint32_t> numbers;
  std::span<const InstanceRecord> instances;
  std::span<const EntryRecord> entries;
  std::span<const NodeRecord> nodes;
  std::span<const PredicateRecord> predicates;
  std::span<const GlobToken> glob_tokens;
  std::span<const RegexRecord> regexes;
  std::span<const InstructionRecord> instructions;
  std::span<const ClassRecord> classes;
  std::span<const RangeRecord> ranges;
  std::span<const IndexRecord> indexes;
  std::span<const SlotRecord> slots;
  std::span<const CandidateRecord> candidates;
  std::span<const uint64_t> bitmaps;
};

}  // namespace creance::channel

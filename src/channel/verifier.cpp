// The verifier: one pass over a channel file that proves every offset, count, index and kind, that every walk ends, that the wake-up tables lose no match, and the declared cost.
// Order matters: a check may rely only on what stands above it. Work and memory are linear in the file.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/limits.hpp"
#include "channel/cost.hpp"
#include "channel/hash.hpp"
#include "channel/reference_checks.hpp"
#include "channel/regex_facts.hpp"
#include "channel/sections.hpp"
#include "channel/utf8.hpp"
#include "channel/verified_channel.hpp"

namespace creance::channel {
namespace {

class Verifier : ReferenceChecks<Layout> {
 public:
  Verifier(BytesView bytes, const Layout& layout) : ReferenceChecks(bytes, layout) {}

  Verdict run() {
    using Check = Verdict (Verifier::*)();
    static constexpr Check kChecks[] = {&Verifier::texts,   &Verifier::glob_tokens, &Verifier::classes,   &Verifier::regexes, &Verifier::predicates,
                                        &Verifier::instances, &Verifier::nodes,     &Verifier::inputs_read, &Verifier::indexes, &Verifier::wake_up,
                                        &Verifier::cost};
    for (const Check check : kChecks) {
      if (Verdict verdict = (this->*check)()) return verdict;
    }
    return std::nullopt;
  }

 private:
  static bool ascending(std::span<const uint32_t> list) { return std::ranges::adjacent_find(list, std::ranges::greater_equal()) == list.end(); }

  Verdict texts() {
    if (l_.header->zero != 0) return reject("V013", l_.header->zero, "the header has unknown fields");
    if (!text_fits(l_.header->type_id)) return reject("V010", l_.header->type_id, "the type id lies outside the texts");
    for (const TextRef& ref : l_.text_refs) {
      if (!text_fits(ref)) return reject("V010", ref, "a text reference points outside the texts");
    }
    return std::nullopt;
  }

  Verdict glob_tokens() {
    for (const GlobToken& token : l_.glob_tokens) {
      if (token.kind < GlobKind::kText || token.kind > GlobKind::kDash) return reject("V013", token, "unknown kind of pattern token");
      const bool is_text = token.kind == GlobKind::kText;
      if (is_text ? !text_fits(token.text) || token.text.size == 0 : token.text.offset != 0 || token.text.size != 0) {
        return reject("V017", token, "a pattern token's text is outside the texts, empty, or not wanted");
      }
    }
    return std::nullopt;
  }

  Verdict classes() {
    uint32_t next = 0;
    for (const ClassRecord& set : l_.classes) {
      if (set.ranges.first != next || !list_fits(set.ranges, l_.ranges)) return reject("V019", set, "a character class does not follow the one before it");
      next += set.ranges.count;
      uint32_t low_min = 0x80;
      for (const RangeRecord& range : l_.ranges.subspan(set.ranges.first, set.ranges.count)) {
        if (range.low < low_min || range.high < range.low || range.high > kRuneMax) return reject("V019", range, "a range of a character class is out of order");
        low_min = range.high + 1;
      }
    }
    if (next != l_.ranges.size()) return reject("V019", *l_.header, "there are ranges that belong to no character class");
    return std::nullopt;
  }

  Verdict instruction(const RegexRecord& regex, const InstructionRecord& i) const {
    if (i.kind < InstructionKind::kMatch || i.kind > InstructionKind::kAssert) return reject("V013", i, "unknown kind of instruction");
    const bool is_assert = i.kind == InstructionKind::kAssert;
    const bool argument_fits = is_assert ? i.argument >= 1 && i.argument <= static_cast<uint8_t>(AssertKind::kNotWordBoundary) : i.argument == 0;
    if (!argument_fits || i.zero != 0) return reject("V013", i, "an instruction has an unknown argument");
    const bool is_match = i.kind == InstructionKind::kMatch;
    if (is_match ? i.out != 0 : i.out >= regex.instruction_count) return reject("V018", i, "an instruction jumps outside its program");
    bool operand_fits = i.operand == 0;
    if (i.kind == InstructionKind::kRune) operand_fits = i.operand <= kRuneMax;
    if (i.kind == InstructionKind::kClass) operand_fits = i.operand < l_.classes.size();
    if (i.kind == InstructionKind::kSplit) operand_fits = i.operand < regex.instruction_count;
    if (!operand_fits) return reject("V018", i, "an instruction's operand is out of range");
    return std::nullopt;
  }

  Verdict regexes() {
    uint32_t next = 0;
    for (const RegexRecord& regex : l_.regexes) {
      if (regex.first_instruction != next || !list_fits({regex.first_instruction, regex.instruction_count}, l_.instructions)) {
        return reject("V018", regex, "a program does not follow the one before it");
      }
      next += regex.instruction_count;
      if (regex.instruction_count == 0 || regex.instruction_count > limits::kRegexStatesMax) return reject("V018", regex, "a program is empty or too large");
      if ((regex.flags & ~(kAnchoredAtStart | kCanBeEmpty)) != 0 || regex.zero != 0) return reject("V013", regex, "a program has unknown flags");
      const auto program = l_.instructions.subspan(regex.first_instruction, regex.instruction_count);
      for (const InstructionRecord& i : program) {
        if (Verdict verdict = instruction(regex, i)) return verdict;
      }
      const RegexFacts facts = regex_facts(program, l_.classes, l_.ranges);
      if (facts.first_bytes != regex.first_bytes || facts.flags() != regex.flags) return reject("V020", regex, "what is said about a program is not true of it");
    }
    if (next != l_.instructions.size()) return reject("V018", *l_.header, "there are instructions that belong to no program");
    return std::nullopt;
  }

  // The tokens of one pattern: at least one, no two runs side by side.
  Verdict glob(const PredicateRecord& p) const {
    if (!list_fits(p.operand, l_.glob_tokens) || p.operand.count == 0) return reject("V017", p, "a pattern lies outside the tokens or is empty");
    const auto tokens = l_.glob_tokens.subspan(p.operand.first, p.operand.count);
    const auto two_runs = [](const GlobToken& a, const GlobToken& b) { return a.kind == GlobKind::kAnyRun && b.kind == GlobKind::kAnyRun; };
    if (std::ranges::adjacent_find(tokens, two_runs) != tokens.end()) return reject("V017", p, "a pattern has two runs side by side");
    return std::nullopt;
  }

  Verdict cidr(const PredicateRecord& p) const {
    const uint32_t family = p.other >> 8;
    const uint32_t length = p.other & 0xff;
    if ((family != 4 && family != 6) || length > (family == 4 ? 32u : 128u)) return reject("V016", p, "an address range has an unknown family or length");
    if (p.operand.count != 16 || !text_fits({p.operand.first, 16})) return reject("V016", p, "an address range lies outside the texts");
    const std::string_view address = l_.texts.substr(p.operand.first, 16);
    for (uint32_t bit = length; bit < 128; ++bit) {
      if ((static_cast<uint8_t>(address[bit / 8]) >> (7 - bit % 8) & 1) != 0) return reject("V016", p, "an address range has bits behind its prefix");
    }
    return std::nullopt;
  }

  Verdict operand(const PredicateRecord& p) const {
    const bool no_operand = p.operand.first == 0 && p.operand.count == 0;
    switch (p.kind) {
      case PredicateKind::kPresent:
        if (!no_operand) return reject("V016", p, "a presence test has an operand");
        return std::nullopt;
      case PredicateKind::kEquals:
      case PredicateKind::kStartsWith:
      case PredicateKind::kEndsWith:
      case PredicateKind::kContains:
        if (!text_fits({p.operand.first, p.operand.count})) return reject("V016", p, "a literal lies outside the texts");
        return std::nullopt;
      case PredicateKind::kGlob: return glob(p);
      case PredicateKind::kRegex:
        if (p.operand.first >= l_.regexes.size() || p.operand.count != 1) return reject("V016", p, "a predicate names a program that is not there");
        return std::nullopt;
      case PredicateKind::kCidr: return cidr(p);
      case PredicateKind::kLess:
      case PredicateKind::kLessOrEqual:
      case PredicateKind::kGreater:
      case PredicateKind::kGreaterOrEqual:
        if (!no_operand || p.other > static_cast<uint32_t>(NumberForm::kWhole)) return reject("V016", p, "a comparison has a number of an unknown form");
        if (p.other == static_cast<uint32_t>(NumberForm::kDouble) && !std::isfinite(std::bit_cast<double>(p.extra))) return reject("V016", p, "a comparison has no number");
        return std::nullopt;
      case PredicateKind::kFieldEquals:
      case PredicateKind::kFieldStartsWith:
      case PredicateKind::kFieldEndsWith:
      case PredicateKind::kFieldContains:
        if (!no_operand || p.other >= l_.header->input_count || p.input == kEveryValue) return reject("V016", p, "a comparison of two inputs names one that is not there");
        return std::nullopt;
      case PredicateKind::kTimePart: return time_part(p);
    }
    return reject("V013", p, "unknown kind of predicate");
  }

  Verdict time_part(const PredicateRecord& p) const {
    const auto part = static_cast<TimePart>(p.other >> 8);
    const auto test = static_cast<NumberTest>(p.other & 0xff);
    if (part < TimePart::kMinute || part > TimePart::kYear || test < NumberTest::kEqual || test > NumberTest::kGreaterOrEqual) return reject("V016", p, "a test of a time has an unknown part or comparison");
    if (p.operand.first != 0 || p.operand.count != 0 || p.extra.first > kTimeNumberMax || p.extra.count != 0) return reject("V016", p, "a test of a time has no number that a part can be");
    return std::nullopt;
  }

  static bool is_literal(PredicateKind kind) { return kind >= PredicateKind::kEquals && kind <= PredicateKind::kContains; }
  static bool is_comparison(PredicateKind kind) { return kind >= PredicateKind::kLess && kind <= PredicateKind::kGreaterOrEqual; }
  static bool has_number(PredicateKind kind) { return is_comparison(kind) || kind == PredicateKind::kTimePart; }
  static bool has_other(PredicateKind kind) { return kind == PredicateKind::kCidr || reads_two_inputs(kind) || has_number(kind); }

  Verdict predicates() {
    for (const PredicateRecord& p : l_.predicates) {
      if (p.kind < PredicateKind::kPresent || p.kind > kLastPredicateKind) return reject("V013", p, "unknown kind of predicate");
      if (p.seen > (is_literal(p.kind) ? l_.header->sample_events : 0)) return reject("V013", p, "a predicate was seen more often than there were sample events");
      if (p.zero != 0 || (p.flags & ~(kCased | kIndexed)) != 0) return reject("V013", p, "a predicate has unknown flags");
      if (p.input != kEveryValue && p.input >= l_.header->input_count) return reject("V012", p, fmt::format("a predicate reads input {} of {}", p.input, l_.header->input_count));
      if (Verdict verdict = operand(p)) return verdict;
      const bool indexed = (p.flags & kIndexed) != 0;
      if (indexed && (!is_literal(p.kind) || (p.flags & kCased) != 0)) return reject("V016", p, "a predicate of this kind cannot be indexed");
      if (indexed) {
        if (!list_fits(p.extra, l_.numbers)) return reject("V011", p, "a wake list lies outside the numbers");
        const auto list = numbers(p.extra);
        if (!ascending(list) || (!list.empty() && list.back() >= l_.instances.size())) return reject("V024", p, "a wake list is out of order or names an instance that is not there");
        wake_entries_ += list.size();
      } else if (!has_number(p.kind) && (p.extra.first != 0 || p.extra.count != 0)) {
        return reject("V013", p, "a predicate has a wake list without being indexed");
      }
      if (!has_other(p.kind) && p.other != 0) return reject("V013", p, "a predicate has a second operand that it cannot use");
    }
    // Wake lists may not share numbers: else a small file could ask for much work.
    if (wake_entries_ > l_.numbers.size()) return reject("V024", *l_.header, "wake lists overlap");
    return std::nullopt;
  }

  Verdict instances() {
    uint64_t listed = 0;
    for (const InstanceRecord& r : l_.instances) {
      for (const TextRef& ref : {r.rule_id, r.title, r.level, r.author}) {
        if (!text_fits(ref)) return reject("V010", r, "an instance's text lies outside the texts");
      }
      if (!list_fits(r.tags, l_.text_refs) || !list_fits(r.references, l_.text_refs)) return reject("V011", r, "an instance's list lies outside the text references");
      if (!list_fits(r.inputs, l_.numbers) || !list_fits(r.clause, l_.numbers)) return reject("V011", r, "an instance's list lies outside the numbers");
      if ((r.flags & ~kReadsEveryValue) != 0 || r.zero != 0) return reject("V013", r, "an instance has unknown flags");
      if (!ascending(numbers(r.inputs)) || !ascending(numbers(r.clause))) return reject("V024", r, "an instance's inputs or clause are out of order");
      listed += r.inputs.count + r.clause.count;
    }
    if (listed > l_.numbers.size()) return reject("V024", *l_.header, "the lists of instances overlap");
    return std::nullopt;
  }

  Verdict nodes() {
    if (l_.entries.size() != l_.instances.size()) return reject("V014", *l_.header, "there is not one condition for each instance");
    uint32_t next = 0;
    for (const EntryRecord& entry : l_.entries) {
      if (entry.first_node != next || entry.node_count == 0 || !list_fits({entry.first_node, entry.node_count}, l_.nodes)) {
        return reject("V014", entry, "a condition is empty or does not follow the one before it");
      }
      next += entry.node_count;
      for (uint32_t i = entry.first_node; i < next; ++i) {
        const NodeRecord& node = l_.nodes[i];
        if (node.predicate >= l_.predicates.size()) return reject("V016", node, "a decision names a predicate that is not there");
        for (const uint32_t target : {node.if_true, node.if_false}) {
          if (target != kAccept && target != kReject && (target <= i || target >= next)) return reject("V015", node, "a decision does not lead forward inside its condition");
        }
      }
    }
    if (next != l_.nodes.size()) return reject("V014", *l_.header, "there are decisions that belong to no condition");
    return std::nullopt;
  }

  // An instance says exactly which inputs it reads: a host without one of them holds it.
  Verdict inputs_read() {
    std::vector<uint32_t> stamp(l_.header->input_count, 0);
    for (uint32_t i = 0; i < l_.instances.size(); ++i) {
      const InstanceRecord& instance = l_.instances[i];
      uint32_t distinct = 0;
      bool every = false;
      const auto read = [&](uint32_t input) {
        if (stamp[input] == i + 1) return;
        stamp[input] = i + 1;
        ++distinct;
      };
      for (const NodeRecord& node : l_.nodes.subspan(l_.entries[i].first_node, l_.entries[i].node_count)) {
        const PredicateRecord& p = l_.predicates[node.predicate];
        if (p.input == kEveryValue) every = true;
        else read(p.input);
        if (reads_two_inputs(p.kind)) read(p.other);
      }
      const auto listed = numbers(instance.inputs);
      const auto is_read = [&](uint32_t input) { return input < stamp.size() && stamp[input] == i + 1; };
      if (listed.size() != distinct || !std::ranges::all_of(listed, is_read) || every != ((instance.flags & kReadsEveryValue) != 0)) {
        return reject("V012", instance, "an instance does not name exactly the inputs that it reads");
      }
    }
    return std::nullopt;
  }

  // One table of an index: follows the one before it, has an empty slot, and its slots' candidates follow each other.
  Verdict table(const TableRef& ref) {
    if (ref.log2_slots == kNoTable) {
      if (ref.first_slot != 0) return reject("V021", ref, "an index names a table that it does not have");
      return std::nullopt;
    }
    if (ref.log2_slots > 24 || ref.first_slot != next_slot_ || uint64_t{ref.first_slot} + (1ull << ref.log2_slots) > l_.slots.size()) {
      return reject("V021", ref, "a table does not follow the one before it");
    }
    next_slot_ += 1u << ref.log2_slots;
    bool has_empty = false;
    for (const SlotRecord& slot : l_.slots.subspan(ref.first_slot, 1ull << ref.log2_slots)) {
      if (slot.count == 0) {
        has_empty = true;
        if (slot.tag != 0 || slot.first != 0) return reject("V021", slot, "an empty slot is not zero");
        continue;
      }
      if (slot.first != next_candidate_ || !list_fits({slot.first, slot.count}, l_.candidates)) return reject("V021", slot, "a slot's candidates do not follow the ones before");
      next_candidate_ += slot.count;
      for (const CandidateRecord& c : l_.candidates.subspan(slot.first, slot.count)) {
        if (c.predicate >= l_.predicates.size() || (l_.predicates[c.predicate].flags & kIndexed) == 0) return reject("V021", c, "a candidate is not an indexed predicate");
      }
    }
    if (!has_empty) return reject("V021", ref, "a table has no empty slot");
    return std::nullopt;
  }

  // Whether looking for `hash` finds the slot with this candidate.
  bool findable(const TableRef& ref, uint64_t hash, uint32_t slot_index) const {
    const uint32_t mask = (1u << ref.log2_slots) - 1;
    uint32_t at = static_cast<uint32_t>(hash) & mask;
    for (uint32_t step = 0; step <= mask && step < kProbesMax; ++step) {
      const SlotRecord& slot = l_.slots[ref.first_slot + at];
      if (slot.count == 0) return false;
      if (slot.tag == tag_of(hash)) return ref.first_slot + at == slot_index;
      at = (at + 1) & mask;
    }
    return false;
  }

  std::string_view literal(const PredicateRecord& p) const { return l_.texts.substr(p.operand.first, p.operand.count); }

  // Every candidate of a table must be of this index and kind and stand where its hash is looked for. `hash_of` gives nothing if it has no place here.
  template <class HashOf>
  Verdict candidates(const IndexRecord& index, const TableRef& ref, PredicateKind kind, HashOf hash_of) {
    if (ref.log2_slots == kNoTable) return std::nullopt;
    for (uint32_t s = ref.first_slot; s < ref.first_slot + (1u << ref.log2_slots); ++s) {
      const SlotRecord& slot = l_.slots[s];
      for (const CandidateRecord& c : l_.candidates.subspan(slot.first, slot.count)) {
        const PredicateRecord& p = l_.predicates[c.predicate];
        if (p.input != index.input || p.kind != kind) return reject("V022", c, "a candidate stands in the wrong index");
        const std::optional<uint64_t> hash = hash_of(literal(p), c);
        if (!hash || !findable(ref, *hash, s)) return reject("V022", c, "a candidate cannot be found where it stands");
      }
    }
    return std::nullopt;
  }

  bool has_bit(const BitmapRef& bitmap, uint32_t bit) const { return (l_.bitmaps[bitmap.first_word + bit / 64] >> (bit % 64) & 1) != 0; }

  // A bitmap stands exactly where there is a table for it.
  Verdict bitmap(const IndexRecord& index, bool wanted, const BitmapRef& ref) {
    if (wanted != (ref.log2_bits != kNoTable)) return reject("V021", index, "keys without a bitmap, or a bitmap without keys");
    if (!wanted) {
      if (ref.first_word != 0) return reject("V021", index, "an index names a bitmap that it does not have");
      return std::nullopt;
    }
    const bool size_fits = ref.log2_bits >= kBitmapLog2Min && ref.log2_bits <= kBitmapLog2Max;
    if (!size_fits || ref.first_word != next_word_ || uint64_t{ref.first_word} + (1u << ref.log2_bits) / 64 > l_.bitmaps.size()) {
      return reject("V021", index, "a bitmap does not follow the one before it, or has an unknown size");
    }
    next_word_ += (1u << ref.log2_bits) / 64;
    return std::nullopt;
  }

  Verdict index_shape(const IndexRecord& index) {
    if (index.input >= l_.header->input_count && index.input != kEveryValue) return reject("V012", index, "an index is of an input that is not there");
    if (index.zero != 0) return reject("V013", index, "an index has unknown fields");
    if ((index.near_sizes & ~0b1110u) != 0 || (index.near_sizes != 0) != (index.near_grams.log2_slots != kNoTable)) return reject("V021", index, "the sizes of grams do not fit their table");
    for (const TableRef* ref : {&index.exact, &index.suffix, &index.prefix, &index.near_grams, &index.far_grams}) {
      if (Verdict verdict = table(*ref)) return verdict;
    }
    const auto is_there = [](const TableRef& ref) { return ref.log2_slots != kNoTable; };
    if (Verdict verdict = bitmap(index, is_there(index.exact) || is_there(index.suffix) || is_there(index.prefix), index.anchored_bitmap)) return verdict;
    if (Verdict verdict = bitmap(index, is_there(index.near_grams), index.near_bitmap)) return verdict;
    if (Verdict verdict = bitmap(index, is_there(index.far_grams), index.far_bitmap)) return verdict;
    if (index.suffix_sizes > 0xff || (index.suffix_sizes != 0) != (index.suffix.log2_slots != kNoTable)) return reject("V021", index, "the sizes of suffixes do not fit their table");
    if (!list_fits(index.prefix_lengths, l_.numbers) || (index.prefix_lengths.count != 0) != (index.prefix.log2_slots != kNoTable)) {
      return reject("V021", index, "the lengths of prefixes do not fit their table");
    }
    if (!ascending(numbers(index.prefix_lengths))) return reject("V024", index, "the lengths of prefixes are out of order");
    return std::nullopt;
  }

  Verdict index_content(const IndexRecord& index, std::vector<uint8_t>& seen) {
    const auto once = [&](const CandidateRecord& c, uint8_t bit) {
      const bool first = (seen[c.predicate] & bit) == 0;
      seen[c.predicate] |= bit;
      return first;
    };
    constexpr auto kNowhere = std::optional<uint64_t>();
    using Hash = std::optional<uint64_t>;
    const auto anchored = [&](uint64_t hash) { return has_bit(index.anchored_bitmap, key_bit(hash, index.anchored_bitmap.log2_bits)) ? Hash(hash) : kNowhere; };
    const auto exact = [&](std::string_view text, const CandidateRecord& c) { return c.offset == 0 && once(c, 15) ? anchored(exact_hash(text)) : kNowhere; };
    const auto suffix = [&](std::string_view text, const CandidateRecord& c) -> Hash {
      const auto size = static_cast<uint32_t>(std::min<size_t>(8, text.size()));
      if (size == 0 || (index.suffix_sizes >> (size - 1) & 1) == 0 || c.offset != 0 || !once(c, 15)) return kNowhere;
      return anchored(suffix_hash(tail_key(text.data() + text.size(), size), size));
    };
    const auto prefix = [&](std::string_view text, const CandidateRecord& c) -> Hash {
      const auto length = static_cast<uint32_t>(text.size());
      if (length == 0 || !std::ranges::binary_search(numbers(index.prefix_lengths), length) || c.offset != 0 || !once(c, 15)) return kNowhere;
      return anchored(prefix_hash(tail_key(text.data() + length, std::min(8u, length)), length));
    };
    const auto near = [&](std::string_view text, const CandidateRecord& c) -> Hash {
      const auto size = static_cast<uint32_t>(std::min<size_t>(4, text.size()));
      if (size < kNearMin || (index.near_sizes >> (size - 1) & 1) == 0 || uint64_t{c.offset} + size > text.size() || !once(c, 15)) return kNowhere;
      const uint32_t gram = load_gram(text.data() + c.offset, size);
      return has_bit(index.near_bitmap, gram_bit(gram, index.near_bitmap.log2_bits)) ? Hash(gram_hash(gram, size)) : kNowhere;
    };
    const auto far = [&](std::string_view text, const CandidateRecord& c) -> Hash {
      if (text.size() < kFarMin || uint64_t{c.offset} + 4 > text.size()) return kNowhere;
      if (!once(c, static_cast<uint8_t>(1u << (c.offset % 4)))) return kNowhere;
      const uint32_t gram = load_gram(text.data() + c.offset);
      return has_bit(index.far_bitmap, gram_bit(gram, index.far_bitmap.log2_bits)) ? Hash(gram_hash(gram, 4)) : kNowhere;
    };
    if (Verdict v = candidates(index, index.exact, PredicateKind::kEquals, exact)) return v;
    if (Verdict v = candidates(index, index.suffix, PredicateKind::kEndsWith, suffix)) return v;
    if (Verdict v = candidates(index, index.prefix, PredicateKind::kStartsWith, prefix)) return v;
    if (Verdict v = candidates(index, index.near_grams, PredicateKind::kContains, near)) return v;
    return candidates(index, index.far_grams, PredicateKind::kContains, far);
  }

  Verdict indexes() {
    uint64_t input_min = 0;
    for (const IndexRecord& index : l_.indexes) {
      if (index.input < input_min) return reject("V021", index, "the indexes are not in the order of inputs");
      input_min = uint64_t{index.input} + 1;
      if (Verdict verdict = index_shape(index)) return verdict;
    }
    if (next_slot_ != l_.slots.size() || next_candidate_ != l_.candidates.size() || next_word_ != l_.bitmaps.size()) {
      return reject("V021", *l_.header, "there are slots, candidates or bitmaps that belong to no table");
    }
    std::vector<uint8_t> seen(l_.predicates.size(), 0);
    for (const IndexRecord& index : l_.indexes) {
      if (Verdict verdict = index_content(index, seen)) return verdict;
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      if ((l_.predicates[i].flags & kIndexed) != 0 && seen[i] != 15) return reject("V022", l_.predicates[i], "an indexed predicate is not in its index, or not at every offset");
    }
    return std::nullopt;
  }

  // If no predicate of an instance's clause holds, its condition must not hold; and each of them must wake it.
  Verdict wake_up() {
    std::vector<uint32_t> stamp(l_.predicates.size(), 0);
    std::vector<uint8_t> reached(l_.nodes.size(), 0);
    for (uint32_t i = 0; i < l_.instances.size(); ++i) {
      const InstanceRecord& instance = l_.instances[i];
      const auto clause = numbers(instance.clause);
      if (clause.empty()) continue;
      for (const uint32_t predicate : clause) {
        if (predicate >= l_.predicates.size() || (l_.predicates[predicate].flags & kIndexed) == 0) return reject("V023", instance, "a clause names a predicate that is not indexed");
        if (!std::ranges::binary_search(numbers(l_.predicates[predicate].extra), i)) return reject("V023", instance, "a predicate of a clause does not wake the instance");
        stamp[predicate] = i + 1;
      }
      const EntryRecord& entry = l_.entries[i];
      reached[entry.first_node] = 1;
      for (uint32_t n = entry.first_node; n < entry.first_node + entry.node_count; ++n) {
        if (reached[n] == 0) continue;
        const NodeRecord& node = l_.nodes[n];
        const bool known_false = stamp[node.predicate] == i + 1;
        for (const uint32_t target : {node.if_false, known_false ? node.if_false : node.if_true}) {
          if (target == kAccept) return reject("V023", node, "an instance can match without being woken");
          if (target != kReject) reached[target] = 1;
        }
      }
    }
    return std::nullopt;
  }

  Verdict cost() {
    const Cost cost = channel_cost(l_);
    const Header& h = *l_.header;
    if (cost.bound != h.cost_bound || cost.fixed != h.cost_fixed || cost.per_value != h.cost_per_value || cost.per_byte != h.cost_per_byte) {
      return reject("V030", h.cost_bound, fmt::format("the file declares {} steps, its tables need {}", h.cost_bound, cost.bound));
    }
    if (cost.bound > limits::kChannelStepsMax) return reject("V031", h.cost_bound, fmt::format("an event could cost {} steps; at most {} are allowed", cost.bound, limits::kChannelStepsMax));
    return std::nullopt;
  }

  uint64_t wake_entries_ = 0;
  uint32_t next_slot_ = 0;
  uint32_t next_candidate_ = 0;
  uint32_t next_word_ = 0;
};

}  // namespace

std::expected<VerifiedChannel, Rejection> VerifiedChannel::verify(BytesView bytes, const Expectation& expectation) {
  auto layout = map_sections(bytes);
  if (!layout) return std::unexpected(std::move(layout.error()));
  const Header& header = *layout->header;
  if (expectation.fingerprint && *expectation.fingerprint != header.fingerprint) {
    return std::unexpected(Rejection{"V005", offsetof(Header, fingerprint), "the file was compiled for another version of the Template Type than this sensor supplies"});
  }
  if (expectation.inputs != header.input_count) {
    return std::unexpected(Rejection{"V006", offsetof(Header, input_count), fmt::format("the file reads {} inputs, this sensor supplies {}", header.input_count, expectation.inputs)});
  }
  if (auto verdict = Verifier(bytes, *layout).run()) return std::unexpected(std::move(*verdict));
  return VerifiedChannel(*layout);
}

}  // namespace creance::channel

// Finds the indexed predicates that hold for this event, and wakes the instances that wait for them. A hash only proposes; the literal decides.
#include <cstring>

#include "channel/cost.hpp"
#include "channel/hash.hpp"
#include "channel/sections.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

using channel::CandidateRecord;
using channel::IndexRecord;
using channel::PredicateKind;
using channel::PredicateRecord;
using channel::TableRef;

// The last `size` (1 to 8) bytes before `end`; at least 8 bytes may be read there (kFoldMargin).
uint64_t tail_key_padded(const char* end, uint32_t size) noexcept {
  uint64_t key;
  std::memcpy(&key, end - 8, 8);
  return key >> (64 - 8 * size);
}

class Waker {
 public:
  Waker(Context& c, const IndexRecord& index) : c_(c), index_(index) {}

  // `text` is folded and has its margins.
  bool scan(std::string_view text) noexcept {
    text_ = text;
    c_.steps += 1 + text.size() / 16;
    if (index_.anchored_bitmap.log2_bits != channel::kNoTable && !anchored()) return false;
    if (has(index_.near_grams) && !near_grams()) return false;
    return !has(index_.far_grams) || far_grams();
  }

 private:
  struct Bitmap {
    const uint64_t* words = nullptr;
    uint32_t log2 = 0;
    bool has(uint32_t bit) const noexcept { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
    bool has_gram(uint32_t gram) const noexcept { return has(channel::gram_bit(gram, log2)); }
  };
  static bool has(const TableRef& table) noexcept { return table.log2_slots != channel::kNoTable; }
  bool broken() noexcept { return c_.fail(FaultCode::kIndex); }

  // What must stand at the beginning or the end. Most keys are in no table: their bit says so, without a slot.
  bool anchored() noexcept {
    const Bitmap known = bitmap(index_.anchored_bitmap);
    if (known.words == nullptr) return false;
    if (has(index_.exact) && !look_up_known(known, index_.exact, channel::exact_hash(text_))) return false;
    if (has(index_.suffix) && !suffixes(known)) return false;
    return !has(index_.prefix) || prefixes(known);
  }

  bool suffixes(const Bitmap& known) noexcept {
    const char* const end = text_.data() + text_.size();
    for (uint32_t sizes = index_.suffix_sizes & 0xff; sizes != 0; sizes &= sizes - 1) {
      const uint32_t size = static_cast<uint32_t>(__builtin_ctz(sizes)) + 1;
      if (size > text_.size()) break;
      if (!look_up_known(known, index_.suffix, channel::suffix_hash(tail_key_padded(end, size), size))) return false;
    }
    return true;
  }

  bool prefixes(const Bitmap& known) noexcept {
    const channel::ListRef list = index_.prefix_lengths;
    if (uint64_t{list.first} + list.count > c_.l.numbers.size()) return broken();
    for (const uint32_t length : c_.l.numbers.subspan(list.first, list.count)) {
      ++c_.steps;
      if (length > text_.size()) break;
      if (length == 0) return broken();
      const uint64_t key = tail_key_padded(text_.data() + length, length < 8 ? length : 8);
      if (!look_up_known(known, index_.prefix, channel::prefix_hash(key, length))) return false;
    }
    return true;
  }

  Bitmap bitmap(const channel::BitmapRef& ref) noexcept {
    if (ref.log2_bits < channel::kBitmapLog2Min || ref.log2_bits > channel::kBitmapLog2Max || uint64_t{ref.first_word} + (1u << ref.log2_bits) / 64 > c_.l.bitmaps.size()) return broken(), Bitmap{};
    return {c_.l.bitmaps.data() + ref.first_word, ref.log2_bits};
  }

  // Grams of 2, 3 and 4 bytes at every position. The margin behind the text may be read; what reaches into it is no gram.
  bool near_grams() noexcept {
    const Bitmap known = bitmap(index_.near_bitmap);
    if (known.words == nullptr) return false;
    // A size that no literal has is tested as another one that some has: one branch less at every position.
    const uint32_t sizes = index_.near_sizes & 0b1110;
    if (sizes == 0) return true;
    const uint32_t some = (sizes & 8) != 0 ? 4 : (sizes & 4) != 0 ? 3 : 2;
    const uint32_t mask_two = channel::gram_mask((sizes & 2) != 0 ? 2 : some);
    const uint32_t mask_three = channel::gram_mask((sizes & 4) != 0 ? 3 : some);
    const uint32_t mask_four = channel::gram_mask(some);
    c_.steps += text_.size() / 4;
    const char* const text = text_.data();
    const size_t size = text_.size();
    for (size_t at = 0; at + channel::kNearMin <= size; ++at) {
      const uint32_t gram = channel::load_gram(text + at);
      const bool any = (static_cast<int>(known.has_gram(gram & mask_two)) | static_cast<int>(known.has_gram(gram & mask_three)) | static_cast<int>(known.has_gram(gram & mask_four))) != 0;
      if (any) [[unlikely]] {
        if (!near_hit(known, sizes, gram, at)) return false;
      }
    }
    return true;
  }

  bool near_hit(const Bitmap& known, uint32_t sizes, uint32_t gram, size_t at) noexcept {
    for (uint32_t size = channel::kNearMin; size <= 4; ++size) {
      const uint32_t part = gram & channel::gram_mask(size);
      if ((sizes >> (size - 1) & 1) == 0 || at + size > text_.size() || !known.has_gram(part)) continue;
      if (!look_up(index_.near_grams, channel::gram_hash(part, size), at)) return false;
    }
    return true;
  }

  bool far_grams() noexcept {
    const Bitmap known = bitmap(index_.far_bitmap);
    if (known.words == nullptr) return false;
    c_.steps += text_.size() / 16;
    for (size_t at = 0; at + 4 <= text_.size(); at += 4) {
      const uint32_t gram = channel::load_gram(text_.data() + at);
      if (!known.has_gram(gram)) [[likely]] continue;
      if (!look_up(index_.far_grams, channel::gram_hash(gram, 4), at)) return false;
    }
    return true;
  }

  bool look_up_known(const Bitmap& known, const TableRef& table, uint64_t hash) noexcept {
    if (known.has(channel::key_bit(hash, known.log2))) [[unlikely]] return look_up(table, hash, 0);
    ++c_.steps;
    return true;
  }

  bool look_up(const TableRef& table, uint64_t hash, size_t at) noexcept {
    if (table.log2_slots > 24 || uint64_t{table.first_slot} + (1ull << table.log2_slots) > c_.l.slots.size()) return broken();
    const uint32_t mask = (1u << table.log2_slots) - 1;
    const uint32_t tag = channel::tag_of(hash);
    uint32_t place = static_cast<uint32_t>(hash) & mask;
    for (uint32_t step = 0; step < channel::kProbesMax; ++step) {
      const channel::SlotRecord& slot = c_.l.slots[table.first_slot + place];
      ++c_.steps;
      if (slot.count == 0) return true;
      if (slot.tag == tag) return candidates(slot, at);
      place = (place + 1) & mask;
    }
    return true;
  }

  bool candidates(const channel::SlotRecord& slot, size_t at) noexcept {
    if (uint64_t{slot.first} + slot.count > c_.l.candidates.size()) return broken();
    for (const CandidateRecord& candidate : c_.l.candidates.subspan(slot.first, slot.count)) {
      if (candidate.predicate >= c_.s.memo.size()) return broken();
      if (c_.s.memo[candidate.predicate] == (c_.s.epoch << 1 | 1)) {
        ++c_.steps;
        continue;
      }
      const PredicateRecord& p = c_.l.predicates[candidate.predicate];
      if (uint64_t{p.operand.first} + p.operand.count > c_.l.texts.size()) return broken();
      const std::string_view literal = c_.l.texts.substr(p.operand.first, p.operand.count);
      c_.steps += channel::chunks(literal.size());
      if (holds(p.kind, literal, candidate.offset, at) && !found(candidate.predicate, p)) return false;
    }
    return true;
  }

  bool holds(PredicateKind kind, std::string_view literal, uint32_t offset, size_t at) const noexcept {
    switch (kind) {
      case PredicateKind::kEquals: return text_ == literal;
      case PredicateKind::kStartsWith: return text_.starts_with(literal);
      case PredicateKind::kEndsWith: return text_.ends_with(literal);
      case PredicateKind::kContains:
        return at >= offset && literal.size() <= text_.size() - (at - offset) && std::memcmp(text_.data() + (at - offset), literal.data(), literal.size()) == 0;
      default: return false;
    }
  }

  bool found(uint32_t predicate, const PredicateRecord& p) noexcept {
    c_.s.memo[predicate] = c_.s.epoch << 1 | 1;
    if (uint64_t{p.extra.first} + p.extra.count > c_.l.numbers.size()) return broken();
    c_.steps += p.extra.count;
    for (const uint32_t instance : c_.l.numbers.subspan(p.extra.first, p.extra.count)) {
      if (instance >= c_.l.entries.size()) return broken();
      c_.s.awake[instance / 64] |= 1ull << (instance % 64);
    }
    return true;
  }

  Context& c_;
  const IndexRecord& index_;
  std::string_view text_;
};

}  // namespace

bool wake(Context& c) noexcept {
  for (const IndexRecord& index : c.l.indexes) {
    ++c.steps;
    const bool every = index.input == channel::kEveryValue;
    if (!every && index.input >= c.inputs.values.size()) return c.fail(FaultCode::kIndex);
    Waker waker(c, index);
    const uint32_t first = every ? 0 : index.input;
    const auto last = every ? static_cast<uint32_t>(c.inputs.values.size()) : index.input + 1;
    for (uint32_t input = first; input < last; ++input) {
      ++c.steps;
      if (!c.inputs.values[input].has_value()) continue;
      const std::string_view text = c.folded(input);
      if (c.broken || !waker.scan(text)) return false;
    }
    for (size_t i = 0; i < c.further_count; ++i) {
      ++c.steps;
      const schema::FurtherValue& further = c.inputs.further[i];
      if ((every || further.input == index.input) && !waker.scan(c.fold_further(further.text.substr(0, limits::kInputBytesMax), 0))) return false;
    }
    for (size_t i = 0; every && i < c.others_count; ++i) {
      if (!waker.scan(c.fold_further(c.inputs.others[i].substr(0, limits::kInputBytesMax), 0))) return false;
    }
  }
  return true;
}

}  // namespace creance::interpreter

// Finds the indexed predicates that hold for this event, and wakes the instances that wait for them. A hash only proposes; the literal decides.
//
// A key that some table may have is not looked up at once: slot, candidates, predicate and literal lie behind each other in tables that are larger than the near caches. Keys are collected over
// the inputs of the event, and each stage of all of them is fetched before the first is looked at.
#include <array>
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

// `a` and `b` have `size` bytes each.
inline bool same_bytes(const char* a, const char* b, size_t size) noexcept {
  const auto word = [](const char* at) {
    uint64_t value;
    std::memcpy(&value, at, 8);
    return value;
  };
  if (size < 8) {
    for (size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  if (word(a) != word(b) || word(a + size - 8) != word(b + size - 8)) return false;
  return size <= 16 || std::memcmp(a + 8, b + 8, size - 16) == 0;
}

class Waker {
 public:
  explicit Waker(Context& c) : c_(c) {}

  // `text` is folded and has its margins, and stays until flush(). `goes_on`: it is the beginning of a longer one.
  bool scan(const IndexRecord& index, std::string_view text, bool goes_on) noexcept {
    index_ = &index;
    goes_on_ = goes_on;
    text_ = text;
    c_.steps += 1 + text.size() / 16;
    if (index.anchored_bitmap.log2_bits != channel::kNoTable && !anchored()) return false;
    if (has(index.near_grams) && !near_grams()) return false;
    return !has(index.far_grams) || far_grams();
  }

  // Looks up what was collected.
  bool flush() noexcept {
    const size_t count = collected_;
    collected_ = 0;
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      Collected one = collected_keys_[i];
      one.slot = probe(one);
      if (one.slot == nullptr) continue;
      if (uint64_t{one.slot->first} + one.slot->count > c_.l.candidates.size()) return broken();
      __builtin_prefetch(&c_.l.candidates[one.slot->first]);
      collected_keys_[kept++] = one;
    }
    for (size_t i = 0; i < kept; ++i) {
      const uint32_t predicate = c_.l.candidates[collected_keys_[i].slot->first].predicate;
      if (predicate >= c_.s.memo.size()) return broken();
      __builtin_prefetch(&c_.l.predicates[predicate]);
      __builtin_prefetch(&c_.s.memo[predicate]);
    }
    for (size_t i = 0; i < kept; ++i) {
      const PredicateRecord& p = c_.l.predicates[c_.l.candidates[collected_keys_[i].slot->first].predicate];
      if (p.operand.first < c_.l.texts.size()) __builtin_prefetch(c_.l.texts.data() + p.operand.first);
    }
    for (size_t i = 0; i < kept; ++i) {
      if (!candidates(collected_keys_[i])) return false;
    }
    return true;
  }

 private:
  struct Bitmap {
    const uint64_t* words = nullptr;
    uint32_t log2 = 0;
    bool has(uint32_t bit) const noexcept { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
    bool has_gram(uint32_t gram) const noexcept { return has(channel::gram_bit(gram, log2)); }
  };
  struct Collected {
    const TableRef* table;
    uint64_t hash;
    const char* text;                 // of `size` bytes
    uint32_t size;
    uint32_t at;                      // where the gram stands in it
    bool goes_on;
    const channel::SlotRecord* slot;  // while flush() is at work
  };
  static constexpr size_t kCollectedMax = 48;

  static bool has(const TableRef& table) noexcept { return table.log2_slots != channel::kNoTable; }
  bool broken() noexcept { return c_.fail(FaultCode::kIndex); }

  // What must stand at the beginning or the end. Most keys are in no table: their bit says so, without a slot.
  bool anchored() noexcept {
    const Bitmap known = bitmap(index_->anchored_bitmap);
    if (known.words == nullptr) return false;
    if (has(index_->exact) && !look_up_known(known, index_->exact, channel::exact_hash(text_))) return false;
    if (has(index_->suffix) && !suffixes(known)) return false;
    return !has(index_->prefix) || prefixes(known);
  }

  bool suffixes(const Bitmap& known) noexcept {
    const char* const end = text_.data() + text_.size();
    for (uint32_t sizes = index_->suffix_sizes & 0xff; sizes != 0; sizes &= sizes - 1) {
      const uint32_t size = static_cast<uint32_t>(__builtin_ctz(sizes)) + 1;
      if (size > text_.size()) break;
      if (!look_up_known(known, index_->suffix, channel::suffix_hash(tail_key_padded(end, size), size))) return false;
    }
    return true;
  }

  bool prefixes(const Bitmap& known) noexcept {
    const channel::ListRef list = index_->prefix_lengths;
    if (uint64_t{list.first} + list.count > c_.l.numbers.size()) return broken();
    for (const uint32_t length : c_.l.numbers.subspan(list.first, list.count)) {
      ++c_.steps;
      if (length > text_.size()) break;
      if (length == 0) return broken();
      const uint64_t key = tail_key_padded(text_.data() + length, length < 8 ? length : 8);
      if (!look_up_known(known, index_->prefix, channel::prefix_hash(key, length))) return false;
    }
    return true;
  }

  Bitmap bitmap(const channel::BitmapRef& ref) noexcept {
    if (ref.log2_bits < channel::kBitmapLog2Min || ref.log2_bits > channel::kBitmapLog2Max || uint64_t{ref.first_word} + (1u << ref.log2_bits) / 64 > c_.l.bitmaps.size()) return broken(), Bitmap{};
    return {c_.l.bitmaps.data() + ref.first_word, ref.log2_bits};
  }

  // Grams of 2, 3 and 4 bytes at every position. The margin behind the text may be read; what reaches into it is no gram.
  bool near_grams() noexcept {
    const Bitmap known = bitmap(index_->near_bitmap);
    if (known.words == nullptr) return false;
    const uint32_t sizes = index_->near_sizes & 0b1110;
    c_.steps += sizes == 0 ? 0 : text_.size() / 4;
    switch (sizes) {
      case 0b0010: return near_grams<2>(known, sizes);
      case 0b0100: return near_grams<3>(known, sizes);
      case 0b1000: return near_grams<4>(known, sizes);
      case 0b0110: return near_grams<2, 3>(known, sizes);
      case 0b1010: return near_grams<2, 4>(known, sizes);
      case 0b1100: return near_grams<3, 4>(known, sizes);
      case 0b1110: return near_grams<2, 3, 4>(known, sizes);
      default: return true;
    }
  }

  template <uint32_t... kSizes>
  bool near_grams(const Bitmap known, uint32_t sizes) noexcept {
    const char* const text = text_.data();
    const size_t size = text_.size();
    for (size_t at = 0; at + channel::kNearMin <= size; ++at) {
      const uint32_t gram = channel::load_gram(text + at);
      const bool any = (static_cast<int>(known.has_gram(gram & channel::gram_mask(kSizes))) | ...) != 0;
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
      if (!look_up(index_->near_grams, channel::gram_hash(part, size), at)) return false;
    }
    return true;
  }

  bool far_grams() noexcept {
    const Bitmap known = bitmap(index_->far_bitmap);
    if (known.words == nullptr) return false;
    const char* const text = text_.data();
    const size_t size = text_.size();
    c_.steps += size / 16;
    for (size_t at = 0; at + 4 <= size; at += 4) {
      const uint32_t gram = channel::load_gram(text + at);
      if (!known.has_gram(gram)) [[likely]] continue;
      if (!look_up(index_->far_grams, channel::gram_hash(gram, 4), at)) return false;
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
    __builtin_prefetch(&c_.l.slots[table.first_slot + (static_cast<uint32_t>(hash) & ((1u << table.log2_slots) - 1))]);
    collected_keys_[collected_++] = {&table, hash, text_.data(), static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(at), goes_on_, nullptr};
    return collected_ < kCollectedMax || flush();
  }

  // Null: the table does not have it.
  const channel::SlotRecord* probe(const Collected& one) noexcept {
    const uint32_t mask = (1u << one.table->log2_slots) - 1;
    const uint32_t tag = channel::tag_of(one.hash);
    uint32_t place = static_cast<uint32_t>(one.hash) & mask;
    for (uint32_t step = 0; step < channel::kProbesMax; ++step) {
      const channel::SlotRecord& slot = c_.l.slots[one.table->first_slot + place];
      ++c_.steps;
      if (slot.count == 0) return nullptr;
      if (slot.tag == tag) return &slot;
      place = (place + 1) & mask;
    }
    return nullptr;
  }

  bool candidates(const Collected& one) noexcept {
    for (const CandidateRecord& candidate : c_.l.candidates.subspan(one.slot->first, one.slot->count)) {
      if (candidate.predicate >= c_.s.memo.size()) return broken();
      if (c_.s.memo[candidate.predicate] == (c_.s.epoch << 1 | 1)) {
        ++c_.steps;
        continue;
      }
      const PredicateRecord& p = c_.l.predicates[candidate.predicate];
      if (uint64_t{p.operand.first} + p.operand.count > c_.l.texts.size()) return broken();
      const std::string_view literal = c_.l.texts.substr(p.operand.first, p.operand.count);
      c_.steps += channel::chunks(literal.size());
      if (holds(p.kind, one, literal, candidate.offset) && !found(candidate.predicate, p)) return false;
    }
    return true;
  }

  static bool holds(PredicateKind kind, const Collected& one, std::string_view literal, uint32_t offset) noexcept {
    const std::string_view text(one.text, one.size);
    const size_t at = one.at;
    if (literal.size() > text.size()) return false;
    size_t begin = 0;
    switch (kind) {
      case PredicateKind::kEquals:
        if (one.goes_on || literal.size() != text.size()) return false;
        break;
      case PredicateKind::kStartsWith: break;
      case PredicateKind::kEndsWith:
        if (one.goes_on) return false;
        begin = text.size() - literal.size();
        break;
      case PredicateKind::kContains:
        if (at < offset || literal.size() > text.size() - (at - offset)) return false;
        begin = at - offset;
        break;
      default: return false;
    }
    return same_bytes(text.data() + begin, literal.data(), literal.size());
  }

  bool found(uint32_t predicate, const PredicateRecord& p) noexcept {
    c_.s.memo[predicate] = c_.s.epoch << 1 | 1;
    if (uint64_t{p.extra.first} + p.extra.count > c_.l.numbers.size()) return broken();
    c_.steps += p.extra.count;
    for (const uint32_t instance : c_.l.numbers.subspan(p.extra.first, p.extra.count)) {
      if (instance >= c_.l.entries.size()) return broken();
      __builtin_prefetch(&c_.l.entries[instance]);
      c_.s.awake[instance / 64] |= 1ull << (instance % 64);
    }
    return true;
  }

  Context& c_;
  const IndexRecord* index_ = nullptr;
  std::string_view text_;
  bool goes_on_ = false;
  std::array<Collected, kCollectedMax> collected_keys_;
  size_t collected_ = 0;
};

}  // namespace

// The texts of a collected event may lie anywhere: those that will be folded are fetched together.
void fetch_texts(const Context& c) noexcept {
  for (const IndexRecord& index : c.l.indexes) {
    if (index.input >= c.inputs.values.size() || !c.inputs.values[index.input].has_value()) continue;
    const schema::InputValue& value = c.inputs.values[index.input];
    __builtin_prefetch(value.data);
    if (value.size > 64) __builtin_prefetch(value.data + 64);
  }
}

bool wake(Context& c) noexcept {
  fetch_texts(c);
  Waker waker(c);
  for (const IndexRecord& index : c.l.indexes) {
    ++c.steps;
    const bool every = index.input == channel::kEveryValue;
    if (!every && index.input >= c.inputs.values.size()) return c.fail(FaultCode::kIndex);
    const uint32_t first = every ? 0 : index.input;
    const auto last = every ? static_cast<uint32_t>(c.inputs.values.size()) : index.input + 1;
    for (uint32_t input = first; input < last; ++input) {
      ++c.steps;
      if (!c.inputs.values[input].has_value()) continue;
      const std::string_view text = c.folded(input);
      if (c.broken || !waker.scan(index, text, is_cut(c.inputs.values[input].text()))) return false;
    }
    for (size_t i = 0; i < c.further_count; ++i) {
      ++c.steps;
      const schema::FurtherValue& further = c.inputs.further[i];
      // A further value's folded text lasts until the next one.
      if ((every || further.input == index.input) && (!waker.scan(index, c.fold_further(cut(further.text), 0), is_cut(further.text)) || !waker.flush())) return false;
    }
    for (size_t i = 0; every && i < c.others_count; ++i) {
      if (!waker.scan(index, c.fold_further(cut(c.inputs.others[i]), 0), is_cut(c.inputs.others[i])) || !waker.flush()) return false;
    }
  }
  return waker.flush();
}

}  // namespace creance::interpreter

// Finds the indexed predicates that hold for this event, and wakes the instances that wait for them. A hash only proposes; the literal decides.
//
// A key that some table may have is not looked up at once: slot, candidates, predicate and literal lie behind each other in tables that are larger than the near caches. Keys are collected over
// the inputs of the event, and each stage of all of them is fetched before the first is looked at.
#include <algorithm>
#include <array>
#include <cstring>

#include "channel/cost.hpp"
#include "channel/hash.hpp"
#include "channel/sections.hpp"
#include "interpreter/state.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace creance::interpreter {
namespace {

using channel::CandidateRecord;
using channel::PredicateKind;
using channel::PredicateRecord;

// The first `size` (1 to 8) bytes of a text whose first eight are `word`.
constexpr uint64_t kept_low(uint64_t word, uint32_t size) noexcept { return word << (64 - 8 * size) >> (64 - 8 * size); }

uint64_t load_word(const char* at) noexcept {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

// channel::exact_hash of a text with margins.
uint64_t exact_hash_padded(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  if (text.size() >= 8) return channel::exact_hash(load_word(text.data()), load_word(end - 8), text.size());
  const uint64_t all = text.empty() ? 0 : kept_low(load_word(text.data()), static_cast<uint32_t>(text.size()));
  return channel::exact_hash(all, all, text.size());
}

class Waker {
 public:
  explicit Waker(Context& c) : c_(c) {}

  // `text` is folded and has its margins, and stays until flush(). `goes_on`: it is the beginning of a longer one.
  bool scan(const IndexPlan& index, std::string_view text, bool goes_on) noexcept {
    index_ = &index;
    goes_on_ = goes_on;
    text_ = text;
    c_.steps += 1 + text.size() / 16;
    if (index.anchored && !anchored()) return false;
    if (index.near_grams && !near_grams()) return false;
    return !index.far_grams || index.near_with_far || far_grams();
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
  struct Collected {
    IndexPlan::Table table;
    uint64_t hash;
    const char* text;                 // of `size` bytes
    uint32_t size;
    uint32_t at;                      // where the gram stands in it
    bool goes_on;
    const channel::SlotRecord* slot;  // while flush() is at work
  };
  static constexpr size_t kCollectedMax = 48;

  bool broken() noexcept { return c_.fail(FaultCode::kIndex); }

  // What must stand at the beginning or the end. Most keys are in no table: their bit says so, without a slot.
  bool anchored() noexcept {
    const IndexPlan& index = *index_;
    const std::string_view text = text_;
    const uint64_t* const known = index.anchored_known.words;
    const uint32_t shift = 64 - index.anchored_known.log2;
    const auto is_known = [&](uint64_t hash) {
      const uint64_t bit = hash >> shift;
      return (known[bit / 64] >> (bit % 64) & 1) != 0;
    };
    if (index.exact) {
      ++c_.steps;
      const uint64_t hash = exact_hash_padded(text);
      if (is_known(hash) && !look_up(index.exact, hash, 0)) return false;
    }
    if (index.suffix) {
      const uint64_t last = load_word(text.data() + text.size() - 8);
      for (uint32_t sizes = index.suffix_sizes; sizes != 0; sizes &= sizes - 1) {
        const uint32_t size = static_cast<uint32_t>(__builtin_ctz(sizes)) + 1;
        if (size > text.size()) break;
        ++c_.steps;
        const uint64_t hash = channel::suffix_hash(last >> (64 - 8 * size), size);
        if (is_known(hash) && !look_up(index.suffix, hash, 0)) return false;
      }
    }
    if (!index.prefix) return true;
    for (const uint32_t length : index.prefix_lengths) {
      c_.steps += 2;
      if (length > text.size()) break;
      const uint64_t key = length < 8 ? kept_low(load_word(text.data()), length) : load_word(text.data() + length - 8);
      const uint64_t hash = channel::prefix_hash(key, length);
      if (is_known(hash) && !look_up(index.prefix, hash, 0)) return false;
    }
    return true;
  }

  // Grams of 2, 3 and 4 bytes, by three bytes of their literals. What reaches into the margin is no gram.
  bool near_grams() noexcept {
    c_.steps += text_.size() / (4 * index_->near_stride);
    if (text_.size() < channel::kNearMin) return true;
    if (index_->near_stride == 1 && index_->near_behind == 0) {
      return each_hit(c_.s.ways.find_hits, index_->near_filter, text_.data(), text_.size() - channel::kNearMin + 1, 1, [&](size_t hit) { return near_hit(hit); });
    }
    size_t next = 0;  // places in front of it were looked at
    return each_hit(c_.s.ways.find_hits, index_->near_filter, text_.data(), text_.size() - channel::kNearMin + 1, index_->near_stride, [&](size_t hit) {
      const size_t end = std::min(hit + index_->near_behind, text_.size() - channel::kNearMin);
      for (next = std::max(next, hit - std::min<size_t>(hit, index_->near_before)); next <= end; ++next) {
        if (!near_hit(next)) return false;
      }
      return !index_->near_with_far || hit + 4 > text_.size() || far_hit(hit);
    });
  }

  bool near_hit(size_t at) noexcept {
    const uint32_t gram = channel::load_gram(text_.data() + at);
    for (uint32_t sizes = index_->near_sizes; sizes != 0; sizes &= sizes - 1) {
      const uint32_t size = static_cast<uint32_t>(__builtin_ctz(sizes)) + 1;
      const uint32_t part = gram & channel::gram_mask(size);
      if (at + size > text_.size() || !index_->near_known.has_gram(part)) continue;
      if (!look_up(index_->near_grams, channel::gram_hash(part, size), at)) return false;
    }
    return true;
  }

  bool far_grams() noexcept {
    c_.steps += text_.size() / 16;
    if (text_.size() < 4) return true;
    return each_hit(c_.s.ways.find_hits, index_->far_filter, text_.data(), text_.size() - 3, 4, [&](size_t hit) {
      return look_up(index_->far_grams, channel::gram_hash(channel::load_gram(text_.data() + hit), 4), hit);  // the filter is far_known itself
    });
  }

  bool far_hit(size_t at) noexcept {
    const uint32_t gram = channel::load_gram(text_.data() + at);
    return !index_->far_known.has_gram(gram) || look_up(index_->far_grams, channel::gram_hash(gram, 4), at);
  }

  bool look_up(const IndexPlan::Table& table, uint64_t hash, size_t at) noexcept {
    __builtin_prefetch(&table.slots[static_cast<uint32_t>(hash) & table.mask]);
    collected_keys_[collected_++] = {table, hash, text_.data(), static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(at), goes_on_, nullptr};
    return collected_ < kCollectedMax || flush();
  }

  // Null: the table does not have it.
  const channel::SlotRecord* probe(const Collected& one) noexcept {
    const uint32_t mask = one.table.mask;
    const uint32_t tag = channel::tag_of(one.hash);
    uint32_t place = static_cast<uint32_t>(one.hash) & mask;
    for (uint32_t step = 0; step < channel::kProbesMax; ++step) {
      const channel::SlotRecord& slot = one.table.slots[place];
      ++c_.steps;
      if (slot.count == 0) return nullptr;
      if (slot.tag == tag) return &slot;
      place = (place + 1) & mask;
    }
    return nullptr;
  }

  bool candidates(const Collected& one) noexcept {
    const CandidateRecord* candidate = c_.l.candidates.data() + one.slot->first;  // flush() has seen that they are inside
    const CandidateRecord* const end = candidate + one.slot->count;
    const PredicateRecord* const predicates = c_.l.predicates.data();
    const size_t predicate_count = c_.s.memo.size();
    const uint32_t* const memo = c_.s.memo.data();
    const std::string_view texts = c_.l.texts;
    const uint32_t yes = c_.s.epoch << 1 | 1;
    uint64_t steps = 0;
    bool goes_well = true;
    for (; goes_well && candidate != end; ++candidate) {
      const uint32_t predicate = candidate->predicate;
      if (predicate >= predicate_count) {
        goes_well = broken();
        break;
      }
      ++steps;
      if (memo[predicate] == yes) continue;
      const PredicateRecord& p = predicates[predicate];
      const uint32_t size = p.operand.count;
      if (uint64_t{p.operand.first} + size > texts.size()) {
        goes_well = broken();
        break;
      }
      steps += channel::chunks(size) - 1;
      const size_t begin = begin_of(p.kind, one, size, candidate->offset);
      if (begin != kNowhere && same_bytes(one.text + begin, texts.data() + p.operand.first, size)) goes_well = found(predicate, p);
    }
    c_.steps += steps;
    return goes_well;
  }

  static constexpr size_t kNowhere = ~size_t{0};

  // Where in its text a literal of `size` bytes would have to stand.
  static size_t begin_of(PredicateKind kind, const Collected& one, size_t size, uint32_t offset) noexcept {
    if (size > one.size) return kNowhere;
    switch (kind) {
      case PredicateKind::kEquals: return one.goes_on || size != one.size ? kNowhere : 0;
      case PredicateKind::kStartsWith: return 0;
      case PredicateKind::kEndsWith: return one.goes_on ? kNowhere : one.size - size;
      case PredicateKind::kContains: return one.at < offset || size > one.size - (one.at - offset) ? kNowhere : one.at - offset;
      default: return kNowhere;
    }
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
  const IndexPlan* index_ = nullptr;
  std::string_view text_;
  bool goes_on_ = false;
  std::array<Collected, kCollectedMax> collected_keys_;
  size_t collected_ = 0;
};

// Looks for the far grams of an index that has few. Nothing but the text itself is read.
class FewGrams {
 public:
  explicit FewGrams(const IndexPlan& index) noexcept {
#if defined(__SSE2__)
    for (size_t i = 0; i < IndexPlan::kFewGrams; ++i) grams_[i] = _mm_set1_epi32(static_cast<int>(index.few[i]));
#endif
  }

  // Whether one may stand in `text` once it is folded.
  bool may_be_in(std::string_view text) const noexcept {
    const char* const data = text.data();
    const size_t size = text.size();
    if (size < 5) return false;  // folded, it is shorter than a literal with far grams
#if defined(__SSE2__)
    const auto load = [](const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
    __m128i any;  // a byte beyond ASCII: folding may change more than bit 5
    __m128i found;
    if (size >= 16) {
      any = load(data + size - 16);
      found = in(load(data + (size - 4) / 4 * 4 - 12));  // the last ones
      for (size_t at = 0; at + 16 < size; at += 16) {
        const __m128i bytes = load(data + at);
        any = _mm_or_si128(any, bytes);
        found = _mm_or_si128(found, in(bytes));
      }
    } else {
      const uint64_t low = size >= 8 ? load_word(data) : channel::load_gram(data) | static_cast<uint64_t>(channel::load_gram(data + size - 4)) << 32 >> (8 * (8 - size));
      const uint64_t high = size > 8 ? load_word(data + size - 8) >> (8 * (16 - size)) : 0;
      any = _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
      found = in(any);
    }
    return _mm_movemask_epi8(_mm_or_si128(any, found)) != 0;
#else
    return true;
#endif
  }

 private:
#if defined(__SSE2__)
  __m128i in(__m128i bytes) const noexcept {
    const __m128i rough = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    return _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi32(rough, grams_[0]), _mm_cmpeq_epi32(rough, grams_[1])), _mm_or_si128(_mm_cmpeq_epi32(rough, grams_[2]), _mm_cmpeq_epi32(rough, grams_[3])));
  }
  static_assert(IndexPlan::kFewGrams == 4);
  __m128i grams_[IndexPlan::kFewGrams];
#endif
};

// The texts of a collected event may lie anywhere: those that will be folded are fetched together.
void fetch_texts(const Context& c) noexcept {
  const schema::InputValue* const values = c.inputs.values.data();
  const size_t count = c.inputs.values.size();
  for (const IndexPlan& index : c.s.indexes) {
    if (index.input >= count || !values[index.input].has_value()) continue;
    const schema::InputValue& value = values[index.input];
    __builtin_prefetch(value.data);
    if (value.size > 64) __builtin_prefetch(value.data + 64);
  }
}

bool scan_input(Context& c, Waker& waker, const IndexPlan& index, uint32_t input, const schema::InputValue& value) noexcept {
  if (value.size <= Rough::kTextBytesMax && index.rough) {
    c.steps += 1 + value.size / 8;
    if (!index.rough.may_hold(value.text())) return true;
  }
  const std::string_view text = c.folded(input);
  return !c.broken && waker.scan(index, text, is_cut(value.text()));
}

bool scan_every_input(Context& c, Waker& waker, const IndexPlan& index) noexcept {
  const auto count = static_cast<uint32_t>(c.inputs.values.size());
  const schema::InputValue* const values = c.inputs.values.data();
  c.steps += count;
  if (index.few_count == 0) {
    for (uint32_t input = 0; input < count; ++input) {
      if (values[input].has_value() && !scan_input(c, waker, index, input, values[input])) return false;
    }
    return true;
  }
  const FewGrams few(index);
  const MayHaveOne by_blocks = c.s.ways.may_have_one;
  const uint32_t blocks_min = by_blocks == nullptr ? ~0u : static_cast<uint32_t>(kWideBytes);
  for (uint32_t input = 0; input < count; ++input) {
    if (values[input].size < index.few_bytes_min || !values[input].has_value()) continue;
    const std::string_view text = cut(values[input].text());
    c.steps += text.size() / 16;
    const bool may = text.size() >= blocks_min ? by_blocks(index.few, text.data(), text.size()) : few.may_be_in(text);
    if (may && !scan_input(c, waker, index, input, values[input])) return false;
  }
  return true;
}

}  // namespace

bool wake(Context& c) noexcept {
  fetch_texts(c);
  Waker waker(c);
  const schema::InputValue* const values = c.inputs.values.data();
  for (const IndexPlan& index : c.s.indexes) {
    if (index.broken) return c.fail(FaultCode::kIndex);
    const bool every = index.input == channel::kEveryValue;
    if (every) {
      ++c.steps;
      if (!scan_every_input(c, waker, index)) return false;
    } else {
      c.steps += 2;
      const schema::InputValue& value = values[index.input];  // it is one of the Type's, or the index is broken
      if (value.has_value() && !scan_input(c, waker, index, index.input, value)) return false;
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

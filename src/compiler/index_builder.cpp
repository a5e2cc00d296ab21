#include "compiler/index_builder.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "channel/hash.hpp"
#include "channel/sections.hpp"

namespace creance::compiler {
namespace {

using channel::CandidateRecord;
using channel::Draft;
using channel::IndexRecord;
using channel::PredicateKind;
using channel::PredicateRecord;
using channel::TableRef;

constexpr uint32_t kBitmapLog2Most = 16;  // 8 KiB: two of them and a text stay in the first cache

struct Entry {
  uint64_t hash;
  CandidateRecord candidate;
};

// Tries to place all entries in 2^log2 slots without a search passing kProbesMax; slot -> tag and candidates.
struct Slot {
  uint32_t tag = 0;
  std::vector<CandidateRecord> candidates;
};
bool place(const std::vector<Entry>& entries, uint32_t log2, std::vector<Slot>& slots) {
  slots.assign(1ull << log2, {});
  const uint32_t mask = (1u << log2) - 1;
  for (const Entry& entry : entries) {
    uint32_t at = static_cast<uint32_t>(entry.hash) & mask;
    uint32_t step = 0;
    while (!slots[at].candidates.empty() && slots[at].tag != channel::tag_of(entry.hash) && ++step < channel::kProbesMax) at = (at + 1) & mask;
    if (step >= channel::kProbesMax) return false;
    slots[at].tag = channel::tag_of(entry.hash);
    slots[at].candidates.push_back(entry.candidate);
  }
  return true;
}

TableRef build_table(Draft& draft, const std::vector<Entry>& entries) {
  if (entries.empty()) return {0, channel::kNoTable};
  std::set<uint64_t> distinct;
  for (const Entry& entry : entries) distinct.insert(entry.hash);
  auto log2 = static_cast<uint32_t>(std::bit_width(2 * distinct.size()));
  std::vector<Slot> slots;
  while (!place(entries, log2, slots)) ++log2;
  const TableRef table{static_cast<uint32_t>(draft.slots.size()), log2};
  for (const Slot& slot : slots) {
    if (slot.candidates.empty()) {
      draft.slots.push_back({0, 0, 0});
      continue;
    }
    draft.slots.push_back({slot.tag, static_cast<uint32_t>(draft.candidates.size()), static_cast<uint32_t>(slot.candidates.size())});
    draft.candidates.insert(draft.candidates.end(), slot.candidates.begin(), slot.candidates.end());
  }
  return table;
}

// How common a gram is: in the sample's values, where there are some; then in the literals of the same input, which share slots and candidates.
class Commonness {
 public:
  explicit Commonness(const GramCounts* sample) : sample_(sample) {}
  void add_literal(std::string_view text) {
    for (size_t at = 0; at + 4 <= text.size(); ++at) ++literals_[channel::load_gram(text.data() + at)];
  }
  // `size`: 3 bytes are looked for of it, or 4.
  uint64_t of(const char* at, uint32_t size) const {
    uint64_t sum = 1;
    if (sample_ != nullptr) sum += 16 * uint64_t{size < 4 ? sample_->threes[channel::gram_bit(channel::load_gram(at, 3), GramCounts::kLog2)] : sample_->fours[channel::gram_bit(channel::load_gram(at), GramCounts::kLog2)]};
    if (size < 4) return sum;
    const auto found = literals_.find(channel::load_gram(at));
    return found == literals_.end() ? sum : sum + found->second;
  }

 private:
  const GramCounts* sample_;
  std::map<uint32_t, uint32_t> literals_;
};

// Where the `grams` neighbouring grams of a literal stand that are the least common. One alone is found by its first three bytes (a literal of two or three has no choice).
size_t rarest(const Commonness& commonness, std::string_view literal, size_t grams) {
  size_t best = 0;
  uint64_t least = ~0ull;
  for (size_t at = 0; at + grams + 3 <= literal.size(); ++at) {
    uint64_t sum = 0;
    for (size_t i = at; i < at + grams; ++i) sum += commonness.of(literal.data() + i, grams == 1 ? 3 : 4) + (grams == 1 ? commonness.of(literal.data() + i, 4) : 0);
    if (sum < least) {
      least = sum;
      best = at;
    }
  }
  return best;
}

class InputIndex {
 public:
  InputIndex(Draft& draft, uint32_t input, const std::vector<uint32_t>& predicates, const Commonness& commonness) : draft_(draft), commonness_(commonness) {
    record_.input = input;
    for (const uint32_t predicate : predicates) add(predicate);
  }

  void write() {
    record_.exact = build_table(draft_, exact_);
    record_.suffix = build_table(draft_, suffix_);
    record_.prefix = build_table(draft_, prefix_);
    record_.near_grams = build_table(draft_, near_);
    record_.far_grams = build_table(draft_, far_);
    const std::vector<uint32_t> lengths(lengths_.begin(), lengths_.end());
    if (!lengths.empty()) record_.prefix_lengths = draft_.add_numbers(lengths);
    std::vector<uint64_t> keys;
    for (const std::vector<Entry>* entries : {&exact_, &suffix_, &prefix_}) {
      for (const Entry& entry : *entries) keys.push_back(entry.hash);
    }
    record_.anchored_bitmap = bitmap(keys, channel::key_bit);
    record_.near_bitmap = bitmap(near_grams_, channel::gram_bit);
    record_.far_bitmap = bitmap(far_grams_, channel::gram_bit);
    draft_.indexes.push_back(record_);
  }

 private:
  void add(uint32_t predicate) {
    const PredicateRecord& p = draft_.predicates[predicate];
    const std::string_view text = std::string_view(draft_.texts).substr(p.operand.first, p.operand.count);
    const auto length = static_cast<uint32_t>(text.size());
    const uint64_t tail = channel::tail_key(text.data() + length, std::min(8u, length));
    if (p.kind == PredicateKind::kEquals) {
      exact_.push_back({channel::exact_hash(text), {predicate, 0}});
    } else if (p.kind == PredicateKind::kEndsWith) {
      const uint32_t size = std::min(8u, length);
      record_.suffix_sizes |= 1u << (size - 1);
      suffix_.push_back({channel::suffix_hash(tail, size), {predicate, 0}});
    } else if (p.kind == PredicateKind::kStartsWith) {
      lengths_.insert(length);
      prefix_.push_back({channel::prefix_hash(tail, length), {predicate, 0}});
    } else if (length < channel::kFarMin) {
      record_.near_sizes |= 1u << (std::min(4u, length) - 1);
      add_grams(predicate, text, 1, near_, near_grams_);
    } else {
      add_grams(predicate, text, 4, far_, far_grams_);
    }
  }

  void add_grams(uint32_t predicate, std::string_view text, size_t count, std::vector<Entry>& entries, std::set<uint32_t>& grams) {
    const size_t first = rarest(commonness_, text, count);
    const auto size = static_cast<uint32_t>(std::min<size_t>(4, text.size()));
    for (size_t i = first; i < first + count; ++i) {
      const uint32_t gram = channel::load_gram(text.data() + i, size);
      grams.insert(gram);
      entries.push_back({channel::gram_hash(gram, size), {predicate, static_cast<uint32_t>(i)}});
    }
  }

  // About one bit in 64 is set; small enough to stay in the first cache.
  template <class Keys, class Bit>
  channel::BitmapRef bitmap(const Keys& keys, Bit bit_of) {
    if (keys.empty()) return {0, channel::kNoTable};
    const auto log2 = std::clamp(static_cast<uint32_t>(std::bit_width(64 * keys.size() - 1)), 9u, kBitmapLog2Most);
    const channel::BitmapRef ref{static_cast<uint32_t>(draft_.bitmaps.size()), log2};
    draft_.bitmaps.resize(draft_.bitmaps.size() + (1u << log2) / 64, 0);
    for (const auto key : keys) {
      const uint32_t bit = bit_of(key, log2);
      draft_.bitmaps[ref.first_word + bit / 64] |= 1ull << (bit % 64);
    }
    return ref;
  }

  Draft& draft_;
  const Commonness& commonness_;
  IndexRecord record_{};
  std::vector<Entry> exact_;
  std::vector<Entry> suffix_;
  std::vector<Entry> prefix_;
  std::vector<Entry> near_;
  std::vector<Entry> far_;
  std::set<uint32_t> lengths_;
  std::set<uint32_t> near_grams_;
  std::set<uint32_t> far_grams_;
};

}  // namespace

void build_indexes(Draft& draft, const std::map<uint32_t, GramCounts>& grams) {
  std::map<uint32_t, std::vector<uint32_t>> by_input;
  std::map<uint32_t, Commonness> commonness;
  for (uint32_t i = 0; i < draft.predicates.size(); ++i) {
    const PredicateRecord& p = draft.predicates[i];
    const bool literal = p.kind >= PredicateKind::kEquals && p.kind <= PredicateKind::kContains && (p.flags & channel::kCased) == 0;
    if (!literal) continue;
    const auto counted = grams.find(p.input);
    commonness.try_emplace(p.input, counted == grams.end() ? nullptr : &counted->second).first->second.add_literal(std::string_view(draft.texts).substr(p.operand.first, p.operand.count));
    if ((p.flags & channel::kIndexed) != 0) by_input[p.input].push_back(i);
  }
  for (const auto& [input, predicates] : by_input) InputIndex(draft, input, predicates, commonness.at(input)).write();
}

}  // namespace creance::compiler

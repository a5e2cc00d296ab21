#include "interpreter/late_literals.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace creance::interpreter {
namespace {

constexpr uint32_t kTriple = 3;
constexpr size_t kFewest = 16;  // so few are looked for one by one
constexpr uint32_t kKnownLog2Min = 9;
constexpr uint32_t kKnownLog2Max = 18;  // 32 KiB
constexpr size_t kTriplesMax = 8;       // of a literal, by one of which it is found

}  // namespace

bool is_late(const channel::PredicateRecord& p) noexcept {
  return p.kind == channel::PredicateKind::kContains && p.flags == 0 && p.input != channel::kEveryValue && p.operand.count >= kTriple;
}

struct LateLiteralsMaker {
  static LateLiterals make(const channel::Layout& l, std::span<const uint32_t> predicates) {
    LateLiterals out;
    if (predicates.size() < kFewest) return out;
    const auto gram_at = [&](uint32_t predicate, size_t at) { return channel::load_gram(l.texts.data() + l.predicates[predicate].operand.first + at, kTriple); };
    const auto bucket = [&](uint32_t gram) { return channel::gram_bit(gram, out.log2_); };
    out.log2_ = static_cast<uint32_t>(std::bit_width(4 * predicates.size()));
    out.known_log2_ = std::clamp(out.log2_ + 2, kKnownLog2Min, kKnownLog2Max);
    out.known_.assign((size_t{1} << out.known_log2_) / 64, 0);
    out.starts_.assign((size_t{1} << out.log2_) + 1, 0);
    std::vector<uint32_t> offsets;
    offsets.reserve(predicates.size());
    for (const uint32_t predicate : predicates) {  // each goes to the shortest list that it can go to
      const size_t triples = std::min<size_t>(l.predicates[predicate].operand.count - kTriple + 1, kTriplesMax);
      uint32_t best = 0;
      for (uint32_t at = 1; at < triples; ++at) {
        if (out.starts_[bucket(gram_at(predicate, at))] < out.starts_[bucket(gram_at(predicate, best))]) best = at;
      }
      const uint32_t gram = gram_at(predicate, best);
      const uint32_t bit = channel::gram_bit(gram, out.known_log2_);
      out.known_[bit / 64] |= 1ull << (bit % 64);
      ++out.starts_[bucket(gram)];
      offsets.push_back(best);
    }
    for (size_t i = 1; i < out.starts_.size(); ++i) out.starts_[i] += out.starts_[i - 1];  // ends, until the entries are placed in front of them
    out.entries_.resize(predicates.size());
    for (size_t i = predicates.size(); i-- > 0;) out.entries_[--out.starts_[bucket(gram_at(predicates[i], offsets[i]))]] = {predicates[i], offsets[i]};
    return out;
  }
};

std::vector<LateLiterals> make_late_literals(const channel::Layout& l) {
  std::vector<std::vector<uint32_t>> by_input(l.header->input_count);
  for (uint32_t i = 0; i < l.predicates.size(); ++i) {
    const channel::PredicateRecord& p = l.predicates[i];
    if (is_late(p) && p.input < by_input.size() && uint64_t{p.operand.first} + p.operand.count <= l.texts.size()) by_input[p.input].push_back(i);
  }
  std::vector<LateLiterals> out;
  for (const auto& predicates : by_input) out.push_back(LateLiteralsMaker::make(l, predicates));
  return out;
}

}  // namespace creance::interpreter

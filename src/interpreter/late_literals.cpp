#include "interpreter/late_literals.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

namespace creance::interpreter {
namespace {

constexpr uint32_t kTriple = 3;
constexpr size_t kFewest = 16;  // so few are looked for one by one
constexpr uint32_t kCountLog2 = 15;

}  // namespace

bool is_late(const channel::PredicateRecord& p) noexcept {
  return p.kind == channel::PredicateKind::kContains && p.flags == 0 && p.input != channel::kEveryValue && p.operand.count >= kTriple;
}

struct LateLiteralsMaker {
  const channel::Layout& l;
  std::vector<uint32_t> counts = std::vector<uint32_t>(1u << kCountLog2);  // how many literals have a triple: many make long lists

  std::string_view literal(uint32_t predicate) const { return l.texts.substr(l.predicates[predicate].operand.first, l.predicates[predicate].operand.count); }
  static uint32_t triple(std::string_view text, size_t at) { return channel::load_gram(text.data() + at, kTriple); }

  LateLiterals make(std::span<const uint32_t> predicates) {
    LateLiterals out;
    if (predicates.size() < kFewest) return out;
    const auto count = [&](std::string_view text, size_t at) -> uint32_t& { return counts[channel::gram_bit(triple(text, at), kCountLog2)]; };
    const auto each_triple = [&](auto use) {
      for (const uint32_t predicate : predicates) {
        const std::string_view text = literal(predicate);
        for (size_t at = 0; at + kTriple <= text.size(); ++at) use(text, at);
      }
    };
    each_triple([&](std::string_view text, size_t at) { ++count(text, at); });
    out.log2_ = static_cast<uint32_t>(std::bit_width(4 * predicates.size()));
    out.known_.assign((1u << LateLiterals::kKnownLog2) / 64, 0);
    out.starts_.assign((size_t{1} << out.log2_) + 1, 0);
    out.entries_.resize(predicates.size());
    std::vector<uint32_t> offsets;
    for (const uint32_t predicate : predicates) {
      const std::string_view text = literal(predicate);
      size_t rarest = 0;
      for (size_t at = 1; at + kTriple <= text.size(); ++at) {
        if (count(text, at) < count(text, rarest)) rarest = at;
      }
      offsets.push_back(static_cast<uint32_t>(rarest));
      const uint32_t gram = triple(text, rarest);
      const uint32_t bit = channel::gram_bit(gram, LateLiterals::kKnownLog2);
      out.known_[bit / 64] |= 1ull << (bit % 64);
      ++out.starts_[channel::gram_bit(gram, out.log2_)];
    }
    for (size_t i = 1; i < out.starts_.size(); ++i) out.starts_[i] += out.starts_[i - 1];  // ends, until the entries are placed in front of them
    for (size_t i = predicates.size(); i-- > 0;) out.entries_[--out.starts_[channel::gram_bit(triple(literal(predicates[i]), offsets[i]), out.log2_)]] = {predicates[i], offsets[i]};
    each_triple([&](std::string_view text, size_t at) { count(text, at) = 0; });
    return out;
  }
};

std::vector<LateLiterals> make_late_literals(const channel::Layout& l) {
  std::vector<std::vector<uint32_t>> by_input(l.header->input_count);
  for (uint32_t i = 0; i < l.predicates.size(); ++i) {
    const channel::PredicateRecord& p = l.predicates[i];
    if (is_late(p) && p.input < by_input.size() && uint64_t{p.operand.first} + p.operand.count <= l.texts.size()) by_input[p.input].push_back(i);
  }
  LateLiteralsMaker maker{l};
  std::vector<LateLiterals> out;
  for (const auto& predicates : by_input) out.push_back(maker.make(predicates));
  return out;
}

}  // namespace creance::interpreter

#include "interpreter/late_literals.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace creance::interpreter {
namespace {

constexpr uint32_t kTriple = 3;
constexpr size_t kFewest = 16;  // fewer are looked for one by one
constexpr size_t kFewestRegexes = 8;
constexpr uint32_t kKnownLog2Min = 9;
constexpr uint32_t kKnownLog2Max = 18;  // 32 KiB
constexpr size_t kTriplesMax = 8;       // of a literal, by one of which it is found

}  // namespace

bool is_late(const channel::PredicateRecord& p) noexcept {
  return p.kind == channel::PredicateKind::kContains && p.flags == 0 && p.input != channel::kEveryValue && p.operand.count >= kTriple;
}

struct LateLiteralsMaker {
  struct Text {
    uint32_t predicate;
    std::string_view text;
  };
  static LateLiterals make(std::span<const Text> texts, size_t fewest) {
    LateLiterals out;
    if (texts.size() < fewest) return out;
    const auto gram_at = [&](const Text& text, size_t at) { return channel::load_gram(text.text.data() + at, kTriple); };
    const auto bucket = [&](uint32_t gram) { return channel::gram_bit(gram, out.log2_); };
    out.log2_ = static_cast<uint32_t>(std::bit_width(4 * texts.size()));
    out.known_log2_ = std::clamp(out.log2_ + 2, kKnownLog2Min, kKnownLog2Max);
    out.known_.assign((size_t{1} << out.known_log2_) / 64, 0);
    out.starts_.assign((size_t{1} << out.log2_) + 1, 0);
    std::vector<uint32_t> offsets;
    offsets.reserve(texts.size());
    for (const Text& text : texts) {  // each goes to the shortest list that it can go to
      const size_t triples = std::min<size_t>(text.text.size() - kTriple + 1, kTriplesMax);
      uint32_t best = 0;
      for (uint32_t at = 1; at < triples; ++at) {
        if (out.starts_[bucket(gram_at(text, at))] < out.starts_[bucket(gram_at(text, best))]) best = at;
      }
      const uint32_t gram = gram_at(text, best);
      const uint32_t bit = channel::gram_bit(gram, out.known_log2_);
      out.known_[bit / 64] |= 1ull << (bit % 64);
      ++out.starts_[bucket(gram)];
      offsets.push_back(best);
    }
    for (size_t i = 1; i < out.starts_.size(); ++i) out.starts_[i] += out.starts_[i - 1];  // ends, until the entries are placed in front of them
    out.entries_.resize(texts.size());
    for (size_t i = texts.size(); i-- > 0;) out.entries_[--out.starts_[bucket(gram_at(texts[i], offsets[i]))]] = {texts[i].predicate, offsets[i]};
    return out;
  }
};

namespace {

// `text_of` gives the text by which a predicate is found, or nothing.
template <class TextOf>
std::vector<LateLiterals> make_by_input(const channel::Layout& l, size_t fewest, TextOf text_of) {
  std::vector<std::vector<LateLiteralsMaker::Text>> by_input(l.header->input_count);
  for (uint32_t i = 0; i < l.predicates.size(); ++i) {
    const std::string_view text = text_of(l.predicates[i]);
    if (!text.empty() && l.predicates[i].input < by_input.size()) by_input[l.predicates[i].input].push_back({i, text});
  }
  std::vector<LateLiterals> out;
  for (const auto& texts : by_input) out.push_back(LateLiteralsMaker::make(texts, fewest));
  return out;
}

}  // namespace

std::vector<LateLiterals> make_late_literals(const channel::Layout& l) {
  return make_by_input(l, kFewest, [&](const channel::PredicateRecord& p) {
    const bool fits = is_late(p) && uint64_t{p.operand.first} + p.operand.count <= l.texts.size();
    return fits ? l.texts.substr(p.operand.first, p.operand.count) : std::string_view();
  });
}

bool is_late_regex(const channel::Layout& l, std::span<const std::unique_ptr<RegexBits>> bits, const channel::PredicateRecord& p) noexcept {
  if (p.kind != channel::PredicateKind::kRegex || p.input == channel::kEveryValue || p.operand.first >= bits.size() || p.operand.first >= l.regexes.size()) return false;
  const RegexBits* const program = bits[p.operand.first].get();
  return program != nullptr && program->prefix_size >= kTriple && l.regexes[p.operand.first].flags == 0;
}

std::vector<LateLiterals> make_late_regexes(const channel::Layout& l, std::span<const std::unique_ptr<RegexBits>> bits) {
  return make_by_input(l, kFewestRegexes, [&](const channel::PredicateRecord& p) {
    return is_late_regex(l, bits, p) ? std::string_view(bits[p.operand.first]->prefix.data(), bits[p.operand.first]->prefix_size) : std::string_view();
  });
}

}  // namespace creance::interpreter

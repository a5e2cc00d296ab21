#include "interpreter/rough.hpp"

#include <algorithm>

#include "channel/hash.hpp"

namespace creance::interpreter {
namespace {

constexpr uint32_t kTripleBytes = 3;
constexpr uint32_t kTripleMask = channel::gram_mask(kTripleBytes);
constexpr size_t kBitsPerKey = 32;
constexpr uint32_t kLog2Max = 13;  // 1 KiB: more keys find something in most texts
constexpr int kSuffixSizesMax = 3;

uint32_t triple_of(uint32_t gram) noexcept { return (gram | 0x202020u) & kTripleMask; }

}  // namespace

bool Rough::may_hold_any(std::string_view text) const noexcept {
  const char* const data = text.data();
  const size_t size = text.size();
  uint64_t head, tail, top;
  if (size >= 8) {
    head = load<uint64_t>(data);
    tail = top = load<uint64_t>(data + size - 8);
  } else {
    head = tail = short_text(text);
    top = size == 0 ? 0 : head << (64 - 8 * size);
  }
  uint64_t seen = head | tail;
  uint64_t found = any_whole_ ? has(whole_place(head, tail, size)) : 0;
  for (uint32_t sizes = suffix_sizes_; sizes != 0; sizes &= sizes - 1) {
    const uint32_t bytes = static_cast<uint32_t>(std::countr_zero(sizes)) + 1;
    if (bytes > size) break;
    found |= has(suffix_place(top, bytes));
  }
  if (found != 0) return true;
  if (size >= 4 && stride_ != 0) {
    const uint64_t* const words = words_.data();
    const uint32_t shift = shift_ - 32;
    const size_t stride = stride_;
    uint32_t any = 0;
    size_t at = 0;
    for (; at + 4 <= size; at += stride) {
      const auto gram = load<uint32_t>(data + at);
      any |= gram;
      const uint32_t bit = (triple_of(gram) * channel::kGramMultiplier) >> shift;
      found |= words[bit / 64] >> (bit % 64);
    }
    if (at + kTripleBytes == size) found |= has((triple_of(load<uint32_t>(data + size - 4) >> 8) * channel::kGramMultiplier) >> shift);
    seen |= any;
  } else {
    for (size_t at = 8; at + 8 < size; at += 8) seen |= load<uint64_t>(data + at);
  }
  return ((found & 1) | (seen & (0x80 * kOnes))) != 0;
}

void Rough::Maker::add_whole(std::string_view literal) { wholes_.push_back(literal); }

void Rough::Maker::add_suffix(std::string_view literal) {
  if (!literal.empty()) suffixes_.push_back(literal);
}

void Rough::Maker::add_inner(std::string_view literal) {
  any_inner_ = true;
  shortest_ = std::min(shortest_, literal.size());
  inner_.push_back(literal);
}

void Rough::Maker::add_far(std::string_view literal, uint32_t offset) {
  any_inner_ = true;
  if (uint64_t{offset} + 4 <= literal.size()) far_triples_.push_back(triple_of(channel::load_gram(literal.data() + offset)));
}

Rough Rough::Maker::make() const {
  Rough out;
  if (std::popcount(suffix_sizes_) > kSuffixSizesMax || shortest_ < 4) return out;
  out.stride_ = !any_inner_ ? 0 : shortest_ < 6 ? 2 : 4;
  std::vector<uint32_t> triples = far_triples_;
  for (const std::string_view literal : inner_) {  // whichever of `stride` neighbouring places is looked at, three bytes of the literal stand there
    for (uint32_t i = 0; i < out.stride_; ++i) triples.push_back(triple_of(channel::load_gram(literal.data() + i, kTripleBytes)));
  }
  const size_t keys = wholes_.size() + suffixes_.size() + triples.size();
  const uint32_t log2 = std::max(channel::kBitmapLog2Min, static_cast<uint32_t>(std::bit_width(kBitsPerKey * keys)));
  if (keys == 0 || log2 > kLog2Max) return out;
  out.shift_ = 64 - log2;
  out.suffix_sizes_ = suffix_sizes_;
  out.any_whole_ = !wholes_.empty();
  out.whole_alone_ = wholes_.size() == keys;
  out.words_.assign((size_t{1} << log2) / 64, 0);
  const auto set = [&](uint32_t bit) { out.words_[bit / 64] |= 1ull << (bit % 64); };
  const auto last = [](std::string_view literal) { return literal.substr(literal.size() - std::min<size_t>(8, literal.size())); };
  for (const std::string_view whole : wholes_) set(out.whole_place(channel::tail_key(whole.data() + std::min<size_t>(8, whole.size()), std::min<size_t>(8, whole.size())), channel::tail_key(whole.data() + whole.size(), last(whole).size()), whole.size()));
  for (const std::string_view suffix : suffixes_) {
    const auto size = static_cast<uint32_t>(last(suffix).size());
    set(out.suffix_place(channel::tail_key(suffix.data() + suffix.size(), size) << (64 - 8 * size), size));
  }
  for (const uint32_t triple : triples) set(channel::gram_bit(triple, log2));
  return out;
}

}  // namespace creance::interpreter

// All inner literals of one input that no index finds, and all that its regular expressions begin with, each to be looked for together: what keeps an event linear that was made to wake hundreds of
// rules with another literal or program each. Made from the file when a Scratch is made; nothing new is believed: a hash proposes, the literal decides. It serves once an event has asked for several of them, one at a time (predicates.cpp).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "channel/format.hpp"
#include "channel/hash.hpp"
#include "interpreter/regex_bits.hpp"
#include "interpreter/wide.hpp"

namespace creance::interpreter {

class LateLiterals {
 public:
  struct Entry {
    uint32_t predicate;
    uint32_t offset;  // where the three bytes by which it is found lie in it
  };

  bool empty() const noexcept { return entries_.empty(); }
  GramFilter known() const noexcept { return {known_.data(), known_log2_, channel::gram_mask(3)}; }
  // Those that are found by the first three bytes of `gram`, others among them.
  std::span<const Entry> proposed(uint32_t gram) const noexcept {
    const uint32_t bucket = channel::gram_bit(gram & 0xffffff, log2_);
    return std::span(entries_).subspan(starts_[bucket], starts_[bucket + 1] - starts_[bucket]);
  }

 private:
  friend struct LateLiteralsMaker;
  std::vector<uint64_t> known_;   // 2^known_log2_ bits
  uint32_t known_log2_ = 6;
  uint32_t log2_ = 1;
  std::vector<uint32_t> starts_;  // by bucket, and one more
  std::vector<Entry> entries_;
};

// By input; empty where there are too few to be worth it. Literals of predicates: kContains, neither cased nor indexed, of one input, with literals of at least three bytes.
std::vector<LateLiterals> make_late_literals(const channel::Layout& layout);
bool is_late(const channel::PredicateRecord& predicate) noexcept;

// The same for regular expressions of one input that begin with at least three ASCII characters. `bits`: of the layout's programs, and must stay.
std::vector<LateLiterals> make_late_regexes(const channel::Layout& layout, std::span<const std::unique_ptr<RegexBits>> bits);
bool is_late_regex(const channel::Layout& layout, std::span<const std::unique_ptr<RegexBits>> bits, const channel::PredicateRecord& predicate) noexcept;

}  // namespace creance::interpreter

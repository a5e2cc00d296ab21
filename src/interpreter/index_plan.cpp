#include "interpreter/index_plan.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

#include "base/limits.hpp"
#include "channel/fold.hpp"

namespace creance::interpreter {
namespace {

using channel::CandidateRecord;
using channel::IndexRecord;
using channel::Layout;

constexpr uint32_t kTableLog2Max = 24;
constexpr uint32_t kTripleBytes = 3;
constexpr uint32_t kTripleLog2Max = 17;
constexpr size_t kBitsPerTriple = 32;  // a filter that is no larger than it need be stays in the first cache beside the others

class Planner {
 public:
  Planner(const Layout& l, const IndexRecord& record) : l_(l), record_(record) {}

  IndexPlan run() {
    plan_.input = record_.input;
    if (record_.input != channel::kEveryValue && record_.input >= l_.header->input_count) plan_.broken = true;
    plan_.exact = table(record_.exact);
    plan_.suffix = table(record_.suffix);
    plan_.prefix = table(record_.prefix);
    plan_.near_grams = table(record_.near_grams);
    plan_.far_grams = table(record_.far_grams);
    plan_.anchored = plan_.exact || plan_.suffix || plan_.prefix;
    plan_.anchored_known = bitmap(record_.anchored_bitmap, plan_.anchored);
    plan_.near_known = bitmap(record_.near_bitmap, static_cast<bool>(plan_.near_grams));
    plan_.far_known = bitmap(record_.far_bitmap, static_cast<bool>(plan_.far_grams));
    plan_.suffix_sizes = record_.suffix_sizes & 0xff;
    plan_.near_sizes = record_.near_sizes & 0b1110;
    lengths();
    if (plan_.far_grams) plan_.far_filter = {plan_.far_known.words, plan_.far_known.log2, channel::gram_mask(4)};
    if (plan_.near_grams) near_filter();
    if (plan_.far_grams && !plan_.anchored && !plan_.near_grams) few_grams();
    if (plan_.few_count == 0 && record_.input != channel::kEveryValue && !plan_.broken) rough();
    return std::move(plan_);
  }

 private:
  IndexPlan::Table table(const channel::TableRef& ref) {
    if (ref.log2_slots == channel::kNoTable) return {};
    if (ref.log2_slots > kTableLog2Max || uint64_t{ref.first_slot} + (1ull << ref.log2_slots) > l_.slots.size()) {
      plan_.broken = true;
      return {};
    }
    return {l_.slots.data() + ref.first_slot, (1u << ref.log2_slots) - 1};
  }

  IndexPlan::Bitmap bitmap(const channel::BitmapRef& ref, bool is_needed) {
    if (!is_needed) return {};
    if (ref.log2_bits < channel::kBitmapLog2Min || ref.log2_bits > channel::kBitmapLog2Max || uint64_t{ref.first_word} + (1u << ref.log2_bits) / 64 > l_.bitmaps.size()) {
      plan_.broken = true;
      return {};
    }
    return {l_.bitmaps.data() + ref.first_word, ref.log2_bits};
  }

  void lengths() {
    const channel::ListRef list = record_.prefix_lengths;
    if (uint64_t{list.first} + list.count > l_.numbers.size()) {
      plan_.broken = true;
      return;
    }
    plan_.prefix_lengths = l_.numbers.subspan(list.first, list.count);
    if (std::ranges::find(plan_.prefix_lengths, 0u) != plan_.prefix_lengths.end()) plan_.broken = true;
  }

  // Calls `use(literal, offset)` for each candidate of a table.
  template <class Use>
  void each_candidate(const IndexPlan::Table& of, Use use) {
    for (const channel::SlotRecord& slot : std::span(of.slots, size_t{of.mask} + 1)) {
      if (uint64_t{slot.first} + slot.count > l_.candidates.size()) {
        plan_.broken = true;
        return;
      }
      for (const CandidateRecord& candidate : l_.candidates.subspan(slot.first, slot.count)) {
        if (candidate.predicate >= l_.predicates.size()) {
          plan_.broken = true;
          return;
        }
        const channel::ListRef operand = l_.predicates[candidate.predicate].operand;
        if (uint64_t{operand.first} + operand.count > l_.texts.size()) {
          plan_.broken = true;
          return;
        }
        use(l_.texts.substr(operand.first, operand.count), candidate.offset);
      }
    }
  }

  struct NearGram {
    std::string_view literal;
    uint32_t offset;
  };

  // Whichever of `stride` neighbouring places is looked at, three bytes of the literal stand there. (Of a literal of two bytes: whatever follows.)
  void near_filter() {
    std::vector<NearGram> grams;
    size_t shortest = channel::kFarMin;
    each_candidate(plan_.near_grams, [&](std::string_view literal, uint32_t offset) {
      if (uint64_t{offset} + channel::kNearMin > literal.size()) return;
      grams.push_back({literal, offset});
      shortest = std::min(shortest, literal.size());
    });
    plan_.near_stride = shortest >= 6 ? 4 : shortest >= 4 ? 2 : 1;
    std::vector<uint32_t> triples;
    for (const NearGram& gram : grams) {
      const auto size = static_cast<uint32_t>(gram.literal.size());
      if (size == 2) {
        const uint32_t pair = channel::load_gram(gram.literal.data(), 2);
        for (uint32_t third = 0; third < 256; ++third) triples.push_back(pair | third << 16);
        continue;
      }
      const uint32_t first = std::min(gram.offset, size - kTripleBytes - (plan_.near_stride - 1));
      for (uint32_t i = 0; i < plan_.near_stride; ++i) triples.push_back(channel::load_gram(gram.literal.data() + first + i, kTripleBytes));
      plan_.near_behind = std::max(plan_.near_behind, gram.offset - first);
    }
    plan_.near_before = plan_.near_stride - 1;
    if (plan_.far_grams && plan_.near_stride == 4) add_far(triples);
    const auto log2 = std::clamp(static_cast<uint32_t>(std::bit_width(kBitsPerTriple * triples.size())), channel::kBitmapLog2Min, kTripleLog2Max);
    plan_.near_words.assign((1u << log2) / 64, 0);
    plan_.near_filter = {plan_.near_words.data(), log2, channel::gram_mask(kTripleBytes)};
    for (const uint32_t triple : triples) {
      const uint32_t bit = channel::gram_bit(triple, log2);
      plan_.near_words[bit / 64] |= 1ull << (bit % 64);
    }
  }

  // As long as so many do not make the filter coarse.
  void add_far(std::vector<uint32_t>& triples) {
    const size_t near_triples = triples.size();
    each_candidate(plan_.far_grams, [&](std::string_view literal, uint32_t offset) {
      if (uint64_t{offset} + 4 <= literal.size()) triples.push_back(channel::load_gram(literal.data() + offset, kTripleBytes));
    });
    plan_.near_with_far = triples.size() <= (1u << kTripleLog2Max) / kBitsPerTriple;
    if (!plan_.near_with_far) triples.resize(near_triples);
  }

  void few_grams() {
    std::vector<uint32_t> grams;
    size_t shortest = limits::kInputBytesMax;
    each_candidate(plan_.far_grams, [&](std::string_view literal, uint32_t offset) {
      shortest = std::min(shortest, literal.size());
      if (uint64_t{offset} + 4 > literal.size() || grams.size() > IndexPlan::kFewGrams) return;
      const uint32_t gram = channel::load_gram(literal.data() + offset) | 0x20202020u;
      if (std::ranges::find(grams, gram) == grams.end()) grams.push_back(gram);
    });
    if (grams.empty() || grams.size() > IndexPlan::kFewGrams) return;
    plan_.few_count = static_cast<uint32_t>(grams.size());
    while (channel::folded_bytes_max(plan_.few_bytes_min) < shortest) ++plan_.few_bytes_min;
    for (size_t i = 0; i < plan_.few.size(); ++i) plan_.few[i] = grams[std::min(i, grams.size() - 1)];
  }

  void rough() {
    if (plan_.prefix) return;
    Rough::Maker maker(plan_.suffix_sizes);
    if (plan_.exact) each_candidate(plan_.exact, [&](std::string_view literal, uint32_t) { maker.add_whole(literal); });
    if (plan_.suffix) each_candidate(plan_.suffix, [&](std::string_view literal, uint32_t) { maker.add_suffix(literal); });
    if (plan_.near_grams) each_candidate(plan_.near_grams, [&](std::string_view literal, uint32_t) { maker.add_inner(literal); });
    if (plan_.far_grams) each_candidate(plan_.far_grams, [&](std::string_view literal, uint32_t offset) { maker.add_far(literal, offset); });
    plan_.rough = maker.make();
  }

  const Layout& l_;
  const IndexRecord& record_;
  IndexPlan plan_;
};

}  // namespace

std::vector<IndexPlan> make_index_plans(const Layout& layout) {
  std::vector<IndexPlan> plans;
  plans.reserve(layout.indexes.size());
  for (const IndexRecord& record : layout.indexes) plans.push_back(Planner(layout, record).run());
  return plans;
}

}  // namespace creance::interpreter

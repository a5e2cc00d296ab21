#include "interpreter/index_plan.hpp"

#include <algorithm>
#include <string_view>

namespace creance::interpreter {
namespace {

using channel::CandidateRecord;
using channel::IndexRecord;
using channel::Layout;

constexpr uint32_t kTableLog2Max = 24;

class Planner {
 public:
  Planner(const Layout& l, const IndexRecord& record) : l_(l), record_(record) {}

  IndexPlan run() {
    plan_.input = record_.input;
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
    if (plan_.near_grams) near_triples();
    if (plan_.far_grams && !plan_.anchored && !plan_.near_grams) few_grams();
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

  void near_triples() {
    plan_.near_triples.assign((1u << IndexPlan::kTripleLog2) / 64, 0);
    const auto add = [&](uint32_t triple) {
      const uint32_t bit = IndexPlan::triple_bit(triple);
      plan_.near_triples[bit / 64] |= 1ull << (bit % 64);
    };
    each_candidate(plan_.near_grams, [&](std::string_view literal, uint32_t offset) {
      if (uint64_t{offset} + channel::kNearMin > literal.size()) return;
      if (literal.size() > 2) return add(channel::load_gram(literal.data() + offset, static_cast<uint32_t>(std::min<size_t>(3, literal.size() - offset))));
      const uint32_t pair = channel::load_gram(literal.data() + offset, 2);
      for (uint32_t third = 0; third < 256; ++third) add(pair | third << 16);
    });
  }

  void few_grams() {
    std::vector<uint32_t> grams;
    each_candidate(plan_.far_grams, [&](std::string_view literal, uint32_t offset) {
      if (uint64_t{offset} + 4 > literal.size() || grams.size() > IndexPlan::kFewGrams) return;
      const uint32_t gram = channel::load_gram(literal.data() + offset) | 0x20202020u;
      if (std::ranges::find(grams, gram) == grams.end()) grams.push_back(gram);
    });
    if (grams.empty() || grams.size() > IndexPlan::kFewGrams) return;
    plan_.few_count = static_cast<uint32_t>(grams.size());
    for (size_t i = 0; i < plan_.few.size(); ++i) plan_.few[i] = grams[std::min(i, grams.size() - 1)];
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

#include "channel/cost.hpp"

#include <algorithm>
#include <bit>

#include "base/limits.hpp"

namespace creance::channel {
namespace {

constexpr uint64_t kHuge = ~0ull;
uint64_t add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? kHuge : sum;
}
uint64_t multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kHuge : product;
}

// Slots that a search can pass, and the candidates of one slot compared.
uint64_t lookup_cost(const Layout& layout, const TableRef& table) {
  if (table.log2_slots == kNoTable) return 0;
  const uint64_t size = 1ull << table.log2_slots;
  const auto slots = layout.slots.subspan(table.first_slot, size);
  uint64_t run = 0;
  uint64_t run_max = 0;
  uint64_t chain_max = 0;
  for (uint64_t i = 0; i < 2 * size; ++i) {  // twice around: a run may pass the end
    const SlotRecord& slot = slots[i % size];
    run = slot.count == 0 ? 0 : run + 1;
    run_max = std::max(run_max, run);
    if (i >= size) continue;
    uint64_t chain = 0;
    for (const CandidateRecord& candidate : layout.candidates.subspan(slot.first, slot.count)) {
      chain = add(chain, chunks(layout.predicates[candidate.predicate].operand.count));
    }
    chain_max = std::max(chain_max, chain);
  }
  return add(add(run_max, 1), chain_max);
}

ValueCost index_cost(const Layout& layout, const IndexRecord& index) {
  ValueCost cost{4, 1};  // the value itself, its folding
  cost.per_value = add(cost.per_value, lookup_cost(layout, index.exact));
  cost.per_value = add(cost.per_value, multiply(static_cast<uint64_t>(std::popcount(index.suffix_sizes)), lookup_cost(layout, index.suffix)));
  cost.per_value = add(cost.per_value, multiply(index.prefix_lengths.count, add(1, lookup_cost(layout, index.prefix))));
  const uint64_t sizes = static_cast<uint64_t>(std::popcount(index.near_sizes));
  cost.per_byte = add(cost.per_byte, add(1, multiply(sizes, add(1, lookup_cost(layout, index.near_grams)))));
  cost.per_byte = add(cost.per_byte, add(1, lookup_cost(layout, index.far_grams)));
  return cost;
}

constexpr uint64_t kSingleValues = 1 + limits::kFurtherValuesMax;
constexpr uint64_t kSingleBytes = limits::kInputBytesMax + limits::kFurtherBytesMax;

// Over the most that one input, or all values of an event, can be.
uint64_t over_most(const Layout& layout, uint32_t input, const ValueCost& cost) {
  if (input != kEveryValue) return add(multiply(cost.per_value, kSingleValues), multiply(cost.per_byte, kSingleBytes));
  const uint64_t inputs = layout.header->input_count;
  return add(multiply(cost.per_value, inputs + limits::kFurtherValuesMax), multiply(cost.per_byte, inputs * limits::kInputBytesMax + limits::kFurtherBytesMax));
}

}  // namespace

ValueCost predicate_cost(const Layout& layout, const PredicateRecord& predicate) {
  ValueCost cost{4, 1};  // finding the value, folding it
  switch (predicate.kind) {
    case PredicateKind::kPresent:
    case PredicateKind::kCidr: break;
    case PredicateKind::kEquals:
    case PredicateKind::kStartsWith:
    case PredicateKind::kEndsWith: cost.per_value = add(cost.per_value, chunks(predicate.operand.count)); break;
    case PredicateKind::kContains:
      cost.per_value = add(cost.per_value, chunks(predicate.operand.count));
      cost.per_byte = add(cost.per_byte, add(1, chunks(predicate.operand.count)));
      break;
    case PredicateKind::kGlob: {
      uint64_t attempt = 1;
      for (const GlobToken& token : layout.glob_tokens.subspan(predicate.operand.first, predicate.operand.count)) attempt = add(attempt, chunks(token.text.size));
      cost.per_value = add(cost.per_value, multiply(2, attempt));
      cost.per_byte = add(cost.per_byte, attempt);
      break;
    }
    case PredicateKind::kRegex: {
      const uint64_t position = 4ull * layout.regexes[predicate.operand.first].instruction_count + 4;
      cost.per_value = add(cost.per_value, multiply(2, position));
      cost.per_byte = add(cost.per_byte, position);
      break;
    }
    case PredicateKind::kLess:
    case PredicateKind::kLessOrEqual:
    case PredicateKind::kGreater:
    case PredicateKind::kGreaterOrEqual:
    case PredicateKind::kTimePart: cost.per_value += 1; break;
    case PredicateKind::kFieldEquals:
    case PredicateKind::kFieldStartsWith:
    case PredicateKind::kFieldEndsWith:
    case PredicateKind::kFieldContains:  // each value against each value of the other input
      cost.per_value = add(cost.per_value, 3 * kSingleValues + 2 * chunks(kSingleBytes));
      cost.per_byte = add(cost.per_byte, 2 * kSingleValues + chunks(kSingleBytes));
      break;
  }
  return cost;
}

Cost channel_cost(const Layout& layout) {
  Cost cost;
  cost.fixed = 16 + 4ull * layout.header->input_count;
  for (const InstanceRecord& instance : layout.instances) cost.fixed = add(cost.fixed, 1 + uint64_t{instance.inputs.count});
  for (const EntryRecord& entry : layout.entries) cost.fixed = add(cost.fixed, entry.node_count);
  for (const PredicateRecord& predicate : layout.predicates) {
    if ((predicate.flags & kIndexed) != 0) {  // never tested: the index finds it or it does not hold. Its wake list, once an event
      cost.fixed = add(cost.fixed, 1 + uint64_t{predicate.extra.count});
      continue;
    }
    const ValueCost values = predicate_cost(layout, predicate);
    cost.fixed = add(cost.fixed, predicate.input == kEveryValue ? 1 + uint64_t{layout.header->input_count} : 1);  // absent inputs are passed, too
    cost.per_value = add(cost.per_value, values.per_value);
    cost.per_byte = add(cost.per_byte, values.per_byte);
    cost.bound = add(cost.bound, over_most(layout, predicate.input, values));
  }
  for (const IndexRecord& index : layout.indexes) {
    const ValueCost values = index_cost(layout, index);
    cost.per_value = add(cost.per_value, values.per_value);
    cost.per_byte = add(cost.per_byte, values.per_byte);
    cost.bound = add(cost.bound, over_most(layout, index.input, values));
  }
  cost.bound = add(cost.bound, cost.fixed);
  return cost;
}

}  // namespace creance::channel

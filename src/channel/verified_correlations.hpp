// A correlation file that was proven well-formed, as a view over its bytes. Only its verifier makes one (D3). The bytes must outlive it, must not change, and must start at a
// multiple of 8. Movable, immutable, any number of threads.
#pragma once
#include "channel/correlation_format.hpp"
#include "channel/verified_channel.hpp"

namespace creance::channel {

struct ObservedType {
  std::string_view id;
  schema::Fingerprint fingerprint;
  uint32_t input_count = 0;
  std::span<const uint32_t> times;
};
struct SourceInfo {
  uint32_t type = 0;
  std::string_view rule_id;
  bool silent = false;
};
struct CorrelationInfo {
  std::string_view rule_id;
  std::string_view title;
  std::string_view level;
  std::string_view author;
  TextList tags;
  TextList references;
  TextList group_names;
  bool silent = false;
};

class VerifiedCorrelations {
 public:
  // One pass over the file, linear in its size. Never throws for bad bytes, never reads outside `bytes`.
  static std::expected<VerifiedCorrelations, Rejection> verify(BytesView bytes);

  VerifiedCorrelations(VerifiedCorrelations&&) = default;
  VerifiedCorrelations& operator=(VerifiedCorrelations&&) = default;

  uint32_t type_count() const { return static_cast<uint32_t>(layout_.types.size()); }
  ObservedType type(uint32_t index) const;
  uint32_t source_count() const { return static_cast<uint32_t>(layout_.sources.size()); }
  SourceInfo source(uint32_t index) const;
  uint32_t correlation_count() const { return static_cast<uint32_t>(layout_.correlations.size()); }
  CorrelationInfo correlation(uint32_t index) const;
  // The inputs of the feed's event that are the group of its correlation, in the order of group_names.
  std::span<const uint32_t> group_inputs(uint32_t feed) const;

  uint64_t state_bytes() const { return layout_.header->state_bytes; }
  uint64_t cost_bound() const { return layout_.header->cost_bound; }  // steps of one event, declared and computed
  const CorrelationLayout& layout() const { return layout_; }

 private:
  friend class UncheckedCorrelationsForTests;
  explicit VerifiedCorrelations(const CorrelationLayout& layout) : layout_(layout) {}
  CorrelationLayout layout_;  // INVARIANT: made by the verifier from bytes that passed every check
};

// Finds the sections: after this every span lies inside the bytes, aligned; what stands in them is not proven yet.
std::expected<CorrelationLayout, Rejection> map_correlation_sections(BytesView bytes);
bool is_correlation_file(BytesView bytes);  // by its first bytes

}  // namespace creance::channel

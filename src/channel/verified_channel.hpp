// A channel file that was proven well-formed, as a view over its bytes. Only the verifier makes one (D3); copying bytes or interpreting rules is not its work.
// The bytes must outlive it, must not change, and must start at a multiple of 8 (mapped files and vectors do). Movable, immutable, any number of threads.
// Format: docs/reference/channel-format.md.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "channel/format.hpp"
#include "schema/type.hpp"

namespace creance::channel {

// What the sensor's build supplies. `inputs` must be equal to the channel's number of inputs: one that reads a 21st input of 20 cannot get in.
struct Expectation {
  std::optional<schema::Fingerprint> fingerprint;  // nothing: any (tools that inspect files)
  uint32_t inputs = 0;
};

struct Rejection {
  std::string_view code;  // "V012"; the list is in docs/reference/channel-format.md
  uint64_t offset = 0;    // byte offset in the file that the complaint is about
  std::string detail;     // one line
};

// A list of texts inside the file.
class TextList {
 public:
  TextList() = default;
  TextList(std::span<const TextRef> refs, std::string_view texts) : refs_(refs), texts_(texts) {}
  size_t size() const { return refs_.size(); }
  bool empty() const { return refs_.empty(); }
  std::string_view operator[](size_t i) const { return texts_.substr(refs_[i].offset, refs_[i].size); }

 private:
  std::span<const TextRef> refs_;
  std::string_view texts_;
};

// What a match says about its rule. Views into the file.
struct InstanceInfo {
  std::string_view rule_id;
  std::string_view title;
  std::string_view level;   // as Sigma writes it, "" if the rule has none
  std::string_view author;
  TextList tags;
  TextList references;
  std::span<const uint32_t> inputs;  // indices of the inputs that the instance reads, ascending, without the ones that only its keywords look at
  bool reads_every_value = false;    // keywords: also every further value of the event. Held on a host where any input is unavailable
};

class VerifiedChannel {
 public:
  // One pass over the file, linear in its size. Never throws for bad bytes, never reads outside `bytes`.
  static std::expected<VerifiedChannel, Rejection> verify(BytesView bytes, const Expectation& expectation);

  VerifiedChannel(VerifiedChannel&&) = default;
  VerifiedChannel& operator=(VerifiedChannel&&) = default;

  std::string_view type_id() const;
  uint32_t type_version() const { return layout_.header->type_version; }
  schema::Fingerprint fingerprint() const;
  uint32_t input_count() const { return layout_.header->input_count; }
  uint32_t instance_count() const { return static_cast<uint32_t>(layout_.instances.size()); }
  InstanceInfo instance(uint32_t index) const;  // index < instance_count()

  // Worst-case steps of one event: declared in the file and equal to what the verifier computed. Steps of an event never exceed
  // cost_fixed() + cost_per_value() * values + cost_per_byte() * bytes, nor cost_bound(). See measure() in interpreter.hpp for values and bytes.
  uint64_t cost_bound() const { return layout_.header->cost_bound; }
  uint64_t cost_fixed() const { return layout_.header->cost_fixed; }
  uint64_t cost_per_value() const { return layout_.header->cost_per_value; }
  uint64_t cost_per_byte() const { return layout_.header->cost_per_byte; }

  const Layout& layout() const { return layout_; }

 private:
  friend class UncheckedChannelForTests;
  explicit VerifiedChannel(const Layout& layout) : layout_(layout) {}
  Layout layout_;  // INVARIANT: made by the verifier from bytes that passed every check
};

}  // namespace creance::channel

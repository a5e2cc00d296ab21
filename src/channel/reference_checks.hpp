// What both verifiers, that of channel files and that of correlation files, ask of the references in a file. For these two only.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "channel/sections.hpp"

namespace creance::channel {

using Verdict = std::optional<Rejection>;  // nothing: the check passed

// `L`: the sections as spans, with `texts` and `numbers`. A rejection's offset is that of the record that is wrong, which lies in the bytes.
template <class L>
class ReferenceChecks {
 protected:
  ReferenceChecks(BytesView bytes, const L& layout) : bytes_(bytes), l_(layout) {}

  template <class T>
  Rejection reject(std::string_view code, const T& at, std::string detail) const {
    return {code, static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(&at) - bytes_.data()), std::move(detail)};
  }
  bool text_fits(TextRef ref) const { return uint64_t{ref.offset} + ref.size <= l_.texts.size(); }
  template <class T>
  static bool list_fits(ListRef ref, std::span<const T> table) { return uint64_t{ref.first} + ref.count <= table.size(); }
  // Of references that fit.
  std::string_view text(TextRef ref) const { return l_.texts.substr(ref.offset, ref.size); }
  std::span<const uint32_t> numbers(ListRef ref) const { return l_.numbers.subspan(ref.first, ref.count); }

  BytesView bytes_;
  const L& l_;
};

}  // namespace creance::channel

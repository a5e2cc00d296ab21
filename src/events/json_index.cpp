#include "events/json_index.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>

namespace creance::events {

// simdjson's first stage, which its parsers run before anything else. The second stage, and its on-demand walk, cost four times as much over flat events.
struct JsonIndex::State {
  simdjson::dom::parser parser;
};

JsonIndex::JsonIndex() : state_(std::make_unique<State>()) {}
JsonIndex::JsonIndex(JsonIndex&&) noexcept = default;
JsonIndex& JsonIndex::operator=(JsonIndex&&) noexcept = default;
JsonIndex::~JsonIndex() = default;

bool JsonIndex::build(std::string_view text) {
  simdjson::dom::parser& parser = state_->parser;
  if (text.empty()) return false;
  if (parser.capacity() < text.size() && parser.allocate(std::bit_ceil(std::max<size_t>(text.size(), 4096))) != simdjson::SUCCESS) return false;
  return parser.implementation->stage1(reinterpret_cast<const uint8_t*>(text.data()), text.size(), simdjson::stage1_mode::regular) == simdjson::SUCCESS;
}

std::span<const uint32_t> JsonIndex::places() const {
  const auto& made = *state_->parser.implementation;
  return {made.structural_indexes.get(), made.n_structural_indexes};
}

}  // namespace creance::events

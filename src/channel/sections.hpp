// Finds the sections of a channel file: after this every span lies inside the bytes, aligned; what stands in them is not proven yet.
#pragma once
#include <expected>

#include "channel/verified_channel.hpp"

namespace creance::channel {

inline constexpr uint32_t kProbesMax = 64;  // slots that a search passes at most

std::expected<Layout, Rejection> map_sections(BytesView bytes);

// The size of one record of a section; section < kSectionCount.
size_t record_bytes(uint32_t section);

}  // namespace creance::channel

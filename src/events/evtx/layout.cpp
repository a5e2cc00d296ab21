#include "events/evtx/layout.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include "base/check.hpp"

namespace creance::events::evtx {

namespace {

uLong sum_of(std::string_view bytes, uLong before = 0) { return crc32(before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())); }

}  // namespace

bool file_header_is_sound(std::string_view header) { return (number_at<uint32_t>(header, 120) & (kDirty | kNoSums)) != 0 || sum_of(header.substr(0, 120)) == number_at<uint32_t>(header, 124); }

std::string_view chunk_damage(std::string_view chunk, size_t used) {
  if ((number_at<uint32_t>(chunk, 120) & (kDirty | kNoSums)) != 0) return {};
  if (sum_of(chunk.substr(128, kChunkHeaderBytes - 128), sum_of(chunk.substr(0, 120))) != number_at<uint32_t>(chunk, 124)) return "header";
  return sum_of(chunk.substr(kChunkHeaderBytes, used - kChunkHeaderBytes)) == number_at<uint32_t>(chunk, 52) ? std::string_view() : "events";
}

Result<FileLayout> read_file_header(std::string_view header) {
  CHECK(header.size() == kFileHeaderBytes);
  if (!header.starts_with(kMagic)) return fail(ErrorCode::kInvalid, "it does not begin as an EVTX file does");
  const auto major = number_at<uint16_t>(header, 38);
  const auto minor = number_at<uint16_t>(header, 36);
  if (major != 3) return fail(ErrorCode::kInvalid, fmt::format("EVTX version {}.{} is not known", major, minor));
  FileLayout out;
  out.header_block_bytes = number_at<uint16_t>(header, 40);
  if (out.header_block_bytes < kFileHeaderBytes) return fail(ErrorCode::kInvalid, "the header of the EVTX file is damaged: its size is too small");
  out.chunks = number_at<uint16_t>(header, 42);
  out.known = true;
  out.sound = file_header_is_sound(header);
  return out;
}

}  // namespace creance::events::evtx

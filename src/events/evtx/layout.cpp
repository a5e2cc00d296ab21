#include "events/evtx/layout.hpp"

#include <fmt/format.h>

#include "base/check.hpp"

namespace creance::events::evtx {

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
  return out;
}

}  // namespace creance::events::evtx

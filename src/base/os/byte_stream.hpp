// A file, or `-` for standard input, as a ByteStream.
#pragma once
#include <memory>
#include <string>

#include "base/seams/byte_stream.hpp"

namespace creance::os {

// kNotFound, kDenied, kInvalid (a folder), kIo.
Result<std::unique_ptr<ByteStream>> open_stream(const std::string& path);

}  // namespace creance::os

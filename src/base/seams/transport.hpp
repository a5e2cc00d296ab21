// Fetching bytes by name from somewhere: HTTP, a folder, a test. Says nothing about trust in what it brings.
#pragma once
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance {

class Transport {
 public:
  virtual ~Transport() = default;
  // `path`: relative, already percent-encoded, e.g. "metadata/2.root.json". kNotFound: it is not there (404, 403). kTooLarge: more than bytes_max. kUnavailable: try later.
  virtual Result<Bytes> fetch(const std::string& path, size_t bytes_max) = 0;
};

}  // namespace creance

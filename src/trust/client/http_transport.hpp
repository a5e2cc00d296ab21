// Fetches over HTTP(S) with libcurl. Bounded in bytes, in total time and in minimum rate; follows redirects only within the same scheme, host and port. In the library creance_trust_http.
// One object keeps one connection alive; not thread-safe. Reads proxies from the environment as curl does.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "base/seams/transport.hpp"

namespace creance::trust {

struct HttpOptions {
  std::string base_url;                        // "http://127.0.0.1:8080/tuf/", used as it is; paths are appended
  std::string ca_file;                         // PEM; "" = the system's
  std::chrono::milliseconds connect_max{10'000};
  std::chrono::milliseconds total_max{120'000};  // one file
  long rate_min_bytes_s = 100;                 // slower than this for rate_window_s seconds: given up (slow-retrieval attack)
  long rate_window_s = 20;
  std::string user_agent = "creance";
};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(HttpOptions options);
  ~HttpTransport() override;
  // 404, 403 and 410 → kNotFound; more than bytes_max → kTooLarge (nothing kept); other status, time-out, refused, reset → kUnavailable.
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::trust

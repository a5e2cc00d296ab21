// Fetches over HTTP(S) with libcurl. Bounded in bytes, in total time and in minimum rate; follows redirects only within the same scheme, host and port. In the library creance_trust_http.
// A transfer that breaks off is taken up where it stopped (RFC 9110, 14.2 and 13.1.5: a range, and only of what the server says is still the same file), within the same total time.
// One object keeps one connection alive; not thread-safe.
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
  std::chrono::milliseconds total_max{120'000};  // one file, with all its redirects and resumptions
  unsigned resumptions_max = 4;                // of one file; 0: a broken transfer is an error
  long rate_min_bytes_s = 100;                 // slower than this for rate_window_s seconds: given up (slow-retrieval attack)
  long rate_window_s = 20;
  // "http://proxy:3128", "socks5h://…": for every address. "": as the environment says (http_proxy, https_proxy, all_proxy, no_proxy). "direct": none, whatever the environment says.
  std::string proxy;
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

// One HTTP(S) request, bounded in size and time, through libcurl. No redirects, no cookies; proxies from the environment. Not a transport of trusted bytes: says nothing about trust.
// In the library `creance_http`. One object a thread; keeps its connection between requests.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance {

// The server says an entity tag here too, where no proxy changes it (RFC 9110 has them make ETag weak when they compress).
inline constexpr const char* kCreanceTag = "Creance-Tag";

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/json";  // sent with a body
  size_t answer_bytes_max = 1u << 20;
  std::chrono::milliseconds timeout{10'000};  // of the whole request
};
struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string etag;  // as sent, with its quotes; "": none
  std::string creance_tag;  // likewise, of kCreanceTag
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(std::string user_agent);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  // Any status is an answer. kUnavailable: no server, time-out, cut; kTooLarge: more than answer_bytes_max; kInvalid: no URL.
  Result<HttpAnswer> send(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance

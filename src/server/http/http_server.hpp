// One bounded HTTP/1.1 server on one thread: requests to a handler, answers back, timers on the same thread. Knows no route and no JSON.
// Limits: header bytes, body bytes (the handler says, after it saw the header), connections, time for a header, a body, an answer, idling. Over a limit: 4xx and the connection closes.
// Threads: everything runs on the thread that calls run(); stop() and port() may be called from any.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"

namespace creance::server {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // as sent, without the query: what signatures cover
  std::string query;   // after `?`, as sent
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string_view header(std::string_view lower_case_name) const;  // "" if absent
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// RFC 9457.
HttpResponse problem(int status, std::string_view title, std::string_view detail, std::string_view type = "about:blank");

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Looks at method, path and headers before the body is read: how many bytes it may have.
  virtual size_t body_bytes_max(const HttpRequest& head) const = 0;
  virtual HttpResponse handle(const HttpRequest& request) = 0;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  size_t connections_max = limits::kHttpConnectionsMax;
  std::chrono::milliseconds header_max{10'000};
  std::chrono::milliseconds body_max{30'000};   // and one second more for each 256 KiB that the request announces
  std::chrono::milliseconds answer_max{30'000};  // likewise
  std::chrono::milliseconds idle_max{75'000};
  std::chrono::milliseconds stop_max{5'000};     // for requests that are open at the stop
};

struct HttpCounters {
  uint64_t requests = 0, refused = 0, connections = 0, connections_refused = 0;
  uint64_t connections_open = 0;
};

class HttpServer {
 public:
  // kExists: the port is in use; kDenied: it may not be taken; kInvalid: no such address.
  static Result<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options, HttpHandler& handler);
  ~HttpServer();
  uint16_t port() const;
  void every(std::chrono::milliseconds interval, std::function<void()> call);  // before run(); first call after one interval
  void on_signals(std::function<void(int)> call);                              // SIGTERM and SIGINT, then stop(); before run()
  void run();   // until stop(): then no new connection, open requests are answered (stop_max), every coroutine has ended when it returns; once
  void stop();
  HttpCounters counters() const;  // from the thread of run()

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace creance::server

// Routes of docs/reference/protocol.md: HTTP in, Fleet, Rollouts and Publisher behind, RFC 9457 problems out. Threads: the one of the HttpServer.
#pragma once
#include <filesystem>
#include <string>

#include "server/control/fleet.hpp"
#include "server/http/http_server.hpp"

namespace creance::server {

struct ApiCounters {
  uint64_t enrolled = 0, enrolled_again = 0, announcements = 0, grants_go = 0, grants_hold = 0, waits = 0, reports = 0, challenges = 0, reports_refused = 0, detections = 0, signatures_refused = 0;
  uint64_t ticks = 0, tick_errors = 0;
  double tick_seconds = 0;
  std::string tick_error;  // "" while the last one was fine
};

class Api final : public HttpHandler {
 public:
  Api(Store& store, Publisher& publisher, Rollouts& rollouts, Fleet& fleet, FileSystem& files, const Clock& clock, std::filesystem::path tree)
      : store_(store), publisher_(publisher), rollouts_(rollouts), fleet_(fleet), files_(files), clock_(clock), tree_(std::move(tree)) {}

  size_t body_bytes_max(const HttpRequest& head) const override;
  HttpResponse handle(const HttpRequest& request) override;
  void set_http(const HttpServer* http) { http_ = http; }
  ApiCounters& counters() { return counters_; }

 private:
  HttpResponse sensor_call(const HttpRequest& request);
  HttpResponse operator_call(const HttpRequest& request);
  HttpResponse enrol(const HttpRequest& request);
  HttpResponse enrol_again(const HttpRequest& request, SensorRecord sensor);
  HttpResponse announce(const HttpRequest& request, const SensorRecord& sensor);
  HttpResponse report(const HttpRequest& request, SensorRecord sensor);
  HttpResponse push_content(const HttpRequest& request);
  HttpResponse put_trust(const HttpRequest& request, const std::string& role);
  HttpResponse begin_rollout(const HttpRequest& request);
  HttpResponse rollout_call(const HttpRequest& request);
  HttpResponse make_tokens(const HttpRequest& request);
  static Result<std::string> tenant_of_path(const HttpRequest& request);
  Result<Json> list_policies();
  HttpResponse get_policy(const HttpRequest& request);
  HttpResponse put_policy(const HttpRequest& request);
  HttpResponse roles() const;
  HttpResponse tree_file(const HttpRequest& request);
  HttpResponse ready() const;
  HttpResponse metrics() const;
  bool is_operator(const HttpRequest& request) const;

  Store& store_;
  Publisher& publisher_;
  Rollouts& rollouts_;
  Fleet& fleet_;
  FileSystem& files_;
  const Clock& clock_;
  std::filesystem::path tree_;
  const HttpServer* http_ = nullptr;
  ApiCounters counters_;
};

}  // namespace creance::server

// A whole server over one data folder: store, signer, tree, rollouts, HTTP, timers. What `creance-server run` runs and what tests run in process.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"
#include "server/control/rollouts.hpp"
#include "server/http/http_server.hpp"
#include "server/signer/link.hpp"

namespace creance::server {

struct ServerOptions {
  std::filesystem::path data;
  HttpServerOptions http;
  RolloutOptions rollouts;
  std::chrono::milliseconds tick{200};
  std::chrono::milliseconds renew_every{30'000};  // looks whether signed metadata is near its end
  std::chrono::milliseconds garbage_every{3'600'000};
  uint32_t snapshots_kept = 256;                  // what the newest so many name stays: more than are published while one host refreshes
  bool require_evidence = false;                  // of every release that is pushed (plan/evidence.hpp)
  std::function<void(std::string_view)> log = [](std::string_view) {};  // one line; from the thread of run()
};

class Server {
 public:
  // `link` reaches the signer and outlives nothing else: it is owned. kExists: the port, or another server on this folder · kNotFound: not initialised ·
  // kInvalid: damaged records or tree · kExpired: root metadata or the clock · kDenied, kNoSpace, kIo.
  static Result<std::unique_ptr<Server>> open(ServerOptions options, std::unique_ptr<SignerLink> link, FileSystem& files, const Clock& clock, Random& random);
  ~Server();
  uint16_t port() const;
  void on_signals();  // SIGTERM, SIGINT end run()
  void run();
  void stop();  // from any thread

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace creance::server

#include "server/api/server.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/os/lock.hpp"
#include "server/api/api.hpp"
#include "server/store/sqlite_store.hpp"

namespace creance::server {
namespace {

constexpr std::chrono::hours kClockSlack{24};
constexpr const char* kClockKey = "clock_seen_ms";

Status check_clock(Store& store, const trust::Repository& repository, WallTime now) {
  if (const auto text = store.get(kClockKey)) {
    int64_t seen = 0;
    std::from_chars(text->data(), text->data() + text->size(), seen);
    if (now + kClockSlack < WallTime(std::chrono::milliseconds(seen))) {
      return fail(ErrorCode::kExpired, fmt::format("the clock says {}, but this server has seen {} already: set the clock right", format_time(now), format_time(WallTime(std::chrono::milliseconds(seen)))));
    }
  }
  for (const char* role : {"root", "targets"}) {
    const auto expires = repository.expires(role);
    if (expires && *expires <= now) {
      return fail(ErrorCode::kExpired, fmt::format("`{}` metadata expired at {} and the clock says {}: set the clock right, or sign new {} metadata with the offline keys", role, format_time(*expires), format_time(now), role));
    }
  }
  return {};
}

}  // namespace

struct Server::State {
  State(ServerOptions o, std::unique_ptr<SignerLink> l, FileSystem& f, const Clock& c, Random& r)
      : options(std::move(o)), link(std::move(l)), files(f), clock(c), random(r), repository(f, options.data / "tuf") {}

  ServerOptions options;
  std::unique_ptr<SignerLink> link;
  FileSystem& files;
  const Clock& clock;
  Random& random;
  std::optional<os::Lock> lock;  // two servers on one folder would publish against each other
  std::unique_ptr<Store> store;
  trust::Repository repository;
  std::unique_ptr<RemoteSigners> signers;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Rollouts> rollouts;
  InProcessBus bus;
  std::unique_ptr<Fleet> fleet;
  std::unique_ptr<Api> api;
  std::unique_ptr<HttpServer> http;
  bool renew_failed = false;

  Status open();
  void tick();
  void renew();
  void collect_garbage();
};

Status Server::State::open() {
  if (!files.exists(options.data / "server.db") || !repository.exists()) {
    return fail(ErrorCode::kNotFound, fmt::format("`{}` holds no server: make one with `creance-server init --data {}`", options.data.string(), options.data.string()));
  }
  TRY(lock, os::Lock::take(options.data / "server.lock", os::Lock::Kind::kExclusive, fmt::format("another creance-server runs on `{}`", options.data.string())));
  TRY(store, open_sqlite_store(options.data / "server.db"));
  TRY_VOID(repository.load());
  const WallTime now = clock.wall();
  TRY_VOID(check_clock(*store, repository, now));
  TRY(signers, RemoteSigners::connect(*link));
  publisher = std::make_unique<Publisher>(repository, *signers, *store, clock);
  publisher->require_evidence(options.require_evidence);
  TRY_VOID(publisher->renew());
  TRY_VOID(publisher->start());
  options.rollouts.silence.listening_since = now + options.rollouts.restart_grace;
  rollouts = std::make_unique<Rollouts>(*store, *publisher, clock, random, options.rollouts);
  TRY_VOID(rollouts->start());
  fleet = std::make_unique<Fleet>(*store, *publisher, *rollouts, bus, clock, random, options.rollouts.report_interval);
  api = std::make_unique<Api>(*store, *publisher, *rollouts, *fleet, files, clock, options.data / "tuf");
  TRY(http, HttpServer::listen(options.http, *api));
  api->set_http(http.get());
  http->every(options.tick, [this] { tick(); });
  http->every(options.renew_every, [this] { renew(); });
  http->every(options.garbage_every, [this] { collect_garbage(); });
  renew();
  return {};
}

void Server::State::tick() {
  ApiCounters& counters = api->counters();
  const auto before = clock.monotonic();
  const auto done = rollouts->tick();
  counters.tick_seconds = static_cast<double>((clock.monotonic() - before).count()) / 1000;
  ++counters.ticks;
  if (!done) ++counters.tick_errors;
  const std::string error = done ? std::string() : done.error().detail;
  if (error != counters.tick_error) options.log(done ? "rollouts: judged again" : fmt::format("rollouts: {} (tried again)", error));
  counters.tick_error = error;
}

void Server::State::renew() {
  auto done = publisher->renew();
  if (done) done = store->set(kClockKey, std::to_string(clock.wall().time_since_epoch().count()));
  if (!done) options.log(fmt::format("renewal: {} (tried again)", done.error().detail));
  renew_failed = !done;
}

void Server::State::collect_garbage() {
  const auto removed = repository.collect_garbage(options.snapshots_kept);
  if (!removed) options.log(fmt::format("garbage of the tree: {} (tried again)", removed.error().detail));
  else if (*removed > 0) options.log(fmt::format("{} files that nothing names any more were removed from the tree", *removed));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::open(ServerOptions options, std::unique_ptr<SignerLink> link, FileSystem& files, const Clock& clock, Random& random) {
  auto state = std::make_unique<State>(std::move(options), std::move(link), files, clock, random);
  TRY_VOID(state->open());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

uint16_t Server::port() const { return state_->http->port(); }
void Server::on_signals() {
  state_->http->on_signals([this](int signal) { state_->options.log(fmt::format("signal {}: stopping", signal)); });
}
void Server::run() { state_->http->run(); }
void Server::stop() { state_->http->stop(); }

}  // namespace creance::server

// creance-sensor-updater: `enrol` once, `run` and (once, if the identity is not this host's alone) `enrol-again` under creance-sensor (descriptor 3: supervisor, 4: detections). Exit codes: 0 ok, 2 not reached or not readable, 3 usage, refused.
#include <fmt/format.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/http_client.hpp"
#include "base/ipc/records.hpp"
#include "base/os/given_files.hpp"
#include "base/os/real.hpp"
#include "base/os/sandbox.hpp"
#include "sensor/update/enrol.hpp"
#include "sensor/update/updater.hpp"
#include "trust/keys/key_file.hpp"

namespace creance::sensor {
namespace {

int complain(const Error& error) {
  fmt::print(stderr, "creance-sensor-updater: {}\n", error.detail);
  return error.code == ErrorCode::kInvalid || error.code == ErrorCode::kDenied || error.code == ErrorCode::kExists ? 3 : 2;
}

int enrol_now(std::map<std::string, std::string>& given) {
  os::RealFileSystem files;
  os::RealRandom random;
  const os::RealClock clock;
  const auto done = enrol({given["--state"], given["--server"], given["--token"], given["--hostname"], given["--root"]}, files, random, clock.wall());
  if (!done) return complain(done.error());
  fmt::print("{}\n", *done);
  return 0;
}

// The host's way of looking names up is loaded by one look-up (nsswitch.conf may name libraries); its answer does not matter.
void look_up_once(const std::string& url) {
  const size_t scheme = url.find("://");
  std::string host = url.substr(scheme == std::string::npos ? 0 : scheme + 3);
  host = host.substr(0, host.find_first_of("/:"));
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, nullptr, &found) == 0) ::freeaddrinfo(found);
}

// Network client, two folders of its own; not the sensor's key, which is in memory by now.
Status confine(const std::filesystem::path& state, const std::string& server) {
  os::RealFileSystem files;
  for (const char* folder : {"spool", "outbox"}) TRY_VOID(files.make_directories(state / folder));
  look_up_once(server);
  (void)HttpClient("creance-sensor").send({.url = "http://127.0.0.1:0/"}).has_value();  // the HTTP and TLS libraries read their configuration once, now
  const std::vector<std::filesystem::path> readable = os::network_client_files();
  const std::filesystem::path writable[] = {state / "spool", state / "outbox"};
  const os::Confinement confinement{.readable = readable, .writable = writable, .may_write_files = true, .may_connect = true};
  if (const auto done = os::confine_files(confinement); !done && done.error().code != ErrorCode::kUnsupported) return done;
  else if (!done) fmt::print(stderr, "creance-sensor-updater: {}\n", done.error().detail);
  return os::confine_calls(confinement);
}

struct Own {
  Identity identity;
  trust::KeyPair key;
  std::array<uint8_t, 32> next_key{};  // seed of the key of the identity that is to be asked for
};
// Who this sensor is: as it enrolled, or as it did again, as the supervisor says (`sensor_id`; empty: as it enrolled). Its keys cannot be read again.
Result<Own> read_own(os::GivenFiles& files, const std::filesystem::path& state, const std::string& sensor_id) {
  const std::filesystem::path since = state / ipc::kSuccessorsFile;
  TRY(Identity identity, Identity::read(files, state));
  const auto successors = ipc::read_record<ipc::Successors>(files, since);
  const bool again = !sensor_id.empty();
  ipc::Successor successor;
  if (again) {
    if (!successors) return fail(successors.error());
    const auto known = std::ranges::find(successors->list, sensor_id, [](const ipc::Successor& s) { return to_hex(s.sensor_id); });
    if (known == successors->list.end()) return fail(ErrorCode::kNotFound, fmt::format("`{}` holds no identity `{}`, as which the supervisor wants this sensor to speak", since.string(), sensor_id));
    successor = *known;
  }
  if (again) identity.succeed(successor.sensor_id, WallTime(std::chrono::milliseconds(successor.enrolled_ms)));
  TRY(trust::KeyPair key, again ? trust::KeyPair::ed25519_from_seed(successor.key) : trust::load_key(files, state / "sensor.key"));
  for (const std::filesystem::path& file : {state / "sensor.key", since}) files.close(file);
  return Own{std::move(identity), std::move(key), successors ? successors->next_key : std::array<uint8_t, 32>{}};
}

int enrol_again_now(std::map<std::string, std::string>& given, os::GivenFiles& files) {
  const std::filesystem::path state = given["--state"];
  auto own = read_own(files, state, given["--sensor-id"]);
  if (!own) return complain(own.error());
  auto& [identity, key, seed] = *own;
  auto next_key = trust::KeyPair::ed25519_from_seed(seed);
  if (!next_key) return complain(next_key.error());
  const auto manifest = manifest_in(files, state);
  if (!manifest) return complain(manifest.error());
  char hostname[256] = {};
  if (::gethostname(hostname, sizeof hostname - 1) != 0) hostname[0] = 0;
  const std::string machine = machine_id(files, identity.machine_id);
  if (const auto confined = confine(state, identity.server); !confined) return complain(confined.error());
  const auto id = enrol_again({given["--epoch"], machine, hostname, identity, key, *next_key, *manifest});
  if (!id) return complain(id.error());
  fmt::print(stderr, "creance-sensor-updater: enrolled again: was {}, is {}\n", identity.sensor_id, to_hex(*id));
  ipc::Socket supervisor(ipc::Descriptor(3), ipc::Process::kSupervisor);
  const auto told = supervisor.send(ipc::EnrolledAgain{*id}, ipc::Process::kUpdater);
  return told ? 0 : complain(told.error());
}

int run_now(std::map<std::string, std::string>& given, os::GivenFiles& files) {
  const os::RealClock clock;
  const std::filesystem::path state = given["--state"];
  auto own = read_own(files, state, given["--sensor-id"]);
  if (!own) return complain(own.error());
  Identity& identity = own->identity;
  const auto root = files.read(state / "root.json", limits::kRootBytesMax);
  if (!root) return complain(root.error());
  const std::string server = identity.server;
  identity.machine_id = machine_id(files, identity.machine_id);  // of where it runs now, which need not be where it enrolled
  const uint64_t stamp = os::resolver_stamp();
  Updater updater({state, given["--epoch"], given["--boot-id"], 4, [stamp] { return os::resolver_stamp() != stamp; }}, std::move(identity), own->key, ipc::Socket(ipc::Descriptor(3), ipc::Process::kSupervisor), files, clock);
  if (const auto started = updater.start(*root); !started) return complain(started.error());
  if (const auto confined = confine(state, server); !confined) return complain(confined.error());
  const int code = updater.run();
  updater.stop();
  return code;
}

}  // namespace
}  // namespace creance::sensor

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  const std::string command = argc > 1 ? argv[1] : "";
  creance::os::RealFileSystem disk;
  creance::os::GivenFiles files(disk);
  bool right = true;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (argv[i] == std::string_view("--given")) right = files.take(argv[i + 1]) && right;
    else given[argv[i]] = argv[i + 1];
  }
  if (!right || given["--state"].empty() || (command != "enrol" && command != "enrol-again" && command != "run")) {
    std::fputs("creance-sensor-updater is started by creance-sensor; see creance-sensor --help\n", stderr);
    return 3;
  }
  const int code = command == "enrol" ? creance::sensor::enrol_now(given) : command == "enrol-again" ? creance::sensor::enrol_again_now(given, files) : creance::sensor::run_now(given, files);
  std::fflush(stdout);
  std::fflush(stderr);
  std::_Exit(code);  // what libraries do at their end is not in the sandbox's filter
}

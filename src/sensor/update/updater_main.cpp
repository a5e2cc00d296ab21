// creance-sensor-updater: `enrol` once, `run` under creance-sensor (descriptor 3: supervisor, 4: detections). Exit codes: 0 ok, 2 not reached or not readable, 3 usage, refused.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/os/real.hpp"
#include "sensor/update/enrol.hpp"
#include "sensor/update/updater.hpp"

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

int run_now(std::map<std::string, std::string>& given) {
  os::RealFileSystem files;
  const os::RealClock clock;
  const std::filesystem::path state = given["--state"];
  auto identity = Identity::read(files, state);
  if (!identity) return complain(identity.error());
  auto key = trust::load_key(files, state / "sensor.key");
  if (!key) return complain(key.error());
  const auto root = files.read(state / "root.json", limits::kRootBytesMax);
  if (!root) return complain(root.error());
  Updater updater({state, given["--epoch"], given["--boot-id"], 4}, std::move(*identity), *key, ipc::Socket(ipc::Descriptor(3), ipc::Process::kSupervisor), files, clock);
  if (const auto started = updater.start(*root); !started) return complain(started.error());
  const int code = updater.run();
  updater.stop();
  return code;
}

}  // namespace
}  // namespace creance::sensor

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  const std::string command = argc > 1 ? argv[1] : "";
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  if (given["--state"].empty() || (command != "enrol" && command != "run")) {
    std::fputs("creance-sensor-updater is started by creance-sensor; see creance-sensor --help\n", stderr);
    return 3;
  }
  return command == "enrol" ? creance::sensor::enrol_now(given) : creance::sensor::run_now(given);
}

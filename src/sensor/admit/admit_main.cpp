// creance-sensor-admit: one question, one answer on descriptor 3, then it ends. No network, no programs; reads the sensor's folder, writes below `trusted` and `sets` alone.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/ipc/socket.hpp"
#include "base/os/given_files.hpp"
#include "base/os/lock.hpp"
#include "base/os/real.hpp"
#include "base/os/sandbox.hpp"
#include "plan/zone.hpp"
#include "sensor/admit/admit.hpp"
#include "trust/keys/signer.hpp"

namespace creance::sensor {
namespace {

bool parse(const std::vector<std::string>& given, Question& question, os::GivenFiles& files) {
  for (size_t i = 0; i + 1 < given.size(); i += 2) {
    const std::string& option = given[i];
    const std::string& value = given[i + 1];
    if (option == "--state") question.state = value;
    else if (option == "--epoch") question.boot_epoch = value;
    else if (option == "--boot-id") question.uptime = trust::Uptime{value, os::RealClock().monotonic()};
    else if (option == "--paused") question.paused = value == "yes";
    else if (option == "--policy") question.policy = value;
    else if (option == "--local") question.local = value;
    else if (option == "--given") {
      if (!files.take(value)) return false;
    } else if (option == "--sensor-id") {
      const auto bytes = from_hex(value);
      if (!bytes || bytes->size() != sizeof(ipc::SensorId)) return false;
      std::ranges::copy(*bytes, question.sensor_id.emplace().begin());
    } else if (option == "--enrolled-ms") {
      int64_t ms = 0;
      if (std::from_chars(value.data(), value.data() + value.size(), ms).ptr != value.data() + value.size()) return false;
      question.enrolled = WallTime(std::chrono::milliseconds(ms));
    } else {
      const auto bytes = from_hex(value);
      ipc::Set set{};
      if (!bytes || bytes->size() != set.size()) return false;
      std::copy(bytes->begin(), bytes->end(), set.begin());
      if (option == "--running") question.running = set;
      else if (option == "--rung") question.rungs.push_back(set);
      else if (option == "--held-back") question.held_back = set;
      else if (option == "--announced") question.announced = set;
      else return false;
    }
  }
  return given.size() % 2 == 0 && !question.state.empty() && question.rungs.size() <= ipc::kRungsMax;
}

Status confine(const std::filesystem::path& state) {
  (void)trust::KeyPair::ed25519_from_seed(Bytes(32, 7)).has_value();  // the crypto library reads its configuration once, now
  (void)sha256({});
  std::vector<std::filesystem::path> readable = {state / "spool"};  // what else it reads was given to it
  if (std::filesystem::exists(plan::kZoneFolder)) readable.emplace_back(plan::kZoneFolder);  // time zones of maintenance windows
  const std::filesystem::path writable[] = {state / "trusted", state / "sets"};
  const os::Confinement confinement{.readable = readable, .writable = writable, .may_write_files = true};
  if (const auto done = os::confine_files(confinement); !done && done.error().code != ErrorCode::kUnsupported) return done;
  else if (!done) fmt::print(stderr, "creance-sensor-admit: {}\n", done.error().detail);
  return os::confine_calls(confinement);
}

int run(const std::vector<std::string>& given) {
  Question question;
  os::RealFileSystem disk;
  os::GivenFiles files(disk);
  if (!parse(given, question, files)) {
    std::fputs("creance-sensor-admit is started by creance-sensor; see creance-sensor --help\n", stderr);
    return 3;
  }
  const os::RealClock clock;
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  const auto filling = os::Lock::wait(question.state / "sets", os::Lock::Kind::kShared);  // until the end: the supervisor clears no set meanwhile
  if (!filling) {
    fmt::print(stderr, "creance-sensor-admit: {}\n", filling.error().detail);
    return 2;
  }
  if (const auto confined = confine(question.state); !confined) {
    fmt::print(stderr, "creance-sensor-admit: {}\n", confined.error().detail);
    return 2;
  }
  return supervisor.send(admit(question, files, clock.wall()), ipc::Process::kAdmit) ? 0 : 2;
}

}  // namespace
}  // namespace creance::sensor

int main(int argc, char** argv) {
  const int code = creance::sensor::run({argv + 1, argv + argc});
  std::fflush(stderr);
  std::_Exit(code);
}

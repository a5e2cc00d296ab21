// Stand-ins for updater and admit in tests of the real supervisor and worker. As admit: offers what STATE/pretend/offer names ("<hex> go|hold"), grants it once it is announced, and
// takes back what STATE/pretend/taken-back names. As updater: keeps everything it hears in STATE/pretend, and says ten times a second that the spool has changed.
// Reports it answers as STATE/pretend/server-says says ("known", "unknown", "enrol-again", "i-am <id>"); absent: not at all. Of all that it heard it says then that the server has it. As `enrol-again` it leaves a line in STATE/pretend/enrolments (its pid) and does what
// STATE/pretend/again says ("answers <id>", or what nobody should).
// Called as STATE/pretend/worker: a worker that counts what STATE/pretend/health says ("events lost_events lost_detections") and leaves out what STATE/pretend/left-out says ("rule count" a line).
// Called as STATE/pretend/collect-setup: a process connector that gives no record, until STATE/pretend/end-collector is there.
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/ipc/socket.hpp"
#include "base/os/lock.hpp"
#include "base/os/real.hpp"

namespace {
using namespace creance;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
ipc::EnrolledAgain said_id(const std::string& hex) {
  ipc::EnrolledAgain said;
  const auto bytes = from_hex(hex);
  if (bytes && bytes->size() == said.sensor_id.size()) std::copy(bytes->begin(), bytes->end(), said.sensor_id.begin());
  return said;
}
// Past the sender's own checks.
void say(const ipc::EnrolledAgain& message) {
  ipc::Frame frame;
  frame.head.kind = message.kKind;
  frame.head.payload_bytes = sizeof message;
  frame.head.from = ipc::Process::kUpdater;
  std::memcpy(frame.payload.data(), &message, sizeof message);
  (void)!::send(3, &frame, sizeof frame, MSG_NOSIGNAL);
}
ipc::Set set_of(const std::string& hex) {
  ipc::Set set{};
  const auto bytes = from_hex(hex);
  if (bytes && bytes->size() == set.size()) std::copy(bytes->begin(), bytes->end(), set.begin());
  return set;
}

int admit(const std::filesystem::path& pretend, const std::multimap<std::string, std::string>& arguments) {
  const auto given = [&](const char* name) { return arguments.contains(name) ? set_of(arguments.find(name)->second) : ipc::kNoSet; };
  std::istringstream offer(text_of(pretend / "offer"));
  std::string hex, verdict;
  offer >> hex >> verdict;
  ipc::Admitted answer;
  answer.trusted = 1;
  answer.plan_sequence = 7;
  if (arguments.contains("--sensor-id")) std::ofstream(pretend / "sensor-id") << arguments.find("--sensor-id")->second << ' ' << arguments.find("--enrolled-ms")->second;
  std::ofstream(pretend / "local") << (arguments.contains("--local") ? arguments.find("--local")->second : "none");
  if (arguments.contains("--paused")) std::ofstream(pretend / "asked") << "--paused " << arguments.find("--paused")->second;
  const ipc::Set wanted = set_of(hex);
  if (wanted != ipc::kNoSet && wanted != given("--running") && wanted != given("--held-back")) {
    answer.offer = wanted;
    const auto filling = os::Lock::wait(pretend.parent_path() / "sets", os::Lock::Kind::kShared);
    const std::filesystem::path set = pretend.parent_path() / "sets" / hex, waiting = pretend.parent_path() / "waiting" / hex;
    if (!std::filesystem::exists(set / "set.bin") && std::filesystem::exists(waiting)) std::filesystem::copy(waiting, set, std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    answer.offer_release.assign("offered-" + hex.substr(0, 4));
    if (given("--announced") == wanted) {
      answer.grant_release = wanted;
      answer.grant = verdict == "go" ? ipc::GrantVerdict::kGo : ipc::GrantVerdict::kHold;
    }
  }
  const std::string taken_back = text_of(pretend / "taken-back").substr(0, 64);
  if (taken_back.size() == 64 && set_of(taken_back) == given("--running")) answer.running_standing = ipc::Standing::kReturn;
  size_t rung = 0;
  for (auto [it, end] = arguments.equal_range("--rung"); it != end; ++it, ++rung)
    if (rung < ipc::kRungsMax && it->second == taken_back) answer.rung_standing[rung] = ipc::Standing::kReturn;
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  return supervisor.send(answer, ipc::Process::kAdmit) ? 0 : 1;
}

int update(const std::filesystem::path& pretend, const std::multimap<std::string, std::string>& arguments) {
  std::ofstream(pretend / "speaks-as") << (arguments.contains("--sensor-id") ? arguments.find("--sensor-id")->second : "of enrolment");
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  std::ofstream events(pretend / "events", std::ios::app), detections(pretend / "detections", std::ios::app);
  (void)supervisor.send(ipc::UpdaterReady{200}, ipc::Process::kUpdater).has_value();
  const os::RealClock clock;
  MonotonicTime changed = clock.monotonic();
  uint64_t heard = 0;
  for (;;) {
    pollfd waits[] = {{3, POLLIN, 0}, {4, POLLIN, 0}};
    ::poll(waits, 2, 100);
    if (const MonotonicTime now = clock.monotonic(); now - changed >= MonotonicTime(100)) {
      changed = now;
      if (const auto sent = supervisor.send(ipc::SpoolChanged{}, ipc::Process::kUpdater); !sent && sent.error().code != ErrorCode::kUnavailable) return 0;
    }
    for (;;) {
      const auto frame = supervisor.receive();
      if (!frame && frame.error().code == ErrorCode::kUnavailable) break;
      if (!frame) return 0;
      if (frame->is<ipc::ReportEvent>()) {
        const auto event = frame->as<ipc::ReportEvent>();
        ++heard;
        events << to_string(event.kind) << ' ' << to_hex(event.release) << ' ' << event.detail.view();
        if (!event.rule_id.view().empty()) events << " [" << event.rule_id.view() << ']';
        events << std::endl;
      } else if (frame->is<ipc::Report>()) {
        const auto report = frame->as<ipc::Report>();
        std::ofstream(pretend / "report.new") << to_string(report.state) << ' ' << to_hex(report.running) << ' ' << report.events << ' ' << report.matches << " boots " << report.vitals.boots << " disk " << report.vitals.disk_free_mib << " rss "
                                                    << report.vitals.sensor_rss_kib << " paused " << report.paused_ms << ' ' << report.pause_reason.view();
        std::filesystem::rename(pretend / "report.new", pretend / "report");
        const std::string says = text_of(pretend / "server-says");
        if (says.empty()) continue;
        if (says.starts_with("i-am ")) say(said_id(says.substr(5)));
        std::ofstream(pretend / "answers", std::ios::app) << says << ' ' << to_hex(report.epoch) << std::endl;  // before it is said: who answers may be ended for what he says
        (void)supervisor.send(ipc::ReportAnswered{200, 1, says == "enrol-again" ? ipc::Wants::kEnrolAgain : ipc::Wants::kNothing, says == "unknown", 0, heard}, ipc::Process::kUpdater).has_value();
      } else if (frame->is<ipc::HeldForServer>()) {
        events << "held_instance " << frame->as<ipc::HeldForServer>().rule_id.view() << ' ' << frame->as<ipc::HeldForServer>().input.view() << std::endl;
      }
    }
    char line[32'768];
    for (ssize_t n = 0; (n = ::recv(4, line, sizeof line, MSG_DONTWAIT)) > 0;) detections << std::string_view(line, static_cast<size_t>(n)) << std::endl;
  }
}

int enrol_again(const std::filesystem::path& pretend) {
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  std::ofstream(pretend / "enrolments", std::ios::app) << ::getpid() << std::endl;
  std::istringstream what(text_of(pretend / "again"));
  std::string does, hex;
  what >> does >> hex;
  if (does == "answers") say(said_id(hex));
  if (does == "answers") return 0;
  if (does == "refused") return 3;
  if (does == "closes") supervisor.close();
  if (does == "garbage") (void)!::send(3, "garbage", 7, MSG_NOSIGNAL);
  if (does == "says-another-thing") (void)supervisor.send(ipc::UpdaterReady{}, ipc::Process::kUpdater).has_value();
  if (does == "leaves-files" || does == "leaves-links") {
    const std::filesystem::path again = pretend.parent_path() / "spool/again";
    std::filesystem::create_directories(again);
    for (const char* file : {"sensor.key", "identity.json"}) {
      if (does == "leaves-links") std::filesystem::create_symlink("/etc/passwd", again / file);
      else std::ofstream(again / file) << R"({"server":"http://evil"})";
    }
    return 0;
  }
  for (;;) ::pause();
}

int work(const std::filesystem::path& pretend, const std::multimap<std::string, std::string>& arguments) {
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  const auto say = [&](const auto& message) { return supervisor.send(message, ipc::Process::kWorker).has_value(); };
  ipc::WorkerReady ready;
  ready.collector.assign("pretended");
  say(ready);
  ipc::Activated activated;
  if (arguments.contains("--set")) activated.set = set_of(arguments.find("--set")->second);
  say(activated);
  for (;;) {
    pollfd wait{3, POLLIN, 0};
    ::poll(&wait, 1, 50);
    for (;;) {
      const auto frame = supervisor.receive();
      if (!frame && frame.error().code == ErrorCode::kUnavailable) break;
      if (!frame) return 0;
      if (!frame->is<ipc::Activate>()) continue;
      activated.set = frame->as<ipc::Activate>().set;
      say(activated);
    }
    if (std::filesystem::exists(pretend / "left-out")) {
      ipc::LeftOut left_out;
      std::istringstream lines(text_of(pretend / "left-out"));
      for (std::string rule; left_out.rules < left_out.list.size() && lines >> rule >> left_out.list[left_out.rules].count; ++left_out.rules) left_out.list[left_out.rules].rule_id.assign(rule);
      say(left_out);
      std::filesystem::remove(pretend / "left-out");
    }
    ipc::Health health;
    health.set = activated.set;
    std::istringstream counts(text_of(pretend / "health"));
    counts >> health.events >> health.lost_events >> health.lost_detections;
    say(health);
  }
}

int collect(const std::filesystem::path& pretend) {
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  const ipc::Descriptor records(::memfd_create("records", MFD_CLOEXEC)), counters(::memfd_create("counters", MFD_CLOEXEC));
  ipc::CollectReady ready;
  ready.attached = ready.connector = 1;
  ready.descriptors = 2;
  const int given[] = {records.get(), counters.get()};
  if (!supervisor.send_frame(ipc::encode(ready, ipc::Process::kCollectSetup), given)) return 1;
  for (pollfd wait{3, POLLIN, 0}; ::poll(&wait, 1, 50) == 0;)
    if (std::filesystem::exists(pretend / "end-collector")) return 3;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path called(argv[0]);
  std::multimap<std::string, std::string> arguments;
  const std::string command = argc > 1 ? argv[1] : "";
  const bool updater = command == "run" || command == "enrol-again";
  for (int i = updater ? 2 : 1; i + 1 < argc; i += 2) arguments.emplace(argv[i], argv[i + 1]);
  if (called.filename() == "worker") return work(called.parent_path(), arguments);
  if (called.filename() == "collect-setup") return collect(called.parent_path());
  const std::filesystem::path pretend = std::filesystem::path(arguments.find("--state")->second) / "pretend";
  return command == "enrol-again" ? enrol_again(pretend) : updater ? update(pretend, arguments) : admit(pretend, arguments);
}

// Stands in for any of the sensor's processes, and lies to the real supervisor once: as STATE/pretend/lie says ("<role> <lie>", role worker, rehearsal, updater, admit; "<role> <lie> always": each time). Then it lives on,
// so that whoever believes it or waits for it is seen to. All others that are started are the honest ones: the shipped worker, and the stand-ins for updater and admit (pretend_main.cpp). `enrol` leaves what an enrolment leaves; with the tokens `link`, `name` and `foreign` something else in the place of a file.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/ipc/socket.hpp"

namespace {
using namespace creance;
namespace fs = std::filesystem;

ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
ipc::Process self = ipc::Process::kWorker;

void raw(const void* bytes, size_t count) { (void)!::send(3, bytes, count, MSG_NOSIGNAL); }
void frame_of(ipc::Frame frame, const std::function<void(ipc::Frame&)>& spoil) {
  spoil(frame);
  raw(&frame, sizeof frame);
}
// Past the sender's own checks.
template <class T>
void say(const T& message) {
  ipc::Frame frame;
  frame.head.kind = T::kKind;
  frame.head.payload_bytes = sizeof(T);
  frame.head.from = self;
  std::memcpy(frame.payload.data(), &message, sizeof(T));
  raw(&frame, sizeof frame);
}
ipc::Set set_of(const std::string& hex) {
  ipc::Set set{};
  const auto bytes = from_hex(hex);
  if (bytes && bytes->size() == set.size()) std::copy(bytes->begin(), bytes->end(), set.begin());
  return set;
}
ipc::Set other(ipc::Set set) {
  set[7] ^= 0x55;
  return set;
}

[[noreturn]] void live_on() {
  for (;;) ::pause();
}

void lie(const std::string& what, const ipc::Set& set, const ipc::Frame& honest) {
  ipc::Health health;
  health.set = set;
  const auto activate = [&] {
    say(ipc::WorkerReady{});
    ipc::Activated activated;
    activated.set = set;
    say(activated);
  };
  const std::map<std::string, std::function<void()>> lies = {
      // what is no message, or not this process's
      {"magic", [&] { frame_of(honest, [](ipc::Frame& f) { ++f.head.magic; }); }},
      {"version", [&] { frame_of(honest, [](ipc::Frame& f) { ++f.head.version; }); }},
      {"kind", [&] { frame_of(honest, [](ipc::Frame& f) { f.head.kind = static_cast<ipc::Kind>(static_cast<unsigned>(f.head.kind) | 0x7f); }); }},
      {"direction", [&] { frame_of(honest, [](ipc::Frame& f) { f.head.kind = ipc::Kind::kActivate; }); }},
      {"sender", [&] { frame_of(honest, [](ipc::Frame& f) { f.head.from = ipc::Process::kCollectSetup; }); }},
      {"another-process", [&] {
        const auto they = self == ipc::Process::kAdmit ? ipc::Process::kUpdater : ipc::Process::kAdmit;
        ipc::Frame frame = they == ipc::Process::kAdmit ? ipc::encode(ipc::Admitted{}, they) : ipc::encode(ipc::SpoolChanged{}, they);
        raw(&frame, sizeof frame);
      }},
      {"length", [&] { frame_of(honest, [](ipc::Frame& f) { ++f.head.payload_bytes; }); }},
      {"padding", [&] { frame_of(honest, [](ipc::Frame& f) { f.head.padding[1] = 1; }); }},
      {"tail", [&] { frame_of(honest, [](ipc::Frame& f) { f.payload.back() = 1; }); }},
      {"short", [&] { raw(&honest, 100); }},
      {"long", [&] {
        const std::vector<char> much(4096, 'x');
        raw(much.data(), much.size());
      }},
      {"empty", [&] { raw(&honest, 0); }},
      {"descriptors", [&] {
        std::vector<int> fds(20);
        for (int& fd : fds) fd = ::memfd_create("x", 0);
        (void)supervisor.send_frame(honest, fds).has_value();
      }},
      {"closes", [&] { supervisor.close(); }},
      {"flood", [&] {
        ::fcntl(3, F_SETFL, ::fcntl(3, F_GETFL) & ~O_NONBLOCK);
        if (self == ipc::Process::kWorker) activate();
        else if (self == ipc::Process::kUpdater) say(ipc::UpdaterReady{});
        const ipc::Frame endless = self == ipc::Process::kWorker ? ipc::encode(health, self) : self == ipc::Process::kUpdater ? ipc::encode(ipc::SpoolChanged{}, self) : honest;
        for (;;) raw(&endless, sizeof endless);
      }},
      // what is a message, and cannot be meant
      {"ready-twice", [&] { frame_of(honest, [](ipc::Frame&) {}), frame_of(honest, [](ipc::Frame&) {}); }},
      {"before-ready", [&] { say(health); }},
      {"unready-updater", [&] { say(ipc::SpoolChanged{}); }},
      {"unasked", [&] {
        say(ipc::WorkerReady{});
        ipc::Activated activated;
        activated.set = other(set);
        say(activated);
      }},
      {"replayed", [&] { activate(), activate(); }},
      {"answers-twice", [&] {
        activate();
        ipc::Activated again;
        again.set = set;
        say(again);
      }},
      {"refuses-unasked", [&] {
        activate();
        ipc::ActivationFailed failed;
        failed.set = set;
        say(failed);
      }},
      {"more-held-than-there-are", [&] {
        say(ipc::WorkerReady{});
        ipc::Activated activated;
        activated.set = set;
        activated.held = 5;
        say(activated);
      }},
      {"held", [&] {
        activate();
        ipc::HeldInstance held;
        held.set = set;
        held.total = 100;
        say(held);
      }},
      {"fault-elsewhere", [&] {
        activate();
        ipc::FaultSeen fault;
        fault.set = other(set);
        say(fault);
      }},
      {"backwards", [&] {
        activate();
        health.events = 10;
        say(health);
        health.events = 9;
        say(health);
      }},
      {"huge", [&] {
        activate();
        health.matches = ~uint64_t{0};
        say(health);
      }},
      {"rehearsed", [&] {
        activate();
        ipc::Rehearsed rehearsed;
        rehearsed.set = set;
        rehearsed.passed = 1;
        rehearsed.own_events = 1;
        say(rehearsed);
      }},
      // of a rehearsal
      {"another-set", [&] {
        ipc::Rehearsed rehearsed;
        rehearsed.set = other(set);
        rehearsed.passed = 1;
        rehearsed.own_events = 1;
        say(rehearsed);
      }},
      {"over-nothing", [&] {
        ipc::Rehearsed rehearsed;
        rehearsed.set = set;
        rehearsed.passed = 1;
        say(rehearsed);
      }},
      {"as-the-worker", [&] { activate(); }},
      // of admit: one field against another
      {"untrusted-offer", [&] {
        ipc::Admitted answer;
        answer.offer = other(set);
        answer.offer_release.assign("x");
        say(answer);
      }},
      {"untrusted-denial", [&] {
        ipc::Admitted answer;
        answer.running_standing = ipc::Standing::kDenied;
        say(answer);
      }},
      {"grant-of-another", [&] {
        ipc::Admitted answer;
        answer.trusted = 1;
        answer.offer = other(set);
        answer.offer_release.assign("x");
        answer.grant = ipc::GrantVerdict::kGo;
        answer.grant_release = set;
        say(answer);
      }},
      {"offer-while-taken-back", [&] {
        ipc::Admitted answer;
        answer.trusted = 1;
        answer.offer = other(set);
        answer.offer_release.assign("x");
        answer.running_standing = ipc::Standing::kReturn;
        say(answer);
      }},
      {"lifts-nothing", [&] {
        ipc::Admitted answer;
        answer.trusted = 1;
        answer.lifted_count = 3;
        say(answer);
      }},
  };
  if (const auto found = lies.find(what); found != lies.end()) found->second();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto value = [&](const char* option) {
    const auto at = std::ranges::find(arguments, option);
    return at == arguments.end() || at + 1 == arguments.end() ? std::string() : *(at + 1);
  };
  if (!arguments.empty() && arguments[0] == "enrol") {
    std::ofstream("root.json") << "root";
    std::ofstream("sensor.key") << "key of " << ::getuid();
    if (value("--token") == "link") fs::create_symlink("/etc/shadow", "identity.json");
    else if (value("--token") == "name") fs::create_hard_link("sensor.key", "identity.json");
    else if (value("--token") == "foreign") fs::rename("../pretend/foreign", "identity.json");
    else std::ofstream("identity.json") << "identity";
    return 0;
  }
  const bool worker = std::ranges::find(arguments, "--host") != arguments.end() || std::ranges::find(arguments, "--print-manifest") != arguments.end();
  const std::string role = !value("--rehearse").empty() ? "rehearsal" : worker ? "worker" : !arguments.empty() && arguments[0] == "run" ? "updater" : "admit";
  const fs::path pretend = "pretend", bin = fs::read_symlink("/proc/self/exe").parent_path();  // started in the sensor's folder
  std::string who, what, always;
  std::ifstream(pretend / "lie") >> who >> what >> always;
  if (who != role || !value("--print-manifest").empty() || (always.empty() && fs::is_symlink(pretend / "liar"))) {
    const std::string honest = bin / (worker ? "creance-sensor-worker" : "creance_sensor_pretend");
    argv[0] = const_cast<char*>(honest.c_str());
    ::execv(argv[0], argv);
    return 127;
  }
  std::error_code there;
  fs::create_symlink(std::to_string(::getpid()), pretend / "liar", there);  // a rehearsal may write no file
  self = worker ? ipc::Process::kWorker : role == "updater" ? ipc::Process::kUpdater : ipc::Process::kAdmit;
  const ipc::Set set = set_of(role == "rehearsal" ? value("--rehearse") : role == "admit" ? value("--running") : value("--set"));
  ipc::Rehearsed failed;
  failed.set = set;
  lie(what, set, role == "rehearsal" ? ipc::encode(failed, self) : worker ? ipc::encode(ipc::WorkerReady{}, self) : role == "updater" ? ipc::encode(ipc::UpdaterReady{}, self) : ipc::encode(ipc::Admitted{}, self));
  live_on();
}

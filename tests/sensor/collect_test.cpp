// Collectors: kernel records proven byte by byte, the typed inputs, replay, the self-check; and the real kernel where it lets us.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/limits.hpp"
#include "base/os/process.hpp"
#include "base/os/real.hpp"
#include "sensor/collect/collector.hpp"
#include "sensor/collect/ebpf/kernel_event.h"
#include "sensor/collect/kernel_record.hpp"
#include "sensor/collect/linux_inputs.hpp"
#include "sensor/collect/live.hpp"
#include "sensor/collect/replay.hpp"
#include "support/places.hpp"

namespace creance::sensor {
namespace {
using namespace std::string_literals;

Bytes record(uint16_t kind, const std::string& exe, const std::string& parent, const std::string& cwd, const std::string& arguments, const std::string& name) {
  ce_event event{};
  event.version = CE_VERSION;
  event.kind = kind;
  event.pid = 10;
  event.parent_pid = 9;
  event.uid = 1000;
  event.mode = 010600;
  event.exe_bytes = static_cast<uint16_t>(exe.size());
  event.parent_exe_bytes = static_cast<uint16_t>(parent.size());
  event.cwd_bytes = static_cast<uint16_t>(cwd.size());
  event.arguments_bytes = static_cast<uint16_t>(arguments.size());
  event.name_bytes = static_cast<uint16_t>(name.size());
  Bytes bytes(CE_HEAD_BYTES);
  std::memcpy(bytes.data(), &event, CE_HEAD_BYTES);
  for (const std::string& part : {exe, parent, cwd, arguments, name}) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST(KernelRecord, PutsPathsAndArgumentsTogether) {
  KernelRecord out;
  ASSERT_TRUE(parse_kernel_record(record(CE_EXEC, "mkfifo\0bin\0usr\0"s, "bash\0bin\0"s, ""s, "mkfifo\0-m\000600\0/tmp/a b\0"s, ""s), out));
  EXPECT_EQ(out.exe, "/usr/bin/mkfifo");
  EXPECT_EQ(out.parent_exe, "/bin/bash");
  EXPECT_EQ(out.cwd, "/");
  EXPECT_EQ(out.command_line, "mkfifo -m 600 /tmp/a b");
}

TEST(KernelRecord, KnowsAbstractNames) {
  KernelRecord out;
  ASSERT_TRUE(parse_kernel_record(record(CE_BIND, "x\0"s, ""s, ""s, ""s, "\0hidden"s), out));
  EXPECT_TRUE(out.abstract);
  EXPECT_EQ(out.name, "hidden");
  ASSERT_TRUE(parse_kernel_record(record(CE_CONNECT, "x\0"s, ""s, ""s, ""s, "/run/a.sock\0\0\0junk"s), out));
  EXPECT_FALSE(out.abstract);
  EXPECT_EQ(out.name, "/run/a.sock");
}

TEST(KernelRecord, IsRefusedWhenCutAtAnyByteOrLying) {
  const Bytes whole = record(CE_EXEC, "a\0"s, "b\0"s, "c\0"s, "d\0"s, "e"s);
  KernelRecord out;
  ASSERT_TRUE(parse_kernel_record(whole, out));
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse_kernel_record(BytesView(whole).first(n), out)) << n;
  for (size_t at = 32; at < 42; ++at) {
    Bytes lie = whole;
    lie[at] ^= 0xff;
    EXPECT_FALSE(parse_kernel_record(lie, out)) << at;
  }
  Bytes kind = whole;
  kind[2] = 9;
  EXPECT_FALSE(parse_kernel_record(kind, out));
}

TEST(LinuxInputs, CompletesRelativePathsAndNamesAccounts) {
  LinuxInputs inputs("host-1", Accounts("root:x:0:0::/root:/bin/sh\nbroken\nana:x:1000:1000::/home/ana:/bin/sh\n"));
  std::array<schema::InputValue, limits::kInputsPerTypeMax> values{};
  KernelRecord out;
  ASSERT_TRUE(parse_kernel_record(record(CE_MKNOD, "mkfifo\0bin\0"s, ""s, "tmp\0"s, "mkfifo\0x\0"s, "x"s), out));
  const size_t count = inputs.fill(out, WallTime(std::chrono::milliseconds(1795428000123)), values);
  const schema::TemplateType* type = schema::Catalog::embedded().find("linux.fifo_created");
  ASSERT_EQ(count, type->inputs.size());
  const auto text = [&](const char* name) { return std::string(values[*type->input_index(name)].text()); };
  EXPECT_EQ(text("Path"), "/tmp/x");
  EXPECT_EQ(text("Mode"), "600");
  EXPECT_EQ(text("User"), "ana");
  EXPECT_EQ(text("UtcTime"), "2026-11-23 10:00:00.123");
  EXPECT_EQ(values[*type->input_index("ParentImage")].presence, schema::Presence::kAbsent);
  EXPECT_EQ(values[*type->input_index("ParentCommandLine")].presence, schema::Presence::kUnavailable);
}

ipc::Descriptor file_of(const std::string& text) {
  ipc::Descriptor file(::memfd_create("events", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}
std::string pipe_event(const std::string& name) {
  return R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":")" + name + "\"}\n";
}
std::string pipe_of(const Collector& collector, const Event& event) {
  return std::string(event.inputs.values[*collector.supplied()[event.type].type->input_index("PipeName")].text());
}

TEST(Replay, GivesEachEventOnceLoopsAndGoesOnWhereItStopped) {
  const os::RealClock clock;
  const ipc::Descriptor file = file_of(pipe_event("a") + "not json\n" + pipe_event("b") + pipe_event("c"));
  uint64_t position = 0;
  const ReplayOptions options{file.get(), "events", true, 0, &position};
  std::string seen;
  {
    auto collector = make_replay_collector(options, clock);
    ASSERT_TRUE(collector);
    Event event;
    while (seen.size() < 5) {
      const Next next = (*collector)->next(MonotonicTime(1), event);
      ASSERT_NE(next, Next::kEnded);
      if (next != Next::kEvent) continue;
      EXPECT_EQ((*collector)->next(MonotonicTime(1), event), Next::kEvent) << "the same again until it was consumed";
      seen += pipe_of(**collector, event);
      (*collector)->consumed();
    }
    EXPECT_EQ(seen, "abcab");
    EXPECT_EQ((*collector)->lost(), 2u) << "the malformed line, twice";
  }
  auto restarted = make_replay_collector(options, clock);
  Event event;
  while ((*restarted)->next(MonotonicTime(1), event) != Next::kEvent) {
  }
  EXPECT_EQ(pipe_of(**restarted, event), "c") << "a restarted worker neither repeats nor loses";
}

TEST(Replay, KeepsItsPaceAndEnds) {
  const os::RealClock clock;
  const ipc::Descriptor file = file_of(pipe_event("a") + pipe_event("b"));
  auto collector = make_replay_collector({file.get(), "events", false, 10, nullptr}, clock);
  Event event;
  ASSERT_EQ((*collector)->next(MonotonicTime(5000), event), Next::kEvent);
  (*collector)->consumed();
  EXPECT_EQ((*collector)->next(MonotonicTime(5099), event), Next::kNothing);
  EXPECT_EQ((*collector)->due(), MonotonicTime(5100));
  ASSERT_EQ((*collector)->next(MonotonicTime(5100), event), Next::kEvent);
  (*collector)->consumed();
  EXPECT_EQ((*collector)->next(MonotonicTime(9000), event), Next::kEnded);
}

TEST(Replay, OfAnEmptyFileEndsEvenIfItLoops) {
  const os::RealClock clock;
  const ipc::Descriptor file = file_of("");
  auto collector = make_replay_collector({file.get(), "events", true, 0, nullptr}, clock);
  Event event;
  EXPECT_EQ((*collector)->next(MonotonicTime(1), event), Next::kEnded);
}

TEST(SelfCheck, PassesForTheReplayCollectorOfThisBuild) {
  const os::RealClock clock;
  const ipc::Descriptor file = file_of("");
  auto collector = make_replay_collector({file.get(), "events", false, 0, nullptr}, clock);
  const auto checked = check_written_inputs(**collector);
  EXPECT_TRUE(checked) << checked.error().detail;
}

// A collector whose filling can be spoiled.
class Spoiled final : public Collector {
 public:
  Spoiled(int missing, bool one_more, bool wrong_availability) : missing_(missing), one_more_(one_more) {
    const schema::TemplateType* type = schema::Catalog::embedded().find("linux.fifo_created");
    supplied_.push_back({type, std::vector<bool>(type->inputs.size(), true)});
    if (wrong_availability) supplied_[0].available[3] = false;
  }
  std::string name() const override { return "spoiled"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  Next next(MonotonicTime, Event&) override { return Next::kEnded; }
  void consumed() override {}
  int descriptor() const override { return -1; }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return 0; }
  Status fill_synthetic(uint32_t, std::span<schema::InputValue> out) override {
    const size_t count = supplied_[0].type->inputs.size() + (one_more_ ? 1 : 0);
    for (size_t i = 0; i < count; ++i)
      if (static_cast<int>(i) != missing_) out[i] = schema::InputValue(std::string_view("v"));
    return {};
  }

 private:
  std::vector<Supplied> supplied_;
  int missing_;
  bool one_more_;
};

TEST(SelfCheck, FindsAnInputTooFewTooManyOrOfAnotherAvailability) {
  Spoiled good(-1, false, false);
  EXPECT_TRUE(check_written_inputs(good));
  for (const int missing : {0, 5, 12}) {
    Spoiled fewer(missing, false, false);
    const auto checked = check_written_inputs(fewer);
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().detail.find("12 inputs of linux.fifo_created, the interface manifest says 13"), std::string::npos) << checked.error().detail;
  }
  Spoiled more(-1, true, false);
  EXPECT_FALSE(check_written_inputs(more)) << "a 14th input where 13 are declared";
  Spoiled shifted(4, true, false);
  EXPECT_FALSE(check_written_inputs(shifted)) << "the right number in the wrong places";
  Spoiled availability(-1, false, true);
  EXPECT_FALSE(check_written_inputs(availability));
}

// --- the real kernel

class Live : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = ipc::Socket::pair(ipc::Process::kSupervisor, ipc::Process::kCollectSetup);
    ASSERT_TRUE(pair);
    os::Launch launch;
    launch.program = test::bin_dir() / "creance-sensor-collect-setup";
    launch.descriptors = {{pair->second.fd(), 3}};
    auto child = os::ChildProcess::start(launch);
    ASSERT_TRUE(child) << child.error().detail;
    pair->second.close();
    pollfd waiting{pair->first.fd(), POLLIN, 0};
    ::poll(&waiting, 1, 20'000);
    auto frame = pair->first.receive(&descriptors_);
    ASSERT_TRUE(frame) << frame.error().detail;
    const auto ready = frame->as<ipc::CollectReady>();
    if (ready.attached == 0 || ready.connector == 1) GTEST_SKIP() << "no eBPF here: " << ready.detail.view();
    const os::ExitStatus ended = child->wait();
    ASSERT_TRUE(ended.clean()) << ended.text();
    ASSERT_EQ(descriptors_.size(), ready.descriptors);
    LiveOptions options{LiveOptions::From::kRingBuffer, descriptors_[0].get(), ready.ring_bytes, descriptors_[1].get(), "host-1", "root:x:0:0::/root:/bin/sh\n"};
    auto collector = make_live_collector(options, clock_);
    ASSERT_TRUE(collector) << collector.error().detail;
    collector_ = std::move(*collector);
    options_ = options;
  }

  // Waits for an event of this Type that has this value; every other event of the host passes by.
  std::optional<std::map<std::string, std::string>> await(const char* type, const char* input, const std::string& value) {
    for (const MonotonicTime until = clock_.monotonic() + MonotonicTime(10'000); clock_.monotonic() < until;) {
      Event event;
      while (collector_->next(clock_.monotonic(), event) == Next::kEvent) {
        const schema::TemplateType& found = *collector_->supplied()[event.type].type;
        std::map<std::string, std::string> fields;
        for (size_t i = 0; i < found.inputs.size(); ++i)
          if (event.inputs.values[i].has_value()) fields[found.inputs[i].name] = std::string(event.inputs.values[i].text());
        collector_->consumed();
        if (found.id == type && fields[input] == value) return fields;
      }
      pollfd ready{collector_->descriptor(), POLLIN, 0};
      ::poll(&ready, 1, 1000);
    }
    return std::nullopt;
  }

  os::RealClock clock_;
  std::vector<ipc::Descriptor> descriptors_;
  LiveOptions options_;
  std::unique_ptr<Collector> collector_;
};

// The kernel names files from the host's root. In a chroot (which may see the host's /proc) its names are longer than ours by the way to there.
bool is_path_on_host(const std::string& told, const std::string& ours) {
  struct statx here{};
  const bool chrooted = ::statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &here) == 0 && (here.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 && (here.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
  return told == ours || (chrooted && told.ends_with(ours));
}
#define EXPECT_PATH(told, ours) EXPECT_PRED2(is_path_on_host, told, ours)

TEST_F(Live, SeesAFifoAProgramAndAnAbstractSocketThatWereReallyMade) {
  const auto checked = check_written_inputs(*collector_);
  ASSERT_TRUE(checked) << checked.error().detail;
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("creance-live-{}", ::getpid());
  std::filesystem::create_directories(folder);
  ASSERT_EQ(::mkfifo((folder + "/pipe").c_str(), 0640), 0);
  auto fifo = await("linux.fifo_created", "Path", folder + "/pipe");
  ASSERT_TRUE(fifo);
  EXPECT_EQ((*fifo)["ProcessId"], std::to_string(::getpid()));
  EXPECT_PATH((*fifo)["Image"], os::own_program().string());
  EXPECT_EQ((*fifo)["UserId"], std::to_string(::geteuid()));

  os::Launch launch;
  launch.program = "/bin/true";
  launch.arguments = {"--creance", folder};
  auto child = os::ChildProcess::start(launch);
  ASSERT_TRUE(child);
  child->wait();
  auto program = await("linux.process_creation", "CommandLine", "/bin/true --creance " + folder);
  ASSERT_TRUE(program);
  EXPECT_PATH((*program)["Image"], std::filesystem::canonical("/bin/true").string());
  EXPECT_PATH((*program)["ParentImage"], os::own_program().string());
  EXPECT_PATH((*program)["CurrentDirectory"], std::filesystem::current_path().string());

  const std::string name = fmt::format("creance-{}", ::getpid());
  const ipc::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
  auto bound = await("linux.unix_socket", "SocketName", name);
  ASSERT_TRUE(bound);
  EXPECT_EQ((*bound)["Operation"], "bind");
  EXPECT_EQ((*bound)["Abstract"], "true");

  // A restarted worker with the same descriptors goes on behind the last consumed event, and sees what happened meanwhile.
  collector_.reset();
  ASSERT_EQ(::mkfifo((folder + "/second").c_str(), 0640), 0);
  auto again = make_live_collector(options_, clock_);
  ASSERT_TRUE(again);
  collector_ = std::move(*again);
  auto second = await("linux.fifo_created", "Path", folder + "/second");
  EXPECT_TRUE(second);
  std::filesystem::remove_all(folder);
}

// A process that acts again is not described anew, but what has changed about it is.
TEST_F(Live, DescribesAProcessAsItIsAtEachEvent) {
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("creance-known-{}", ::getpid());
  const std::filesystem::path before = std::filesystem::current_path();
  for (const char* name : {"/a", "/b"}) std::filesystem::create_directories(folder + name);
  for (const char* name : {"/a", "/b", "/a"}) {
    std::filesystem::current_path(folder + name);
    ASSERT_EQ(::mkfifo("pipe", 0600), 0);
    const auto seen = await("linux.fifo_created", "ProcessId", std::to_string(::getpid()));
    ASSERT_TRUE(seen);
    EXPECT_PATH(seen->at("CurrentDirectory"), folder + name);
    EXPECT_PATH(seen->at("Path"), folder + name + "/pipe");
    ASSERT_EQ(::unlink("pipe"), 0);
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::mkfifo("of-a-child", 0600));
  auto of_child = await("linux.fifo_created", "ProcessId", std::to_string(child));
  ASSERT_TRUE(of_child);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ((*of_child)["ParentProcessId"], std::to_string(::getpid()));
  EXPECT_PATH((*of_child)["Path"], folder + "/a/of-a-child");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}

TEST_F(Live, LeavesOutWhatNoRuleLooksAtButForASample) {
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("creance-wanted-{}", ::getpid());
  std::filesystem::create_directories(folder);
  const auto make = [&](const std::string& name) {
    ASSERT_EQ(::mkfifo((folder + "/" + name).c_str(), 0600), 0);
    ASSERT_EQ(::unlink((folder + "/" + name).c_str()), 0);
  };
  const auto type_of = [&](const char* id) { return [this, id](uint32_t type) { return collector_->supplied()[type].type->id == id; }; };
  collector_->wants(type_of("linux.process_creation"));
  for (int i = 0; i < 300; ++i) make(fmt::format("unwanted-{}", i));
  collector_->wants(type_of("linux.fifo_created"));
  for (int i = 0; i < 300; ++i) make(fmt::format("wanted-{}", i));
  int unwanted = 0, wanted = 0;
  for (const MonotonicTime until = clock_.monotonic() + MonotonicTime(10'000); wanted < 300 && clock_.monotonic() < until;) {
    Event event;
    while (collector_->next(clock_.monotonic(), event) == Next::kEvent) {
      const std::string_view path = collector_->supplied()[event.type].type->id == "linux.fifo_created" ? event.inputs.values[0].text() : "";
      unwanted += path.starts_with(folder + "/unwanted-") ? 1 : 0;
      wanted += path.starts_with(folder + "/wanted-") ? 1 : 0;
      collector_->consumed();
    }
    pollfd ready{collector_->descriptor(), POLLIN, 0};
    ::poll(&ready, 1, 100);
  }
  EXPECT_EQ(wanted, 300) << "all of what is wanted";
  EXPECT_LT(unwanted, 60) << "one in 64 is enough to rehearse on";
  EXPECT_EQ(collector_->lost(), 0u) << "what was left out was not lost";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace creance::sensor

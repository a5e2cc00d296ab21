// Real processes: supervisor and worker as they are shipped, over real compiled channels and replayed events; updater and admit are stand-ins (doubles/).
#include <sys/wait.h>

#include <sys/mount.h>

#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

TEST_F(Processes, DetectionsGoOnAfterTheWorkerIsKilled) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return detections(base) >= 2 && worker_pid() > 0; })) << log();
  const std::string line = text_of(state_ / "pretend/detections");
  EXPECT_NE(line.find("\"rule_title\":\"Rule 01\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"matched\":[\"PipeName\"]"), std::string::npos) << line;
  const int pid = worker_pid();
  const size_t before = detections(base);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_TRUE(await([&] { return count(state_ / "log", "signal 9; from outside, and held against no content") == 1; })) << log();
  EXPECT_TRUE(await([&] { return detections(base) >= before + 3; })) << log();
  EXPECT_TRUE(await([&] { return runs(base) && worker_pid() > 0 && worker_pid() != pid; }));
}

TEST_F(Processes, NewContentGoesThroughRehearsalSwapAndProbation) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  const int pid = worker_pid();
  offer(next, "go");
  ASSERT_TRUE(await([&] { return event("activated", next); })) << log();
  EXPECT_TRUE(marked()) << "the marker stands as long as probation lasts";
  ASSERT_TRUE(await([&] { return event("probation_passed", next) && runs(next); })) << log();
  ASSERT_TRUE(await([&] { return !marked() && count(state_ / "pretend/detections", "Rule 02") > 0; }));
  const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
  ASSERT_TRUE(ladder);
  EXPECT_EQ(ladder->sets[0], next);
  EXPECT_EQ(ladder->sets[1], base);
  EXPECT_TRUE(await([&] { return worker_pid() > 0; }));
  EXPECT_EQ(worker_pid(), pid) << "the swap is between two events of one worker";
  EXPECT_FALSE(event("worker_crash", base));
}

// One that takes events and one that makes content ready; no third can be made.
TEST_F(Processes, EachThreadOfTheWorkerIsConfined) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base) && worker_pid() > 0; })) << log();
  size_t threads = 0;
  for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", worker_pid()))) {
    const std::string status = text_of(task.path() / "status");
    for (const char* line : {"\nSeccomp:\t2\n", "\nNoNewPrivs:\t1\n", "\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n"}) EXPECT_NE(status.find(line), std::string::npos) << line << status;
    ++threads;
  }
  EXPECT_GE(threads, 2u);
}

TEST_F(Processes, AHoldReactivatesTheLastKnownGood) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(next, "hold");
  ASSERT_TRUE(await([&] { return event("held", next) && event("probation_passed", next) && runs(base); })) << log();
  EXPECT_FALSE(event("activated", next));
  EXPECT_EQ(detections(next), 0u);
}

TEST_F(Processes, ContentThatKillsItsWorkerIsReturnedFromAndRefused) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set deadly = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1", "creance.fault-point.worker-abort")});
  good({base});
  start("creance-sensor-worker-demo");
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(deadly, "go");
  ASSERT_TRUE(await([&] { return event("returned", deadly); })) << log();
  EXPECT_TRUE(event("activated", deadly)) << "the rehearsal does not reach the fault point";
  EXPECT_NE(text_of(state_ / "pretend/events").find("worker_crash " + to_hex(deadly) + " signal 11"), std::string::npos) << text_of(state_ / "pretend/events");
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
  ASSERT_TRUE(refusals);
  EXPECT_TRUE(refusals->contains(deadly));
  const size_t before = detections(base);
  EXPECT_TRUE(await([&] { return detections(base) > before + 5; })) << "and detects as before";
  EXPECT_EQ(count(state_ / "pretend/events", "activated " + to_hex(deadly)), 1u) << "it is still offered, and not taken again";
  // Also not after a restart: the memory is on the disk.
  sensor_.signal(SIGTERM);
  ASSERT_EQ(sensor_.wait().code, 0);
  start("creance-sensor-worker-demo");
  const size_t then = detections(base);
  ASSERT_TRUE(await([&] { return detections(base) > then + 5; })) << log();
  EXPECT_EQ(count(state_ / "pretend/events", "activated " + to_hex(deadly)), 1u);
}

// The state lies on a small file system of its own, which somebody else fills while content is on probation.
class OnAFullDisk : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    if (::mount("creance", (state_ / "state").c_str(), "tmpfs", 0, "size=2m") != 0) GTEST_SKIP() << "mounting a small file system needs root";
    mounted_ = true;
  }
  void TearDown() override {
    sensor_ = {};
    if (mounted_) ::umount2((state_ / "state").c_str(), MNT_DETACH);
    Processes::TearDown();
  }
  void fill() const {
    for (std::ofstream hog(state_ / "state/hog", std::ios::binary); hog.write("................", 16).flush();) {
    }
    // The last pages, too, of a file that is written again and again.
    for (int i = 0; i < 64; ++i) std::ofstream(state_ / "state" / fmt::format("hog-{}", i)) << std::string(4096, 'x');
  }
  bool mounted_ = false;
};

TEST_F(OnAFullDisk, ReturnAndRefusalAreRecordedAndTheOwnerIsHeard) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set deadly = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")}), next = make_set(3, {rule("03", kPipe, "PipeName|contains: good_2")});
  good({base});
  start("creance-sensor-worker", "boot-1", 60'000);
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(deadly, "go");
  ASSERT_TRUE(await([&] { return runs(deadly, "probation") && worker_pid() > 0; })) << log();
  fill();
  ASSERT_EQ(files_.write_atomic(state_ / "state/probe", Bytes(4096, 1), 0600).error().code, ErrorCode::kNoSpace);
  ASSERT_EQ(::kill(worker_pid(), SIGSEGV), 0);  // a crash: a kill alone would be held against nothing
  ASSERT_TRUE(await([&] { return event("returned", deadly) && runs(base); })) << log();
  EXPECT_FALSE(marked());
  auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
  ASSERT_TRUE(refusals && refusals->contains(deadly)) << log();
  // What is reserved serves again: the next attempt, and the owner's word against it.
  offer(next, "go");
  ASSERT_TRUE(await([&] { return runs(next, "probation"); })) << log();
  EXPECT_TRUE(marked());
  os::Launch order{kBin / "creance-sensor", {"return", "--state", state_.string(), "--reason", "not here"}, {}, state_ / "order.log", {}};
  auto given = os::ChildProcess::start(order);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->wait().code, 0) << text_of(state_ / "order.log");
  ASSERT_TRUE(await([&] { return event("returned", next) && runs(base); })) << log();
  refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
  ASSERT_TRUE(refusals && refusals->contains(next) && refusals->contains(deadly));
  EXPECT_EQ(count(state_ / "log", "order: returns to older content"), 1u) << log();
  // And it is all there after an end without warning.
  sensor_.signal(SIGKILL);
  sensor_.wait();
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  EXPECT_EQ(count(state_ / "pretend/events", "activated " + to_hex(deadly)), 1u);
}

TEST_F(OnAFullDisk, WithoutAReserveNothingNewIsActivatedAndItIsSaid) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  fill();
  fs::remove(state_ / "state/ladder.bin.spare");
  std::ofstream(state_ / "state/hog-again") << std::string(4096, 'x');
  offer(next, "go");
  ASSERT_TRUE(await([&] { return event("refused", next); })) << log();
  EXPECT_TRUE(await([&] { return log().find("no_marker: no space is reserved for the sensor's records") != std::string::npos; })) << log();
  EXPECT_TRUE(await([&] { return runs(base); })) << log();
  EXPECT_FALSE(event("activated", next));
}

TEST_F(Processes, ARuleThatComputesTooMuchIsSuspendedAndTheOthersDetectOn) {
  std::ofstream(state_ / "events.jsonl") << fmt::format(R"({{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\evil_{}","Image":"C:\\x.exe"}})" "\n", std::string(3'000, 'a'));
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|contains: evil_aaa"), rule("02", kPipe, "PipeName|re: '(a|ab|aa)*a{2,40}(b|a){3}c$'")});
  good({base});
  start("creance-sensor-worker", "boot-1", 1500, {"--rule-steps", "50000"});
  ASSERT_TRUE(await([&] { return event("cpu_over_budget", base); })) << log();
  EXPECT_NE(text_of(state_ / "pretend/events").find("rule 00000000-0000-4000-8000-000000000002: steps_over_budget: more than 50000 steps within a minute; suspended until the next [00000000-0000-4000-8000-000000000002]"), std::string::npos) << text_of(state_ / "pretend/events");
  const size_t then = detections(base);
  EXPECT_TRUE(await([&] { return detections(base) > then + 20; })) << log();
  EXPECT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("suspended rule 00000000-0000-4000-8000-000000000002: steps_over_budget") != std::string::npos; })) << log();
  EXPECT_EQ(count(state_ / "pretend/events", "cpu_over_budget"), 1u) << "said once";
  EXPECT_FALSE(event("worker_crash", base));
}

TEST_F(Processes, TheShippedWorkerHasNoFaultPoints) {
  EXPECT_EQ(text_of(kBin / "creance-sensor-worker").find("fault-point"), std::string::npos);
  EXPECT_NE(text_of(kBin / "creance-sensor-worker-demo").find("fault-point"), std::string::npos);
}

TEST_F(Processes, DamagedContentNeverReachesTheLiveWorker) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set damaged = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")}, [](ipc::SetRecord& record, const fs::path& folder) {
    std::fstream file(folder / std::string(record.files[0].name.view()), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300);
    file.put('\x7f');
  });
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  const int pid = worker_pid();
  offer(damaged, "go");
  ASSERT_TRUE(await([&] { return event("verify_failed", damaged) && runs(base); })) << log();
  const Set foreign = make_set(3, {rule("02", kPipe, "PipeName|contains: good_1")}, [](ipc::SetRecord& record, const fs::path&) { record.files[0].fingerprint[0] ^= 1; });
  offer(foreign, "go");
  ASSERT_TRUE(await([&] { return event("verify_failed", foreign) && runs(base); })) << log();
  EXPECT_NE(text_of(state_ / "pretend/events").find("another interface of windows.pipe_created"), std::string::npos) << text_of(state_ / "pretend/events");
  EXPECT_EQ(worker_pid(), pid);
}

TEST_F(Processes, AHaltTakesTheHostBack) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start("creance-sensor-worker", "boot-1", 60'000);
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(next, "go");
  ASSERT_TRUE(await([&] { return runs(next, "probation"); })) << log();
  std::ofstream(state_ / "pretend/offer", std::ios::trunc).flush();
  std::ofstream(state_ / "pretend/taken-back") << to_hex(next);
  ASSERT_TRUE(await([&] { return event("returned", next) && runs(base); })) << log();
  EXPECT_FALSE(event("worker_crash", next));
}

TEST_F(Processes, ARebootInProbationReturnsBeforeTheNewContentIsRead) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start("creance-sensor-worker", "boot-1", 60'000);
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(next, "go");
  ASSERT_TRUE(await([&] { return runs(next, "probation"); })) << log();
  sensor_.signal(SIGKILL);  // the power fails
  sensor_.wait();
  fs::remove_all(state_ / "sets" / to_hex(next));  // whoever reads one byte of it now fails
  start("creance-sensor-worker", "boot-2");
  ASSERT_TRUE(await([&] { return event("unclean_reboot", next) && event("returned", next) && runs(base); })) << log();
  EXPECT_FALSE(event("verify_failed", next));
  const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
  ASSERT_TRUE(refusals);
  EXPECT_TRUE(refusals->contains(next));
}

TEST_F(Processes, InstancesThatReadWhatTheHostCannotSayAreHeldAndNamed) {
  const std::string parent = rule("03", kLinux, "ParentCommandLine|contains: x");
  const Set base = make_set(1, {rule("01", kLinux, "Image|endswith: /mkfifo"), parent});
  good({base});
  os::Launch launch;
  launch.program = kBin / "creance-sensor";
  launch.arguments = {"run", "--state", state_.string(), "--live", "--offline"};
  launch.log = state_ / "log";
  auto child = os::ChildProcess::start(launch);
  ASSERT_TRUE(child);
  sensor_ = std::move(*child);
  ASSERT_TRUE(await([&] { return status().find("\"worker_pid\":") != std::string::npos && log().find("worker ready") != std::string::npos; })) << log();
  if (log().find("cannot be watched live") != std::string::npos) GTEST_SKIP() << "no eBPF here";
  ASSERT_TRUE(await([&] { return status().find(R"({"rule_id":"00000000-0000-4000-8000-000000000003","input":"ParentCommandLine"})") != std::string::npos; })) << status();
  EXPECT_NE(status().find("\"held_count\":1"), std::string::npos) << status();
}

// Privileges that a host may not give, taken away for real: what is not in the bounding set, the children of setpriv do not have.
const std::vector<std::string> kNoBpf = {"/usr/bin/setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"};
const std::vector<std::string> kNoBpfInAContainer = {"/usr/bin/unshare", "--pid", "--fork", "--kill-child", "/usr/bin/setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"};

class Fallback : public Processes {
 protected:
  // True: the worker is ready under `wrapped`. False: this machine does not let privileges be taken away (skip).
  bool start_live(std::vector<std::string> wrapped, const std::vector<std::string>& more = {}) {
    const auto probe = [&] {
      auto arguments = wrapped;
      arguments.push_back("/bin/true");
      auto child = os::ChildProcess::start({arguments[0], {arguments.begin() + 1, arguments.end()}, {}, {}, {}});
      return child && child->wait().clean();
    };
    if (::geteuid() != 0 || !probe()) return false;
    wrapped.insert(wrapped.end(), {(kBin / "creance-sensor").string(), "run", "--state", state_.string(), "--live", "--offline"});
    wrapped.insert(wrapped.end(), more.begin(), more.end());
    os::Launch launch;
    launch.program = wrapped[0];
    launch.arguments.assign(wrapped.begin() + 1, wrapped.end());
    launch.log = state_ / "log";
    auto child = os::ChildProcess::start(launch);
    EXPECT_TRUE(child);
    if (child) sensor_ = std::move(*child);
    EXPECT_TRUE(await([&] { return log().find("worker ready") != std::string::npos && !status().empty(); })) << log();
    return true;
  }
  bool holds(const std::string& id, const std::string& input) const { return status().find(fmt::format(R"({{"rule_id":"00000000-0000-4000-8000-0000000000{}","input":"{}"}})", id, input)) != std::string::npos; }

  Set linux_set() {
    return make_set(1, {rule("01", kLinux, "CommandLine|contains: creance-connector-probe"), rule("02", kLinux, "Hashes|contains: x"), rule("03", "    product: linux\n    category: fifo_created\n", "Path|contains: x"),
                        rule("04", "    product: linux\n    category: unix_socket\n", "SocketName|contains: x")});
  }
};

TEST_F(Fallback, WhereBpfIsRefusedProgramsAreSeenThroughTheProcessConnectorAndTheRestIsHeld) {
  good({linux_set()});
  if (!start_live(kNoBpf)) GTEST_SKIP() << "privileges cannot be taken away here (needs root and setpriv)";
  // The kernel is silent within a pid namespace; in the host's own one (its number is fixed) silence would be our mistake.
  const bool silent = log().find("nor through the process connector: the kernel does not answer") != std::string::npos;
  if (silent && fs::read_symlink("/proc/self/ns/pid") == "pid:[4026531836]") FAIL() << log();
  if (log().find("nor through the process connector") != std::string::npos) GTEST_SKIP() << "no process connector here";
  EXPECT_NE(log().find("collect: process connector: executed programs alone; eBPF cannot be used: "), std::string::npos) << log();
  EXPECT_NE(log().find("worker ready: collector process connector, 3 types"), std::string::npos) << log();
  ASSERT_TRUE(await([&] { return holds("02", "Hashes") && holds("03", "Path") && holds("04", "SocketName"); })) << status();
  EXPECT_NE(status().find("\"held_count\":3"), std::string::npos) << status();
  EXPECT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("held rule 00000000-0000-4000-8000-000000000003: this host cannot say Path") != std::string::npos; }));
  ASSERT_TRUE(await([&] {
    auto probe = os::ChildProcess::start({"/bin/sh", {"-c", "sleep 0.2 # creance-connector-probe"}, {}, {}, {}});
    if (probe) probe->wait();
    return status().find("\"matches\":0,") == std::string::npos;
  })) << status();
}

TEST_F(Fallback, WhereTheConnectorIsRefusedTooTheGivenEventsAreReplayed) {
  good({make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})});
  if (!start_live(kNoBpfInAContainer, {"--events", (state_ / "events.jsonl").string(), "--rate", "100"})) GTEST_SKIP() << "pid namespaces cannot be made here (needs root)";
  EXPECT_NE(log().find("collect: this host cannot be watched live: "), std::string::npos) << log();
  EXPECT_NE(log().find("BPF is not permitted to this process"), std::string::npos) << log();
  EXPECT_NE(log().find("nor through the process connector: the kernel does not answer"), std::string::npos) << log();  // and is not taken for one that sees nothing
  EXPECT_NE(log().find("worker ready: collector replay of"), std::string::npos) << log();
  EXPECT_TRUE(await([&] { return status().find("\"matches\":10,") != std::string::npos; })) << status();
}

TEST_F(Fallback, WhereNothingWorksEveryRuleIsHeldAndListed) {
  good({linux_set()});
  if (!start_live(kNoBpfInAContainer)) GTEST_SKIP() << "pid namespaces cannot be made here (needs root)";
  EXPECT_NE(log().find("worker ready: collector none, 3 types"), std::string::npos) << log();
  EXPECT_TRUE(await([&] { return holds("01", "CommandLine") && holds("02", "Hashes") && holds("03", "Path") && holds("04", "SocketName"); })) << status();
  EXPECT_NE(status().find("\"state\":\"steady\""), std::string::npos) << status();
}

TEST_F(Processes, ASetIsNotClearedAwayWhileAnAdmitFillsIt) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  auto filling = os::Lock::take(state_ / "sets", os::Lock::Kind::kShared, "held");  // as an admit does that a killed supervisor left behind
  ASSERT_TRUE(filling);
  const fs::path half = state_ / "sets" / std::string(64, 'a');  // no record yet
  fs::create_directories(half);
  std::ofstream(half / "windows.pipe_created.channel") << "x";
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(next, "go");
  ASSERT_TRUE(await([&] { return event("probation_passed", next) && runs(next); })) << log();  // several ends of a phase, at each of which is cleared
  EXPECT_TRUE(fs::exists(half / "windows.pipe_created.channel")) << log();
  { const auto released = std::move(*filling); }
  EXPECT_TRUE(await([&] { return !fs::exists(half); })) << log();
  EXPECT_TRUE(fs::exists(state_ / "sets" / to_hex(base) / "set.bin"));
  EXPECT_TRUE(fs::exists(state_ / "sets" / to_hex(next) / "set.bin"));
}

TEST_F(Processes, StatusSaysHowOldItIsAndWhetherASensorRuns) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({base});
  const auto command = [&](std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin() + 1, {"--state", state_.string()});
    std::string line = "'" + (kBin / "creance-sensor").string() + "'", text;
    for (const std::string& argument : arguments) line += " '" + argument + "'";
    FILE* const out = ::popen(line.c_str(), "r");
    for (int c = 0; (c = std::fgetc(out)) != EOF;) text += static_cast<char>(c);
    EXPECT_EQ(WEXITSTATUS(::pclose(out)), code) << line << '\n' << text;
    return text;
  };
  EXPECT_EQ(command({"status"}, 2), "") << "nothing was ever written";
  start();
  ASSERT_TRUE(await([&] { return runs(base) && status().find("\"state\":\"steady\"") != std::string::npos; })) << log();
  EXPECT_NE(command({"status"}, 0).find("by the sensor that runs\nstate      "), std::string::npos);
  EXPECT_EQ(command({"why"}, 0).find("written    "), 0u);
  const std::string json = command({"status", "--json"}, 0);
  EXPECT_EQ(json.find("{\"written_at\":\"2"), 0u) << json;
  EXPECT_NE(json.find("\"running\":true,\"state\":\"steady\""), std::string::npos) << json;
  // Stopped: the lock is held, and what is shown gets old.
  sensor_.signal(SIGSTOP);
  int stopped = 0;
  ASSERT_EQ(::waitpid(sensor_.pid(), &stopped, WUNTRACED), sensor_.pid());
  fs::last_write_time(state_ / "state/status.txt", fs::file_time_type::clock::now() - std::chrono::minutes(3));
  EXPECT_NE(command({"status"}, 1).find("a sensor runs, but WRITES NOTHING any more"), std::string::npos);
  sensor_.signal(SIGKILL);
  sensor_.wait();
  EXPECT_NE(command({"status"}, 1).find("NO SENSOR RUNS on this folder"), std::string::npos);
  EXPECT_NE(command({"why"}, 1).find("NO SENSOR RUNS on this folder"), std::string::npos);
  EXPECT_NE(command({"status", "--json"}, 1).find("\"running\":false,\"state\":\"steady\""), std::string::npos);
}

TEST_F(Processes, ASecondSensorOnTheSameFolderIsRefused) {
  good({make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})});
  start();
  ASSERT_TRUE(await([&] { return !status().empty(); }));
  os::Launch launch;
  launch.program = kBin / "creance-sensor";
  launch.arguments = {"run", "--state", state_.string(), "--events", (state_ / "events.jsonl").string(), "--offline"};
  launch.log = state_ / "second-log";
  auto second = os::ChildProcess::start(launch);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->wait().code, 2);
  EXPECT_NE(text_of(state_ / "second-log").find("already runs"), std::string::npos);
}

}  // namespace
}  // namespace creance::sensor

// What bounds the sensor's processes: control groups (a folder that is set out as the kernel's), resident memory as the supervisor measures it, and the numbers that it reads for that.
#include <sys/stat.h>

#include "base/os/cgroup.hpp"
#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

// Little, so that growing takes a moment on a slow machine too; a sanitizer needs more to begin with.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const std::vector<std::string> kLittleMemory = {"--memory-mib", "512"};
#else
const std::vector<std::string> kLittleMemory = {"--memory-mib", "96"};
#endif

TEST(Statm, GivesTheResidentPagesAndNothingOfAnotherText) {
  EXPECT_EQ(os::resident_pages("1234 56 7 8 0 9 0\n"), 56u);
  for (const char* text : {"", "1234", "1234 ", "a b c", "1 -2"}) EXPECT_FALSE(os::resident_pages(text)) << text;
  EXPECT_FALSE(os::resident_pages("1 99999999999999999999999 3"));
  EXPECT_EQ(os::run_delay("803000123 91000456 1203\n"), std::chrono::nanoseconds(91'000'456));
  EXPECT_FALSE(os::run_delay(""));
}

TEST(ResidentBytes, AreThoseOfTheChild) {
  auto child = os::ChildProcess::start({"/bin/cat", {}, {}, {}, {}});
  ASSERT_TRUE(child) << child.error().detail;
  const auto bytes = child->resident_bytes();
  if (fs::read_symlink("/proc/self").string() != std::to_string(::getpid())) GTEST_SKIP() << "/proc is of another pid namespace";
  ASSERT_TRUE(bytes);
  EXPECT_LT(*bytes, 64u << 20);
  child->wait();
  EXPECT_FALSE(child->resident_bytes()) << "of one that is gone nothing is known";
}

TEST(Cgroup, FindsItsFolderInWhatTheKernelSays) {
  EXPECT_EQ(os::cgroup_path("9:name=systemd:/x\n0::/system.slice/creance-sensor.service\n"), "/system.slice/creance-sensor.service");
  EXPECT_EQ(os::cgroup_path("0::/\n"), "/");
  for (const char* text : {"", "4:memory:/x\n", "0::", "0::x\n"}) EXPECT_FALSE(os::cgroup_path(text)) << text;
  EXPECT_EQ(os::cgroup_mount("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"), "/sys/fs/cgroup/unified");
  for (const char* text : {"", "\n", "cgroup2\n", "x y\n", "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n"}) EXPECT_FALSE(os::cgroup_mount(text)) << text;
  EXPECT_EQ(os::number_behind("low 0\noom 1\noom_kill 7\noom_group_kill 2\n", "oom_kill"), 7u);
  for (const char* text : {"", "oom_kill", "oom_kill ", "oom_kill x\n", "oom_kill 7x\n", "oom_kills 7\n", "oom_kill 99999999999999999999999\n"}) EXPECT_FALSE(os::number_behind(text, "oom_kill")) << text;
}

class CgroupFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / fmt::format("creance-cgroup-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "slice/service/supervisor");
    write("mounts", fmt::format("cgroup2 {} cgroup2 rw 0 0\n", folder_.string()));
    write("self", "0::/slice/service\n");
    write("slice/service/cgroup.controllers", "cpu io memory pids\n");
    write("slice/service/cgroup.subtree_control", "");
    write("slice/service/cgroup.procs", fmt::format("{}\n", ::getpid()));
    write("slice/service/supervisor/cgroup.procs", "");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const fs::path& file, const std::string& text) { std::ofstream(folder_ / file) << text; }
  std::string read(const fs::path& file) const { return text_of(folder_ / file); }
  Result<os::CgroupTree> own() const { return os::CgroupTree::own(folder_ / "mounts", folder_ / "self"); }
  void make_leaf(const std::string& name) {  // as the kernel would when the folder is made
    fs::create_directories(folder_ / "slice/service" / name);
    for (const char* file : {"cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.weight", "cpu.max"}) write(fs::path("slice/service") / name / file, "");
    write(fs::path("slice/service") / name / "memory.events", "low 0\noom 0\noom_kill 0\noom_group_kill 0\n");
  }
  fs::path folder_;
};

TEST_F(CgroupFolder, OfAServiceHasALeafForEachProcess) {
  const auto tree = own();
  ASSERT_TRUE(tree) << tree.error().detail;
  EXPECT_EQ(read("slice/service/supervisor/cgroup.procs"), "0") << "this process itself is in a leaf: a group with controllers below it has none";
  make_leaf("worker");
  const auto procs = tree->leaf("worker", {.memory_bytes = 1000, .processes = 4, .cpu_weight = 25, .cpu_percent = 50});
  ASSERT_TRUE(procs) << procs.error().detail;
  EXPECT_EQ(read("slice/service/worker/memory.max"), "1000");
  EXPECT_EQ(read("slice/service/worker/memory.swap.max"), "0");
  EXPECT_EQ(read("slice/service/worker/memory.oom.group"), "1");
  EXPECT_EQ(read("slice/service/worker/pids.max"), "4");
  EXPECT_EQ(read("slice/service/worker/cpu.weight"), "25");
  EXPECT_EQ(read("slice/service/worker/cpu.max"), "50000 100000");
  os::Launch launch;
  launch.program = "/bin/true";
  launch.cgroup = procs->get();
  auto child = os::ChildProcess::start(launch);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait().clean());
  EXPECT_EQ(read("slice/service/worker/cgroup.procs"), "0") << "the child went in before it was the program";
  EXPECT_EQ(tree->oom_kills("worker"), 0u);
  write("slice/service/worker/memory.events", "oom 1\noom_kill 1\noom_group_kill 1\n");
  EXPECT_EQ(tree->oom_kills("worker"), 2u);
  EXPECT_EQ(tree->oom_kills("admit"), 0u);
}

TEST_F(CgroupFolder, ThatIsNotItsAloneOrHasNoControllersIsLeftAlone) {
  const auto refused = [&] {
    const auto tree = own();
    return tree ? std::string() : tree.error().detail;
  };
  write("slice/service/cgroup.procs", fmt::format("1\n{}\n", ::getpid()));
  EXPECT_NE(refused().find("is not this sensor's alone"), std::string::npos) << refused();
  EXPECT_EQ(read("slice/service/supervisor/cgroup.procs"), "");
  write("slice/service/cgroup.procs", fmt::format("{}\n", ::getpid()));
  write("slice/service/cgroup.controllers", "cpuset hugetlb\n");
  EXPECT_NE(refused().find("without a memory controller"), std::string::npos) << refused();
  write("slice/service/cgroup.controllers", "memoryx\n");
  EXPECT_NE(refused(), "");
  write("self", "4:memory:/x\n");
  EXPECT_EQ(refused(), "no cgroup v2");
  write("mounts", "");
  EXPECT_EQ(refused(), "no cgroup v2");
}

TEST_F(CgroupFolder, ALeafWithoutAMemoryLimitIsNone) {
  const auto tree = own();
  ASSERT_TRUE(tree) << tree.error().detail;
  fs::create_directories(folder_ / "slice/service/worker");  // no control files
  EXPECT_FALSE(tree->leaf("worker", {.memory_bytes = 1000}));
}

// A control group of the kernel's for one test, where this host has cgroup v2 with a memory controller and lets us make one.
class OwnGroup {
 public:
  OwnGroup() {
    const auto mount = os::cgroup_mount(text_of("/proc/self/mounts"));
    if (!mount || text_of(fs::path(*mount) / "cgroup.subtree_control").find("memory") == std::string::npos) return;
    const fs::path folder = fs::path(*mount) / fmt::format("creance-test-{}", ::getpid());
    std::error_code refused;
    if (fs::create_directory(folder, refused)) folder_ = folder;
  }
  ~OwnGroup() {
    if (folder_.empty()) return;
    std::error_code refused;
    for (const auto& entry : fs::directory_iterator(folder_, refused))
      if (entry.is_directory()) ::rmdir(entry.path().c_str());
    ::rmdir(folder_.c_str());
  }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

TEST(Cgroup, OfTheKernelEndsWhatIsOverItsMemoryAndCountsIt) {
  const OwnGroup group;
  if (group.folder().empty()) GTEST_SKIP() << "no cgroup v2 with a memory controller that this test may use";
  const auto tree = os::CgroupTree::at(group.folder());
  ASSERT_TRUE(tree) << tree.error().detail;
  const auto procs = tree->leaf("worker", {.memory_bytes = 32u << 20, .processes = 4, .cpu_weight = 25, .cpu_percent = 50});
  ASSERT_TRUE(procs) << procs.error().detail;
  EXPECT_EQ(text_of(group.folder() / "worker/memory.max"), "33554432\n");
  EXPECT_EQ(text_of(group.folder() / "worker/pids.max"), "4\n");
  EXPECT_EQ(text_of(group.folder() / "worker/cpu.max"), "50000 100000\n");
  const auto end_of = [&](const char* block) {
    auto child = os::ChildProcess::start({.program = "/bin/dd", .arguments = {"if=/dev/zero", "of=/dev/null", block, "count=1"}, .cgroup = procs->get()});
    EXPECT_TRUE(child);
    return child ? child->wait() : os::ExitStatus{};
  };
  EXPECT_TRUE(end_of("bs=1048576").clean());
  EXPECT_EQ(tree->oom_kills("worker"), 0u);
  EXPECT_EQ(end_of("bs=268435456").signal, SIGKILL);
  EXPECT_GT(tree->oom_kills("worker"), 0u);
}

TEST_F(Processes, OfASensorInAGroupOfItsOwnAreEachInALeaf) {
  const OwnGroup group;
  if (group.folder().empty()) GTEST_SKIP() << "no cgroup v2 with a memory controller that this test may use";
  cgroup_ = ipc::Descriptor(::open((group.folder() / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(cgroup_);
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set leaky = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1", "creance.fault-point.worker-leak")});
  good({base});
  start("creance-sensor-worker-demo", "boot-1", 60'000, kLittleMemory);
  ASSERT_TRUE(await([&] { return runs(base) && worker_pid() > 0; }, 60)) << log();
  EXPECT_NE(status().find("\"limits\":\"cgroup v2 `"), std::string::npos) << status();
  EXPECT_TRUE(text_of(fmt::format("/proc/{}/cgroup", worker_pid())).ends_with("/worker\n"));
  EXPECT_TRUE(text_of(fmt::format("/proc/{}/cgroup", sensor_.pid())).ends_with("/supervisor\n"));
  offer(leaky, "go");
  ASSERT_TRUE(await([&] { return event("memory_over_budget", leaky) && event("returned", leaky) && runs(base); }, 90)) << log();
  sensor_.signal(SIGTERM);
  EXPECT_EQ(sensor_.wait().code, 0);
}

// What grows in its memory is ended for that, by whatever measures it here, and the host goes back.
TEST_F(Processes, AWorkerThatGrowsIsEndedForItsMemory) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set leaky = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1", "creance.fault-point.worker-leak")});
  good({base});
  start("creance-sensor-worker-demo", "boot-1", 60'000, kLittleMemory);
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  offer(leaky, "go");
  ASSERT_TRUE(await([&] { return event("memory_over_budget", leaky) && event("returned", leaky) && runs(base); }, 60)) << log();
  EXPECT_NE(log().find(" MiB"), std::string::npos) << log();
  const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
  ASSERT_TRUE(refusals && refusals->contains(leaky));
  EXPECT_EQ(refusals->list[0].reason, ipc::Reason::kMemoryOverBudget);
  EXPECT_FALSE(event("worker_crash", leaky));
}

// So is the throw-away process of a rehearsal: the new content never runs, what runs goes on undisturbed, and the reason is its memory.
TEST_F(Processes, ARehearsalThatGrowsIsEndedForItsMemory) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set leaky = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1", "creance.fault-point.rehearsal-leak")});
  good({base});
  start("creance-sensor-worker-demo", "boot-1", 60'000, kLittleMemory);
  ASSERT_TRUE(await([&] { return runs(base) && worker_pid() > 0; })) << log();
  const int worker = worker_pid();
  offer(leaky, "go");
  const auto refusals = [&] { return ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin"); };
  ASSERT_TRUE(await([&] {
    const auto now = refusals();
    return event("memory_over_budget", leaky) && now && now->contains(leaky);
  }, 60)) << log();
  EXPECT_NE(log().find("the rehearsal is ended: "), std::string::npos) << log();
  EXPECT_EQ(refusals()->list[0].reason, ipc::Reason::kMemoryOverBudget);
  EXPECT_NE(std::string(refusals()->list[0].detail.view()).find("the rehearsal ended with "), std::string::npos) << refusals()->list[0].detail.view();
  EXPECT_TRUE(await([&] { return runs(base); })) << log();
  EXPECT_EQ(worker_pid(), worker) << "the worker that runs was not touched";
  EXPECT_EQ(detections(leaky), 0u);
  EXPECT_FALSE(event("activated", leaky));
}

}  // namespace
}  // namespace creance::sensor

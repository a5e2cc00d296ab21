// New content in the middle of a stream of events: the worker's loop with its preparing thread, over real channel files; the test is the collector, the supervisor and the reader of detections.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <thread>

#include "sensor/processes.hpp"
#include "sensor/worker/worker.hpp"

namespace creance::sensor {
namespace {

// Numbered events, as many ahead of their reader as its socket takes; one that was not consumed comes again.
class Numbered final : public Collector {
 public:
  explicit Numbered(std::atomic<uint64_t>& read) : read_(read), always_(::eventfd(1, EFD_CLOEXEC)) {
    const schema::TemplateType* type = schema::Catalog::embedded().find("windows.pipe_created");
    supplied_.push_back({type, std::vector<bool>(type->inputs.size(), true)});
    values_.resize(type->inputs.size());
    name_ = static_cast<size_t>(std::ranges::find(type->inputs, "PipeName", &schema::InputDefinition::name) - type->inputs.begin());
  }
  std::string name() const override { return "numbers"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return always_.get(); }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return 0; }
  void consumed() override { consumed_.fetch_add(1); }
  Status fill_synthetic(uint32_t, std::span<schema::InputValue>) override { return {}; }
  Next next(MonotonicTime, Event& out) override {
    constexpr uint64_t kAheadMax = 64;
    if (consumed_ - read_ >= kAheadMax) return Next::kNothing;
    text_ = fmt::format("\\event-{}", consumed_.load());
    values_[name_] = schema::InputValue(std::string_view(text_));
    out = {0, {values_, {}, {}}, WallTime{}};
    return Next::kEvent;
  }
  uint64_t consumed_so_far() const { return consumed_; }

 private:
  std::atomic<uint64_t>& read_;
  std::atomic<uint64_t> consumed_{0};
  ipc::Descriptor always_;
  std::vector<Supplied> supplied_;
  std::vector<schema::InputValue> values_;
  size_t name_ = 0;
  std::string text_;
};

// Goes on with every look, so that no budget of hits or bytes within a time is ever used up.
class Hurrying final : public Clock {
 public:
  WallTime wall() const override { return WallTime(MonotonicTime(1)); }
  MonotonicTime monotonic() const override { return MonotonicTime(now_.fetch_add(7)); }

 private:
  mutable std::atomic<int64_t> now_{1'000};
};

class Swap : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    sets_ = ipc::Descriptor(::open((state_ / "sets").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    memory_ = ipc::Descriptor(::memfd_create("memory", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(memory_.get(), ipc::kWorkerMemoryBytes), 0);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    lines_ = ipc::Descriptor(ends[0]);
    detections_ = ipc::Descriptor(ends[1]);
    for (uint8_t i = 1; i <= 5; ++i) {
      good_.push_back(make_set(i, {rule(fmt::format("{:02}", i), kPipe, "PipeName|contains: event")}));
      put(good_.back());
    }
    damaged_ = make_set(9, {rule("09", kPipe, "PipeName|contains: event")}, [](ipc::SetRecord& record, const fs::path&) { record.files[0].sha256[0] ^= 1; });
    put(damaged_);
    auto pair = ipc::Socket::pair(ipc::Process::kSupervisor, ipc::Process::kWorker);
    ASSERT_TRUE(pair);
    supervisor_ = std::move(pair->first);
    auto recent = RecentEvents::map(memory_.get(), true);
    ASSERT_TRUE(recent);
    auto collector = std::make_unique<Numbered>(read_);
    events_ = collector.get();
    auto preparer = Preparer::start([this, supplied = collector->supplied()](const Set& set) { return ActiveSet::load(sets_.get(), set, supplied); });
    ASSERT_TRUE(preparer) << preparer.error().detail;
    worker_ = std::make_unique<Worker>(WorkerOptions{"host-1", "1", detections_.get(), -1, good_[0]}, std::move(pair->second), std::move(collector), std::move(*recent), clock_);
    accepted_ = {good_[0]};
    loop_ = std::thread([this, made = std::move(*preparer)]() mutable { code_ = worker_->run(std::move(made)); });
  }
  void TearDown() override {
    supervisor_.close();
    if (loop_.joinable()) loop_.join();
    Processes::TearDown();
  }

  void ask(const Set& set) {
    ASSERT_TRUE(supervisor_.send(ipc::Activate{set}, ipc::Process::kSupervisor));
    asked_.push_back(set);
    if (set != damaged_) accepted_.push_back(set);
  }
  // Every line is of the next event, and of the same set as the line before or of one that was asked for later.
  void read_lines() {
    char line[limits::kDetectionBytesMax];
    for (ssize_t n; (n = ::recv(lines_.get(), line, sizeof line, MSG_DONTWAIT)) > 0; ++read_) {
      const std::string_view text(line, static_cast<size_t>(n));
      uint64_t number = 0;
      const size_t at = text.find("event-") + 6;
      std::from_chars(text.data() + at, text.data() + text.size(), number);
      ASSERT_EQ(number, read_) << text;
      while (running_ < accepted_.size() && text.find(to_hex(accepted_[running_])) == std::string_view::npos) ++running_;
      ASSERT_LT(running_, accepted_.size()) << text;
    }
  }
  void hear() {
    for (;;) {
      const auto frame = supervisor_.receive();
      if (!frame) return;
      if (frame->is<ipc::Activated>()) answers_.push_back(frame->as<ipc::Activated>().set);
      if (frame->is<ipc::ActivationFailed>()) {
        EXPECT_EQ(frame->as<ipc::ActivationFailed>().set, damaged_) << frame->as<ipc::ActivationFailed>().detail.view();
        answers_.push_back(frame->as<ipc::ActivationFailed>().set);
      }
    }
  }
  // Reads until all that was asked is answered, and so many events more have come.
  bool follow(uint64_t more) {
    std::optional<uint64_t> then;
    const os::RealClock clock;
    for (const MonotonicTime until = clock.monotonic() + MonotonicTime(60'000); clock.monotonic() < until;) {
      pollfd waits[] = {{lines_.get(), POLLIN, 0}, {supervisor_.fd(), POLLIN, 0}};
      ::poll(waits, 2, 1'000);
      read_lines();
      hear();
      if (HasFatalFailure()) return false;
      if (!then && answers_.size() == asked_.size() + 1) then = read_ + more;
      if (then && read_ >= *then) return true;
    }
    return false;
  }

  ipc::Descriptor sets_, memory_, lines_, detections_;
  ipc::Socket supervisor_;
  Hurrying clock_;
  std::atomic<uint64_t> read_{0};
  Numbered* events_ = nullptr;
  std::unique_ptr<Worker> worker_;
  std::thread loop_;
  int code_ = -1;
  std::vector<Set> good_, asked_, accepted_, answers_;
  Set damaged_{};
  size_t running_ = 0;
};

TEST_F(Swap, LosesNoEventAndEvaluatesNoneTwice) {
  for (size_t i = 1; i <= 100; ++i) {
    ask(good_[i % good_.size()]);
    if (i % 3 == 0) ask(damaged_);                     // refused in between: what runs goes on
    if (i % 4 == 0)
      for (size_t quick = 1; quick <= 6; ++quick) ask(good_[(i + quick) % good_.size()]);  // more than can be under way
    ASSERT_TRUE(follow(20)) << "swap " << i;
    ASSERT_EQ(accepted_[running_], accepted_.back()) << "the last one that was asked for runs";
    running_ = accepted_.size() - 1;
  }
  asked_.insert(asked_.begin(), good_[0]);
  EXPECT_EQ(answers_, asked_) << "each question has its answer, in order";
}

TEST_F(Swap, AnEndInTheMiddleLosesNothing) {
  ASSERT_TRUE(follow(50));
  for (size_t i = 1; i <= 4; ++i) ask(good_[i]);
  supervisor_.close();
  loop_.join();
  EXPECT_EQ(code_, 0);
  read_lines();
  EXPECT_EQ(read_, events_->consumed_so_far()) << "what was consumed was evaluated, and what was evaluated was consumed";
}

}  // namespace
}  // namespace creance::sensor

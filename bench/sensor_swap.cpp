#include "sensor_swap.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/os/real.hpp"
#include "channel/verified_correlations.hpp"
#include "compiler/build.hpp"
#include "interpreter/correlation.hpp"
#include "sensor/worker/worker.hpp"
#include "sigma/parser.hpp"
#include "streams.hpp"
#include "support/set_files.hpp"

namespace creance::bench {
namespace {
namespace fs = std::filesystem;
using sensor::ActiveSet;

int64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

constexpr size_t kEventsMax = 8'000'000;
constexpr size_t kBehind = 256;  // events that a swap may have delayed

// The same events over and over until it is told to stop; notes how long each took, from when the one before it was done.
class Measured final : public sensor::Collector {
 public:
  Measured(const std::vector<const OwnedEvent*>& events, const std::vector<const schema::TemplateType*>& types) : events_(events), always_(::eventfd(1, EFD_CLOEXEC)) {
    for (const schema::TemplateType* type : types) supplied_.push_back({type, std::vector<bool>(type->inputs.size(), true)});
    for (const OwnedEvent* event : events) type_of_.push_back(static_cast<uint32_t>(std::ranges::find(types, event->type) - types.begin()));
    for (std::vector<int64_t>* times : {&cpu, &wall}) {
      times->resize(kEventsMax);  // its pages are touched now
      times->clear();
    }
  }
  std::string name() const override { return "memory"; }
  std::span<const sensor::Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return always_.get(); }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return 0; }
  void wants(const std::function<bool(uint32_t)>&) override { swapped.push_back(cpu.size()); }
  Status fill_synthetic(uint32_t, std::span<schema::InputValue>) override { return {}; }
  sensor::Next next(MonotonicTime, sensor::Event& out) override {
    if (stop || cpu.size() == kEventsMax) return sensor::Next::kNothing;
    if (between && at_ % 1'024 == 0) between();
    out = {type_of_[at_ % events_.size()], events_[at_ % events_.size()]->inputs(), WallTime{}};
    return sensor::Next::kEvent;
  }
  void consumed() override {
    const int64_t cpu_now = nanoseconds(CLOCK_THREAD_CPUTIME_ID), wall_now = nanoseconds(CLOCK_MONOTONIC);
    if (at_++ > 10'000) {  // warm
      cpu.push_back(cpu_now - cpu_before_);
      wall.push_back(wall_now - wall_before_);
    }
    cpu_before_ = cpu_now;
    wall_before_ = wall_now;
  }

  std::atomic<bool> stop{false};
  std::function<void()> between;
  std::vector<int64_t> cpu, wall;
  std::vector<size_t> swapped;  // the event that was the first after each swap

 private:
  const std::vector<const OwnedEvent*>& events_;
  ipc::Descriptor always_;
  std::vector<sensor::Supplied> supplied_;
  std::vector<uint32_t> type_of_;
  size_t at_ = 0;
  int64_t cpu_before_ = 0, wall_before_ = 0;
};

std::string spread(std::vector<int64_t>& times) {
  std::ranges::sort(times);
  const auto at = [&](double share) { return static_cast<double>(times[std::min(times.size() - 1, static_cast<size_t>(static_cast<double>(times.size()) * share))]) / 1e3; };
  return fmt::format("median {:.2f} µs, 99.99 % {:.0f} µs, longest {:.0f} µs", at(0.5), at(0.9999), static_cast<double>(times.back()) / 1e3);
}

// A release changes the list of correlations while all their memory is in use: what the event thread does for it, and the longest of the events that follow.
std::string swap_of_full_correlations(size_t swaps) {
  const auto built_of = [](const char* kinds) {
    std::string yaml = "title: Pipe\nname: pipe\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: windows, category: pipe_created}\ndetection: {sel: {PipeName|contains: x}, condition: sel}\n";
    for (const char* kind = kinds; *kind != 0; ++kind)
      yaml += fmt::format("---\ntitle: C\nid: 00000000-0000-4000-8000-0000000000c{0}\ncorrelation: {{type: event_count, rules: [pipe], group-by: [Image], timespan: {0}h, condition: {{gte: 1{0}}}}}\n", *kind);
    auto parsed = sigma::parse(yaml, "bench.yml");
    Diagnostics diagnostics;
    return compiler::build(parsed.rules, schema::Catalog::embedded(), diagnostics, parsed.correlations);
  };
  const auto before = built_of("123"), after = built_of("234");
  if (!before || !after || !before->correlations || !after->correlations) return "not compiled";
  const auto files = std::array{channel::VerifiedCorrelations::verify(before->correlations->bytes), channel::VerifiedCorrelations::verify(after->correlations->bytes)};
  if (!files[0] || !files[1]) return "not verified";
  const schema::TemplateType& type = *schema::Catalog::embedded().find("windows.pipe_created");
  std::vector<schema::InputValue> values(type.inputs.size());
  const size_t image = *type.input_index("Image");
  const uint32_t source[] = {0};
  uint64_t number = 0;
  std::string text;
  auto state = std::make_unique<interpreter::CorrelationState>(*files[0], interpreter::Hash128{1, 2});
  const auto event = [&] {
    text = fmt::format("image-{}", number++);
    values[image] = schema::InputValue(text);
    (void)state->observe({0, source, {values, {}, {}}, 1'000'000});
  };
  std::vector<int64_t> swapped, longest;
  for (size_t swap = 0; swap < swaps; ++swap) {
    while (state->counts().evicted == 0) event();
    auto next = std::make_unique<interpreter::CorrelationState>(*files[(swap + 1) % 2], interpreter::Hash128{1, 2});
    const int64_t from = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    (void)next->inherit(*state);
    swapped.push_back(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - from);
    state = std::move(next);
    longest.push_back(0);
    for (size_t n = 0; n < 4'096; ++n) {
      const int64_t began = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
      event();
      longest.back() = std::max(longest.back(), nanoseconds(CLOCK_THREAD_CPUTIME_ID) - began);
    }
  }
  return fmt::format("in the event's thread {}; the longest of 4,096 events from each on: {}", spread(swapped), spread(longest));
}

}  // namespace

int measure_swaps(const std::vector<std::string>& folders, const std::vector<std::string>& files, size_t swaps) {
  const auto complain = [](const std::string& what) {
    fmt::print(stderr, "creance_sensor_bench: {}\n", what);
    return 2;
  };
  const std::vector<sigma::Rule> rules = read_rules(folders);
  Diagnostics diagnostics;
  const auto built = compiler::build(rules, schema::Catalog::embedded(), diagnostics);
  if (!built || built->channels.empty()) return complain(built ? "no rule compiles" : built.error().detail);
  std::vector<const schema::TemplateType*> types;
  for (const auto& channel : built->channels) types.push_back(channel.type);
  const Events events = read_events(files);
  const auto mixed = side_by_side(stream(events, "mixed", 20'000, {types.begin(), types.end()}));
  std::vector<const OwnedEvent*> at;
  for (const OwnedEvent& event : mixed) at.push_back(&event);
  if (at.empty()) return complain("no event of these rules' Types");
  const fs::path folder = fs::temp_directory_path() / fmt::format("creance-swaps-{}", ::getpid());
  os::RealFileSystem disk;
  ipc::Set sets[2];
  for (uint8_t tag = 1; tag <= 2; ++tag) {
    const auto written = test::write_set(disk, folder, tag, *built);
    if (!written) return complain(written.error().detail);
    sets[tag - 1] = *written;
  }
  const ipc::Descriptor sets_folder(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  fmt::print("{} channels, {} events, {} swaps\n", types.size(), at.size(), swaps);
  const os::RealClock clock;
  for (const char* way : {"no swap", "made ready in another thread", "made ready in the event's thread"}) {
    const bool swapping = std::string_view(way).ends_with("another thread"), between = std::string_view(way).ends_with("event's thread");
    auto pair = ipc::Socket::pair(ipc::Process::kSupervisor, ipc::Process::kWorker);
    const ipc::Descriptor memory(::memfd_create("memory", MFD_CLOEXEC));
    int ends[2];
    if (!pair || ::ftruncate(memory.get(), ipc::kWorkerMemoryBytes) != 0 || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return complain("no sockets");
    const ipc::Descriptor lines(ends[0]), detections(ends[1]);  // nobody reads: over the budget they are counted and dropped
    auto recent = sensor::RecentEvents::map(memory.get(), true);
    auto collector = std::make_unique<Measured>(at, types);
    Measured& measured = *collector;
    const auto load = [&, supplied = measured.supplied()](const ipc::Set& set) { return ActiveSet::load(sets_folder.get(), set, supplied); };
    std::unique_ptr<ActiveSet> held;
    std::atomic<size_t> done{0};
    if (between)
      measured.between = [&] {
        if (done >= swaps) return;
        measured.swapped.push_back(measured.cpu.size());
        held = std::move(*load(sets[done % 2]));
        ++done;
      };
    auto preparer = sensor::Preparer::start(load);
    if (!preparer) return complain(preparer.error().detail);
    sensor::Worker worker({"host", "1", detections.get(), -1, sets[0]}, std::move(pair->second), std::move(collector), std::move(*recent), clock);
    std::thread loop([&] { worker.run(std::move(*preparer)); });
    const MonotonicTime until = clock.monotonic() + MonotonicTime(between ? 60'000 : swapping ? 60'000 : 2'000);
    if (swapping) (void)pair->first.send(ipc::Activate{sets[1]}, ipc::Process::kSupervisor).has_value();
    bool first = true;
    while (clock.monotonic() < until && (done < swaps || !(swapping || between))) {
      pollfd waiting{pair->first.fd(), POLLIN, 0};
      ::poll(&waiting, 1, 20);
      while (const auto frame = pair->first.receive()) {
        if (!frame->is<ipc::Activated>()) continue;
        if (first) first = false;  // of the start
        else if (++done < swaps) (void)pair->first.send(ipc::Activate{sets[done % 2 == 0 ? 1 : 0]}, ipc::Process::kSupervisor).has_value();
      }
    }
    measured.stop = true;
    pair->first.close();
    loop.join();
    if (!swapping && !between)
      for (size_t n = 0; n < swaps; ++n) measured.swapped.push_back(n * measured.cpu.size() / (swaps + 1));
    fmt::print("{:<34} {} swaps, {} events\n", way, done.load(), measured.cpu.size());
    for (auto& [name, times] : {std::pair<const char*, std::vector<int64_t>&>{"processor time", measured.cpu}, {"by the clock", measured.wall}}) {
      std::vector<int64_t> longest;
      for (const size_t from : measured.swapped)
        if (from + kBehind < times.size() && (from > 0 || !swapping)) longest.push_back(*std::max_element(times.begin() + static_cast<ptrdiff_t>(from), times.begin() + static_cast<ptrdiff_t>(from + kBehind)));
      fmt::print("  {:<15} all: {}; the longest of {} from each swap on: {}\n", name, spread(times), kBehind, spread(longest));
    }
  }
  fmt::print("{:<34} {} swaps\n  {:<15} {}\n", "correlations changed, memory full", swaps, "processor time", swap_of_full_correlations(swaps));
  fs::remove_all(folder);
  return 0;
}

}  // namespace creance::bench

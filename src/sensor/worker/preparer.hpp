// Makes content ready in a thread of its own while events are evaluated with what runs, and frees there what was replaced: no event waits for either. Between the event
// thread and this one goes one pointer at a time, without a lock that one could hold while the other waits.
// Not a judge: what to do with an answer is the worker's. All members are for one thread, the event thread. Answers come in the order of the questions, each exactly once.
// Start it before the system-call filter: it is the only thread that the worker ever makes. Failure: where no thread or descriptor is to be had.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "sensor/worker/active_set.hpp"

namespace creance::sensor {

// At most N values on their way from one thread to one other. Neither ever waits.
template <class T, size_t N>
class Handover {
 public:
  bool put(T& value) {  // false, and `value` as it was: no room
    const size_t at = put_.load(std::memory_order_relaxed);
    if (at - taken_.load(std::memory_order_acquire) == N) return false;
    slots_[at % N].emplace(std::move(value));
    put_.store(at + 1, std::memory_order_release);
    return true;
  }
  std::optional<T> take() {
    const size_t at = taken_.load(std::memory_order_relaxed);
    if (at == put_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> value = std::exchange(slots_[at % N], std::nullopt);
    taken_.store(at + 1, std::memory_order_release);
    return value;
  }

 private:
  std::array<std::optional<T>, N> slots_;
  std::atomic<size_t> put_{0}, taken_{0};
};

class Preparer {
 public:
  static constexpr size_t kUnderWayMax = 4;
  using Load = std::function<Result<std::unique_ptr<ActiveSet>>(const ipc::Set&)>;  // runs in the other thread
  struct Ready {
    ipc::Set set{};
    Result<std::unique_ptr<ActiveSet>> content;
  };

  static Result<std::unique_ptr<Preparer>> start(Load load);
  ~Preparer();  // ends the thread; waits for the load that it is at

  bool full() const { return under_way_ == kUnderWayMax; }
  void want(ipc::Set set);             // not while full()
  int descriptor() const { return under_way_ > 0 ? ready_signal_.get() : -1; }  // readable when take() has something; -1: nothing is under way
  std::optional<Ready> take();
  Ready wait();                        // until there is an answer; something must be wanted
  void give_back(std::unique_ptr<ActiveSet> old);

 private:
  explicit Preparer(Load load) : load_(std::move(load)) {}
  void run();

  Load load_;
  ipc::Descriptor work_signal_, ready_signal_;
  Handover<ipc::Set, kUnderWayMax> wanted_;
  Handover<Ready, kUnderWayMax> ready_;
  Handover<std::unique_ptr<ActiveSet>, kUnderWayMax> old_;
  std::atomic<bool> ending_{false};
  size_t under_way_ = 0;  // wanted and not taken; the event thread's
  std::thread thread_;
};

}  // namespace creance::sensor

#include "sensor/worker/preparer.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/check.hpp"
#include "base/os/real.hpp"

namespace creance::sensor {
namespace {

void signal(const ipc::Descriptor& descriptor) {
  const uint64_t one = 1;
  CHECK(::write(descriptor.get(), &one, sizeof one) == sizeof one);
}

// Takes what was counted; false: nothing (of one that does not block).
bool await(const ipc::Descriptor& descriptor) {
  uint64_t count = 0;
  for (;;) {
    const ssize_t n = ::read(descriptor.get(), &count, sizeof count);
    if (n == sizeof count) return true;
    if (n < 0 && errno == EINTR) continue;
    return false;
  }
}

}  // namespace

Result<std::unique_ptr<Preparer>> Preparer::start(Load load) {
  std::unique_ptr<Preparer> preparer(new Preparer(std::move(load)));
  preparer->work_signal_ = ipc::Descriptor(::eventfd(0, EFD_CLOEXEC));
  preparer->ready_signal_ = ipc::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!preparer->work_signal_ || !preparer->ready_signal_) return fail(ErrorCode::kUnsupported, os::errno_error(errno, "cannot make", "event descriptor").detail);
  try {
    preparer->thread_ = std::thread(&Preparer::run, preparer.get());
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kUnsupported, std::string("cannot start the thread that makes content ready: ") + error.what());
  }
  // Its first signal: it has done what the filter will not let it do.
  for (pollfd waiting{preparer->ready_signal_.get(), POLLIN, 0}; !await(preparer->ready_signal_);) ::poll(&waiting, 1, -1);
  return preparer;
}

Preparer::~Preparer() {
  if (!thread_.joinable()) return;
  ending_.store(true, std::memory_order_release);
  signal(work_signal_);
  thread_.join();
}

void Preparer::want(ipc::Set set) {
  CHECK(!full());
  ++under_way_;
  CHECK(wanted_.put(set));
  signal(work_signal_);
}

std::optional<Preparer::Ready> Preparer::take() {
  for (bool looked_again = false; under_way_ > 0; looked_again = true) {
    if (auto ready = ready_.take()) {
      --under_way_;
      return ready;
    }
    // Of an answer that was taken before its signal came; the next one puts its answer first, and is seen by looking once more.
    if (looked_again || !await(ready_signal_)) break;
  }
  return std::nullopt;
}

Preparer::Ready Preparer::wait() {
  CHECK(under_way_ > 0);
  for (;;) {
    if (auto ready = take()) return std::move(*ready);
    pollfd waiting{ready_signal_.get(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
  }
}

void Preparer::give_back(std::unique_ptr<ActiveSet> old) {
  if (old_.put(old)) signal(work_signal_);  // no room: freed here, which is slow and right
}

void Preparer::run() {
  // Events come first where both want the same processor. Without either it only takes turns as any two threads do.
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_BATCH, &none);
  (void)::setpriority(PRIO_PROCESS, 0, 10);  // of this thread: Linux counts them one by one
  signal(ready_signal_);
  while (await(work_signal_)) {
    for (;;) {
      while (old_.take()) {
      }
      if (ending_.load(std::memory_order_acquire)) return;
      const auto set = wanted_.take();
      if (!set) break;
      Ready ready{*set, load_(*set)};
      CHECK(ready_.put(ready));
      signal(ready_signal_);
    }
  }
}

}  // namespace creance::sensor

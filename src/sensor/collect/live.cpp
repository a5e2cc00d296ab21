#include "sensor/collect/live.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/check.hpp"
#include "base/os/real.hpp"
#include "sensor/collect/linux_inputs.hpp"
#include "sensor/collect/ring_buffer.hpp"

namespace creance::sensor {
namespace {

KernelRecord synthetic(LinuxType type) {
  KernelRecord record;
  record.kind = type == LinuxType::kProcessCreation ? KernelRecord::Kind::kExec : type == LinuxType::kFifoCreated ? KernelRecord::Kind::kFifo : KernelRecord::Kind::kBind;
  record.pid = 4242;
  record.parent_pid = 1;
  record.mode = 010644;
  record.exe = "/usr/bin/creance-self-check";
  record.parent_exe = "/sbin/init";
  record.cwd = "/";
  record.command_line = "creance-self-check";
  record.name = "creance-self-check";
  return record;
}

class LiveCollector final : public Collector {
 public:
  LiveCollector(RingBuffer ring, const uint64_t* lost, const LiveOptions& options, const Clock& clock)
      : ring_(std::move(ring)), lost_(lost), descriptor_(options.ring_descriptor), clock_(clock), inputs_(options.host, Accounts(options.passwd)) {
    for (uint32_t i = 0; i < kLinuxTypeIds.size(); ++i) {
      const schema::TemplateType* type = schema::Catalog::embedded().find(kLinuxTypeIds[i]);
      CHECK(type != nullptr);
      Supplied supplied{type, std::vector<bool>(type->inputs.size(), true)};
      inputs_.fill(synthetic(static_cast<LinuxType>(i)), WallTime{}, values_);
      for (size_t n = 0; n < type->inputs.size(); ++n) supplied.available[n] = values_[n].presence != schema::Presence::kUnavailable;
      supplied_.push_back(std::move(supplied));
    }
  }
  ~LiveCollector() override {
    if (lost_ != nullptr) ::munmap(const_cast<uint64_t*>(lost_), static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  }

  std::string name() const override { return "ebpf"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return descriptor_; }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return malformed_ + (lost_ == nullptr ? 0 : std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(lost_)).load(std::memory_order_relaxed)); }

  Next next(MonotonicTime now, Event& out) override {
    for (;;) {
      const auto record = ring_.peek();
      if (!record) return Next::kNothing;
      if (!parse_kernel_record(*record, record_)) {
        ++malformed_;
        ring_.advance();
        continue;
      }
      const auto age = now - std::chrono::duration_cast<MonotonicTime>(std::chrono::nanoseconds(record_.boot_ns));
      out.time = clock_.wall() - std::max(age, MonotonicTime(0));
      out.type = static_cast<uint32_t>(LinuxInputs::type_of(record_));
      const size_t count = inputs_.fill(record_, out.time, values_);
      out.inputs = {std::span<const schema::InputValue>(values_).first(count), {}, {}};
      return Next::kEvent;
    }
  }
  void consumed() override { ring_.advance(); }

  Status fill_synthetic(uint32_t type, std::span<schema::InputValue> out) override {
    made_up_ = synthetic(static_cast<LinuxType>(type));
    inputs_.fill(made_up_, WallTime{}, out);
    return {};
  }

 private:
  RingBuffer ring_;
  const uint64_t* lost_;
  int descriptor_;
  const Clock& clock_;
  LinuxInputs inputs_;
  std::vector<Supplied> supplied_;
  KernelRecord record_, made_up_;
  std::array<schema::InputValue, limits::kInputsPerTypeMax> values_{};
  uint64_t malformed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> make_live_collector(const LiveOptions& options, const Clock& clock) {
  TRY(RingBuffer ring, RingBuffer::map(options.ring_descriptor, options.ring_bytes));
  const void* lost = ::mmap(nullptr, static_cast<size_t>(::sysconf(_SC_PAGESIZE)), PROT_READ, MAP_SHARED, options.lost_descriptor, 0);
  if (lost == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "loss counter"));
  return std::make_unique<LiveCollector>(std::move(ring), static_cast<const uint64_t*>(lost), options, clock);
}

}  // namespace creance::sensor

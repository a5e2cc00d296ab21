#include "sensor/collect/live.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/check.hpp"
#include "base/os/real.hpp"
#include "sensor/collect/ebpf/kernel_event.h"
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

// Where the records come from. peek() gives the same until advance().
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  virtual std::optional<BytesView> peek() = 0;
  virtual void advance() = 0;
  virtual uint64_t lost() const = 0;
};

class FromRing final : public RecordSource {
 public:
  FromRing(RingBuffer ring, const uint64_t* lost) : ring_(std::move(ring)), lost_(lost) {}
  ~FromRing() override { ::munmap(const_cast<uint64_t*>(lost_), static_cast<size_t>(::sysconf(_SC_PAGESIZE))); }
  std::optional<BytesView> peek() override { return ring_.peek(); }
  void advance() override { ring_.advance(); }
  uint64_t lost() const override { return std::atomic_ref<uint64_t>(*const_cast<uint64_t*>(lost_)).load(std::memory_order_relaxed); }

 private:
  RingBuffer ring_;
  const uint64_t* lost_;
};

class FromSocket final : public RecordSource {  // a datagram is taken out only when its event was evaluated: a restarted worker finds it again
 public:
  explicit FromSocket(int descriptor) : descriptor_(descriptor), bytes_(CE_HEAD_BYTES + CE_DATA_BYTES_MAX + 1) {}
  std::optional<BytesView> peek() override {
    const ssize_t n = receive(MSG_PEEK);
    if (n <= 0) return std::nullopt;
    return BytesView(bytes_).first(static_cast<size_t>(n));
  }
  void advance() override { receive(0); }
  uint64_t lost() const override { return 0; }

 private:
  ssize_t receive(int flags) {
    iovec part{bytes_.data(), bytes_.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;  // recvmsg, since the sandbox knows no other way to receive
    return ::recvmsg(descriptor_, &header, flags | MSG_DONTWAIT);
  }
  int descriptor_;
  Bytes bytes_;
};

class LiveCollector final : public Collector {
 public:
  LiveCollector(std::unique_ptr<RecordSource> source, const LiveOptions& options, const Clock& clock)
      : source_(std::move(source)), descriptor_(options.ring_descriptor), connector_(options.connector), clock_(clock), inputs_(options.host, Accounts(options.passwd)) {
    const size_t types = connector_ ? 1 : kLinuxTypeIds.size();  // the process connector knows executed programs alone
    for (uint32_t i = 0; i < types; ++i) {
      const schema::TemplateType* type = schema::Catalog::embedded().find(kLinuxTypeIds[i]);
      CHECK(type != nullptr);
      Supplied supplied{type, std::vector<bool>(type->inputs.size(), true)};
      inputs_.fill(synthetic(static_cast<LinuxType>(i)), WallTime{}, values_);
      for (size_t n = 0; n < type->inputs.size(); ++n) supplied.available[n] = values_[n].presence != schema::Presence::kUnavailable;
      supplied_.push_back(std::move(supplied));
    }
  }

  std::string name() const override { return connector_ ? "process connector" : "ebpf"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return descriptor_; }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return malformed_ + source_->lost(); }

  Next next(MonotonicTime now, Event& out) override {
    for (;;) {
      const auto record = source_->peek();
      if (!record) return Next::kNothing;
      const auto parsed = parse_kernel_record(*record, record_);
      if (!parsed || static_cast<size_t>(LinuxInputs::type_of(record_)) >= supplied_.size()) {
        ++malformed_;
        source_->advance();
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
  void consumed() override { source_->advance(); }

  Status fill_synthetic(uint32_t type, std::span<schema::InputValue> out) override {
    made_up_ = synthetic(static_cast<LinuxType>(type));
    inputs_.fill(made_up_, WallTime{}, out);
    return {};
  }

 private:
  std::unique_ptr<RecordSource> source_;
  int descriptor_;
  bool connector_;
  const Clock& clock_;
  LinuxInputs inputs_;
  std::vector<Supplied> supplied_;
  KernelRecord record_, made_up_;
  std::array<schema::InputValue, limits::kInputsPerTypeMax> values_{};
  uint64_t malformed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> make_live_collector(const LiveOptions& options, const Clock& clock) {
  if (options.connector) return std::make_unique<LiveCollector>(std::make_unique<FromSocket>(options.ring_descriptor), options, clock);
  TRY(RingBuffer ring, RingBuffer::map(options.ring_descriptor, options.ring_bytes));
  const void* lost = ::mmap(nullptr, static_cast<size_t>(::sysconf(_SC_PAGESIZE)), PROT_READ, MAP_SHARED, options.lost_descriptor, 0);
  if (lost == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "loss counter"));
  return std::make_unique<LiveCollector>(std::make_unique<FromRing>(std::move(ring), static_cast<const uint64_t*>(lost)), options, clock);
}

}  // namespace creance::sensor

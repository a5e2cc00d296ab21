#include "sensor/collect/live.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

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
  virtual std::optional<uint64_t> crashed() const = 0;
  virtual void set_unwanted(uint64_t kinds) { (void)kinds; }  // bits of ce_kind
};

// A page that goes on over restarts of the worker: what its writer (the kernel, or the process connector's reader) counts, and what this process wants of the kernel.
class SharedPage {
 public:
  static Result<SharedPage> map(int descriptor) {
    void* at = ::mmap(nullptr, static_cast<size_t>(::sysconf(_SC_PAGESIZE)), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (at == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "the collector's counters"));
    return SharedPage(static_cast<ce_shared*>(at));
  }
  SharedPage(SharedPage&& other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
  SharedPage& operator=(SharedPage&&) = delete;
  ~SharedPage() {
    if (at_ != nullptr) ::munmap(at_, static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  }
  uint64_t lost() const { return std::atomic_ref(at_->lost).load(std::memory_order_relaxed); }
  uint64_t crashed() const { return std::atomic_ref(at_->crashed).load(std::memory_order_relaxed); }
  void set_unwanted(unsigned long long kinds) { std::atomic_ref(at_->unwanted).store(kinds, std::memory_order_relaxed); }

 private:
  explicit SharedPage(ce_shared* at) : at_(at) {}
  ce_shared* at_;
};

class FromRing final : public RecordSource {
 public:
  FromRing(RingBuffer ring, SharedPage shared) : ring_(std::move(ring)), shared_(std::move(shared)) {}
  std::optional<BytesView> peek() override { return ring_.peek(); }
  void advance() override { ring_.advance(); }
  uint64_t lost() const override { return shared_.lost(); }
  std::optional<uint64_t> crashed() const override { return shared_.crashed(); }
  void set_unwanted(uint64_t kinds) override { shared_.set_unwanted(kinds); }

 private:
  RingBuffer ring_;
  SharedPage shared_;
};

class FromSocket final : public RecordSource {  // a datagram is taken out only when its event was evaluated: a restarted worker finds it again
 public:
  FromSocket(int descriptor, SharedPage shared) : descriptor_(descriptor), shared_(std::move(shared)), bytes_(CE_HEAD_BYTES + CE_DATA_BYTES_MAX + 1) {}
  std::optional<BytesView> peek() override {
    const ssize_t n = receive(MSG_PEEK);
    if (n <= 0) return std::nullopt;
    return BytesView(bytes_).first(static_cast<size_t>(n));
  }
  void advance() override { receive(0); }
  uint64_t lost() const override { return shared_.lost(); }
  std::optional<uint64_t> crashed() const override { return shared_.crashed(); }

 private:
  ssize_t receive(int flags) {
    iovec part{bytes_.data(), bytes_.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;  // recvmsg, since the sandbox knows no other way to receive
    return ::recvmsg(descriptor_, &header, flags | MSG_DONTWAIT);
  }
  int descriptor_;
  SharedPage shared_;
  Bytes bytes_;
};

class FromNothing final : public RecordSource {
 public:
  std::optional<BytesView> peek() override { return std::nullopt; }
  void advance() override {}
  uint64_t lost() const override { return 0; }
  std::optional<uint64_t> crashed() const override { return std::nullopt; }
};

class LiveCollector final : public Collector {
 public:
  LiveCollector(std::unique_ptr<RecordSource> source, const LiveOptions& options, const Clock& clock)
      : source_(std::move(source)), from_(options.from), descriptor_(from_ == From::kNothing ? -1 : options.ring_descriptor), clock_(clock), inputs_(options.host, Accounts(options.passwd)) {
    for (uint32_t i = 0; i < kLinuxTypeIds.size(); ++i) {
      const schema::TemplateType* type = schema::Catalog::embedded().find(kLinuxTypeIds[i]);
      CHECK(type != nullptr);
      Supplied supplied{type, std::vector<bool>(type->inputs.size(), true)};
      fill(synthetic(static_cast<LinuxType>(i)), WallTime{}, values_);
      for (size_t n = 0; n < type->inputs.size(); ++n) supplied.available[n] = values_[n].presence != schema::Presence::kUnavailable;
      supplied_.push_back(std::move(supplied));
    }
  }

  std::string name() const override { return from_ == From::kRingBuffer ? "ebpf" : from_ == From::kConnector ? "process connector" : "none"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return descriptor_; }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return malformed_ + source_->lost(); }
  std::optional<uint64_t> crashed() override { return source_->crashed(); }

  Next next(MonotonicTime now, Event& out) override {
    for (;;) {
      const auto record = source_->peek();
      if (!record) return Next::kNothing;
      const auto parsed = parse_kernel_record(*record, record_);
      if (!parsed || !watches(LinuxInputs::type_of(record_))) {
        ++malformed_;
        source_->advance();
        continue;
      }
      const auto age = now - std::chrono::duration_cast<MonotonicTime>(std::chrono::nanoseconds(record_.boot_ns));
      out.time = clock_.wall() - std::max(age, MonotonicTime(0));
      out.type = static_cast<uint32_t>(LinuxInputs::type_of(record_));
      const size_t count = fill(record_, out.time, values_);
      out.inputs = {std::span<const schema::InputValue>(values_).first(count), {}, {}};
      return Next::kEvent;
    }
  }
  void consumed() override { source_->advance(); }
  // Executed programs are always wanted: by them the supervisor sees that this host is watched at all.
  void wants(const std::function<bool(uint32_t)>& wanted) override {
    uint64_t unwanted = 0;
    if (!wanted(static_cast<uint32_t>(LinuxType::kFifoCreated))) unwanted |= uint64_t{1} << CE_MKNOD;
    if (!wanted(static_cast<uint32_t>(LinuxType::kUnixSocket))) unwanted |= uint64_t{1} << CE_BIND | uint64_t{1} << CE_CONNECT;
    source_->set_unwanted(unwanted);
  }

  Status fill_synthetic(uint32_t type, std::span<schema::InputValue> out) override {
    made_up_ = synthetic(static_cast<LinuxType>(type));
    fill(made_up_, WallTime{}, out);
    return {};
  }

 private:
  using From = LiveOptions::From;

  bool watches(LinuxType type) const { return from_ == From::kRingBuffer || (from_ == From::kConnector && type == LinuxType::kProcessCreation); }
  // The same code fills the inputs of every way of watching, so that none is left out; then what this way cannot say is unavailable.
  size_t fill(const KernelRecord& record, WallTime time, std::span<schema::InputValue> out) {
    const size_t count = inputs_.fill(record, time, out);
    if (!watches(LinuxInputs::type_of(record))) std::ranges::fill(out.first(count), schema::InputValue::unavailable());
    return count;
  }

  std::unique_ptr<RecordSource> source_;
  From from_;
  int descriptor_;
  const Clock& clock_;
  LinuxInputs inputs_;
  std::vector<Supplied> supplied_;
  KernelRecord record_, made_up_;
  std::array<schema::InputValue, limits::kInputsPerTypeMax> values_{};
  uint64_t malformed_ = 0;
};

}  // namespace

std::vector<Supplied> live_supplied(LiveOptions::From from, const Clock& clock) {
  const LiveCollector described(std::make_unique<FromNothing>(), LiveOptions{.from = from, .host = {}, .passwd = {}}, clock);
  return {described.supplied().begin(), described.supplied().end()};
}

Result<std::unique_ptr<Collector>> make_live_collector(const LiveOptions& options, const Clock& clock) {
  if (options.from == LiveOptions::From::kNothing || options.ring_descriptor < 0) return std::make_unique<LiveCollector>(std::make_unique<FromNothing>(), options, clock);
  TRY(SharedPage shared, SharedPage::map(options.shared_descriptor));
  if (options.from == LiveOptions::From::kConnector) return std::make_unique<LiveCollector>(std::make_unique<FromSocket>(options.ring_descriptor, std::move(shared)), options, clock);
  TRY(RingBuffer ring, RingBuffer::map(options.ring_descriptor, options.ring_bytes));
  return std::make_unique<LiveCollector>(std::make_unique<FromRing>(std::move(ring), std::move(shared)), options, clock);
}

}  // namespace creance::sensor

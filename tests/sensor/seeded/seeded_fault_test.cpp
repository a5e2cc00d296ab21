// Built against a generated header with a fault seeded into the generator: write() leaves out the last input of every Type. It compiles; the worker's own count must find it (D1).
#include <gtest/gtest.h>

#include "sensor/collect/collector.hpp"
#include "sensor/collect/linux_inputs.hpp"

namespace creance::sensor {
namespace {

class FromRecords final : public Collector {  // the live collector's own way of filling, without a kernel
 public:
  explicit FromRecords(LinuxType type) : type_(type), inputs_("host", Accounts("")) {
    const schema::TemplateType* found = schema::Catalog::embedded().find(kLinuxTypeIds[static_cast<size_t>(type)]);
    supplied_.push_back({found, std::vector<bool>(found->inputs.size(), true)});
  }
  std::string name() const override { return "seeded"; }
  std::span<const Supplied> supplied() const override { return supplied_; }
  Next next(MonotonicTime, Event&) override { return Next::kEnded; }
  void consumed() override {}
  int descriptor() const override { return -1; }
  std::optional<MonotonicTime> due() const override { return std::nullopt; }
  uint64_t lost() override { return 0; }
  Status fill_synthetic(uint32_t, std::span<schema::InputValue> out) override {
    record_.kind = type_ == LinuxType::kFifoCreated ? KernelRecord::Kind::kFifo : type_ == LinuxType::kUnixSocket ? KernelRecord::Kind::kBind : KernelRecord::Kind::kExec;
    record_.name = "x";
    inputs_.fill(record_, WallTime{}, out);
    return {};
  }

 private:
  LinuxType type_;
  LinuxInputs inputs_;
  KernelRecord record_;
  std::vector<Supplied> supplied_;
};

TEST(SeededFault, AnInputThatTheGeneratorForgetsIsFoundByTheWorkersOwnCount) {
  for (const LinuxType type : {LinuxType::kProcessCreation, LinuxType::kFifoCreated, LinuxType::kUnixSocket}) {
    FromRecords collector(type);
    const auto checked = check_written_inputs(collector);
    ASSERT_FALSE(checked);
    const auto& inputs = collector.supplied()[0].type->inputs;
    EXPECT_NE(checked.error().detail.find("the interface manifest says " + std::to_string(inputs.size()) + " (first one missing: " + inputs.back().name + ")"), std::string::npos) << checked.error().detail;
  }
}

}  // namespace
}  // namespace creance::sensor

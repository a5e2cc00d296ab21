// From proven kernel records to the inputs of the Linux Template Types, through the generated structs: an input that is left out here does not compile.
// Which inputs this source cannot say is written here once, as kUnavailable. Views until the next call.
#pragma once
#include <array>
#include <map>
#include <span>
#include <string>

#include "base/limits.hpp"
#include "base/seams/clock.hpp"
#include "schema/inputs.hpp"
#include "sensor/collect/kernel_record.hpp"

namespace creance::sensor {

enum class LinuxType : uint32_t { kProcessCreation = 0, kFifoCreated = 1, kUnixSocket = 2 };
inline constexpr std::array<std::string_view, 3> kLinuxTypeIds = {"linux.process_creation", "linux.fifo_created", "linux.unix_socket"};

// Account names by number, read once from a text in the form of passwd(5). Lines of another form are skipped.
class Accounts {
 public:
  explicit Accounts(std::string_view passwd);
  std::string_view name(uint32_t uid, std::string& number) const;  // the number as text where there is no name

 private:
  std::map<uint32_t, std::string> names_;
};

class LinuxInputs {
 public:
  LinuxInputs(std::string host, Accounts accounts) : host_(std::move(host)), accounts_(std::move(accounts)) {}
  static LinuxType type_of(const KernelRecord& record);
  // Writes the Type's inputs to the front of `out` (at least limits::kInputsPerTypeMax long); returns how many the Type has.
  size_t fill(const KernelRecord& record, WallTime time, std::span<schema::InputValue> out);

 private:
  std::string host_;
  Accounts accounts_;
  std::string_view time_text(WallTime time);
  std::string time_, pid_, uid_, user_, parent_pid_, mode_, path_;
  std::chrono::sys_seconds second_{std::chrono::seconds(-1)};  // that time_ is of
};

std::string sysmon_time(WallTime time);  // "2026-11-23 10:00:00.123"

}  // namespace creance::sensor

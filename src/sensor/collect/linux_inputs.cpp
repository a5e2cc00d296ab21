#include "sensor/collect/linux_inputs.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/check.hpp"
#include "generated/types.hpp"

namespace creance::sensor {
using schema::kAbsent;
using schema::kUnavailable;
namespace types = schema::types;

Accounts::Accounts(std::string_view passwd) {
  while (!passwd.empty() && names_.size() < 100'000) {
    const size_t end = passwd.find('\n');
    const std::string_view line = passwd.substr(0, end);
    passwd.remove_prefix(end == std::string_view::npos ? passwd.size() : end + 1);
    const size_t name = line.find(':');
    const size_t password = name == std::string_view::npos ? name : line.find(':', name + 1);
    if (password == std::string_view::npos || name == 0) continue;
    uint32_t uid = 0;
    const auto parsed = std::from_chars(line.data() + password + 1, line.data() + line.size(), uid);
    if (parsed.ec == std::errc() && parsed.ptr != line.data() + line.size() && *parsed.ptr == ':') names_.emplace(uid, line.substr(0, name));
  }
}

std::string_view Accounts::name(uint32_t uid, std::string& number) const {
  if (const auto found = names_.find(uid); found != names_.end()) return found->second;
  number = fmt::format("{}", uid);
  return number;
}

std::string sysmon_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), clock.subseconds().count());
}

namespace {
void write_number(uint32_t number, std::string& out, int base = 10) {
  std::array<char, 16> digits;
  out.assign(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr);
}
}  // namespace

// As sysmon_time; of events within one second only the milliseconds differ.
std::string_view LinuxInputs::time_text(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != second_) {
    time_ = sysmon_time(time);
    second_ = second;
    return time_;
  }
  auto ms = static_cast<unsigned>((time - second).count());
  for (size_t at = time_.size(); at > time_.size() - 3; ms /= 10) time_[--at] = static_cast<char>('0' + ms % 10);
  return time_;
}

LinuxType LinuxInputs::type_of(const KernelRecord& record) {
  switch (record.kind) {
    case KernelRecord::Kind::kExec: return LinuxType::kProcessCreation;
    case KernelRecord::Kind::kFifo: return LinuxType::kFifoCreated;
    case KernelRecord::Kind::kBind: case KernelRecord::Kind::kConnect: return LinuxType::kUnixSocket;
  }
  return LinuxType::kProcessCreation;
}

size_t LinuxInputs::fill(const KernelRecord& record, WallTime time, std::span<schema::InputValue> out) {
  CHECK(out.size() >= limits::kInputsPerTypeMax);
  const auto value_or_absent = [](const std::string& text) { return text.empty() ? kAbsent : schema::InputValue(text); };
  const auto text = [](const std::string& given) { return std::string_view(given); };
  const std::string_view when = time_text(time);
  write_number(record.pid, pid_);
  write_number(record.parent_pid, parent_pid_);
  write_number(record.uid, uid_);
  const std::string_view user = accounts_.name(record.uid, user_);
  switch (type_of(record)) {
    case LinuxType::kProcessCreation: {
      const types::LinuxProcessCreation event{
          .Computer = text(host_),
          .RuleName = kUnavailable,  // of Sysmon's own configuration
          .UtcTime = when,
          .ProcessGuid = kUnavailable,
          .ProcessId = text(pid_),
          .Image = value_or_absent(record.exe),
          .FileVersion = kUnavailable,  // Linux programs have no version resource
          .Description = kUnavailable,
          .Product = kUnavailable,
          .Company = kUnavailable,
          .OriginalFileName = kUnavailable,
          .CommandLine = value_or_absent(record.command_line),
          .CurrentDirectory = value_or_absent(record.cwd),
          .User = user,
          .LogonGuid = kUnavailable,
          .LogonId = kUnavailable,
          .TerminalSessionId = kUnavailable,
          .IntegrityLevel = kUnavailable,
          .Hashes = kUnavailable,
          .ParentProcessGuid = kUnavailable,
          .ParentProcessId = text(parent_pid_),
          .ParentImage = value_or_absent(record.parent_exe),
          .ParentCommandLine = kUnavailable,  // another process's memory
          .ParentUser = kUnavailable,
          .UserId = text(uid_),
          .md5 = kUnavailable,  // nothing here reads the file
          .sha1 = kUnavailable,
          .sha256 = kUnavailable,
          .Imphash = kUnavailable,
          .EventID = kUnavailable,  // of an event log; there is none
          .Channel = kUnavailable,
          .Provider_Name = kUnavailable,
      };
      event.write(out.first<types::LinuxProcessCreation::kInputCount>());
      return types::LinuxProcessCreation::kInputCount;
    }
    case LinuxType::kFifoCreated: {
      write_number(record.mode & 07777, mode_, 8);
      path_ = record.name;
      if (!path_.empty() && path_.front() != '/' && !record.from_folder && !record.cwd.empty()) path_ = record.cwd == "/" ? "/" + record.name : record.cwd + "/" + record.name;
      const types::LinuxFifoCreated event{
          .Path = text(path_),
          .Mode = text(mode_),
          .Computer = text(host_),
          .UtcTime = when,
          .ProcessId = text(pid_),
          .Image = value_or_absent(record.exe),
          .CommandLine = value_or_absent(record.command_line),
          .CurrentDirectory = value_or_absent(record.cwd),
          .User = user,
          .UserId = text(uid_),
          .ParentProcessId = text(parent_pid_),
          .ParentImage = value_or_absent(record.parent_exe),
          .ParentCommandLine = kUnavailable,
      };
      event.write(out.first<types::LinuxFifoCreated::kInputCount>());
      return types::LinuxFifoCreated::kInputCount;
    }
    case LinuxType::kUnixSocket: {
      const types::LinuxUnixSocket event{
          .Operation = record.kind == KernelRecord::Kind::kBind ? std::string_view("bind") : std::string_view("connect"),
          .SocketName = text(record.name),
          .Abstract = record.abstract ? std::string_view("true") : std::string_view("false"),
          .Computer = text(host_),
          .UtcTime = when,
          .ProcessId = text(pid_),
          .Image = value_or_absent(record.exe),
          .CommandLine = value_or_absent(record.command_line),
          .CurrentDirectory = value_or_absent(record.cwd),
          .User = user,
          .UserId = text(uid_),
          .ParentProcessId = text(parent_pid_),
          .ParentImage = value_or_absent(record.parent_exe),
          .ParentCommandLine = kUnavailable,
      };
      event.write(out.first<types::LinuxUnixSocket::kInputCount>());
      return types::LinuxUnixSocket::kInputCount;
    }
  }
  return 0;
}

}  // namespace creance::sensor

// One record of the kernel part, proven: lengths within the record, paths put together. Believes nothing of what the record says about itself.
// Views into `bytes` and into `Paths`; both must outlive it. kInvalid for a record that is not well-formed.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance::sensor {

struct KernelRecord {
  enum class Kind : uint8_t { kExec, kFifo, kBind, kConnect };
  Kind kind = Kind::kExec;
  uint64_t boot_ns = 0;
  uint32_t pid = 0;
  uint32_t parent_pid = 0;
  uint32_t uid = 0;
  uint32_t mode = 0;
  bool arguments_cut = false;
  bool paths_cut = false;
  bool from_folder = false;   // a relative name counts from an open folder that is not known
  std::string exe;            // absolute; "" where the kernel could not say
  std::string parent_exe;
  std::string cwd;
  std::string command_line;   // arguments joined by spaces
  std::string name;           // FIFO: path as given; socket: its name, an abstract one without the leading zero byte
  bool abstract = false;
  std::string described;      // the bytes that exe, parent_exe, cwd and command_line were made of, with their lengths: the next record of the same process has the same
};

// `out` is reused: no allocation in the steady state.
Status parse_kernel_record(BytesView bytes, KernelRecord& out);

}  // namespace creance::sensor

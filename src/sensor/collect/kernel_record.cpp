#include "sensor/collect/kernel_record.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "sensor/collect/ebpf/kernel_event.h"

namespace creance::sensor {
namespace {

static_assert(offsetof(ce_event, data) == CE_HEAD_BYTES);

// Parts from the last to the first, each ended by a zero byte, become "/first/…/last".
void join_path(std::string_view parts, bool cut, std::string& out) {
  out.clear();
  if (parts.empty()) return;
  if (cut) out += "...";  // its front is missing: never looks like an absolute path
  size_t end = parts.size();
  while (end > 0) {
    if (parts[end - 1] == '\0') --end;
    size_t start = end;
    while (start > 0 && parts[start - 1] != '\0') --start;
    out += '/';
    out += parts.substr(start, end - start);
    end = start;
  }
}

void join_arguments(std::string_view raw, std::string& out) {
  while (!raw.empty() && raw.back() == '\0') raw.remove_suffix(1);
  out.assign(raw);
  for (char& c : out)
    if (c == '\0') c = ' ';
}

}  // namespace

Status parse_kernel_record(BytesView bytes, KernelRecord& out) {
  ce_event head;
  if (bytes.size() < CE_HEAD_BYTES || bytes.size() > CE_HEAD_BYTES + CE_DATA_BYTES_MAX) return fail(ErrorCode::kInvalid, fmt::format("kernel record of {} bytes", bytes.size()));
  std::memcpy(&head, bytes.data(), CE_HEAD_BYTES);
  if (head.version != CE_VERSION) return fail(ErrorCode::kInvalid, fmt::format("kernel record of version {}", head.version));
  std::string_view data = as_text(bytes.subspan(CE_HEAD_BYTES));
  if (size_t{head.exe_bytes} + head.parent_exe_bytes + head.cwd_bytes + head.arguments_bytes + head.name_bytes != data.size())
    return fail(ErrorCode::kInvalid, "kernel record whose parts do not add up to its length");
  switch (head.kind) {
    case CE_EXEC: out.kind = KernelRecord::Kind::kExec; break;
    case CE_MKNOD: out.kind = KernelRecord::Kind::kFifo; break;
    case CE_BIND: out.kind = KernelRecord::Kind::kBind; break;
    case CE_CONNECT: out.kind = KernelRecord::Kind::kConnect; break;
    default: return fail(ErrorCode::kInvalid, fmt::format("kernel record of unknown kind {}", head.kind));
  }
  const auto take = [&](size_t n) {
    const std::string_view part = data.substr(0, n);
    data.remove_prefix(n);
    return part;
  };
  out.boot_ns = head.boot_ns;
  out.pid = head.pid;
  out.parent_pid = head.parent_pid;
  out.uid = head.uid;
  out.mode = head.mode;
  out.arguments_cut = (head.flags & CE_ARGUMENTS_CUT) != 0;
  out.paths_cut = (head.flags & CE_PATH_CUT) != 0;
  out.from_folder = (head.flags & CE_FROM_FOLDER) != 0;
  const size_t described = data.size() - head.name_bytes;
  const std::array<uint16_t, 5> shape = {head.exe_bytes, head.parent_exe_bytes, head.cwd_bytes, head.arguments_bytes, static_cast<uint16_t>(out.paths_cut)};
  const std::string_view shape_bytes(reinterpret_cast<const char*>(shape.data()), sizeof shape);
  if (out.described.size() == sizeof shape + described && out.described.starts_with(shape_bytes) && std::string_view(out.described).substr(sizeof shape) == data.substr(0, described)) {
    data.remove_prefix(described);
  } else {
    out.described.assign(shape_bytes).append(data.substr(0, described));
    join_path(take(head.exe_bytes), out.paths_cut, out.exe);
    join_path(take(head.parent_exe_bytes), out.paths_cut, out.parent_exe);
    const std::string_view cwd = take(head.cwd_bytes);
    if (cwd.empty() && !out.paths_cut) out.cwd = "/";
    else join_path(cwd, out.paths_cut, out.cwd);
    join_arguments(take(head.arguments_bytes), out.command_line);
  }
  std::string_view name = take(head.name_bytes);
  const bool socket = out.kind == KernelRecord::Kind::kBind || out.kind == KernelRecord::Kind::kConnect;
  out.abstract = socket && !name.empty() && name.front() == '\0';
  if (out.abstract) name.remove_prefix(1);                        // the rest counts as it is, zero bytes too
  else name = name.substr(0, name.find('\0'));                    // a path ends at its zero byte
  out.name.assign(name);
  return {};
}

}  // namespace creance::sensor

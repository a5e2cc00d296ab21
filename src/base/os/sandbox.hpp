// Gives up what a process does not need, for good: system calls (seccomp), files (Landlock), privileges (no_new_privs, capabilities). Called once, after
// everything was opened. What is not allowed fails with EPERM instead of ending the process, so that an unforeseen call in a library is an error and not a dead sensor.
// Failure: kUnsupported where the kernel lacks a part; the caller decides whether it goes on and says so.
#pragma once
#include <filesystem>
#include <span>
#include <string>

#include "base/result.hpp"

namespace creance::os {

struct Confinement {
  std::span<const std::filesystem::path> readable;  // files and folders with all below them
  std::span<const std::filesystem::path> writable;  // folders below which files may be made, written, renamed and removed
  bool may_write_files = false;                     // the system calls for the above; without it no file can be made by any path
};

// Landlock only.
Status confine_files(const Confinement& confinement);
// no_new_privs, all capabilities dropped, then seccomp: reading, memory, time, descriptors that are open already, files as `may_write_files` says; no sockets
// (but those that are open), no programs, no tracing, no namespaces, no keys, no BPF.
Status confine_calls(const Confinement& confinement);

}  // namespace creance::os

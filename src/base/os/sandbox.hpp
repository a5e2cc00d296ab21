// Gives up what a process does not need, for good: system calls (seccomp), files (Landlock), privileges (no_new_privs, capabilities). Called once, after
// everything was opened. What is not allowed fails with EPERM instead of ending the process, so that an unforeseen call in a library is an error and not a dead sensor.
// Failure: kUnsupported where the kernel lacks a part; the caller decides whether it goes on and says so.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace creance::os {

struct Confinement {
  std::span<const std::filesystem::path> readable;  // files and folders with all below them
  std::span<const std::filesystem::path> writable;  // folders below which files may be made, written, renamed and removed
  bool may_write_files = false;                     // the system calls for the above; without it no file can be made by any path
  bool may_connect = false;                         // the system calls of a network client: TCP and UDP outwards, threads for looking names up; nothing that listens
};

// Landlock only: the calling thread and those that it starts from then on.
Status confine_files(const Confinement& confinement);
// keep_capabilities(0) (privileges.hpp), which whoever starts a thread before calls itself, then seccomp for every thread of the process, also those that were started already: reading, memory, time, descriptors that are open already, files as `may_write_files` says; no sockets
// (but those that are open, and what `may_connect` says), no programs, no tracing, no namespaces, no keys, no BPF.
Status confine_calls(const Confinement& confinement);

// What a network client reads to find and to trust a server (names, certificates), as far as it is there; for `readable`. Call it after a first look-up, which
// loads what this host's configuration asks for: later no code can be loaded.
std::vector<std::filesystem::path> network_client_files();
// Changes when this host's resolver configuration is replaced: a confined client then reads a file that is no more, and must be started again.
uint64_t resolver_stamp();

}  // namespace creance::os

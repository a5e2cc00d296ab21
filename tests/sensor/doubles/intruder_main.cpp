// Started by the real supervisor in the place of worker, updater or admit, with all that it gives them, but without the sandbox that they enter: what their users, limits and descriptors
// alone keep from them. Tries what it must not be able to do and writes what it could do after all, one line each, to STATE/pretend/intruder-<role>; the last line is "end".
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {
namespace fs = std::filesystem;

std::string findings;
void could(bool done, const std::string& what) {
  if (done) findings += what + "\n";
}
bool opens(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}
bool lists(const fs::path& path) {
  DIR* const folder = ::opendir(path.c_str());
  if (folder != nullptr) ::closedir(folder);
  return folder != nullptr;
}
std::string field(const char* name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return line.substr(std::strlen(name) + 1);
  return "?";
}
std::vector<pid_t> others() {  // the supervisor, and its other children
  std::vector<pid_t> found = {::getppid()};
  for (const auto& entry : fs::directory_iterator("/proc", fs::directory_options::skip_permission_denied)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos || std::stoi(name) == ::getpid()) continue;
    std::ifstream stat(entry.path() / "stat");
    std::stringstream text;
    text << stat.rdbuf();
    const size_t behind = text.str().rfind(')');
    int parent = 0;
    char state = 0;
    if (behind != std::string::npos) std::istringstream(text.str().substr(behind + 1)) >> state >> parent;
    if (parent == ::getppid()) found.push_back(std::stoi(name));
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto has = [&](const char* option) { return std::ranges::find(arguments, option) != arguments.end(); };
  const std::string role = has("--rehearse") ? "rehearsal" : has("--host") ? "worker" : has("run") ? "updater" : "admit";

  if (has("--print-manifest")) {  // asked before the sensor starts
    const std::string honest = fs::read_symlink("/proc/self/exe").parent_path() / "creance-sensor-worker";
    argv[0] = const_cast<char*>(honest.c_str());
    ::execv(argv[0], argv);
    return 127;
  }

  // Files: its own folders and no others'.
  for (const char* file : {"sensor.key", "tenant.key", "identity.json", "state/session.bin", "state/memory.bin", "/etc/shadow"}) could(opens(file, O_RDONLY), std::string("read ") + file);
  for (const char* folder : {".", "state", "state/orders", "spool", "outbox", "trusted", "sets", "waiting", "/etc"}) could(opens(fs::path(folder) / ("by-" + role), O_WRONLY | O_CREAT), std::string("write in ") + folder);
  for (const char* folder : {"spool", "outbox", "trusted", "sets"}) could(lists(folder), std::string("list ") + folder);
  could(::rename("sets", "moved") == 0, "rename sets");
  could(::chmod("state", 0777) == 0 || ::chown("sets", 0, 0) == 0 || ::chown("state", ::getuid(), ::getgid()) == 0, "change whose a folder is");
  could(::symlink("/etc", "state/link") == 0 || ::link("sensor.key", fs::path(role == "updater" ? "spool/key" : "key").c_str()) == 0, "link");
  for (int fd = 3; fd < 64; ++fd) {
    struct stat info {};
    if (::fstat(fd, &info) == 0 && fd >= 10) could((::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY, "write to a given file");
    if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) could((::fcntl(fd, F_GETFL) & O_PATH) == 0, "an open folder");
  }
  if (role == "worker" || role == "rehearsal") could(::fcntl(10, F_GETFD) >= 0, "a file that it was not to be given");

  // Others.
  for (const pid_t pid : others()) {
    could(::kill(pid, 0) == 0, "signal " + std::string(pid == ::getppid() ? "the supervisor" : "another process"));
    could(::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) == 0 || ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0, "trace another");
    char byte = 0;
    iovec here{&byte, 1}, there{reinterpret_cast<void*>(0x400000), 1};
    could(::process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno != EPERM, "read another's memory");
    could(opens("/proc/" + std::to_string(pid) + "/mem", O_RDWR) || lists("/proc/" + std::to_string(pid) + "/fd") || opens("/proc/" + std::to_string(pid) + "/environ", O_RDONLY), "look into another");
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    could(pidfd >= 0 && ::syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0, "take another's descriptor");
  }

  // Rights.
  could(::setresuid(0, 0, 0) == 0 || ::setuid(0) == 0 || ::setgid(0) == 0 || ::setgroups(0, nullptr) == 0, "become another user");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct wanted[2] = {{1u << CAP_KILL, 1u << CAP_KILL, 0}, {0, 0, 0}};
  could(::syscall(SYS_capset, &header, wanted) == 0, "gain a capability");
  for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) could(field(set).find_first_not_of("0\t ") != std::string::npos, std::string("a capability in ") + set + field(set));
  could(field("Groups:").find_first_not_of("\t ") != std::string::npos, "groups" + field("Groups:"));
  could(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "no_new_privs is not set");
  int signal_at_end = 0;
  could(::prctl(PR_GET_PDEATHSIG, &signal_at_end) != 0 || signal_at_end != SIGKILL, "outlive the supervisor");
  could(::getuid() == 0 || ::geteuid() == 0 || ::getgid() == 0, "be root");
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_CORE}) {
    rlimit now{};
    ::getrlimit(resource, &now);
    const rlimit more{now.rlim_max + 1, now.rlim_max + 1};
    could(::setrlimit(resource, &more) == 0, "raise a limit");
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // sanitizers have threads of their own: there admit is not limited to one
  if (role == "admit") {  // the others have threads; their filter knows those from processes
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    if (child > 0) ::waitpid(child, nullptr, 0);
    could(child > 0, "start a process");
  }
#endif
  could(::mount("none", "/mnt", "tmpfs", 0, nullptr) == 0 || ::chroot(".") == 0, "change the root");

  std::ofstream(fs::path("pretend") / ("intruder-" + role + ".new")) << "uid " << ::getuid() << "\n" << findings << "end\n";
  fs::rename(fs::path("pretend") / ("intruder-" + role + ".new"), fs::path("pretend") / ("intruder-" + role));
  for (;;) ::pause();
}

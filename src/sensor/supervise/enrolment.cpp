#include "sensor/supervise/enrolment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/limits.hpp"
#include "base/os/given_files.hpp"
#include "base/os/real.hpp"
#include "sensor/supervise/launcher.hpp"

namespace creance::sensor {
namespace fs = std::filesystem;
namespace {

// A file that another user wrote: never through a link, nor one that has a name elsewhere, nor one of somebody else that it moved here.
Result<Bytes> read_written(const fs::path& file, uid_t by, FileSystem& files) {
  ipc::Descriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(os::errno_error(errno, "cannot open", file));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1 || info.st_uid != by) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no plain file of the user that enrolled", file.string()));
  os::GivenFiles written(files);
  CHECK(written.take(fmt::format("{}:{}", fd.release(), file.string())));
  return written.read(file, limits::kRootBytesMax);
}

}  // namespace

Result<int> enrol(const EnrolmentOptions& options, FileSystem& files) {
  if (files.exists(options.state / "identity.json")) return fail(ErrorCode::kInvalid, fmt::format("`{}` is enrolled already; another sensor needs another folder", options.state.string()));
  const fs::path work = options.state / "enrolment";
  TRY_VOID(files.remove_tree(work));  // of one that did not end
  TRY_VOID(files.make_directories(work));
  TRY(const Bytes manifest, files.read(options.state / "manifest.json", limits::kHttpBodyBytesMax));
  TRY_VOID(files.write_atomic(work / "manifest.json", manifest, 0600));
  os::Launch launch{options.updater, {"enrol", "--state", ".", "--server", options.server, "--token", options.token, "--hostname", options.hostname}, {}, {}, {}};
  if (!options.root.empty()) {
    TRY(const Bytes root, files.read(options.root, limits::kRootBytesMax));
    TRY_VOID(files.write_atomic(work / "root.given", root, 0600));
    launch.arguments.insert(launch.arguments.end(), {"--root", "root.given"});
  }
  uid_t by = ::geteuid();
  if (::geteuid() == 0) {
    const auto passwd = files.read("/etc/passwd", 4u << 20);
    TRY(const ProcessUsers users, process_users(passwd ? as_text(*passwd) : std::string_view()));
    const os::User updater = users.of[static_cast<size_t>(Role::kUpdater)];
    if (os::can_become({updater})) {
      launch.user = updater;
      by = updater.uid;
      TRY_VOID(os::give_folder(work, {updater, 0700, 0600}));
    }
  }
  const ipc::Descriptor folder(::open(work.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(os::errno_error(errno, "cannot open", work));
  launch.folder = folder.get();
  launch.program = fs::absolute(launch.program);
  launch.no_new_privileges = true;
  TRY(auto child, os::ChildProcess::start(launch));
  const os::ExitStatus ended = child.wait();
  if (ended.clean()) {
    TRY_VOID(files.make_directories(options.state / "state/orders"));  // orders that are given before the first start
    for (const char* name : {"root.json", "sensor.key", "tenant.key", "identity.json"}) {  // the last says that the folder is enrolled
      const auto bytes = read_written(work / name, by, files);
      if (!bytes && bytes.error().code == ErrorCode::kNotFound && name == std::string_view("tenant.key")) continue;
      if (!bytes) return fail(bytes.error());
      TRY_VOID(files.write_atomic(options.state / name, *bytes, name == std::string_view("root.json") ? 0644 : 0600));
    }
  }
  TRY_VOID(files.remove_tree(work));
  return ended.signal != 0 ? 2 : ended.code;
}

}  // namespace creance::sensor

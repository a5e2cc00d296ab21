// creance-signer: the process that holds the online keys. Started by creance-server over a socket pair, or by itself, under its own user, on a UNIX socket.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/os/real.hpp"
#include "server/signer/link.hpp"

using namespace creance;

int main(int argc, char** argv) {
  std::string data;
  std::string socket;
  int fd = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--data") data = argv[i + 1];
    else if (option == "--socket") socket = argv[i + 1];
    else if (option == "--fd") fd = std::atoi(argv[i + 1]);
  }
  if (data.empty() || socket.empty() == (fd < 0)) {
    fmt::print(stderr, "usage: creance-signer --data DIR (--socket PATH | --fd N)\nHolds the online keys of DIR and signs what passes its own checks.\n");
    return 3;
  }
  ::prctl(PR_SET_DUMPABLE, 0);  // keys stay out of core dumps, and no other process of this user may trace it
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  os::RealFileSystem files;
  const os::RealClock clock;
  auto core = server::SignerCore::open(files, data, clock);
  if (!core) {
    fmt::print(stderr, "creance-signer: {}\n", core.error().detail);
    return 2;
  }
  if (fd >= 0) {
    server::serve_signer(fd, *core);
    return 0;
  }
  const auto listened = server::listen_signer(socket, *core);
  fmt::print(stderr, "creance-signer: {}\n", listened.error().detail);
  return 3;
}

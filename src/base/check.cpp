#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace creance::detail {
void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "creance: internal error: CHECK(%s) failed at %s:%d; please report it\n", condition, file, line);
  std::abort();
}
}  // namespace creance::detail

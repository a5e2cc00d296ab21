// CHECK: our own bug was found; says where and ends the process. On in every build. Never judges outside data.
// DCHECK: the costly ones, on in debug, sanitizer and fuzz builds.
#pragma once
namespace creance::detail {
[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* file, int line) noexcept;
}
#define CHECK(condition) \
  do { if (!(condition)) [[unlikely]] ::creance::detail::check_failed(#condition, __FILE__, __LINE__); } while (false)
#ifdef CREANCE_DCHECK
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) do { if (false) { (void)(condition); } } while (false)
#endif

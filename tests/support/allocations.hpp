// Counts what the program allocates with `new`: for tests of code that must not allocate. Include it in one file of a test program; not under AddressSanitizer, which
// replaces the same operators.
#pragma once
#ifndef __SANITIZE_ADDRESS__
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace creance::test {
inline std::atomic<uint64_t> allocations{0};
}

// GCC cannot see that the pair belongs together.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(size_t size) {
  ++creance::test::allocations;
  if (void* const p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
#endif

#include <algorithm>
#include <cstring>

#include "channel/cost.hpp"
#include "interpreter/state.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace creance::interpreter {
namespace {

bool same_middle(Context& c, const char* at, std::string_view needle) noexcept {
  c.steps += channel::chunks(needle.size());
  return std::memcmp(at, needle.data(), needle.size()) == 0;
}

// First and last byte together are looked for, 16 places at once; what is found is compared. `at` is the first place not looked at yet.
size_t find_blocks([[maybe_unused]] Context& c, [[maybe_unused]] std::string_view text, [[maybe_unused]] std::string_view needle, [[maybe_unused]] size_t& at) noexcept {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(needle.front());
  const __m128i last = _mm_set1_epi8(needle.back());
  const size_t reach = needle.size() - 1;
  const size_t places = text.size() - reach;
  if (places >= kWideBytes && c.s.ways.find_ends != nullptr) {
    for (; (at = c.s.ways.find_ends(text.data(), places, reach, needle.front(), needle.back(), at)) < places; ++at) {
      if (same_middle(c, text.data() + at, needle)) return at;
    }
    return std::string_view::npos;
  }
  if (places < 16) return std::string_view::npos;
  const auto hits_at = [&](size_t place) {
    const __m128i heads = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + place));
    const __m128i tails = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + place + reach));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(heads, first), _mm_cmpeq_epi8(tails, last))));
  };
  while (at < places) {
    const size_t block = std::min(at, places - 16);
    for (uint32_t hits = hits_at(block) >> (at - block) << (at - block); hits != 0; hits &= hits - 1) {
      const size_t place = block + static_cast<size_t>(__builtin_ctz(hits));
      if (same_middle(c, text.data() + place, needle)) return place;
    }
    at += 16;
  }
  at = places;
#endif
  return std::string_view::npos;
}

}  // namespace

size_t find(Context& c, std::string_view text, std::string_view needle) noexcept {
  if (needle.empty()) return 0;
  if (needle.size() > text.size()) return std::string_view::npos;
  size_t at = 0;
  size_t found = find_blocks(c, text, needle, at);
  for (; found == std::string_view::npos && at + needle.size() <= text.size(); ++at) {
    if (text[at] == needle.front() && text[at + needle.size() - 1] == needle.back() && same_middle(c, text.data() + at, needle)) found = at;
  }
  c.steps += 1 + std::min(found, text.size()) / 16;
  return found;
}

}  // namespace creance::interpreter

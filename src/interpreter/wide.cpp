#include "interpreter/wide.hpp"

// The compiler does not align the stack for 32 bytes on 64-bit Windows (GCC bug 54412), so that only the plain way is built there.
#if defined(__x86_64__) && !defined(_WIN32)
#define CREANCE_WIDE
#include <immintrin.h>
#endif

namespace creance::interpreter {
namespace {

// What lies in the last block behind the last place.
constexpr uint32_t kept_places(size_t left) noexcept { return left >= 32 ? ~0u : (1u << left) - 1; }

template <uint32_t kStride>
bool plain_at(const GramFilter& filter, const char* text, size_t places, HitMasks& masks) noexcept {
  const uint64_t* const words = filter.words;
  const uint32_t log2 = filter.log2;
  const uint32_t kept = filter.kept;
  const auto hit = [&](size_t at) {
    const uint32_t bit = channel::gram_bit(channel::load_gram(text + at) & kept, log2);
    return static_cast<uint32_t>(words[bit / 64] >> (bit % 64) & 1);
  };
  uint32_t any = 0;
  for (size_t begin = 0; begin < places; begin += 32) {
    uint32_t mask = 0;
    const size_t end = std::min<size_t>(32, places - begin);
    for (size_t at = 0; at < end; at += 4 * kStride) {
      const size_t from = begin + at;
      mask |= (hit(from) | hit(from + kStride) << kStride | hit(from + 2 * kStride) << (2 * kStride) | hit(from + 3 * kStride) << (3 * kStride)) << at;
    }
    mask &= kept_places(places - begin);
    masks[begin / 32] = mask;
    any |= mask;
  }
  return any != 0;
}

bool plain_hits(const GramFilter& filter, const char* text, size_t places, uint32_t stride, HitMasks& masks) noexcept {
  if (stride == 4) return plain_at<4>(filter, text, places, masks);
  return stride == 2 ? plain_at<2>(filter, text, places, masks) : plain_at<1>(filter, text, places, masks);
}

#if defined(CREANCE_WIDE)
#define CREANCE_AVX2 __attribute__((target("avx2")))

struct Wide {
  __m256i kept;
  __m128i shift;
  const int* words;
};

// Eight grams: those of every fourth place from `at` on. The highest bit of each says whether the filter lets it through.
CREANCE_AVX2 __attribute__((always_inline)) inline __m256i eight(const Wide& w, const char* at) noexcept {
  const __m256i grams = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), w.kept);
  const __m256i bits = _mm256_srl_epi32(_mm256_mullo_epi32(grams, _mm256_set1_epi32(static_cast<int>(channel::kGramMultiplier))), w.shift);
  const __m256i found = _mm256_i32gather_epi32(w.words, _mm256_srli_epi32(bits, 5), 4);  // little-endian, as the format is: words of 64 bits are two of 32
  return _mm256_sllv_epi32(found, _mm256_andnot_si256(bits, _mm256_set1_epi32(31)));
}

CREANCE_AVX2 __attribute__((always_inline)) inline __m256i at_byte(__m256i signs, int byte) noexcept {
  return _mm256_and_si256(_mm256_srl_epi32(signs, _mm_cvtsi32_si128(24 - 8 * byte)), _mm256_set1_epi32(static_cast<int>(0x80u << (8 * byte))));
}

CREANCE_AVX2 bool wide_hits(const GramFilter& filter, const char* text, size_t places, uint32_t stride, HitMasks& masks) noexcept {
  const Wide w{_mm256_set1_epi32(static_cast<int>(filter.kept)), _mm_cvtsi32_si128(static_cast<int>(32 - filter.log2)), reinterpret_cast<const int*>(filter.words)};
  uint32_t any = 0;
  for (size_t begin = 0; begin < places; begin += 32) {
    const char* const at = text + begin;
    uint32_t mask = 0;
    if (stride == 4) {
      mask = static_cast<uint32_t>(_mm256_movemask_epi8(at_byte(eight(w, at), 0)));
    } else if (stride == 2) {
      const __m256i first = eight(w, at);
      const __m256i third = eight(w, at + 2);
      mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(at_byte(first, 0), at_byte(third, 2))));
    } else {
      const __m256i first = eight(w, at);
      const __m256i second = eight(w, at + 1);
      const __m256i third = eight(w, at + 2);
      const __m256i fourth = eight(w, at + 3);
      const __m256i all = _mm256_or_si256(_mm256_or_si256(first, second), _mm256_or_si256(third, fourth));
      if (_mm256_movemask_ps(_mm256_castsi256_ps(all)) != 0) {
        const __m256i low = _mm256_or_si256(at_byte(first, 0), at_byte(second, 1));
        const __m256i high = _mm256_or_si256(at_byte(third, 2), at_byte(fourth, 3));
        mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(low, high)));
      }
    }
    mask &= kept_places(places - begin);
    masks[begin / 32] = mask;
    any |= mask;
  }
  return any != 0;
}

CREANCE_AVX2 bool wide_may_have_one(const std::array<uint32_t, 4>& grams, const char* text, size_t size) noexcept {
  const __m256i bit_5 = _mm256_set1_epi8(0x20);
  __m256i any = _mm256_setzero_si256();  // a byte beyond ASCII: folding may change more than bit 5
  __m256i found = any;
  const auto load = [](const char* at) { return reinterpret_cast<const __m256i*>(at); };
  const size_t last = (size - 4) / 4 * 4 - 28;  // so many bytes in front of the last gram
  for (size_t at = 0;; at += kWideBytes) {
    const size_t place = at < last ? at : last;
    const __m256i bytes = _mm256_loadu_si256(load(text + place));
    const __m256i rough = _mm256_or_si256(bytes, bit_5);
    any = _mm256_or_si256(any, bytes);
    for (const uint32_t gram : grams) found = _mm256_or_si256(found, _mm256_cmpeq_epi32(rough, _mm256_set1_epi32(static_cast<int>(gram))));
    if (place == last) break;
  }
  any = _mm256_or_si256(any, _mm256_loadu_si256(load(text + size - kWideBytes)));
  return _mm256_movemask_epi8(_mm256_or_si256(any, found)) != 0;
}

CREANCE_AVX2 size_t wide_find_ends(const char* text, size_t places, size_t reach, char first, char last, size_t at) noexcept {
  const __m256i heads = _mm256_set1_epi8(first);
  const __m256i tails = _mm256_set1_epi8(last);
  const auto load = [](const char* from) { return reinterpret_cast<const __m256i*>(from); };
  while (at < places) {
    const size_t block = at < places - kWideBytes ? at : places - kWideBytes;
    const __m256i head = _mm256_cmpeq_epi8(_mm256_loadu_si256(load(text + block)), heads);
    const __m256i tail = _mm256_cmpeq_epi8(_mm256_loadu_si256(load(text + block + reach)), tails);
    const uint32_t hits = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(head, tail))) & (~0u << (at - block));
    if (hits != 0) return block + static_cast<size_t>(__builtin_ctz(hits));
    at = block + kWideBytes;
  }
  return places;
}
#endif

}  // namespace

Ways plain_ways() noexcept { return {plain_hits, nullptr, nullptr}; }

Ways best_ways() noexcept {
#if defined(CREANCE_WIDE)
  if (__builtin_cpu_supports("avx2")) return {wide_hits, wide_may_have_one, wide_find_ends};
#endif
  return plain_ways();
}

}  // namespace creance::interpreter

// Deltas come from whoever holds the mirror. Must not crash, hang or give more than was asked for; what is made from the two halves of the input must lead from one to the other.
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "trust/delta/delta.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  using namespace creance::trust;
  if (size < 2) return 0;
  const BytesView bytes(data + 1, size - 1);
  const size_t cut = bytes.size() * data[0] / 256;
  const BytesView first = bytes.first(cut);
  const BytesView second = bytes.subspan(cut);
  const auto hostile = apply_delta(first, second, 65'536);
  CHECK(!hostile || hostile->size() <= 65'536);
  const auto made = make_delta(first, second);
  CHECK(made.has_value());
  const auto back = apply_delta(first, *made, second.size());
  CHECK(back.has_value() && std::equal(back->begin(), back->end(), second.begin(), second.end()));
  return 0;
}

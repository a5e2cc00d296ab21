// Writes damaged channel files with our verifier's answer, for the comparison with the verifier that was written from the document:
// per file its size (4 bytes, little-endian), 1 or 0 for accepted or refused, the code padded with zeros to 8 bytes, the bytes. Arguments: how many, seed.
#include <cstdio>
#include <cstdlib>

#include "channel/mutator.hpp"

namespace {
using namespace creance;

Bytes sample(std::mt19937_64& random) {
  const auto& all = test::feature_channels();
  Bytes bytes = all[random() % all.size()];
  switch (random() % 8) {
    case 0: return bytes;
    case 1: bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8); return bytes;
    case 2: bytes[random() % std::min<size_t>(bytes.size(), 1'500)] ^= static_cast<uint8_t>(1u << random() % 8); return bytes;
    case 3: bytes.resize(random() % (bytes.size() + 9)); return bytes;
    case 4: return test::Mutator(static_cast<unsigned>(random())).cross(bytes, all[random() % all.size()]);
    default: return test::Mutator(static_cast<unsigned>(random())).mutate(bytes);
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 3;
  std::mt19937_64 random(std::strtoull(argv[2], nullptr, 10));
  for (unsigned long n = std::strtoul(argv[1], nullptr, 10); n > 0; --n) {
    const Bytes bytes = sample(random);
    const auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, test::kFeatureInputs});
    const auto size = static_cast<uint32_t>(bytes.size());
    char code[8] = {};
    if (!channel) channel.error().code.copy(code, sizeof code);
    std::fwrite(&size, 4, 1, stdout);
    std::fputc(channel ? 1 : 0, stdout);
    std::fwrite(code, 1, sizeof code, stdout);
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// Case folding as the channel format defines it: Unicode simple case folding (CaseFolding.txt, statuses C and S), character by character; bytes that are not UTF-8 stay.
// Compiler and interpreter both use it, so that literals and values are folded alike. Never allocates in the char* form.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace creance::channel {

uint32_t fold_rune(uint32_t rune) noexcept;

// `out` must have room for folded_bytes_max(text.size()). Returns the size written.
size_t fold(std::string_view text, char* out) noexcept;
constexpr size_t folded_bytes_max(size_t bytes) { return bytes + bytes / 2; }  // U+023A and U+023E grow from 2 to 3 bytes; nothing grows more

std::string fold(std::string_view text);

// All characters that fold to the same as `rune`, itself included, ascending.
std::vector<uint32_t> fold_orbit(uint32_t rune);

}  // namespace creance::channel

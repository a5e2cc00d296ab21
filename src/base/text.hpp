// Small questions about text: validity, likeness, escaping. UTF-8 throughout.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

namespace creance {

// Offset of the first byte that is not part of valid UTF-8 (RFC 3629: no surrogates, no overlong forms); nothing if all is valid.
std::optional<size_t> invalid_utf8_at(std::string_view text);

// Line and column (1-based, in code points) of a byte offset.
Span span_of(std::string_view text, size_t offset);

// Levenshtein distance, compared without ASCII case. Bounded: texts longer than 64 bytes count as unlike anything.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate most like `text`, if it is like enough (distance at most a third of its length, at least 1); nothing otherwise.
std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> candidates);

bool equal_ignoring_ascii_case(std::string_view a, std::string_view b);
std::string to_ascii_lower(std::string_view text);

// For messages and terminals: control characters (C0, DEL, C1) and marks of writing direction as \xNN, cut to `bytes_max` with an ellipsis at a character's border.
std::string printable(std::string_view text, size_t bytes_max = 80);

}  // namespace creance

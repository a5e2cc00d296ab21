#include "base/diagnostic.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

#include <algorithm>
#include <tuple>

namespace creance {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kNote: return "note";
  }
  return "unknown";
}

std::string to_line(const Diagnostic& d) {
  return fmt::format("{}:{}:{}: {} {}: {}", printable(d.file, 4096), d.span.line, d.span.column, to_string(d.severity), d.code, d.message);
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

void sort(Diagnostics& diagnostics) {
  std::ranges::stable_sort(diagnostics, [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.span.line, a.span.column, a.code) < std::tie(b.file, b.span.line, b.span.column, b.code);
  });
}

}  // namespace creance

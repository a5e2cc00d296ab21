// Content verdicts: what is wrong with a rule, a type, a channel, and where. Data, not errors: collected all at once, never thrown.
// Codes: `S…` Sigma, `T…` Template Types, `C…` compiler, `V…` verifier, `J…` judging (cases, backtest). Once given, a code keeps its meaning.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace creance {

struct Span {  // 1-based, column in characters (code points); 0 = not known
  uint32_t line = 0;
  uint32_t column = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

enum class Severity : uint8_t { kError, kWarning, kNote };
std::string_view to_string(Severity severity);

struct Diagnostic {
  std::string file;  // as the user named it
  Span span;
  Severity severity = Severity::kError;
  std::string code;     // "S012"
  std::string message;  // one line, user input in backticks
  std::string help;     // what to do; may be empty
};
using Diagnostics = std::vector<Diagnostic>;

// "file:line:column: severity CODE: message"
std::string to_line(const Diagnostic& diagnostic);
bool has_errors(const Diagnostics& diagnostics);
// By file, line, column, code: the order in which people read.
void sort(Diagnostics& diagnostics);

}  // namespace creance

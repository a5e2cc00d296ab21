// Every code that judging gives (J…), with severity and advice; docs/reference/diagnostics.md follows from it.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

namespace creance::validator {

struct JudgeCode {
  std::string_view code;
  Severity severity;
  std::string_view meaning;
  std::string_view help;
};
std::span<const JudgeCode> judge_codes();

// A diagnostic with the table's severity, and its advice if `help` is empty. The code must be in the table (CHECK).
Diagnostic judge_diagnostic(std::string_view code, const std::string& file, Span span, std::string message, std::string help = "");

}  // namespace creance::validator

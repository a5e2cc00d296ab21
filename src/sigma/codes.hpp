// Every code that the Sigma parser and the binder give, with its severity and its general advice. The one place: docs/reference/diagnostics.md follows from it (a test compares).
// Once given, a code keeps its meaning. Error: the rule cannot be used. Warning: a convention of the Sigma specification. Note: for information.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

namespace creance::sigma {

struct CodeInfo {
  std::string_view code;
  Severity severity;
  std::string_view meaning;  // what the code says, for the reference page
  std::string_view help;     // what to do, where a place has nothing better to say
};
std::span<const CodeInfo> codes();
const CodeInfo& code_info(std::string_view code);  // the code must be in the table (CHECK)

// Collects diagnostics of one file with severities and advice from the table; at limits::kDiagnosticsPerFileMax it says so once (S099) and only counts.
class Reporter {
 public:
  Reporter(std::string file, Diagnostics& out) : file_(std::move(file)), out_(&out) {}
  // `help` empty: the table's.
  void report(std::string_view code, Span span, std::string message, std::string help = "");
  uint32_t errors() const { return errors_; }
  bool is_full() const;  // nothing more is kept: spare the work of making it

 private:
  std::string file_;
  Diagnostics* out_;
  uint32_t errors_ = 0;
  uint32_t reports_ = 0;
};

// User input in backticks: printable, bounded, on one line.
std::string quote(std::string_view text);

}  // namespace creance::sigma

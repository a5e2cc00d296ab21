// What a command prints: data on standard output, everything else on standard error; colours and progress only on a terminal.
// Honours NO_COLOR, TERM=dumb and --color. Foreign text goes through base/text.hpp `printable` before it comes here.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace creance::cli {

enum class ColorChoice : uint8_t { kAuto, kAlways, kNever };
enum class Style : uint8_t { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue };

class Terminal {
 public:
  void choose_color(ColorChoice choice) { choice_ = choice; }
  void be_quiet() { quiet_ = true; }
  bool quiet() const { return quiet_; }
  bool errors_are_a_terminal() const;
  bool output_is_a_terminal() const;
  unsigned columns() const;  // of standard error; 80 where not known

  void data(std::string_view text) const;       // standard output, as it is
  void data_line(std::string_view text) const;
  void note(std::string_view text) const;       // standard error; nothing under --quiet
  void warning(std::string_view text) const;    // "creance: warning: …"
  void error(std::string_view text) const;      // "creance: …"
  std::string styled(Style style, std::string_view text, bool for_output = true) const;
  // Flushes standard output; false if something could not be written (a full disk, a closed pipe).
  bool flush() const;

 private:
  bool color_for(int descriptor) const;
  ColorChoice choice_ = ColorChoice::kAuto;
  bool quiet_ = false;
};

// A bar on standard error, redrawn at most ten times a second; nothing where that is no terminal.
class ProgressBar {
 public:
  ProgressBar(const Terminal& terminal, std::string label);
  ~ProgressBar();
  void update(uint64_t done, uint64_t total);
  void finish();  // takes the bar away; the destructor does so too

 private:
  const Terminal& terminal_;
  std::string label_;
  int64_t drawn_ms_ = 0;
  int64_t started_ms_ = 0;
  bool drawn_ = false;
};

// Columns of text, the last one unpadded.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text(const Terminal& terminal) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace creance::cli

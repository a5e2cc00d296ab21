#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/os/real.hpp"
#include "base/text.hpp"

namespace creance::cli {
namespace {

constexpr std::string_view code_of(Style style) {
  switch (style) {
    case Style::kPlain: return "";
    case Style::kBold: return "\x1b[1m";
    case Style::kDim: return "\x1b[2m";
    case Style::kRed: return "\x1b[31m";
    case Style::kGreen: return "\x1b[32m";
    case Style::kYellow: return "\x1b[33m";
    case Style::kBlue: return "\x1b[34m";
  }
  return "";
}

size_t width_of(std::string_view text) {  // code points, escape sequences not counted
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) {
      ++width;
    }
  }
  return width;
}

void print(FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

// Whoever read the output has gone (`| head`): there is nobody left to tell, so the program ends as a signal would have ended it.
void leave_if_nobody_reads() {
  if (std::ferror(stdout) != 0 && errno == EPIPE) std::_Exit(128 + SIGPIPE);
}

// Messages may quote foreign text; a line stays a line.
std::string one_line(std::string_view text) { return printable(text, 4000); }

int64_t now_ms() { return os::RealClock().monotonic().count(); }

}  // namespace

bool Terminal::errors_are_a_terminal() const { return ::isatty(STDERR_FILENO) == 1; }
bool Terminal::output_is_a_terminal() const { return ::isatty(STDOUT_FILENO) == 1; }

unsigned Terminal::columns() const {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool Terminal::color_for(int descriptor) const {
  if (choice_ != ColorChoice::kAuto) return choice_ == ColorChoice::kAlways;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::string_view(term) != "dumb");
}

std::string Terminal::styled(Style style, std::string_view text, bool for_output) const {
  if (style == Style::kPlain || !color_for(for_output ? STDOUT_FILENO : STDERR_FILENO)) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code_of(style), text);
}

void Terminal::data(std::string_view text) const {
  print(stdout, text);
  leave_if_nobody_reads();
}
void Terminal::data_line(std::string_view text) const {
  print(stdout, text);
  std::fputc('\n', stdout);
  leave_if_nobody_reads();
}
void Terminal::note(std::string_view text) const {
  if (!quiet_) print(stderr, fmt::format("{}\n", text));
}
void Terminal::warning(std::string_view text) const { print(stderr, fmt::format("creance: {} {}\n", styled(Style::kYellow, "warning:", false), one_line(text))); }
void Terminal::error(std::string_view text) const { print(stderr, fmt::format("creance: {} {}\n", styled(Style::kRed, "error:", false), one_line(text))); }
bool Terminal::flush() const {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!written && errno == EPIPE) leave_if_nobody_reads();
  return written;
}

ProgressBar::ProgressBar(const Terminal& terminal, std::string label) : terminal_(terminal), label_(std::move(label)), started_ms_(now_ms()) {}

ProgressBar::~ProgressBar() { finish(); }

void ProgressBar::finish() {
  if (drawn_) print(stderr, "\r\x1b[2K");
  drawn_ = false;
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  if (terminal_.quiet() || total == 0 || !terminal_.errors_are_a_terminal()) return;
  const int64_t now = now_ms();
  if (now - drawn_ms_ < 100) return;
  drawn_ms_ = now;
  drawn_ = true;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const double elapsed_s = static_cast<double>(now - started_ms_) / 1000.0;
  const std::string tail = share > 0.01 ? fmt::format(" {:3.0f} % {:.0f} s left", share * 100, elapsed_s * (1 - share) / share) : fmt::format(" {:3.0f} %", share * 100);
  const size_t fixed = width_of(label_) + tail.size() + 4;
  const size_t room = terminal_.columns() > fixed + 10 ? std::min<size_t>(terminal_.columns() - fixed, 40) : 10;
  const auto full = static_cast<size_t>(share * static_cast<double>(room));
  std::string bar;
  for (size_t i = 0; i < room; ++i) bar += i < full ? "█" : "░";
  print(stderr, fmt::format("\r\x1b[2K{} {}{}", label_, bar, tail));
  std::fflush(stderr);
}

std::string Table::text(const Terminal& terminal) const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      const std::string& cell = rows_[r][i];
      line += r == 0 ? terminal.styled(Style::kBold, cell) : cell;
      if (i + 1 < rows_[r].size()) line += std::string(widths[i] - width_of(cell) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace creance::cli

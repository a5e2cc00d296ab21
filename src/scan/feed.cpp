#include "scan/feed.hpp"

#include <filesystem>

#include "base/limits.hpp"

namespace creance::scan {
namespace {

std::optional<uint64_t> total_of(std::span<const std::string> files) {
  uint64_t total = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (file == "-") return std::nullopt;
    const auto status = std::filesystem::status(file, error);
    if (error || !std::filesystem::exists(status)) continue;  // opening it will say so
    if (!std::filesystem::is_regular_file(status)) return std::nullopt;
    const uint64_t size = std::filesystem::file_size(file, error);
    if (!error) total += size;
  }
  return total;
}

}  // namespace

void Piece::clear() {
  text.clear();
  lines.clear();
  error.reset();
}

Feed::Feed(std::span<const std::string> files) : files_(files), bytes_total_(total_of(files)) {}

bool Feed::next(Piece& piece) {
  const std::lock_guard lock(mutex_);
  piece.clear();
  while (file_ < files_.size()) {
    if (!fill(piece)) continue;
    piece.sequence = sequence_++;
    return true;
  }
  return false;
}

void Feed::finish_file() {
  if (source_) bytes_before_ += source_->bytes_read();
  source_.reset();
  ++file_;
}

// False: the file had nothing more, and the next one is in front.
bool Feed::fill(Piece& piece) {
  piece.file = file_;
  if (!source_) {
    auto opened = events::LineSource::open(files_[file_]);
    if (!opened) {
      piece.error = std::move(opened.error());
      piece.bytes_done = bytes_before_;
      ++file_;
      return true;
    }
    source_.emplace(std::move(*opened));
  }
  const bool is_pipe = !source_->bytes_total();
  while (piece.text.size() < limits::kScanBatchBytes) {
    auto line = source_->next();
    if (!line) piece.error = std::move(line.error());
    if (!line || !*line) {
      finish_file();
      piece.bytes_done = bytes_before_;
      return piece.error || !piece.lines.empty();
    }
    piece.lines.push_back({piece.text.size(), (*line)->text.size(), (*line)->number, (*line)->too_long});
    piece.text += (*line)->text;
    if (piece.lines.size() >= limits::kScanBatchBytes / 64) break;  // blank and short lines
    if (is_pipe && !source_->line_ready()) break;                   // what came so far is looked at now
  }
  piece.bytes_done = bytes_before_ + source_->bytes_read();
  return true;
}

void Turn::wait_for(uint64_t sequence) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return next_ == sequence; });
}

void Turn::done() {
  {
    const std::lock_guard lock(mutex_);
    ++next_;
  }
  changed_.notify_all();
}

}  // namespace creance::scan

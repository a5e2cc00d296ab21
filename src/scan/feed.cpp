#include "scan/feed.hpp"

#include <algorithm>
#include <filesystem>

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

struct Feed::Source {
  size_t file = 0;
  uint64_t sequence = 0;
  bool busy = true;  // some thread reads it
  std::optional<events::BlockSource> blocks;
};

Feed::Feed(std::span<const std::string> files, events::Format format, unsigned threads) : files_(files), format_(format), open_max_(threads), bytes_total_(total_of(files)) {}
Feed::~Feed() = default;

std::shared_ptr<Feed::Source> Feed::claim(bool may_look_ahead) {
  std::unique_lock lock(mutex_);
  for (;;) {
    for (const auto& source : open_) {
      if (!source->busy) {
        source->busy = true;
        return source;
      }
      if (!may_look_ahead) break;
    }
    if (next_file_ < files_.size() && open_.size() < open_max_ && (may_look_ahead || open_.empty())) {
      auto source = std::make_shared<Source>();
      source->file = next_file_++;
      open_.push_back(source);
      return source;
    }
    if (open_.empty()) return nullptr;
    released_.wait(lock);
  }
}

bool Feed::next(Piece& piece, bool may_look_ahead) {
  const auto source = claim(may_look_ahead);
  if (!source) return false;
  const bool more = read(*source, piece);
  {
    const std::lock_guard lock(mutex_);
    source->busy = false;
    if (!more) std::erase(open_, source);
  }
  released_.notify_all();
  return true;
}

// False: that was the last piece of the file.
bool Feed::read(Source& source, Piece& piece) {
  piece.file = source.file;
  piece.sequence = source.sequence++;
  piece.error.reset();
  piece.block.clear();
  const auto done = [&](std::optional<Error> error) {
    piece.last = true;
    piece.error = std::move(error);
    piece.bytes_done = source.blocks ? source.blocks->bytes_read() : 0;
    return false;
  };
  if (!source.blocks) {
    auto opened = events::BlockSource::open(files_[source.file], format_);
    if (!opened) return done(std::move(opened.error()));
    source.blocks.emplace(std::move(*opened));
  }
  const auto got = source.blocks->next(piece.block);
  if (!got) return done(got.error());
  if (!*got) return done(std::nullopt);
  piece.last = false;
  piece.bytes_done = source.blocks->bytes_read();
  return true;
}

}  // namespace creance::scan

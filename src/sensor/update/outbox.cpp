#include "sensor/update/outbox.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"

namespace creance::sensor {
namespace {
constexpr size_t kBatchBytesMax = limits::kHttpBodyBytesMax / 2;
constexpr size_t kBatchLines = 256;
static_assert(limits::kDetectionBytesMax < kBatchBytesMax);
}  // namespace

Outbox::Outbox(FileSystem& files, std::filesystem::path folder, size_t disk_bytes_max) : files_(files), folder_(std::move(folder)), disk_bytes_max_(disk_bytes_max) {
  if (const auto names = files_.list(folder_))
    for (const std::string& name : *names) {
      if (!name.ends_with(".jsonl")) continue;
      const auto bytes = files_.read(folder_ / name, kBatchBytesMax);
      parked_bytes_ += bytes ? bytes->size() : 0;
      ++parked_;
      counter_ = std::max<uint64_t>(counter_, std::strtoull(name.c_str(), nullptr, 10) + 1);
    }
}

bool Outbox::full() const { return lines_ >= kBatchLines || batch_.size() >= kBatchBytesMax / 2; }

void Outbox::add(std::string_view line) {
  if (line.empty() || line.size() > limits::kDetectionBytesMax) {
    ++lost_;
    return;
  }
  if (batch_.size() + line.size() + 1 > kBatchBytesMax) park();
  if (batch_.size() + line.size() + 1 > kBatchBytesMax) {  // the disk does not take it either
    ++lost_;
    return;
  }
  batch_ += line;
  batch_ += '\n';
  ++lines_;
}

std::optional<std::string> Outbox::next() {
  file_.reset();
  from_memory_ = false;
  if (parked_ > 0) {
    const auto names = files_.list(folder_);
    for (size_t i = 0; names && i < names->size(); ++i) {
      if (!(*names)[i].ends_with(".jsonl")) continue;
      const auto bytes = files_.read(folder_ / (*names)[i], kBatchBytesMax);
      if (bytes && !bytes->empty()) {
        file_ = (*names)[i];
        return std::string(as_text(*bytes));
      }
      (void)files_.remove(folder_ / (*names)[i]).has_value();  // not ours, or damaged
      ++lost_;
    }
    parked_ = parked_bytes_ = 0;
  }
  if (batch_.empty()) return std::nullopt;
  from_memory_ = true;
  given_bytes_ = batch_.size();
  return batch_;
}

void Outbox::sent() {
  if (file_) {
    const auto bytes = files_.read(folder_ / *file_, kBatchBytesMax);
    parked_bytes_ -= std::min(parked_bytes_, bytes ? bytes->size() : 0);
    --parked_;
    (void)files_.remove(folder_ / *file_).has_value();
    file_.reset();
  } else if (from_memory_) {
    batch_.erase(0, given_bytes_);
    lines_ = static_cast<size_t>(std::ranges::count(batch_, '\n'));
    from_memory_ = false;
  }
}

void Outbox::park() {
  if (batch_.empty()) return;
  from_memory_ = false;
  const bool fits = parked_bytes_ + batch_.size() <= disk_bytes_max_;
  if (fits && files_.make_directories(folder_) && files_.write_atomic(folder_ / fmt::format("{:012}.jsonl", counter_), as_bytes(batch_), 0600)) {
    ++counter_;
    ++parked_;
    parked_bytes_ += batch_.size();
  } else {
    lost_ += lines_;
  }
  batch_.clear();
  lines_ = 0;
}

}  // namespace creance::sensor

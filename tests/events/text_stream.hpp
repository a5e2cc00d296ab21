// Text as a ByteStream, given in pieces of at most `piece` bytes, which may end with a failure. For tests of everything that reads events.
#pragma once
#include <algorithm>
#include <cstring>
#include <string>

#include "base/seams/byte_stream.hpp"

namespace creance::events {

class TextStream final : public ByteStream {
 public:
  TextStream(std::string text, size_t piece, std::string name = "test") : text_(std::move(text)), piece_(piece), name_(std::move(name)) {}
  Result<size_t> read(std::span<char> out) override {
    if (at_ == text_.size() && fails_) return fail(ErrorCode::kIo, "the disk is gone");
    const size_t n = std::min({piece_, out.size(), text_.size() - at_});
    std::memcpy(out.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }
  std::optional<uint64_t> size() const override { return is_pipe_ ? std::nullopt : std::optional<uint64_t>(text_.size()); }
  const std::string& name() const override { return name_; }
  void fail_at_end() { fails_ = true; }
  void be_a_pipe() { is_pipe_ = true; }
  size_t given() const { return at_; }

 private:
  std::string text_;
  size_t piece_;
  std::string name_;
  size_t at_ = 0;
  bool fails_ = false;
  bool is_pipe_ = false;
};

}  // namespace creance::events

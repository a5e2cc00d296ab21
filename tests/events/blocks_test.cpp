// Blocks of lines: numbers, ends, limits, zstd whole, damaged and cut off.
#include "events/blocks.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/limits.hpp"
#include "events/text_stream.hpp"

namespace creance::events {
namespace {

struct Read {
  std::vector<std::string> lines;
  std::vector<uint64_t> too_long;
  std::string error;
};

Read read_all(BlockSource source) {
  Read out;
  Block block;
  for (;;) {
    const auto more = source.next(block);
    if (!more) {
      out.error = more.error().detail;
      EXPECT_FALSE(source.next(block).value_or(true)) << "after an error the source is at its end";
    }
    if (!more || !*more) break;
    EXPECT_EQ(block.first, out.lines.size() + 1);
    if (block.too_long) out.too_long.push_back(block.first);
    const size_t before = out.lines.size();
    for (std::string_view rest = block.bytes; !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      out.lines.emplace_back(line);
      if (line.size() > limits::kEventLineBytesMax) out.too_long.push_back(out.lines.size());  // by so little that it was read whole: the record reader passes over it
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (block.too_long) out.lines.emplace_back();
    EXPECT_EQ(block.lines, out.lines.size() - before);
  }
  EXPECT_EQ(source.lines(), out.lines.size());
  return out;
}
constexpr Format kAnyText = Format::kSyslog;  // lines as they stand
Read read_text(std::string text, size_t piece = 1 << 20, std::string name = "test") { return read_all(BlockSource(std::make_unique<TextStream>(std::move(text), piece, std::move(name)), kAnyText)); }

std::string packed(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

using Lines = std::vector<std::string>;

TEST(Blocks, GivesLinesWithTheirNumbers) {
  for (const size_t piece : {1, 2, 3, 1000}) {
    EXPECT_EQ(read_text("a\n\nb\r\nlast", piece).lines, (Lines{"a", "", "b", "last"}));
    EXPECT_EQ(read_text("a\n", piece).lines, (Lines{"a"}));
    EXPECT_EQ(read_text("", piece).lines, Lines{});
    EXPECT_EQ(read_text("\n", piece).lines, Lines{""});
    EXPECT_EQ(read_text("\xEF\xBB\xBF{}\n\xEF\xBB\xBF", piece).lines, (Lines{"{}", "\xEF\xBB\xBF"})) << "a mark only at the start";
    EXPECT_EQ(read_text("\xEF\xBB\xBF", piece).lines, Lines{});
    EXPECT_EQ(read_text("\xEF\xBB", piece).lines, Lines{"\xEF\xBB"});
  }
}

TEST(Blocks, UnpacksZstdByItsMagicBytes) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "line " + std::to_string(i) + "\n";
  const std::string frames = packed(text) + packed("and another frame\nno end");
  for (const size_t piece : {7, 1 << 20}) {
    const Read got = read_text(frames, static_cast<size_t>(piece), "named.jsonl");
    EXPECT_EQ(got.error, "");
    ASSERT_EQ(got.lines.size(), 50'002u);
    EXPECT_EQ(got.lines[49'999], "line 49999");
    EXPECT_EQ(got.lines[50'001], "no end");
  }
}

TEST(Blocks, TakesWindowsUpTo128MiB) {
  EXPECT_EQ(read_text(packed("a\n", 27)).lines, Lines{"a"});
  const std::string big(1u << 10, 'x');
  // A frame header that asks for 256 MiB: magic, no single segment, window descriptor exponent 18 (2^28), then an empty last block.
  const std::string greedy = std::string("\x28\xB5\x2F\xFD\x00", 5) + std::string(1, static_cast<char>(18 << 3)) + std::string("\x01\x00\x00", 3);
  EXPECT_NE(read_text(greedy).error.find("damaged"), std::string::npos) << read_text(greedy).error;
}

TEST(Blocks, CutZstdSaysHowManyLinesCameBefore) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "line " + std::to_string(i * 7919 % 100'003) + "\n";
  const std::string whole = packed(text);
  const Read got = read_text(whole.substr(0, whole.size() / 2), 4096, "x.zst");
  EXPECT_GT(got.lines.size(), 1000u);
  EXPECT_LT(got.lines.size(), 200'000u);
  EXPECT_EQ(got.error, "`x.zst` cannot be read after line " + std::to_string(got.lines.size()) + ": the zstd data is cut off; fetch or copy the file again");
  EXPECT_TRUE(text.starts_with([&] {
    std::string joined;
    for (const auto& line : got.lines) joined += line + "\n";
    return joined;
  }())) << "no half line is delivered";
  EXPECT_EQ(read_text(whole.substr(0, 6), 4096, "x.zst").error, "`x.zst` cannot be read before its first line: the zstd data is cut off; fetch or copy the file again");
}

TEST(Blocks, ZstdCutAtAnyByteIsAnErrorAndNeverACrash) {
  const std::string whole = packed("one\ntwo\nthree\n");
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_NE(read_text(whole.substr(0, n), 5, "x.zst").error, "") << n;
  for (size_t n = 4; n < whole.size(); ++n) {
    std::string damaged = whole;
    damaged[n] = static_cast<char>(damaged[n] ^ 0x55);
    (void)read_text(damaged);
  }
}

TEST(Blocks, AFileNamedZstMustBeZstd) { EXPECT_NE(read_text("{}\n", 100, "x.zst").error.find("named .zst"), std::string::npos); }

TEST(Blocks, SkipsLinesThatAreTooLongAndGoesOn) {
  const std::string fits(limits::kEventLineBytesMax, 'x');
  for (const std::string& end : {std::string("\n"), std::string("\r\n")}) {
    const Read got = read_text("a" + end + fits + end + fits + "y" + end + std::string(50u << 20, 'z') + end + "b", 1 << 18);
    ASSERT_EQ(got.lines.size(), 5u);
    EXPECT_EQ(got.lines[1].size(), fits.size());
    EXPECT_EQ(got.too_long, (std::vector<uint64_t>{3, 4}));
    EXPECT_EQ(got.lines[4], "b");
  }
  const Read last = read_text("a\n" + fits + "yz");
  EXPECT_EQ(last.too_long, (std::vector<uint64_t>{2}));
}

TEST(Blocks, ReadErrorsNameTheLine) {
  auto stream = std::make_unique<TextStream>("a\nb\nhalf", 3);
  stream->fail_at_end();
  const Read got = read_all(BlockSource(std::move(stream), kAnyText));
  EXPECT_EQ(got.lines, (Lines{"a", "b"}));
  EXPECT_EQ(got.error, "`test` cannot be read after line 2: the disk is gone");
}

TEST(Blocks, AFailureEndsTheSourceWhereverItComes) {
  const std::string endless(limits::kEventLineBytesMax + 100, 'x');
  for (const std::string& text : Lines{"a\nhalf", endless, "[{\"a\":1}]", "[{\"a\":1"}) {
    auto stream = std::make_unique<TextStream>(text, 1u << 16);
    stream->fail_at_end();
    BlockSource source(std::move(stream));
    Block block;
    Result<bool> more = source.next(block);
    while (more && *more) more = source.next(block);
    EXPECT_FALSE(more) << text.substr(0, 20);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(source.next(block).value_or(true)) << text.substr(0, 20);
  }
}

TEST(Blocks, OpensFilesAndExplainsWhatItCannotOpen) {
  const auto folder = std::filesystem::path(testing::TempDir()) / ("creance_blocks_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "x.jsonl").string();
  std::ofstream(path) << "one\ntwo\n";
  auto source = BlockSource::open(path, kAnyText);
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ(read_all(std::move(*source)).lines, (Lines{"one", "two"}));
  EXPECT_EQ(BlockSource::open((folder / "none").string()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(BlockSource::open(folder.string()).error().code, ErrorCode::kInvalid);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace creance::events

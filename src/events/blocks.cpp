#include "events/blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/os/byte_stream.hpp"
#include "events/evtx/layout.hpp"
#include "events/json_documents.hpp"
#include "events/unpack.hpp"
#include "events/utf16.hpp"

namespace creance::events {
namespace {

constexpr size_t kChunkBytes = 256u << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kLookBytes = 8;  // the longest of the beginnings below

// What no event begins with, and what to do about it.
constexpr std::pair<std::string_view, std::string_view> kForeign[] = {
    {"\x1F\x8B\x08", "what is unpacked of it is gzip data again; unpack it once"}, {"\x28\xB5\x2F\xFD", "what is unpacked of it is zstd data again; unpack it once"},
    {{"PK\x03\x04", 4}, "it is a ZIP archive; unpack it"}, {{"\xFD\x37zXZ\0", 6}, "it is packed with xz; unpack it"}, {"BZh91AY", "it is packed with bzip2; unpack it"}, {"7z\xBC\xAF\x27\x1C", "it is a 7z archive; unpack it"},
    {"LPKSHHRH", "it is a file of systemd's journal; give what `journalctl --file … -o json --all` makes of it"},
    {"<Event ", "it is XML; give the .evtx file itself, or JSON made of it"}, {"<Events>", "it is XML; give the .evtx file itself, or JSON made of it"}, {"<?xml ", "it is XML; give JSON made of it"},
};

// UTF-16 by its byte order mark, or by how JSON and text of ASCII begin in it. Nothing: it is not.
std::optional<bool> utf16_is_big_endian(std::string_view begin) {
  if (begin.starts_with("\xFF\xFE")) return false;
  if (begin.starts_with("\xFE\xFF")) return true;
  if (begin.size() < 4) return std::nullopt;
  const auto is_ascii = [&](size_t at) { return begin[at] > 0; };
  if (is_ascii(0) && begin[1] == '\0' && is_ascii(2) && begin[3] == '\0') return false;
  if (begin[0] == '\0' && is_ascii(1) && begin[2] == '\0' && is_ascii(3)) return true;
  return std::nullopt;
}

enum class Layout { kUnknown, kLines, kDocuments, kChunks };

// The first line with something on it, as far as it is there; `whole`: its end was seen.
struct FirstLine {
  std::string_view text;
  bool whole = false;
};
FirstLine first_line(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  const size_t end = text.find('\n', begin);
  std::string_view line = text.substr(begin, end == std::string_view::npos ? end : end - begin);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return {line, end != std::string_view::npos};
}

// Where the object ends that the text begins with, by its brackets and quotes. Nothing: not in this text.
std::optional<size_t> object_end(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return std::nullopt;
}

// Is this JSON a list or a document of several lines, and not one event a line? Told by what comes behind the first bracket: a JSON Lines file may begin with a line that is broken.
// Nothing: more text is needed to say.
std::optional<bool> spans_lines(std::string_view text) {
  const FirstLine first = first_line(text);
  const size_t begin = first.text.empty() ? text.size() : static_cast<size_t>(first.text.data() - text.data());
  const auto next_is_of = [&](std::string_view wanted) -> std::optional<bool> {
    const size_t next = text.find_first_not_of(" \t\r\n", begin + 1);
    if (next == std::string_view::npos) return std::nullopt;
    return wanted.find(text[next]) != std::string_view::npos;
  };
  if (first.text.starts_with('[')) return next_is_of("{]");
  if (first.text.starts_with('{')) {  // several objects on one line, as some collectors write them
    if (const auto end = object_end(first.text)) {
      const size_t next = first.text.find_first_not_of(" \t\r\n", *end);
      if (next != std::string_view::npos) return first.text[next] == '{';
    }
  }
  if (!first.whole) return std::nullopt;
  if (first.text == "{") return next_is_of("\"}");
  return first.text.starts_with("Record ") && first.text.find_first_not_of("0123456789", 7) == std::string_view::npos;
}

}  // namespace

struct BlockSource::State {
  State(std::unique_ptr<ByteStream> stream, Format wanted) : from(std::move(stream)), format(wanted), is_pipe(!from.stream().size()) {}

  Unpacker from;
  Format format;
  bool is_pipe;
  Layout layout = Layout::kUnknown;
  std::string carry;  // read and not given out yet
  uint64_t lines = 0;
  bool ended = false;     // the stream has no more
  bool over = false;      // the end, or the failure that is one, was given out
  bool skipping = false;  // inside a line that is too long
  std::optional<Error> failed;
  DocumentSplitter splitter;
  std::optional<Utf16Text> utf16;  // the stream is to be turned into UTF-8
  std::string raw;
  bool broken = false;
  bool owes_line = false;  // the line on which a list ended is counted with what follows, if only its end
  evtx::FileLayout evtx;
  std::vector<uint64_t> too_long;  // of documents, to be given out one by one

  std::string where() const {
    if (layout == Layout::kChunks) return fmt::format("after chunk {}", evtx.chunks_seen);
    return lines == 0 ? "before its first line" : fmt::format("after line {}", lines);
  }

  // Appends up to `room` bytes to `to`; false at the end. A failure is kept for later: what was read before it comes first.
  bool read_more(std::string& to, size_t room) {
    if (utf16) {
      raw.clear();
      const size_t before = to.size();
      while (to.size() == before && read_bytes(raw, room)) {
        utf16->feed(raw, to);
        raw.clear();
      }
      if (to.size() > before) return true;
      if (!failed) utf16->finish(to);
      return to.size() > before;
    }
    return read_bytes(to, room);
  }
  bool read_bytes(std::string& to, size_t room) {
    if (ended) return false;
    const size_t before = to.size();
    std::optional<Error> error;
    to.resize_and_overwrite(before + room, [&](char* data, size_t size) {
      auto got = from.read(std::span(data + before, size - before));
      if (!got) error = std::move(got.error());
      return before + (got ? *got : 0);
    });
    if (error) failed = std::move(error);
    ended = to.size() == before;
    return !ended;
  }

  Result<bool> end() {
    over = true;
    if (!failed) return false;
    return fail(failed->code, fmt::format("`{}` cannot be read {}: {}", from.stream().name(), where(), failed->detail));
  }

  // Then the stream is at its end, with the reason.
  bool is_foreign() {
    const auto found = std::ranges::find_if(kForeign, [&](const auto& each) { return carry.starts_with(each.first); });
    if (found == std::end(kForeign)) return false;
    failed = Error{ErrorCode::kInvalid, std::string(found->second)};
    ended = true;
    carry.clear();
    layout = Layout::kLines;
    return true;
  }

  void decide() {
    static_assert(kLookBytes >= evtx::kMagic.size());
    while (carry.size() < kLookBytes && read_more(carry, kChunkBytes)) {
    }
    if (format == Format::kEvtx || (format == Format::kAuto && carry.starts_with(evtx::kMagic))) {
      format = Format::kEvtx;
      layout = Layout::kChunks;
      return;
    }
    if (is_foreign()) return;
    if (const auto big_endian = utf16_is_big_endian(carry)) {
      utf16.emplace(*big_endian);
      carry.swap(raw);
      carry.clear();
      utf16->feed(raw, carry);
    }
    if (carry.starts_with(kByteOrderMark)) carry.erase(0, kByteOrderMark.size());
    if (is_foreign()) return;
    const auto look_until = [&](const auto& known) {
      while (!known() && carry.size() < limits::kFormatLookBytesMax && read_more(carry, kChunkBytes)) {
      }
    };
    look_until([&] { return first_line(carry).whole; });
    if (format == Format::kAuto) format = format_of_line(first_line(carry).text);
    layout = Layout::kLines;
    if (format != Format::kJson) return;
    look_until([&] { return spans_lines(carry).has_value(); });
    if (spans_lines(carry).value_or(false)) layout = Layout::kDocuments;
  }

  Result<bool> next_lines(Block& out) {
    out.bytes.swap(carry);
    carry.clear();
    size_t searched = 0;  // bytes that are known to have no line end
    for (;;) {
      const std::string_view fresh = std::string_view(out.bytes).substr(searched);
      const size_t last = fresh.rfind('\n');
      const bool enough = out.bytes.size() >= limits::kScanBatchBytes || is_pipe;
      if (last != std::string_view::npos && (skipping || enough || ended)) {
        if (skipping) return give_skipped(out, searched + fresh.find('\n') + 1);
        return give_lines(out, searched + last + 1);
      }
      if (last == std::string_view::npos) {
        searched = out.bytes.size();
        if (searched > limits::kEventLineBytesMax + 1 || skipping) {  // + 1: the CR of a line that is just not too long
          skipping = true;
          out.bytes.clear();
          searched = 0;
        }
      }
      if (!read_more(out.bytes, std::max(kChunkBytes, limits::kScanBatchBytes - std::min(limits::kScanBatchBytes, out.bytes.size()))) && last == std::string_view::npos) return give_rest(out);
    }
  }

  Result<bool> give_lines(Block& out, size_t size) {
    carry.assign(out.bytes, size);
    out.bytes.resize(size);
    return counted(out, static_cast<uint64_t>(std::count(out.bytes.begin(), out.bytes.end(), '\n')));
  }
  Result<bool> give_skipped(Block& out, size_t size) {
    carry.assign(out.bytes, size);
    out.bytes.clear();
    skipping = false;
    out.too_long = true;
    return counted(out, 1);
  }
  // The stream is over, and no line end is left.
  Result<bool> give_rest(Block& out) {
    if (failed) out.bytes.clear();  // what is left of a broken line is no line
    if (failed || (out.bytes.empty() && !skipping && !owes_line)) return end();
    out.too_long = skipping;
    skipping = false;
    return counted(out, 1);
  }
  Result<bool> counted(Block& out, uint64_t n) {
    owes_line = false;
    out.first = lines + 1;
    out.lines = n;
    lines += n;
    return true;
  }

  Result<bool> next_documents(Block& out) {
    for (;;) {
      if (!too_long.empty() && out.bytes.empty()) {
        out.numbers.assign(1, too_long.front());
        too_long.erase(too_long.begin());
        out.first = out.numbers[0];
        out.too_long = true;
        return true;
      }
      if (out.bytes.size() >= limits::kScanBatchBytes || (is_pipe && !out.bytes.empty())) break;
      if (carry.empty() && !read_more(carry, kChunkBytes)) {
        if (failed) broken = true;  // what is left of a broken event is no event
        if (broken || splitter.finished()) break;
        if (splitter.inside_list()) failed = Error{ErrorCode::kInvalid, "its list of events has no end; fetch or copy the file again"};
        splitter.finish(out.bytes, out.numbers, too_long);
        continue;
      }
      carry.erase(0, splitter.feed(carry, out.bytes, out.numbers, too_long));
      if (splitter.list_is_over()) {  // what follows is lines again; the rest of the list's last line counts with them
        layout = Layout::kLines;
        owes_line = true;
        break;
      }
    }
    out.lines = splitter.lines() - lines;
    lines = splitter.lines();
    if (out.bytes.empty() && out.lines == 0 && layout == Layout::kDocuments) return end();
    out.first = out.numbers.empty() ? lines : out.numbers.front();
    return true;
  }

  Result<bool> next_chunk(Block& out);

};

// EVTX: the file's header, which fills a block, then chunks of one size. What is no chunk is the reader's to tell.
Result<bool> BlockSource::State::next_chunk(Block& out) {
  const auto gather = [&](size_t size) {
    while (carry.size() < size && read_more(carry, std::max(size - carry.size(), kChunkBytes))) {
    }
    return carry.size() >= size;
  };
  if (!evtx.known) {
    const bool whole = gather(evtx::kFileHeaderBytes);
    if (!whole && !failed) failed = Error{ErrorCode::kInvalid, "it is shorter than the header of an EVTX file"};
    if (whole) {
      auto header = evtx::read_file_header(std::string_view(carry).substr(0, evtx::kFileHeaderBytes));
      if (header) evtx = *header;
      else failed = std::move(header.error());
    }
    if (failed) return end();
    gather(evtx.header_block_bytes);
    carry.erase(0, evtx.header_block_bytes);
  }
  const bool whole = gather(evtx::kChunkBytes);
  if (carry.empty()) {
    if (!failed && evtx.chunks_seen < evtx.chunks) failed = Error{ErrorCode::kInvalid, fmt::format("its header names {} chunks; fetch or copy the file again", evtx.chunks)};
    return end();
  }
  if (!whole && !failed) failed = Error{ErrorCode::kInvalid, "its last chunk is cut off; fetch or copy the file again"};
  const size_t size = std::min(carry.size(), evtx::kChunkBytes);
  out.bytes.assign(carry, 0, size);
  carry.erase(0, size);
  if (evtx.chunks_seen == 0 && !evtx.sound) out.notice = "the checksum of the file's header is wrong: it was damaged or changed";
  out.first = ++evtx.chunks_seen;
  return true;
}

Result<BlockSource> BlockSource::open(const std::string& path, Format format) {
  TRY(auto stream, os::open_stream(path));
  return BlockSource(std::move(stream), format);
}

BlockSource::BlockSource(std::unique_ptr<ByteStream> stream, Format format) : state_(std::make_unique<State>(std::move(stream), format)) {}
BlockSource::BlockSource(BlockSource&&) noexcept = default;
BlockSource& BlockSource::operator=(BlockSource&&) noexcept = default;
BlockSource::~BlockSource() = default;

Result<bool> BlockSource::next(Block& out) {
  State& s = *state_;
  out.clear();
  if (s.over) return false;
  if (s.layout == Layout::kUnknown) s.decide();
  out.format = s.format;
  if (s.layout == Layout::kChunks) return s.next_chunk(out);
  return s.layout == Layout::kDocuments || !s.too_long.empty() ? s.next_documents(out) : s.next_lines(out);
}

const std::string& BlockSource::name() const { return state_->from.stream().name(); }
uint64_t BlockSource::lines() const { return state_->lines; }
uint64_t BlockSource::bytes_read() const { return state_->from.bytes_read(); }
std::optional<uint64_t> BlockSource::bytes_total() const { return state_->from.stream().size(); }

}  // namespace creance::events

#include "events/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/limits.hpp"
#include "events/auditd.hpp"
#include "events/evtx/chunk_reader.hpp"
#include "events/syslog.hpp"

namespace creance::events {
namespace {

constexpr char kRecordSeparator = '\x1E';  // in front of each text of a JSON text sequence; several of them enclose no text (RFC 7464, 2.1)

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

const std::string& too_long() {
  static const std::string text = fmt::format("longer than {} bytes", limits::kEventLineBytesMax);
  return text;
}

}  // namespace

struct RecordReader::State {
  const Block* block = nullptr;
  size_t at = 0;        // in the block's bytes
  uint64_t line = 0;    // index of the line at `at`
  bool told = false;    // the line that is too long, or the notice, was given out
  std::string made;     // the JSON of the event at hand
  std::string problem;
  AuditdReader auditd;
  SyslogReader syslog;
  evtx::ChunkReader evtx;

  bool next_line(Record& out);
  bool next_of_chunk(Record& out);
  bool convert(std::string_view line, Record& out);
};

bool RecordReader::State::next_line(Record& out) {
  const std::string_view bytes = block->bytes;
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    const size_t end = found == nullptr ? bytes.size() : static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    std::string_view text = bytes.substr(at, end - at);
    at = found == nullptr ? end : end + 1;
    const uint64_t index = line++;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (block->format == Format::kJson) text.remove_prefix(std::min(text.find_first_not_of(kRecordSeparator), text.size()));
    if (is_blank(text)) continue;
    out.number = block->numbers.empty() ? block->first + index : block->numbers[index];
    if (text.size() > limits::kEventLineBytesMax) {
      out.problem = too_long();
      return true;
    }
    if (block->format == Format::kJson) {
      out.json = text;
      out.in_block = true;
      out.on_one_line = block->numbers.empty();
      return true;
    }
    if (convert(text, out)) return true;
  }
  return false;
}

// False: a line that is no event and needs none (a separator).
bool RecordReader::State::convert(std::string_view text, Record& out) {
  made.clear();
  problem.clear();
  const LineOutcome outcome = block->format == Format::kAuditd ? auditd.convert(text, made, problem) : syslog.convert(text, made, problem);
  if (outcome == LineOutcome::kNothing) return false;
  if (outcome == LineOutcome::kEvent) out.json = made;
  else out.problem = problem;
  return true;
}

bool RecordReader::State::next_of_chunk(Record& out) {
  made.clear();
  problem.clear();
  if (!block->notice.empty() && !told) {
    told = out.damaged = true;
    out.problem = block->notice;
    return true;
  }
  if (!evtx.next(made, problem, out.number, out.damaged)) return false;
  if (problem.empty()) out.json = made;
  else out.problem = problem;
  return true;
}

RecordReader::RecordReader() : state_(std::make_unique<State>()) {}
RecordReader::RecordReader(RecordReader&&) noexcept = default;
RecordReader& RecordReader::operator=(RecordReader&&) noexcept = default;
RecordReader::~RecordReader() = default;

void RecordReader::begin(const Block& block) {
  State& s = *state_;
  s.block = &block;
  s.at = 0;
  s.line = 0;
  s.told = false;
  if (block.format == Format::kEvtx) s.evtx.begin(block.bytes, block.first);
}

bool RecordReader::next(Record& out) {
  State& s = *state_;
  out = {};
  if (s.block->format == Format::kEvtx) return s.next_of_chunk(out);
  if (s.block->too_long && !s.told) {
    s.told = true;
    out.number = s.block->first;
    out.problem = too_long();
    return true;
  }
  return s.next_line(out);
}

}  // namespace creance::events

#include "events/evtx/chunk_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/limits.hpp"
#include "events/evtx/flat_event.hpp"
#include "events/evtx/layout.hpp"
#include "events/evtx/value.hpp"
#include "events/utf16.hpp"

namespace creance::events::evtx {
namespace {

constexpr uint8_t kMore = 0x40;  // flag of a token
enum Token : uint8_t {
  kEnd = 0x00,
  kOpenStart = 0x01,
  kCloseStart = 0x02,
  kCloseEmpty = 0x03,
  kEndElement = 0x04,
  kValue = 0x05,
  kAttribute = 0x06,
  kCData = 0x07,
  kCharRef = 0x08,
  kEntityRef = 0x09,
  kPiTarget = 0x0a,
  kPiData = 0x0b,
  kTemplateInstance = 0x0c,
  kSubstitution = 0x0d,
  kOptionalSubstitution = 0x0e,
  kFragmentHeader = 0x0f,
};
constexpr uint16_t kNoDependency = 0xffff;

// A value that a template is filled with.
struct Filling {
  uint8_t type;
  size_t begin, end;  // in the chunk
};

// A stretch of binary XML that is being read.
struct Stretch {
  size_t at, end;         // in the chunk
  size_t fillings;        // its own begin in State::fillings
  size_t filling_count;
  bool has_dependencies;  // its elements name one ([MS-EVEN6] 2.2.12.2.1); those inside a value do not
};

}  // namespace

struct ChunkReader::State {
  std::string_view chunk;
  uint64_t ordinal = 0;
  size_t at = 0;        // of the next record
  size_t records_end = 0;
  bool began = false;
  bool over = false;

  FlatEvent event;
  std::string name;      // of the element or attribute at hand
  std::string value;
  std::vector<Filling> fillings;
  std::vector<Stretch> stack;
  const char* wrong = nullptr;
  uint32_t depth = 0;      // open elements
  uint32_t left_out = 0;   // depth of an element that is left out, since what it depends on is empty; 0: none
  bool attribute_open = false;
  uint32_t tokens = 0;

  bool fail_with(const char* reason) {
    wrong = reason;
    return false;
  }
  bool room(const Stretch& in, size_t bytes) { return in.end - in.at >= bytes || fail_with("it ends inside a token"); }
  template <class T>
  bool take(Stretch& in, T& out) {
    if (!room(in, sizeof(T))) return false;
    out = number_at<T>(chunk, in.at);
    in.at += sizeof(T);
    return true;
  }

  bool begin_chunk(std::string& problem, bool& damaged);
  bool read_record(size_t begin, size_t size);
  bool token(Stretch& in, bool& ended);
  bool read_name(Stretch& in);
  bool open_element(Stretch& in, bool more);
  bool close_element();
  bool end_attribute();
  bool text_of_units(Stretch& in, bool keep);
  bool entity(Stretch& in);
  bool template_instance(Stretch& in);
  bool substitute(Stretch& in);
  void put(std::string_view text) {
    if (left_out == 0 && (depth > 0 || attribute_open)) event.text(text);
  }
  bool put_filling(const Filling& filling);
  void put_strings(std::string_view bytes);
};

// A name stands in the chunk once; where it is first used it stands in between: next name, hash, count, UTF-16, zero.
bool ChunkReader::State::read_name(Stretch& in) {
  uint32_t offset = 0;
  if (!take(in, offset)) return false;
  constexpr size_t kHead = 8;
  if (offset > chunk.size() || chunk.size() - offset < kHead) return fail_with("a name lies outside of its chunk");
  const size_t units = number_at<uint16_t>(chunk, offset + 6);
  if (units > limits::kEvtxNameUnitsMax) return fail_with("a name is too long");
  const size_t bytes = 2 * units;
  if (chunk.size() - offset - kHead < bytes) return fail_with("a name lies outside of its chunk");
  name.clear();
  append_utf16(chunk.substr(offset + kHead, bytes), name);
  if (offset == in.at) {
    if (!room(in, kHead + bytes + 2)) return false;
    in.at += kHead + bytes + 2;
  }
  return true;
}

bool ChunkReader::State::end_attribute() {
  if (attribute_open && left_out == 0) event.close_attribute();
  attribute_open = false;
  return true;
}

bool ChunkReader::State::open_element(Stretch& in, bool more) {
  end_attribute();
  uint16_t dependency = kNoDependency;
  if (in.has_dependencies && !take(in, dependency)) return false;
  uint32_t size = 0;
  if (!take(in, size) || !read_name(in)) return false;
  uint32_t attributes_size = 0;
  if (more && !take(in, attributes_size)) return false;
  if (depth >= limits::kEventDepthMax) return fail_with("its elements are nested too deep");
  ++depth;
  if (left_out != 0) return true;
  if (dependency != kNoDependency && dependency < in.filling_count) {
    const Filling& filling = fillings[in.fillings + dependency];
    if (filling.begin == filling.end) {
      left_out = depth;
      return true;
    }
  }
  event.open_element(name);
  return true;
}

bool ChunkReader::State::close_element() {
  end_attribute();
  if (depth == 0) return fail_with("an element ends that did not begin");
  if (left_out == 0) event.close_element();
  else if (left_out == depth) left_out = 0;
  --depth;
  return true;
}

bool ChunkReader::State::text_of_units(Stretch& in, bool keep) {
  uint16_t units = 0;
  if (!take(in, units) || !room(in, 2 * static_cast<size_t>(units))) return false;
  if (keep) {
    value.clear();
    append_utf16(chunk.substr(in.at, 2 * static_cast<size_t>(units)), value);
    put(value);
  }
  in.at += 2 * static_cast<size_t>(units);
  return true;
}

bool ChunkReader::State::entity(Stretch& in) {
  if (!read_name(in)) return false;
  put(name == "lt" ? "<" : name == "gt" ? ">" : name == "amp" ? "&" : name == "quot" ? "\"" : name == "apos" ? "'" : "\xEF\xBF\xBD");
  return true;
}

bool ChunkReader::State::template_instance(Stretch& in) {
  uint8_t unknown = 0;
  uint32_t id = 0, offset = 0;
  if (!take(in, unknown) || !take(in, id) || !take(in, offset)) return false;
  constexpr size_t kHead = 24;  // next template, GUID, size
  if (offset > chunk.size() || chunk.size() - offset < kHead) return fail_with("a template lies outside of its chunk");
  const size_t size = number_at<uint32_t>(chunk, offset + 20);
  if (chunk.size() - offset - kHead < size) return fail_with("a template lies outside of its chunk");
  if (offset == in.at) {
    if (!room(in, kHead + size)) return false;
    in.at += kHead + size;
  }
  uint32_t count = 0;
  if (!take(in, count)) return false;
  if (!room(in, 4 * static_cast<size_t>(count))) return false;  // at most 16,384: they lie in the chunk
  const Stretch definition{offset + kHead, offset + kHead + size, fillings.size(), count, true};
  size_t data = in.at + 4 * static_cast<size_t>(count);
  for (uint32_t i = 0; i < count; ++i) {
    const size_t bytes = number_at<uint16_t>(chunk, in.at + 4 * static_cast<size_t>(i));
    const auto type = static_cast<uint8_t>(chunk[in.at + 4 * static_cast<size_t>(i) + 2]);
    if (in.end - data < bytes) return fail_with("a value lies outside of its record");
    fillings.push_back({type, data, data + bytes});
    data += bytes;
  }
  in.at = data;
  if (fillings.size() > limits::kEvtxFillingsMax) return fail_with("it has too many values");
  if (stack.size() >= limits::kEvtxTemplatesDeepMax) return fail_with("its templates are nested too deep");
  stack.push_back(definition);  // `in` is not valid any more
  return true;
}

void ChunkReader::State::put_strings(std::string_view bytes) {  // each with a zero behind it
  bool first = true;
  for (size_t begin = 0; begin + 1 < bytes.size();) {
    size_t end = begin;
    while (end + 1 < bytes.size() && (bytes[end] != '\0' || bytes[end + 1] != '\0')) end += 2;
    if (!first && left_out == 0) event.next_value();
    first = false;
    value.clear();
    append_utf16(bytes.substr(begin, end - begin), value);
    put(value);
    begin = end + 2;
  }
}

bool ChunkReader::State::put_filling(const Filling& filling) {
  const std::string_view bytes = chunk.substr(filling.begin, filling.end - filling.begin);
  const auto type = static_cast<uint8_t>(filling.type & ~kArrayFlag);
  if ((filling.type & kArrayFlag) == 0) {
    value.clear();
    if (bytes.empty() && type != kTypeString) return true;
    if (!append_value(type, bytes, value)) return fail_with("a value is not of the size or type that it should be");
    put(value);
    return true;
  }
  if (type == kTypeString) {
    put_strings(bytes);
    return true;
  }
  const size_t each = element_bytes(type);
  if (each == 0 || bytes.size() % each != 0) return fail_with("a list of values is not of the size or type that it should be");
  for (size_t i = 0; i < bytes.size(); i += each) {
    if (i > 0 && left_out == 0) event.next_value();
    value.clear();
    if (!append_value(type, bytes.substr(i, each), value)) return fail_with("a value is not of the size or type that it should be");
    put(value);
  }
  return true;
}

bool ChunkReader::State::substitute(Stretch& in) {
  uint16_t index = 0;
  uint8_t type = 0;
  if (!take(in, index) || !take(in, type)) return false;
  if (index >= in.filling_count) return fail_with("a template asks for a value that its record does not have");
  const Filling filling = fillings[in.fillings + index];
  if (filling.type != kTypeBinXml) return put_filling(filling);
  if (left_out != 0 || filling.begin == filling.end) return true;
  end_attribute();
  if (stack.size() >= limits::kEvtxTemplatesDeepMax) return fail_with("its templates are nested too deep");
  stack.push_back({filling.begin, filling.end, fillings.size(), 0, false});
  return true;
}

bool ChunkReader::State::token(Stretch& in, bool& ended) {
  const auto byte = static_cast<uint8_t>(chunk[in.at]);
  ++in.at;
  if (++tokens > limits::kEvtxTokensMax || event.too_long()) return fail_with("it unpacks to more than an event may have");
  const bool more = (byte & kMore) != 0;
  switch (byte & ~kMore) {
    case kEnd: ended = true; return true;
    case kOpenStart: return open_element(in, more);
    case kCloseStart: return end_attribute();
    case kCloseEmpty:
    case kEndElement: return close_element();
    case kValue: {
      uint8_t type = 0;
      if (!take(in, type)) return false;
      if (type != kTypeString) return fail_with("a literal value is no string");
      return text_of_units(in, true);
    }
    case kAttribute: {
      end_attribute();
      if (!read_name(in)) return false;
      if (depth == 0) return fail_with("an attribute stands outside of any element");
      attribute_open = true;
      if (left_out == 0) event.open_attribute(name);
      return true;
    }
    case kCData: return text_of_units(in, true);
    case kCharRef: {
      uint16_t unit = 0;
      if (!take(in, unit)) return false;
      value.clear();
      append_utf16(std::string_view(reinterpret_cast<const char*>(&unit), sizeof unit), value);
      put(value);
      return true;
    }
    case kEntityRef: return entity(in);
    case kPiTarget: return read_name(in);
    case kPiData: return text_of_units(in, false);
    case kTemplateInstance: return template_instance(in);
    case kSubstitution:
    case kOptionalSubstitution: return substitute(in);
    case kFragmentHeader:
      if (!room(in, 3)) return false;
      in.at += 3;
      return true;
    default: return fail_with("it has a token that binary XML does not know");
  }
}

bool ChunkReader::State::read_record(size_t begin, size_t size) {
  event.begin();
  fillings.clear();
  stack.clear();
  wrong = nullptr;
  depth = left_out = tokens = 0;
  attribute_open = false;
  stack.push_back({begin, begin + size, 0, 0, true});
  while (!stack.empty()) {
    const size_t level = stack.size();
    bool ended = stack.back().at >= stack.back().end;
    if (!ended && !token(stack.back(), ended)) return false;
    if (!ended) continue;
    fillings.resize(stack[level - 1].fillings);
    stack.pop_back();
  }
  return depth == 0 || fail_with("an element does not end");
}

// True: there is something to tell.
bool ChunkReader::State::begin_chunk(std::string& problem, bool& damaged) {
  began = true;
  at = kChunkHeaderBytes;
  records_end = 0;
  over = true;
  if (chunk.find_first_not_of('\0') == std::string_view::npos) return false;  // free, as at the end of a log
  if (chunk.size() < kChunkHeaderBytes || !chunk.starts_with(kChunkMagic)) {
    problem = fmt::format("chunk {} is damaged: it does not begin as a chunk does", ordinal);
    return true;
  }
  const size_t used = number_at<uint32_t>(chunk, 48);
  if (used > kChunkBytes || used < kChunkHeaderBytes) {
    problem = fmt::format("chunk {} is damaged: its free space begins at {}", ordinal, used);
    return true;
  }
  over = false;
  records_end = std::min(used, chunk.size());
  if (used <= chunk.size()) {
    const std::string_view part = chunk_damage(chunk, used);
    damaged = !part.empty();
    if (damaged) problem = fmt::format("the checksum of the {} of chunk {} is wrong: it was damaged or changed; what can be read of it is judged", part, ordinal);
    return damaged;
  }
  problem = fmt::format("chunk {} is cut off: {} bytes of its events are missing", ordinal, used - chunk.size());
  return true;
}

ChunkReader::ChunkReader() : state_(std::make_unique<State>()) { state_->stack.reserve(limits::kEvtxTemplatesDeepMax + 1); }
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;
ChunkReader& ChunkReader::operator=(ChunkReader&&) noexcept = default;
ChunkReader::~ChunkReader() = default;

void ChunkReader::begin(std::string_view chunk, uint64_t ordinal) {
  State& s = *state_;
  s.chunk = chunk;
  s.ordinal = ordinal;
  s.began = false;
}

bool ChunkReader::next(std::string& json, std::string& problem, uint64_t& number, bool& damaged) {
  State& s = *state_;
  number = 0;
  damaged = false;
  if (!s.began && s.begin_chunk(problem, damaged)) {
    if (s.chunk.size() >= kChunkHeaderBytes) number = number_at<uint64_t>(s.chunk, 24);  // its first record, as it says
    return true;
  }
  if (s.over || s.at >= s.records_end) return false;
  const size_t left = s.records_end - s.at;
  if (left < kRecordHeadBytes + kRecordTailBytes || !s.chunk.substr(s.at).starts_with(kRecordMagic)) {
    // Records begin at multiples of eight: the next one that can be told as one.
    size_t found = (s.at + 8) & ~size_t{7};
    while (found < s.records_end && !s.chunk.substr(found).starts_with(kRecordMagic)) found += 8;
    problem = fmt::format("chunk {} is damaged: no record at byte {}", s.ordinal, s.at);
    s.at = std::min(found, s.records_end);
    return true;
  }
  const size_t size = number_at<uint32_t>(s.chunk, s.at + 4);
  number = number_at<uint64_t>(s.chunk, s.at + 8);
  if (size < kRecordHeadBytes + kRecordTailBytes || size > left) {
    problem = fmt::format("the record is damaged or cut off: it says that it has {} bytes", size);
    s.at = std::min((s.at + 8) & ~size_t{7}, s.records_end);
    while (s.at < s.records_end && !s.chunk.substr(s.at).starts_with(kRecordMagic)) s.at += 8;
    s.at = std::min(s.at, s.records_end);
    return true;
  }
  const size_t begin = s.at + kRecordHeadBytes;
  s.at += size;
  if (s.read_record(begin, size - kRecordHeadBytes - kRecordTailBytes)) s.event.write(number, json);
  else problem = fmt::format("the record is damaged: {}", s.wrong);
  return true;
}

}  // namespace creance::events::evtx

// Makes EVTX files for tests: chunks of records whose binary XML is a template filled with values, as Windows writes them. Names and templates stand in a chunk once and are referred to
// afterwards. Written from the same documents as the reader, but apart from it; the file's check sums are right, so that other readers take what it makes.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace creance::events {

struct EvtxValue {
  uint8_t type = 0;
  std::string bytes;
};

inline std::string le(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}
inline void put_at(std::string& bytes, size_t at, uint64_t value, size_t size) { bytes.replace(at, size, le(value, size)); }

// UTF-8 -> UTF-16LE; what is no UTF-8 is taken byte by byte.
inline std::string utf16(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at])); };
    uint32_t c = byte(i);
    size_t n = 1;
    if (c >= 0xF0 && i + 3 < text.size()) c = (c & 7) << 18 | (byte(i + 1) & 63) << 12 | (byte(i + 2) & 63) << 6 | (byte(i + 3) & 63), n = 4;
    else if (c >= 0xE0 && i + 2 < text.size()) c = (c & 15) << 12 | (byte(i + 1) & 63) << 6 | (byte(i + 2) & 63), n = 3;
    else if (c >= 0xC0 && i + 1 < text.size()) c = (c & 31) << 6 | (byte(i + 1) & 63), n = 2;
    i += n;
    if (c >= 0x10000) {
      out += le(0xD800 + ((c - 0x10000) >> 10), 2) + le(0xDC00 + ((c - 0x10000) & 0x3FF), 2);
    } else {
      out += le(c, 2);
    }
  }
  return out;
}

inline EvtxValue evtx_string(std::string_view text) { return {0x01, utf16(text)}; }
inline EvtxValue evtx_u8(uint8_t n) { return {0x04, le(n, 1)}; }
inline EvtxValue evtx_u16(uint16_t n) { return {0x06, le(n, 2)}; }
inline EvtxValue evtx_u32(uint32_t n) { return {0x08, le(n, 4)}; }
inline EvtxValue evtx_u64(uint64_t n) { return {0x0a, le(n, 8)}; }
inline EvtxValue evtx_hex64(uint64_t n) { return {0x15, le(n, 8)}; }
inline EvtxValue evtx_hex32(uint32_t n) { return {0x14, le(n, 4)}; }
inline EvtxValue evtx_none() { return {}; }

class EvtxChunk {
 public:
  explicit EvtxChunk(uint64_t first_record) : first_(first_record), next_(first_record) { bytes_.assign(512, '\0'); }

  // An element of a template. `dependency`: it is left out if that value is empty.
  struct Element {
    std::string name;
    std::vector<std::pair<std::string, std::variant<std::string, uint16_t>>> attributes;  // literal or number of a value
    std::vector<Element> children;
    std::optional<std::string> text;
    std::optional<uint16_t> value;  // number of a value
    uint16_t dependency = 0xffff;
    uint8_t value_type = 0x01;
  };

  // False: no room in this chunk (nothing was written).
  bool add(const std::string& template_id, const Element& root, const std::vector<EvtxValue>& values, uint64_t file_time = 0x01DA0000'00000000, std::optional<uint64_t> number = std::nullopt) {
    const EvtxChunk before = *this;
    const size_t begin = bytes_.size();
    const uint64_t id = number.value_or(next_);
    bytes_ += std::string("**\0\0", 4) + le(0, 4) + le(id, 8) + le(file_time, 8);
    bytes_ += std::string("\x0f\x01\x01\x00", 4);
    instance(template_id, root, values);
    bytes_.push_back('\0');
    while ((bytes_.size() + 4) % 8 != 0) bytes_.push_back('\0');
    const size_t size = bytes_.size() + 4 - begin;
    put_at(bytes_, begin + 4, size, 4);
    bytes_ += le(size, 4);
    if (bytes_.size() > 65'536) {
      *this = before;
      return false;
    }
    last_begin_ = begin;
    next_ = id + 1;
    ++count_;
    return true;
  }

  std::string finish() const {
    std::string out = bytes_;
    const size_t used = out.size();
    out.replace(0, 8, std::string("ElfChnk\0", 8));
    put_at(out, 8, first_, 8);
    put_at(out, 16, next_ - 1, 8);
    put_at(out, 24, first_, 8);
    put_at(out, 32, next_ - 1, 8);
    put_at(out, 40, 128, 4);
    put_at(out, 44, last_begin_, 4);
    put_at(out, 48, used, 4);
    put_at(out, 52, crc(out, 512, used), 4);
    put_at(out, 124, 0, 4);
    uLong sum = crc32(0, reinterpret_cast<const Bytef*>(out.data()), 120);
    sum = crc32(sum, reinterpret_cast<const Bytef*>(out.data()) + 128, 384);
    put_at(out, 124, sum, 4);
    out.resize(65'536, '\0');
    return out;
  }
  uint64_t next_record() const { return next_; }
  size_t count() const { return count_; }

  // Binary XML as a value: a template of its own, filled.
  std::string nested(const Element& root) {
    // Written where the value will stand is not known yet: only a fragment without a template, whose names must already be in the chunk or are written with it.
    std::string out = std::string("\x0f\x01\x01\x00", 4);
    element(root, out, std::nullopt, false);
    out.push_back('\0');
    return out;
  }

 private:
  static uLong crc(const std::string& bytes, size_t begin, size_t end) { return crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + begin, static_cast<uInt>(end - begin)); }

  // Reference to a name, or the name itself if it is new. `base`: where `out` will begin in the chunk; nothing: the name must be known.
  void name(const std::string& text, std::string& out, std::optional<size_t> base) {
    if (const auto at = names_.find(text); at != names_.end()) {
      out += le(at->second, 4);
      return;
    }
    const size_t place = *base + out.size() + 4;
    names_[text] = place;
    uint16_t hash = 0;
    const std::string units = utf16(text);
    for (size_t i = 0; i < units.size(); i += 2) hash = static_cast<uint16_t>(hash * 65599 + static_cast<uint8_t>(units[i]));
    out += le(place, 4) + le(0, 4) + le(hash, 2) + le(units.size() / 2, 2) + units + le(0, 2);
  }
  void text_value(const std::string& text, std::string& out) {
    const std::string units = utf16(text);
    out += std::string("\x05\x01", 2) + le(units.size() / 2, 2) + units;
  }
  void element(const Element& e, std::string& out, std::optional<size_t> base, bool dependencies) {
    out.push_back(e.attributes.empty() ? '\x01' : '\x41');
    if (dependencies) out += le(e.dependency, 2);
    const size_t size_at = out.size();
    out += le(0, 4);
    name(e.name, out, base);
    if (!e.attributes.empty()) {
      const size_t list_at = out.size();
      out += le(0, 4);
      for (size_t i = 0; i < e.attributes.size(); ++i) {
        out.push_back(i + 1 < e.attributes.size() ? '\x46' : '\x06');
        name(e.attributes[i].first, out, base);
        if (const auto* literal = std::get_if<std::string>(&e.attributes[i].second)) text_value(*literal, out);
        else out += std::string("\x0e", 1) + le(std::get<uint16_t>(e.attributes[i].second), 2) + "\x01";
      }
      put_at(out, list_at, out.size() - list_at - 4, 4);
    }
    if (e.children.empty() && !e.text && !e.value) {
      out.push_back('\x03');
    } else {
      out.push_back('\x02');
      for (const Element& child : e.children) element(child, out, base, dependencies);
      if (e.text) text_value(*e.text, out);
      if (e.value) out += std::string("\x0e", 1) + le(*e.value, 2) + static_cast<char>(e.value_type);
      out.push_back('\x04');
    }
    put_at(out, size_at, out.size() - size_at - 4, 4);
  }
  void instance(const std::string& id, const Element& root, const std::vector<EvtxValue>& values) {
    bytes_ += std::string("\x0c\x01", 2) + le(templates_.size() + 1, 4);
    const auto known = templates_.find(id);
    if (known != templates_.end()) {
      bytes_ += le(known->second, 4);
    } else {
      const size_t place = bytes_.size() + 4;
      templates_[id] = place;
      bytes_ += le(place, 4) + le(0, 4) + std::string("0123456789abcdef").replace(0, 4, le(templates_.size(), 4)) + le(0, 4);
      const size_t base = bytes_.size();
      std::string definition = std::string("\x0f\x01\x01\x00", 4);
      element(root, definition, base, true);
      definition.push_back('\0');
      put_at(bytes_, base - 4, definition.size(), 4);
      bytes_ += definition;
    }
    bytes_ += le(values.size(), 4);
    for (const EvtxValue& value : values) bytes_ += le(value.bytes.size(), 2) + static_cast<char>(value.type) + std::string(1, '\0');
    for (const EvtxValue& value : values) bytes_ += value.bytes;
  }

  std::string bytes_;
  uint64_t first_, next_;
  size_t last_begin_ = 512;
  size_t count_ = 0;
  std::map<std::string, size_t> names_, templates_;
};

// The file around chunks.
inline std::string evtx_file(const std::vector<std::string>& chunks, uint64_t next_record) {
  std::string out(4096, '\0');
  out.replace(0, 8, std::string("ElfFile\0", 8));
  put_at(out, 16, chunks.empty() ? 0 : chunks.size() - 1, 8);
  put_at(out, 24, next_record, 8);
  put_at(out, 32, 128, 4);
  put_at(out, 36, 1, 2);
  put_at(out, 38, 3, 2);
  put_at(out, 40, 4096, 2);
  put_at(out, 42, chunks.size(), 2);
  put_at(out, 124, crc32(0, reinterpret_cast<const Bytef*>(out.data()), 120), 4);
  for (const std::string& chunk : chunks) out += chunk;
  return out;
}

// An event of Windows as a template: System with values 0 to 15, then data by name (values from 16 on) or without a name.
struct EvtxEvent {
  std::string provider, provider_guid;  // literals, as in a manifest's template
  uint16_t id = 0;
  uint8_t version = 0, level = 0;
  uint16_t task = 0;
  uint8_t opcode = 0;
  uint64_t keywords = 0;
  uint64_t time = 0;  // FILETIME
  uint64_t record = 0;
  std::optional<std::string> activity;  // GUID, 16 bytes
  uint32_t process = 0, thread = 0;
  std::string channel, computer;
  std::string user_sid;                                        // bytes
  std::vector<std::pair<std::string, EvtxValue>> data;         // empty name: <Data> without one
};

inline EvtxChunk::Element evtx_template(const EvtxEvent& event) {
  using Element = EvtxChunk::Element;
  Element system{.name = "System"};
  Element provider{.name = "Provider"};
  if (!event.provider.empty()) provider.attributes.emplace_back("Name", event.provider);
  if (!event.provider_guid.empty()) provider.attributes.emplace_back("Guid", event.provider_guid);
  system.children.push_back(provider);
  const auto valued = [&](const char* name, uint16_t number, uint8_t type) {
    Element out{.name = name};
    out.value = number;
    out.dependency = number;
    out.value_type = type;
    system.children.push_back(out);
  };
  valued("EventID", 3, 0x06);
  valued("Version", 11, 0x04);
  valued("Level", 0, 0x04);
  valued("Task", 2, 0x06);
  valued("Opcode", 1, 0x04);
  valued("Keywords", 5, 0x15);
  system.children.push_back({.name = "TimeCreated", .attributes = {{"SystemTime", uint16_t{6}}}});
  valued("EventRecordID", 10, 0x0a);
  system.children.push_back({.name = "Correlation", .attributes = {{"ActivityID", uint16_t{7}}}});
  system.children.push_back({.name = "Execution", .attributes = {{"ProcessID", uint16_t{8}}, {"ThreadID", uint16_t{9}}}});
  Element channel{.name = "Channel"};
  channel.text = event.channel;
  if (!event.channel.empty()) system.children.push_back(channel);
  Element computer{.name = "Computer"};
  computer.text = event.computer;
  system.children.push_back(computer);
  system.children.push_back({.name = "Security", .attributes = {{"UserID", uint16_t{12}}}});
  Element data{.name = "EventData"};
  for (size_t i = 0; i < event.data.size(); ++i) {
    Element each{.name = "Data"};
    if (!event.data[i].first.empty()) each.attributes.emplace_back("Name", event.data[i].first);
    each.value = static_cast<uint16_t>(13 + i);
    each.value_type = event.data[i].second.type;
    data.children.push_back(each);
  }
  Element root{.name = "Event", .attributes = {{"xmlns", std::string("http://schemas.microsoft.com/win/2004/08/events/event")}}};
  root.children = {system, data};
  return root;
}

inline std::vector<EvtxValue> evtx_values(const EvtxEvent& e) {
  std::vector<EvtxValue> out = {evtx_u8(e.level), evtx_u8(e.opcode), evtx_u16(e.task), evtx_u16(e.id), evtx_none(), evtx_hex64(e.keywords), {0x11, le(e.time, 8)}, e.activity ? EvtxValue{0x0f, *e.activity} : evtx_none(),
                                evtx_u32(e.process), evtx_u32(e.thread), evtx_u64(e.record), evtx_u8(e.version), e.user_sid.empty() ? evtx_none() : EvtxValue{0x13, e.user_sid}};
  for (const auto& [name, value] : e.data) out.push_back(value);
  return out;
}

}  // namespace creance::events

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace creance {

bool Json::boolean() const {
  const bool* value = std::get_if<bool>(&value_);
  CHECK(value != nullptr);
  return *value;
}
int64_t Json::integer() const {
  const int64_t* value = std::get_if<int64_t>(&value_);
  CHECK(value != nullptr);
  return *value;
}
double Json::real() const {
  if (is_integer()) return static_cast<double>(integer());
  const double* value = std::get_if<double>(&value_);
  CHECK(value != nullptr);
  return *value;
}
const std::string& Json::string() const {
  const std::string* value = std::get_if<std::string>(&value_);
  CHECK(value != nullptr);
  return *value;
}
const Json::Array& Json::elements() const {
  const Array* value = std::get_if<Array>(&value_);
  CHECK(value != nullptr);
  return *value;
}
const Json::Object& Json::members() const {
  const Object* value = std::get_if<Object>(&value_);
  CHECK(value != nullptr);
  return *value;
}

const Json* Json::find(std::string_view name) const {
  const Object* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  const auto it = std::ranges::find(*object, name, &Member::first);
  return it == object->end() ? nullptr : &it->second;
}

void Json::set(std::string_view name, Json value) {
  if (kind() == Kind::kNull) value_ = Object{};
  Object* object = std::get_if<Object>(&value_);
  CHECK(object != nullptr);
  const auto it = std::ranges::find(*object, name, &Member::first);
  if (it != object->end()) {
    it->second = std::move(value);
  } else {
    object->emplace_back(std::string(name), std::move(value));
  }
}

void Json::remove(std::string_view name) {
  Object* object = std::get_if<Object>(&value_);
  if (object != nullptr) std::erase_if(*object, [&](const Member& member) { return member.first == name; });
}

void Json::push(Json value) {
  if (kind() == Kind::kNull) value_ = Array{};
  Array* array = std::get_if<Array>(&value_);
  CHECK(array != nullptr);
  array->push_back(std::move(value));
}

namespace {

enum class Style : uint8_t { kCompact, kPretty, kSorted, kCanonical };

// Walks a value with a stack of its own, so that no nesting can exhaust the thread's.
class Writer {
 public:
  explicit Writer(Style style) : style_(style) {}
  bool write(const Json& root) {
    open(root);
    while (!stack_.empty()) step();
    return !has_real_;
  }
  std::string take() { return std::move(out_); }

 private:
  struct Frame {
    const Json* value;
    std::vector<const Json::Member*> members;  // in the order in which they are written; empty for arrays
    size_t next = 0;
  };

  void step() {
    Frame& frame = stack_.back();
    const bool is_object = frame.value->is_object();
    const size_t count = is_object ? frame.members.size() : frame.value->elements().size();
    if (frame.next == count) {
      stack_.pop_back();
      if (count != 0) new_line();
      out_ += is_object ? '}' : ']';
      return;
    }
    if (frame.next != 0) out_ += ',';
    new_line();
    const size_t at = frame.next++;
    const Json* child = nullptr;
    if (is_object) {
      const Json::Member* member = frame.members[at];
      text(member->first);
      out_ += style_ == Style::kPretty ? ": " : ":";
      child = &member->second;
    } else {
      child = &frame.value->elements()[at];
    }
    open(*child);  // may move `frame`
  }

  void open(const Json& value) {
    switch (value.kind()) {
      case Json::Kind::kNull: out_ += "null"; break;
      case Json::Kind::kBoolean: out_ += value.boolean() ? "true" : "false"; break;
      case Json::Kind::kInteger: out_ += fmt::format("{}", value.integer()); break;
      case Json::Kind::kReal: real(value.real()); break;
      case Json::Kind::kString: text(value.string()); break;
      case Json::Kind::kArray:
        out_ += '[';
        stack_.push_back({&value, {}, 0});
        break;
      case Json::Kind::kObject: {
        out_ += '{';
        Frame frame{&value, {}, 0};
        frame.members.reserve(value.members().size());
        for (const Json::Member& member : value.members()) frame.members.push_back(&member);
        if (style_ == Style::kCanonical || style_ == Style::kSorted) std::ranges::sort(frame.members, {}, &Json::Member::first);  // bytes of UTF-8 sort as code points do
        stack_.push_back(std::move(frame));
        break;
      }
    }
  }

  void new_line() {
    if (style_ != Style::kPretty) return;
    out_ += '\n';
    out_.append(stack_.size() * 2, ' ');
  }

  void real(double value) {
    has_real_ = true;
    if (!std::isfinite(value)) {  // JSON has no such number
      out_ += "null";
      return;
    }
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out_.append(buffer, end);
  }

  // What is not UTF-8 (names of files and processes may hold anything) becomes U+FFFD, so that what we write can always be read. Canonical JSON comes from parsed text only.
  void text(std::string_view value) {
    out_ += '"';
    while (const auto bad = invalid_utf8_at(value)) {
      escape(value.substr(0, *bad));
      out_ += "\xEF\xBF\xBD";
      value.remove_prefix(*bad + 1);
    }
    escape(value);
    out_ += '"';
  }

  void escape(std::string_view value) {
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (style_ == Style::kCanonical || static_cast<unsigned char>(c) >= 0x20) {
        out_ += c;
      } else if (c == '\n') {
        out_ += "\\n";
      } else if (c == '\t') {
        out_ += "\\t";
      } else {
        out_ += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      }
    }
  }

  Style style_;
  std::string out_;
  std::vector<Frame> stack_;
  bool has_real_ = false;
};

}  // namespace

std::string to_json(const Json& value) {
  Writer writer(Style::kCompact);
  writer.write(value);
  return writer.take();
}

std::string to_json_pretty(const Json& value) {
  Writer writer(Style::kPretty);
  writer.write(value);
  return writer.take() + "\n";
}

std::string to_json_sorted(const Json& value) {
  Writer writer(Style::kSorted);
  writer.write(value);
  return writer.take();
}

Result<Bytes> canonical_json(const Json& value) {
  Writer writer(Style::kCanonical);
  if (!writer.write(value)) return fail(ErrorCode::kInvalid, "canonical JSON has no numbers with a fraction or an exponent");
  const std::string text = writer.take();
  return Bytes(text.begin(), text.end());
}

}  // namespace creance

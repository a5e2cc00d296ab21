// JSON values, a strict bounded parser for bytes that nobody has vouched for, and the canonical form that signatures cover (OLPC canonical JSON).
// Not for event streams (simdjson does those). Values own their data; threads: any number of readers. In the library `creance_json`.
// Members keep the order in which they were read or added; a member name occurs once.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "base/seams/clock.hpp"

namespace creance {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  enum class Kind : uint8_t { kNull, kBoolean, kInteger, kReal, kString, kArray, kObject };

  Json() = default;  // null
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<int64_t>(value)) {}
  Json(unsigned value) : value_(static_cast<int64_t>(value)) {}
  Json(long value) : value_(static_cast<int64_t>(value)) {}
  Json(long long value) : value_(static_cast<int64_t>(value)) {}
  Json(unsigned long value) : value_(static_cast<int64_t>(value)) {}       // documents hold integers below 2^53
  Json(unsigned long long value) : value_(static_cast<int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json object(std::initializer_list<Member> members = {}) { return Json(Object(members)); }
  static Json array(std::initializer_list<Json> values = {}) { return Json(Array(values)); }

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_integer() const { return kind() == Kind::kInteger; }
  bool is_boolean() const { return kind() == Kind::kBoolean; }
  // Each needs that kind (CHECK).
  bool boolean() const;
  int64_t integer() const;
  double real() const;  // an integer is fine too
  const std::string& string() const;
  const Array& elements() const;
  const Object& members() const;

  const Json* find(std::string_view name) const;  // nullptr: no such member, or not an object
  void set(std::string_view name, Json value);    // adds or replaces; a null value becomes an object first
  void remove(std::string_view name);             // absent is fine
  void push(Json value);                          // a null value becomes an array first

  friend bool operator==(const Json&, const Json&) = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  size_t bytes_max = limits::kHttpBodyBytesMax;
  uint32_t depth_max = limits::kJsonDepthMax;
  uint32_t nodes_max = limits::kJsonNodesMax;
  bool reals = false;       // numbers with a fraction or an exponent
  bool escaped_nul = true;  // `\u0000` in texts and member names: values of events have it; names of files and roles must not, whoever hands them to the system cuts them there
};

// One JSON text (RFC 8259) and nothing after it. Refuses: over a limit (kTooLarge); duplicate member names, NUL bytes, invalid UTF-8, integers outside int64, reals and `\u0000` unless allowed (kInvalid).
Result<Json> parse_json(BytesView bytes, const JsonLimits& limits = {});

std::string to_json(const Json& value);         // compact, members in their order; printable everywhere (controls escaped)
std::string to_json_pretty(const Json& value);  // two spaces a level, newline at the end
std::string to_json_sorted(const Json& value);  // compact, members sorted by code point: equal values are equal bytes
// What signatures cover, not a document to be read (a control character stands in it as it is): OLPC canonical JSON (http://wiki.laptop.org/go/Canonical_JSON): members sorted by code point, only `"` and `\` escaped, no white space. kInvalid if a real number is in it.
Result<Bytes> canonical_json(const Json& value);

// A value and the path that leads to it, so that an error can name both: "stages[1].ring: must be text". Points into a Json that must outlive it.
class JsonField {
 public:
  explicit JsonField(const Json& value, std::string path = "") : value_(&value), path_(std::move(path)) {}
  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  Error error(std::string_view what) const;  // kInvalid, "path: what"

  Result<JsonField> at(std::string_view name) const;                  // must be there
  Result<std::optional<JsonField>> find(std::string_view name) const;  // may be absent; this must be an object
  Result<std::string> text(size_t bytes_min = 0, size_t bytes_max = 65'536) const;
  Result<int64_t> integer(int64_t min = 0, int64_t max = (int64_t{1} << 53) - 1) const;
  Result<bool> boolean() const;
  Result<WallTime> time() const;                                      // parse_time
  Result<std::vector<JsonField>> elements(size_t count_max = 65'536) const;
  Result<std::vector<std::pair<std::string, JsonField>>> members(size_t count_max = 1'000'000) const;
  // at(name) and the above at once
  Result<std::string> text_at(std::string_view name, size_t bytes_min = 0, size_t bytes_max = 65'536) const;
  Result<int64_t> integer_at(std::string_view name, int64_t min = 0, int64_t max = (int64_t{1} << 53) - 1) const;
  Result<bool> boolean_at(std::string_view name) const;
  Result<WallTime> time_at(std::string_view name) const;

 private:
  const Json* value_;
  std::string path_;
};

// "2026-11-23T10:00:00Z" (RFC 3339, UTC, seconds, nothing else). Refuses dates that do not exist.
Result<WallTime> parse_time(std::string_view text);
std::string format_time(WallTime time);  // seconds, rounded down

}  // namespace creance

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/json.hpp"

namespace creance {
namespace {

// Builds the value from the parser's events and stops at the first limit; never holds more than one limit's worth.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(int64_t value) override { return add(Json(value)); }
  bool number_unsigned(uint64_t value) override {
    if (value > static_cast<uint64_t>(INT64_MAX)) return refuse(ErrorCode::kInvalid, "an integer is out of range");
    return add(Json(static_cast<int64_t>(value)));
  }
  bool number_float(double value, const std::string& /*text*/) override {
    if (!limits_.reals) return refuse(ErrorCode::kInvalid, "numbers with a fraction or an exponent are not allowed here");
    return add(Json(value));
  }
  bool string(std::string& value) override { return without_nul(value) && add(Json(std::move(value))); }
  bool binary(nlohmann::json::binary_t& /*value*/) override { return refuse(ErrorCode::kInvalid, "binary values do not exist in JSON"); }
  bool start_object(size_t /*count*/) override { return open(true); }
  bool start_array(size_t /*count*/) override { return open(false); }
  bool key(std::string& name) override {
    if (!without_nul(name)) return false;
    stack_.back().names.push_back(std::move(name));
    return count();
  }
  bool end_object() override {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    std::vector<std::string_view> sorted(done.names.begin(), done.names.end());
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
      return refuse(ErrorCode::kInvalid, fmt::format("the member `{}` occurs twice in one object", shown(*twice)));
    }
    Json::Object object;
    object.reserve(done.names.size());
    for (size_t i = 0; i < done.names.size(); ++i) object.emplace_back(std::move(done.names[i]), std::move(done.values[i]));
    return place(Json(std::move(object)));
  }
  bool end_array() override {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    return place(Json(std::move(done.values)));
  }
  bool parse_error(size_t position, const std::string& /*token*/, const nlohmann::json::exception& /*why*/) override {
    return refuse(ErrorCode::kInvalid, fmt::format("not JSON at byte {}", position));
  }

  std::optional<Error> error;
  Json result;

 private:
  struct Open {
    bool is_object;
    std::vector<std::string> names;
    Json::Array values;
  };

  static std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 64)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return out;
  }
  bool refuse(ErrorCode code, std::string what) {
    error = Error{code, std::move(what)};
    return false;
  }
  bool without_nul(const std::string& text) {
    if (limits_.escaped_nul || text.find('\0') == std::string::npos) return true;
    return refuse(ErrorCode::kInvalid, "an escaped NUL is not allowed here");
  }
  bool count() {
    if (++nodes_ > limits_.nodes_max) return refuse(ErrorCode::kTooLarge, fmt::format("more than {} values", limits_.nodes_max));
    return true;
  }
  bool open(bool is_object) {
    if (stack_.size() >= limits_.depth_max) return refuse(ErrorCode::kTooLarge, fmt::format("nested deeper than {} levels", limits_.depth_max));
    if (!count()) return false;
    stack_.push_back({is_object, {}, {}});
    return true;
  }
  bool add(Json value) { return count() && place(std::move(value)); }
  bool place(Json value) {
    if (stack_.empty()) {
      result = std::move(value);
    } else {
      stack_.back().values.push_back(std::move(value));
    }
    return true;
  }

  const JsonLimits& limits_;
  std::vector<Open> stack_;
  uint32_t nodes_ = 0;
};

}  // namespace

Result<Json> parse_json(BytesView bytes, const JsonLimits& limits) {
  if (bytes.size() > limits.bytes_max) return fail(ErrorCode::kTooLarge, fmt::format("{} bytes of JSON, the limit is {}", bytes.size(), limits.bytes_max));
  // The library takes NUL for the end of its input and skips a byte order mark; both would let two readers see two documents.
  if (std::ranges::find(bytes, uint8_t{0}) != bytes.end()) return fail(ErrorCode::kInvalid, "a NUL byte in JSON");
  if (bytes.size() >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF) return fail(ErrorCode::kInvalid, "a byte order mark before JSON");
  Builder builder(limits);
  try {
    const bool done = nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &builder);
    if (builder.error) return fail(*builder.error);
    if (!done) return fail(ErrorCode::kInvalid, "not JSON");
  } catch (const std::exception&) {  // the adapter's edge: nothing of the library leaves here
    return fail(ErrorCode::kInvalid, "not JSON");
  }
  return std::move(builder.result);
}

}  // namespace creance

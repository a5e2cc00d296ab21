#include "events/json_fault.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/text.hpp"
#include "events/json_text.hpp"

namespace creance::events {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // value = object | list | string | number | true | false | null, with the open brackets on a stack.
  std::optional<JsonFault> run() {
    skip_blanks();
    if (at_ == text_.size()) return fault(at_, "no JSON on this line");
    if (text_[at_] != '{') return fault(at_, "not a JSON object");
    enum { kValue, kFirstName, kName, kAfter } state = kValue;
    for (;;) {
      skip_blanks();
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      if (at_ == text_.size()) return fault(at_, objects_.back() ? "an object without an end" : "a list without an end");
      if (state == kFirstName && c == '}') {
        state = kAfter;
        continue;
      }
      if (state == kFirstName || state == kName) {
        if (c != '"') return fault(at_, "a name in quotes was expected");
        if (auto wrong = string()) return wrong;
        skip_blanks();
        if (at_ == text_.size() || text_[at_] != ':') return fault(at_, "`:` was expected");
        ++at_;
        state = kValue;
        continue;
      }
      if (state == kValue) {
        if (c == '{' || c == '[') {
          objects_.push_back(c == '{');
          ++at_;
          state = c == '{' ? kFirstName : kValue;
          skip_blanks();
          if (c == '[' && at_ < text_.size() && text_[at_] == ']') state = kAfter;
          continue;
        }
        if (auto wrong = scalar()) return wrong;
        state = kAfter;
        continue;
      }
      const bool in_object = objects_.back();
      if (c == ',') {
        ++at_;
        state = in_object ? kName : kValue;
        continue;
      }
      if (c != (in_object ? '}' : ']')) return fault(at_, in_object ? "`,` or `}` was expected" : "`,` or `]` was expected");
      ++at_;
      objects_.pop_back();
      if (objects_.empty()) return end();
    }
  }

 private:
  std::optional<JsonFault> fault(size_t offset, std::string reason) const { return JsonFault{offset, std::move(reason)}; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  std::optional<JsonFault> end() {
    skip_blanks();
    if (at_ == text_.size()) return std::nullopt;
    return fault(at_, text_[at_] == '{' ? "a second object behind the first one; give each event a line of its own" : "text behind the object");
  }

  std::optional<JsonFault> string() {
    const size_t begin = at_++;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return std::nullopt;
      }
      if (is_control(c)) return fault(at_, "a control character inside a string");
      if (c != '\\') continue;
      if (text_.substr(at_).starts_with(kMissingEnd)) return fault(begin, "a string without an end");
      if (++at_ == text_.size()) break;
      if (text_[at_] == 'u') {
        for (int i = 0; i < 4; ++i) {
          if (++at_ == text_.size() || !is_hex(text_[at_])) return fault(at_ - static_cast<size_t>(i) - 2, "a bad escape inside a string");
        }
      } else if (std::string_view("\"\\/bfnrt").find(text_[at_]) == std::string_view::npos) {
        return fault(at_ - 1, "a bad escape inside a string");
      }
    }
    return fault(begin, "a string without an end");
  }

  std::optional<JsonFault> scalar() {
    if (text_[at_] == '"') return string();
    const size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) && std::string_view(",]}:").find(text_[at_]) == std::string_view::npos) ++at_;
    const std::string_view token = text_.substr(begin, at_ - begin);
    if (token == "true" || token == "false" || token == "null" || is_json_number(token)) return std::nullopt;
    if (token.empty()) return fault(begin, "a value was expected");
    return fault(begin, fmt::format("`{}` is no JSON value", printable(token, 40)));
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<bool> objects_;  // of the open brackets: is it an object's?
};

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view text) {
  auto wrong = Reader(text).run();
  const auto bad = invalid_utf8_at(text);
  if (bad && (!wrong || *bad <= wrong->offset)) return JsonFault{*bad, "not valid UTF-8"};
  return wrong;
}

bool mend_strings(std::string_view text, std::string& out) {
  out.clear();
  bool in_string = false, mended = false;
  size_t valid_until = invalid_utf8_at(text).value_or(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == valid_until) {
      out += "\xEF\xBF\xBD";
      mended = mended || in_string;
      const auto next = invalid_utf8_at(text.substr(i + 1));
      valid_until = next ? i + 1 + *next : text.size();
      continue;
    }
    if (!in_string) {
      in_string = c == '"';
      out.push_back(c);
    } else if (c == '\\') {
      out.push_back(c);
      if (i + 1 < text.size() && i + 1 != valid_until) out.push_back(text[++i]);
    } else if (is_control(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      mended = true;
    } else {
      in_string = c != '"';
      out.push_back(c);
    }
  }
  return mended;
}

}  // namespace creance::events

// Makes one flat JSON object, member by member, for formats that are not JSON. Text of any bytes: what is no valid UTF-8 becomes U+FFFD. Not a general JSON writer.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace creance::events {

void append_json_text(std::string_view text, std::string& out);  // with its quotes

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_text(value, out_);
  }
  void texts(std::string_view name, std::span<const std::string_view> values) {
    key(name);
    for (size_t i = 0; i < values.size(); ++i) {
      out_.push_back(i == 0 ? '[' : ',');
      append_json_text(values[i], out_);
    }
    out_ += values.empty() ? "[]" : "]";
  }
  void number(std::string_view name, std::string_view digits) {  // digits: a JSON number
    key(name);
    out_.append(digits);
  }
  void close() { out_.push_back('}'); }

 private:
  void key(std::string_view name) {
    if (started_) out_.push_back(',');
    started_ = true;
    append_json_text(name, out_);
    out_.push_back(':');
  }
  std::string& out_;
  bool started_ = false;
};

}  // namespace creance::events

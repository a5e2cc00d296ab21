#include "events/json_documents.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "events/json_fault.hpp"

namespace creance::events {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// `Record 17`: what some exporters write in front of each document.
bool is_heading(std::string_view text) {
  constexpr std::string_view kWord = "Record";
  return text.size() > kWord.size() && text.starts_with(kWord) && std::all_of(text.begin() + kWord.size(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void DocumentSplitter::put(char c) {
  if (event_.empty() && !over_) begun_ = line_;
  if (over_) return;
  if (event_.size() == limits::kEventLineBytesMax) {
    over_ = true;
    event_.clear();
    return;
  }
  event_.push_back(c);
}

void DocumentSplitter::give(std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long) {
  if (over_) {
    too_long.push_back(begun_);
  } else if (!event_.empty() && !is_heading(event_)) {
    numbers.push_back(begun_);
    out.append(event_).push_back('\n');
  }
  event_.clear();
  over_ = in_string_ = escaped_ = false;
  depth_ = 0;
}

size_t DocumentSplitter::feed(std::string_view text, std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string_) {
      if (c == '\n') {  // no string goes over a line's end: this one has no end, and the rest of the event is read as if it had one
        for (const char m : escaped_ ? kMissingEnd.substr(1) : kMissingEnd) put(m);  // what the decoder refuses, as it would the line's end itself
        in_string_ = escaped_ = false;
        ++line_;
        continue;
      }
      put(c);
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    if (is_blank(c)) {
      if (c == '\n') {
        if (depth_ == 0) give(out, numbers, too_long);  // a bare word ends with its line
        ++line_;
      }
      if (depth_ > 0 && !event_.empty() && event_.back() != ' ') put(' ');
      continue;
    }
    if (depth_ == 0 && (c == ',' || c == ']' || c == '[') && (in_list_ || c == '[')) {
      give(out, numbers, too_long);
      if (c == '[' && !in_list_) {
        in_list_ = true;
        continue;
      }
      if (c == ']') {
        in_list_ = false;
        list_over_ = true;
        mid_line_ = false;  // the rest of the line is read by others
        return i + 1;
      }
      if (c != '[') continue;
    }
    if (depth_ == 0 && c == '{') give(out, numbers, too_long);  // a bare word in front of it is something of its own
    put(c);
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && depth_ > 0 && --depth_ == 0) {
      give(out, numbers, too_long);
    }
  }
  if (!text.empty()) mid_line_ = text.back() != '\n';
  return text.size();
}

void DocumentSplitter::finish(std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long) {
  give(out, numbers, too_long);
  finished_ = true;
}

}  // namespace creance::events

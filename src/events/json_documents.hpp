// JSON that is not one event a line: a list of events, or documents of many lines one after the other. Cuts it into the events, each on one line of its own with the number
// of the line where it began. Looks at brackets and quotes only: what an event is worth is the decoder's business, so that a malformed one does not take the others along.
// No recursion, no memory beyond the event at hand. One thread at a time.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace creance::events {

class DocumentSplitter {
 public:
  // Takes the next piece of text. Finished events are appended to `out`, each with a line end, and to `numbers`; a run of blanks outside strings becomes one.
  // An event longer than limits::kEventLineBytesMax is passed over, and its number is put into `too_long`. Gives the number of bytes taken: all, or up to the end of a list.
  size_t feed(std::string_view text, std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long);
  // The end of the text: gives out what is unfinished as it is (the decoder will say what is missing).
  void finish(std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long);

  bool inside_list() const { return in_list_; }
  bool list_is_over() const { return list_over_; }
  bool finished() const { return finished_; }
  uint64_t lines() const { return line_ - 1 + (mid_line_ ? 1 : 0); }  // seen so far, the last one with or without an end

 private:
  void give(std::string& out, std::vector<uint64_t>& numbers, std::vector<uint64_t>& too_long);
  void put(char c);

  std::string event_;        // what is collected of the event at hand
  uint64_t begun_ = 0;       // its first line
  uint64_t line_ = 1;
  uint64_t depth_ = 0;       // open brackets of the event
  bool in_list_ = false;     // between the brackets of a list of events
  bool in_string_ = false;
  bool escaped_ = false;
  bool over_ = false;        // longer than allowed: only counted on
  bool mid_line_ = false;    // the text so far does not end with a line end
  bool list_over_ = false;
  bool finished_ = false;
};

}  // namespace creance::events

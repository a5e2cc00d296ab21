// Collects the tables of a channel and lays them out as a file. Not a judge: the verifier decides whether they make sense (a test writes broken ones on purpose).
// Deterministic: the same calls in the same order give the same bytes.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "channel/format.hpp"

namespace creance::channel {

struct Draft {
  std::array<uint8_t, 32> fingerprint{};
  uint32_t type_version = 1;
  uint32_t input_count = 0;
  TextRef type_id{};
  uint32_t sample_events = 0;

  std::string texts;
  std::vector<TextRef> text_refs;
  std::vector<uint32_t> numbers;
  std::vector<InstanceRecord> instances;
  std::vector<EntryRecord> entries;
  std::vector<NodeRecord> nodes;
  std::vector<PredicateRecord> predicates;
  std::vector<GlobToken> glob_tokens;
  std::vector<RegexRecord> regexes;
  std::vector<InstructionRecord> instructions;
  std::vector<ClassRecord> classes;
  std::vector<RangeRecord> ranges;
  std::vector<IndexRecord> indexes;
  std::vector<SlotRecord> slots;
  std::vector<CandidateRecord> candidates;
  std::vector<uint64_t> bitmaps;

  TextRef add_text(std::string_view text);  // equal texts are stored once
  ListRef add_numbers(std::span<const uint32_t> list);
  ListRef add_text_refs(std::span<const TextRef> list);

 private:
  std::map<std::string, TextRef, std::less<>> known_texts_;
};

// The draft seen as a channel, for computing costs. `header` must outlive the layout; it gets the draft's input count.
Layout view(const Draft& draft, Header& header);

// The file, with the costs declared. kTooLarge: above limits::kChannelBytesMax.
Result<Bytes> write(const Draft& draft);

}  // namespace creance::channel

// Collects the tables of a correlation file and lays them out. Not a judge: the verifier decides whether they make sense. Equal calls give equal bytes.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "channel/correlation_format.hpp"

namespace creance::channel {

struct CorrelationDraft {
  uint64_t state_bytes = 0;
  std::string texts;
  std::vector<TextRef> text_refs;
  std::vector<uint32_t> numbers;
  std::vector<ObservedTypeRecord> types;
  std::vector<SourceRecord> sources;
  std::vector<CorrelationRecord> correlations;
  std::vector<FeedRecord> feeds;
  std::vector<TermRecord> terms;

  TextRef add_text(std::string_view text);  // equal texts are stored once
  ListRef add_texts(std::span<const std::string> list);
  ListRef add_numbers(std::span<const uint32_t> list);

 private:
  std::map<std::string, TextRef, std::less<>> known_texts_;
};

// The file, with its cost declared. kTooLarge: above limits::kChannelBytesMax.
Result<Bytes> write(const CorrelationDraft& draft);

}  // namespace creance::channel

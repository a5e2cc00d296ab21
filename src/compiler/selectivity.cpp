#include "compiler/selectivity.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/limits.hpp"
#include "channel/fold.hpp"
#include "channel/hash.hpp"

namespace creance::compiler {
namespace {

using channel::PredicateKind;
using channel::PredicateRecord;

// The distinct values of one input (or of every value), with the number of times that each stands in the sample, and where its grams of three bytes stand.
class Values {
 public:
  explicit Values(std::map<std::string, uint32_t, std::less<>> counts) {
    for (auto& [text, count] : counts) values_.push_back({text, count});
    for (uint32_t i = 0; i < values_.size(); ++i) {
      const std::string_view text = values_[i].text;
      for (size_t at = 0; at + 3 <= text.size(); ++at) {
        std::vector<uint32_t>& list = with_gram_[bucket(text.data() + at)];
        if (list.empty() || list.back() != i) list.push_back(i);
      }
    }
  }

  uint64_t holding(PredicateKind kind, std::string_view literal) const {
    switch (kind) {
      case PredicateKind::kEquals: return count_between(literal, [&](std::string_view text) { return text == literal; });
      case PredicateKind::kStartsWith: return count_between(literal, [&](std::string_view text) { return text.starts_with(literal); });
      case PredicateKind::kEndsWith: return count_with(literal, [&](std::string_view text) { return text.ends_with(literal); });
      default: return count_with(literal, [&](std::string_view text) { return text.find(literal) != std::string_view::npos; });
    }
  }

 private:
  struct Value {
    std::string text;
    uint32_t count;
  };
  static size_t bucket(const char* at) {
    const auto byte = [&](int i) { return static_cast<size_t>(static_cast<uint8_t>(at[i])); };
    return (byte(0) * 0x9e5 + byte(1) * 0x3d + byte(2)) % kBuckets;
  }

  // The values are sorted: those that begin with a literal stand side by side.
  template <class Holds>
  uint64_t count_between(std::string_view literal, Holds holds) const {
    uint64_t sum = 0;
    for (auto it = std::ranges::lower_bound(values_, literal, {}, [](const Value& v) { return std::string_view(v.text); }); it != values_.end() && std::string_view(it->text).starts_with(literal); ++it) {
      if (holds(it->text)) sum += it->count;
    }
    return sum;
  }
  // Only values with the rarest of the literal's grams are looked at.
  template <class Holds>
  uint64_t count_with(std::string_view literal, Holds holds) const {
    uint64_t sum = 0;
    if (literal.size() < 3) {
      for (const Value& value : values_) sum += holds(value.text) ? value.count : 0;
      return sum;
    }
    const std::vector<uint32_t>* rarest = nullptr;
    for (size_t at = 0; at + 3 <= literal.size(); ++at) {
      const std::vector<uint32_t>& list = with_gram_[bucket(literal.data() + at)];
      if (rarest == nullptr || list.size() < rarest->size()) rarest = &list;
    }
    for (const uint32_t i : *rarest) sum += holds(values_[i].text) ? values_[i].count : 0;
    return sum;
  }

  static constexpr size_t kBuckets = 8'192;
  std::vector<Value> values_;
  std::vector<std::vector<uint32_t>> with_gram_{kBuckets};
};

void count_grams(const std::map<std::string, uint32_t, std::less<>>& texts, GramCounts& out) {
  for (const auto& [text, count] : texts) {
    for (size_t at = 0; at + 3 <= text.size(); ++at) {
      out.threes[channel::gram_bit(channel::load_gram(text.data() + at, 3), GramCounts::kLog2)] += count;
      if (at + 4 <= text.size()) out.fours[channel::gram_bit(channel::load_gram(text.data() + at), GramCounts::kLog2)] += count;
    }
  }
}

}  // namespace

Sample count_on(std::span<const schema::Inputs> events, const channel::Draft& draft) {
  Sample sample{0, {}, std::vector<uint32_t>(draft.predicates.size(), 0)};
  if (events.empty()) return sample;
  // Which inputs are asked for, cased (1) and folded (0) apart.
  std::map<std::pair<uint32_t, bool>, std::map<std::string, uint32_t, std::less<>>> counts;
  const auto is_literal = [](const PredicateRecord& p) { return p.kind >= PredicateKind::kEquals && p.kind <= PredicateKind::kContains; };
  const auto key_of = [](const PredicateRecord& p) { return std::pair(p.input, (p.flags & channel::kCased) != 0); };
  for (const PredicateRecord& p : draft.predicates) {
    if (is_literal(p)) counts.try_emplace(key_of(p));
  }
  const size_t step = (events.size() + limits::kSampleEventsMax - 1) / limits::kSampleEventsMax;
  for (size_t e = 0; e < events.size(); e += step) {
    const schema::Inputs& event = events[e];
    ++sample.events;
    const auto add = [&](uint32_t input, std::string_view text) {
      text = text.substr(0, limits::kSampleValueBytesMax);
      for (const uint32_t place : {input, channel::kEveryValue}) {
        for (const bool cased : {false, true}) {
          const auto found = counts.find({place, cased});
          if (found != counts.end()) ++found->second[cased ? std::string(text) : channel::fold(text)];
        }
      }
    };
    for (uint32_t i = 0; i < event.values.size(); ++i) {
      if (event.values[i].has_value()) add(i, event.values[i].text());
    }
    for (const schema::FurtherValue& further : event.further) add(further.input, further.text);
    for (const std::string_view other : event.others) add(channel::kEveryValue - 1, other);  // no input: only every value
  }
  for (const auto& [key, texts] : counts) {
    if (!key.second) count_grams(texts, sample.grams[key.first]);
  }
  std::map<std::pair<uint32_t, bool>, Values> values;
  for (auto& [key, texts] : counts) values.emplace(key, Values(std::move(texts)));
  for (size_t i = 0; i < draft.predicates.size(); ++i) {
    const PredicateRecord& p = draft.predicates[i];
    if (!is_literal(p)) continue;
    const std::string_view literal = std::string_view(draft.texts).substr(p.operand.first, p.operand.count);
    sample.seen[i] = static_cast<uint32_t>(std::min<uint64_t>(sample.events, values.at(key_of(p)).holding(p.kind, literal)));
  }
  return sample;
}

}  // namespace creance::compiler

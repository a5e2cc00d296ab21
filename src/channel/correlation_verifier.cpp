// The verifier of correlation files: one pass that proves every offset, count, index and kind, that references go forward only (so every event's work ends), the memory
// limit and the declared cost. Order matters: a check may rely only on what stands above it. Work is linear in the file.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/limits.hpp"
#include "channel/reference_checks.hpp"
#include "channel/verified_correlations.hpp"

namespace creance::channel {
namespace {

constexpr std::array<size_t, kCorrelationSectionCount> kRecordBytes = {1, sizeof(TextRef), sizeof(uint32_t), sizeof(ObservedTypeRecord), sizeof(SourceRecord), sizeof(CorrelationRecord), sizeof(FeedRecord), sizeof(TermRecord)};

class Verifier : ReferenceChecks<CorrelationLayout> {
 public:
  Verifier(BytesView bytes, const CorrelationLayout& layout) : ReferenceChecks(bytes, layout) {}

  Verdict run() {
    using Check = Verdict (Verifier::*)();
    static constexpr Check kChecks[] = {&Verifier::memory, &Verifier::texts, &Verifier::types, &Verifier::sources, &Verifier::correlations, &Verifier::feeds, &Verifier::wiring, &Verifier::cost};
    for (const Check check : kChecks) {
      if (Verdict verdict = (this->*check)()) return verdict;
    }
    return std::nullopt;
  }

 private:
  Verdict memory() {
    const uint64_t bytes = l_.header->state_bytes;
    if (bytes < limits::kCorrelationStateBytesMin || bytes > limits::kCorrelationStateBytesMax) {
      return reject("V047", l_.header->state_bytes, fmt::format("{} bytes of state; {} to {} are allowed", bytes, limits::kCorrelationStateBytesMin, limits::kCorrelationStateBytesMax));
    }
    return std::nullopt;
  }

  Verdict texts() {
    for (const TextRef& ref : l_.text_refs) {
      if (!text_fits(ref)) return reject("V042", ref, "a text reference points outside the texts");
    }
    return std::nullopt;
  }

  Verdict types() {
    std::string_view before;
    for (const ObservedTypeRecord& type : l_.types) {
      if (!text_fits(type.id)) return reject("V042", type, "the id of a Type lies outside the texts");
      if (text(type.id) <= before) return reject("V045", type, "the Types are not in the order of their ids");
      before = text(type.id);
      if (type.zero != 0) return reject("V044", type, "a field that must be zero is not");
      if (type.input_count > limits::kInputsPerTypeMax) return reject("V046", type, fmt::format("{} inputs are too many", type.input_count));
      if (!list_fits(type.times, l_.numbers) || type.times.count > limits::kInputsPerTypeMax) return reject("V043", type, "the list of times lies outside the numbers, or is too long");
      for (const uint32_t input : numbers(type.times)) {
        if (input >= type.input_count) return reject("V046", type, "a time is no input of the Type");
      }
    }
    return std::nullopt;
  }

  Verdict sources() {
    const SourceRecord* before = nullptr;
    for (const SourceRecord& source : l_.sources) {
      if (source.type >= l_.types.size()) return reject("V043", source, "a source names a Type that is not there");
      if (!text_fits(source.rule_id) || source.rule_id.size == 0) return reject("V042", source, "the rule of a source lies outside the texts, or is empty");
      if ((source.flags & ~kSilent) != 0) return reject("V044", source, "a source has unknown flags");
      if (!list_fits(source.feeds, l_.numbers)) return reject("V043", source, "the feeds of a source lie outside the numbers");
      if (before != nullptr && std::pair(before->type, text(before->rule_id)) >= std::pair(source.type, text(source.rule_id))) return reject("V045", source, "the sources are not in their order");
      before = &source;
    }
    return std::nullopt;
  }

  Verdict bounds(const CorrelationRecord& c) const {
    const bool in_words = c.terms.count > 0;
    constexpr uint8_t kAll = kHasLow | kLowOpen | kHasHigh | kHighOpen | kHasUnequal;
    if ((c.bounds & ~kAll) != 0 || ((c.bounds & kLowOpen) != 0 && (c.bounds & kHasLow) == 0) || ((c.bounds & kHighOpen) != 0 && (c.bounds & kHasHigh) == 0)) return reject("V044", c, "unknown bounds");
    if (in_words ? c.bounds != 0 : (c.bounds & (kHasLow | kHasHigh | kHasUnequal)) == 0) return reject("V044", c, "a correlation needs bounds or terms, and not both");
    const auto sane = [](const Wide& value, bool there) {  // at most 10^18 ones: products with counts and percentages fit 128 bits
      constexpr int64_t kHigh = 1ll << 27;
      return there ? value.high >= -kHigh && value.high < kHigh : value.low == 0 && value.high == 0;
    };
    if (!sane(c.low, (c.bounds & kHasLow) != 0) || !sane(c.high, (c.bounds & kHasHigh) != 0) || !sane(c.unequal, (c.bounds & kHasUnequal) != 0)) return reject("V044", c, "a bound is out of range");
    if (c.kind == MeasureKind::kPercentile ? c.percentile > 100'000'000'000 : c.percentile != 0) return reject("V044", c, "a percentile is out of range, or not wanted");
    return std::nullopt;
  }

  Verdict correlations() {
    uint32_t next_feed = 0;
    uint32_t next_term = 0;
    for (const CorrelationRecord& c : l_.correlations) {
      for (const TextRef& ref : {c.rule_id, c.title, c.level, c.author}) {
        if (!text_fits(ref)) return reject("V042", c, "a text of a correlation lies outside the texts");
      }
      for (const ListRef& ref : {c.tags, c.references, c.group_names}) {
        if (!list_fits(ref, l_.text_refs)) return reject("V043", c, "a list of a correlation lies outside the text references");
      }
      if (c.kind < MeasureKind::kEvents || c.kind > MeasureKind::kShare) return reject("V044", c, "unknown kind of correlation");
      if ((c.flags & ~kSilent) != 0) return reject("V044", c, "a correlation has unknown flags");
      if (c.rule_count == 0 || c.rule_count > limits::kCorrelationRulesMax) return reject("V044", c, "a correlation has no rules, or too many");
      if (c.group_names.count > limits::kCorrelationFieldsMax || c.value_count > limits::kCorrelationFieldsMax) return reject("V044", c, "a correlation has too many fields");
      if (has_values(c.kind) ? c.value_count == 0 || (c.value_count > 1 && c.kind != MeasureKind::kValues) : c.value_count != 0) return reject("V044", c, "the number of fields does not fit the kind");
      if (c.timespan_us <= 0 || c.timespan_us > limits::kTimespanSecondsMax * 1'000'000) return reject("V044", c, "the timespan is out of range");
      if (Verdict verdict = bounds(c)) return verdict;
      if (c.feeds.first != next_feed || c.feeds.count == 0 || !list_fits(c.feeds, l_.feeds)) return reject("V043", c, "the feeds of a correlation do not follow those of the one before it");
      next_feed += c.feeds.count;
      if (!list_fits(c.feeds_out, l_.numbers)) return reject("V043", c, "a list of feeds lies outside the numbers");
      const bool ordered = c.kind == MeasureKind::kRules || c.kind == MeasureKind::kRulesInOrder;
      if (c.terms.first != (c.terms.count == 0 ? 0 : next_term) || !list_fits(c.terms, l_.terms) || c.terms.count > limits::kCorrelationTermsMax || (c.terms.count > 0 && !ordered)) {
        return reject("V043", c, "the terms of a correlation do not follow those of the one before it, are too many, or not wanted");
      }
      next_term += c.terms.count;
      const uint64_t rules = (uint64_t{1} << c.rule_count) - 1;
      for (const TermRecord& term : l_.terms.subspan(c.terms.first, c.terms.count)) {
        if ((term.required & ~rules) != 0 || (term.forbidden & ~rules) != 0 || (term.required & term.forbidden) != 0) return reject("V049", term, "a term names rules that are not there, or one rule both ways");
      }
    }
    if (next_feed != l_.feeds.size()) return reject("V043", *l_.header, "there are feeds that belong to no correlation");
    if (next_term != l_.terms.size()) return reject("V043", *l_.header, "there are terms that belong to no correlation");
    return std::nullopt;
  }

  Verdict feeds() {
    for (uint32_t index = 0; index < l_.correlations.size(); ++index) {
      const CorrelationRecord& c = l_.correlations[index];
      uint64_t least = 0;
      for (const FeedRecord& feed : l_.feeds.subspan(c.feeds.first, c.feeds.count)) {
        if (feed.correlation != index) return reject("V045", feed, "a feed stands with another correlation than its own");
        if (feed.rule >= c.rule_count || feed.source >= l_.sources.size()) return reject("V043", feed, "a feed names a rule or source that is not there");
        const uint64_t order = (uint64_t{feed.rule} << 32 | feed.source) + 1;
        if (order <= least) return reject("V045", feed, "the feeds of a correlation are not in their order");
        least = order;
        if (feed.from != kFromSource && feed.from >= index) return reject("V045", feed, "a correlation refers to itself or to a later one");
        if (!list_fits(feed.columns, l_.numbers) || feed.columns.count != c.group_names.count + c.value_count) return reject("V043", feed, "the columns of a feed are outside the numbers, or not as many as there are fields");
        const uint32_t inputs = l_.types[l_.sources[feed.source].type].input_count;
        for (const uint32_t input : numbers(feed.columns)) {
          if (input >= inputs) return reject("V046", feed, "a column is no input of the Type");
        }
      }
    }
    return std::nullopt;
  }

  // Every feed is in exactly one list: that of its source, or that of the correlation that it comes from.
  Verdict wiring() {
    uint64_t listed = 0;
    for (uint32_t i = 0; i < l_.sources.size(); ++i) {
      if (Verdict verdict = listed_by(l_.sources[i], numbers(l_.sources[i].feeds), [&](const FeedRecord& feed) { return feed.from == kFromSource && feed.source == i; })) return verdict;
      listed += l_.sources[i].feeds.count;
    }
    for (uint32_t i = 0; i < l_.correlations.size(); ++i) {
      if (Verdict verdict = listed_by(l_.correlations[i], numbers(l_.correlations[i].feeds_out), [&](const FeedRecord& feed) { return feed.from == i; })) return verdict;
      listed += l_.correlations[i].feeds_out.count;
    }
    if (listed != l_.feeds.size()) return reject("V043", *l_.header, "there is a feed that nothing sets off");
    return std::nullopt;
  }
  template <class Record, class Belongs>
  Verdict listed_by(const Record& record, std::span<const uint32_t> list, const Belongs& belongs) {
    uint64_t least = 0;
    for (const uint32_t feed : list) {
      if (feed < least || feed >= l_.feeds.size() || !belongs(l_.feeds[feed])) return reject("V045", record, "a list of feeds is out of order, or names a foreign one");
      least = uint64_t{feed} + 1;
    }
    return std::nullopt;
  }

  Verdict cost() {
    const uint64_t cost = correlation_cost(l_, l_.header->state_bytes);
    if (cost != l_.header->cost_bound) return reject("V048", l_.header->cost_bound, fmt::format("the file declares {} steps, its tables need {}", l_.header->cost_bound, cost));
    if (cost > limits::kCorrelationStepsMax) return reject("V048", l_.header->cost_bound, fmt::format("an event could cost {} steps; at most {} are allowed", cost, limits::kCorrelationStepsMax));
    return std::nullopt;
  }
};

std::unexpected<Rejection> reject(std::string_view code, uint64_t offset, std::string detail) { return std::unexpected(Rejection{code, offset, std::move(detail)}); }

}  // namespace

bool is_correlation_file(BytesView bytes) { return bytes.size() >= kCorrelationMagic.size() && std::ranges::equal(bytes.first(kCorrelationMagic.size()), kCorrelationMagic); }

std::expected<CorrelationLayout, Rejection> map_correlation_sections(BytesView bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) return reject("V040", 0, "the bytes do not start at a multiple of 8 in memory");
  if (bytes.size() < sizeof(CorrelationHeader) || bytes.size() > limits::kChannelBytesMax) return reject("V040", 0, fmt::format("{} bytes cannot be a correlation file", bytes.size()));
  const auto& header = *reinterpret_cast<const CorrelationHeader*>(bytes.data());
  if (!is_correlation_file(bytes)) return reject("V040", 0, "this is not a correlation file");
  if (header.format_version != kCorrelationFormatVersion) return reject("V040", offsetof(CorrelationHeader, format_version), fmt::format("format version {} is not {}", header.format_version, kCorrelationFormatVersion));
  if (header.file_bytes != bytes.size()) return reject("V040", offsetof(CorrelationHeader, file_bytes), fmt::format("the file says that it has {} bytes, there are {}", header.file_bytes, bytes.size()));
  uint64_t at = sizeof header;
  for (size_t i = 0; i < kCorrelationSectionCount; ++i) {
    const SectionEntry& entry = header.sections[i];
    const uint64_t where = offsetof(CorrelationHeader, sections) + i * sizeof(SectionEntry);
    if (entry.offset != at) return reject("V041", where, fmt::format("section {} does not follow the one before it", i));
    const uint64_t end = at + uint64_t{entry.count} * kRecordBytes[i];
    at = (end + 7) / 8 * 8;
    if (at > bytes.size()) return reject("V041", where, fmt::format("section {} ends behind the file", i));
    if (std::ranges::any_of(bytes.subspan(end, at - end), [](uint8_t b) { return b != 0; })) return reject("V041", end, "the bytes between two sections are not zero");
  }
  if (at != bytes.size()) return reject("V041", at, "there are bytes behind the last section");
  const auto records = [&]<class T>(T, CorrelationSection section) {
    const SectionEntry& entry = header.sections[static_cast<size_t>(section)];
    return std::span<const T>(reinterpret_cast<const T*>(bytes.data() + entry.offset), entry.count);
  };
  const auto texts = records(char{}, CorrelationSection::kTexts);
  return CorrelationLayout{.header = &header,
                           .texts = {texts.data(), texts.size()},
                           .text_refs = records(TextRef{}, CorrelationSection::kTextRefs),
                           .numbers = records(uint32_t{}, CorrelationSection::kNumbers),
                           .types = records(ObservedTypeRecord{}, CorrelationSection::kTypes),
                           .sources = records(SourceRecord{}, CorrelationSection::kSources),
                           .correlations = records(CorrelationRecord{}, CorrelationSection::kCorrelations),
                           .feeds = records(FeedRecord{}, CorrelationSection::kFeeds),
                           .terms = records(TermRecord{}, CorrelationSection::kTerms)};
}

std::expected<VerifiedCorrelations, Rejection> VerifiedCorrelations::verify(BytesView bytes) {
  auto layout = map_correlation_sections(bytes);
  if (!layout) return std::unexpected(std::move(layout.error()));
  if (auto verdict = Verifier(bytes, *layout).run()) return std::unexpected(std::move(*verdict));
  return VerifiedCorrelations(*layout);
}

}  // namespace creance::channel

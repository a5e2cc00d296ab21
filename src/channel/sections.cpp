#include "channel/sections.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"

namespace creance::channel {
namespace {

std::unexpected<Rejection> reject(std::string_view code, uint64_t offset, std::string detail) { return std::unexpected(Rejection{code, offset, std::move(detail)}); }

constexpr std::array<size_t, kSectionCount> kRecordBytes = {
    1, sizeof(TextRef), sizeof(uint32_t), sizeof(InstanceRecord), sizeof(EntryRecord), sizeof(NodeRecord), sizeof(PredicateRecord), sizeof(GlobToken), sizeof(RegexRecord),
    sizeof(InstructionRecord), sizeof(ClassRecord), sizeof(RangeRecord), sizeof(IndexRecord), sizeof(SlotRecord), sizeof(CandidateRecord), sizeof(uint64_t)};
static_assert(std::ranges::all_of(kRecordBytes, [](size_t n) { return n > 0; }));

template <class T>
std::span<const T> records(BytesView bytes, const Header& header, Section section) {
  const SectionEntry& entry = header.sections[static_cast<size_t>(section)];
  return {reinterpret_cast<const T*>(bytes.data() + entry.offset), entry.count};
}

}  // namespace

size_t record_bytes(uint32_t section) { return kRecordBytes[section]; }

std::expected<Layout, Rejection> map_sections(BytesView bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) return reject("V001", 0, "the bytes do not start at a multiple of 8 in memory");
  if (bytes.size() < sizeof(Header) || bytes.size() > limits::kChannelBytesMax) return reject("V002", 0, fmt::format("{} bytes cannot be a channel file", bytes.size()));
  const auto& header = *reinterpret_cast<const Header*>(bytes.data());
  if (header.magic != kMagic) return reject("V003", 0, "this is not a channel file");
  if (header.format_version != kFormatVersion) return reject("V004", offsetof(Header, format_version), fmt::format("format version {} is not {}", header.format_version, kFormatVersion));
  if (header.file_bytes != bytes.size()) return reject("V002", offsetof(Header, file_bytes), fmt::format("the file says that it has {} bytes, there are {}", header.file_bytes, bytes.size()));
  if (header.input_count > limits::kInputsPerTypeMax) return reject("V006", offsetof(Header, input_count), fmt::format("{} inputs are too many", header.input_count));

  uint64_t at = sizeof(Header);
  for (size_t i = 0; i < kSectionCount; ++i) {
    const SectionEntry& entry = header.sections[i];
    const uint64_t where = offsetof(Header, sections) + i * sizeof(SectionEntry);
    if (entry.offset != at) return reject("V007", where, fmt::format("section {} does not follow the one before it", i));
    const uint64_t end = at + uint64_t{entry.count} * kRecordBytes[i];
    at = (end + 7) / 8 * 8;
    if (at > bytes.size()) return reject("V007", where, fmt::format("section {} ends behind the file", i));
    if (std::ranges::any_of(bytes.subspan(end, at - end), [](uint8_t b) { return b != 0; })) return reject("V008", end, "the bytes between two sections are not zero");
  }
  if (at != bytes.size()) return reject("V007", at, "there are bytes behind the last section");
  if (header.sections[static_cast<size_t>(Section::kInstances)].count > limits::kInstancesPerChannelMax) {
    return reject("V032", offsetof(Header, sections), fmt::format("more than {} instances", limits::kInstancesPerChannelMax));
  }

  Layout l;
  l.header = &header;
  const auto texts = records<char>(bytes, header, Section::kTexts);
  l.texts = {texts.data(), texts.size()};
  l.text_refs = records<TextRef>(bytes, header, Section::kTextRefs);
  l.numbers = records<uint32_t>(bytes, header, Section::kNumbers);
  l.instances = records<InstanceRecord>(bytes, header, Section::kInstances);
  l.entries = records<EntryRecord>(bytes, header, Section::kEntries);
  l.nodes = records<NodeRecord>(bytes, header, Section::kNodes);
  l.predicates = records<PredicateRecord>(bytes, header, Section::kPredicates);
  l.glob_tokens = records<GlobToken>(bytes, header, Section::kGlobTokens);
  l.regexes = records<RegexRecord>(bytes, header, Section::kRegexes);
  l.instructions = records<InstructionRecord>(bytes, header, Section::kInstructions);
  l.classes = records<ClassRecord>(bytes, header, Section::kClasses);
  l.ranges = records<RangeRecord>(bytes, header, Section::kRanges);
  l.indexes = records<IndexRecord>(bytes, header, Section::kIndexes);
  l.slots = records<SlotRecord>(bytes, header, Section::kSlots);
  l.candidates = records<CandidateRecord>(bytes, header, Section::kCandidates);
  l.bitmaps = records<uint64_t>(bytes, header, Section::kBitmaps);
  return l;
}

}  // namespace creance::channel

// Damages channel files with knowledge of the format: changes fields to numbers that mean something, adds, drops, copies and swaps records, crosses sections of two files, and lays the
// file out anew; then repairs what would hide deeper checks (header, what is said about programs, wake-up tables, declared cost) - most of the time, so that those checks are tried as well.
// For the fuzzer and for the comparison with the verifier that was written from the document. Deterministic for a seed.
#pragma once
#include <array>
#include <random>

#include "channel/features.hpp"
#include "channel/regex_facts.hpp"
#include "channel/writer.hpp"
#include "compiler/index_builder.hpp"

namespace creance::test {

inline const std::vector<Bytes>& feature_channels() {
  static const std::vector<Bytes> kAll = [] {
    std::vector<Bytes> out;
    for (const Feature& feature : features()) out.push_back(channel_of(feature));
    return out;
  }();
  return kAll;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  // A file out of `bytes`, or out of a feature's where those cannot be mapped.
  Bytes mutate(const Bytes& bytes) {
    take(channel::map_sections(bytes) ? bytes : feature_channels()[below(feature_channels().size())]);
    for (size_t n = 1 + below(4); n > 0; --n) change();
    return finish();
  }
  // Some sections of one file, the others of another.
  Bytes cross(const Bytes& a, const Bytes& b) {
    if (!channel::map_sections(a) || !channel::map_sections(b)) return mutate(a);
    take(b);
    const auto other = sections_;
    take(a);
    for (uint32_t i = 0; i < channel::kSectionCount; ++i) {
      if (below(3) == 0) sections_[i] = other[i];
    }
    return finish();
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }

  void take(const Bytes& bytes) {
    std::memcpy(&header_, bytes.data(), sizeof header_);
    for (uint32_t i = 0; i < channel::kSectionCount; ++i) {
      const uint8_t* const begin = bytes.data() + header_.sections[i].offset;
      sections_[i].assign(begin, begin + header_.sections[i].count * channel::record_bytes(i));
    }
  }
  size_t count(uint32_t section) const { return sections_[section].size() / channel::record_bytes(section); }

  // A number that a field may mean: an index or a count of some section, a size, one of the marks.
  uint32_t number() {
    switch (below(8)) {
      case 0: return static_cast<uint32_t>(below(4));
      case 1: return static_cast<uint32_t>(below(64));
      case 2: return 0xffffffff - static_cast<uint32_t>(below(3));
      case 3: return channel::kEveryValue;
      case 4: return 1u << below(32);
      default: {
        const auto all = static_cast<uint32_t>(count(static_cast<uint32_t>(below(channel::kSectionCount))));
        return below(3) == 0 ? all : static_cast<uint32_t>(below(all + 1));
      }
    }
  }

  void change() {
    uint32_t section = static_cast<uint32_t>(below(channel::kSectionCount));
    for (int tries = 0; tries < 32 && sections_[section].empty(); ++tries) section = static_cast<uint32_t>(below(channel::kSectionCount));
    Bytes& bytes = sections_[section];
    const size_t size = channel::record_bytes(section);
    const size_t records = count(section);
    const auto record = [&](size_t i) { return bytes.begin() + static_cast<ptrdiff_t>(i * size); };
    if (records == 0) return;
    switch (below(10)) {
      case 0: bytes.erase(record(below(records)), bytes.end()); break;
      case 1: {
        const size_t at = below(records);
        bytes.erase(record(at), record(at + 1));
        break;
      }
      case 2: {
        const size_t at = below(records);
        const Bytes copy(record(at), record(at + 1));
        bytes.insert(record(below(records + 1)), copy.begin(), copy.end());
        break;
      }
      case 3: swap_records(section); break;
      case 4: {  // records of another file
        const Bytes& from = feature_channels()[below(feature_channels().size())];
        const auto& other = *reinterpret_cast<const channel::Header*>(from.data());
        const channel::SectionEntry& entry = other.sections[section];
        if (entry.count == 0) break;
        const size_t first = below(entry.count);
        const uint8_t* const begin = from.data() + entry.offset + first * size;
        bytes.insert(record(below(records + 1)), begin, begin + size * (1 + below(std::min<size_t>(4, entry.count - first))));
        break;
      }
      case 5: bytes[below(bytes.size())] ^= static_cast<uint8_t>(1u << below(8)); break;
      case 6: bytes[below(bytes.size())] = static_cast<uint8_t>(random_()); break;
      default:
        if (size < 4 || section == static_cast<uint32_t>(channel::Section::kBitmaps)) {
          bytes[below(bytes.size())] ^= static_cast<uint8_t>(1u << below(8));
        } else {
          uint8_t* const at = bytes.data() + 4 * below(bytes.size() / 4);
          const uint32_t value = below(3) == 0 ? load_le<uint32_t>(at) + (below(2) == 0 ? 1u : ~0u) : number();
          std::memcpy(at, &value, 4);
        }
    }
  }
  void swap_records(uint32_t section) {
    const size_t size = channel::record_bytes(section);
    const size_t records = count(section);
    if (records < 2) return;
    uint8_t* const a = sections_[section].data() + below(records) * size;
    uint8_t* const b = sections_[section].data() + below(records) * size;
    if (a != b) std::swap_ranges(a, a + size, b);
  }

  Bytes lay_out() {
    channel::Header header = header_;
    header.magic = channel::kMagic;
    header.format_version = channel::kFormatVersion;
    header.input_count = kFeatureInputs;
    Bytes out(sizeof header, 0);
    for (uint32_t i = 0; i < channel::kSectionCount; ++i) {
      header.sections[i] = {static_cast<uint32_t>(out.size()), static_cast<uint32_t>(count(i))};
      out.insert(out.end(), sections_[i].begin(), sections_[i].end());
      out.resize((out.size() + 7) / 8 * 8, 0);
    }
    header.file_bytes = static_cast<uint32_t>(out.size());
    std::memcpy(out.data(), &header, sizeof header);
    return out;
  }

  Bytes finish() {
    Bytes bytes = lay_out();
    for (int round = 0; round < 3 && below(8) != 0; ++round) {  // each repair may show the next thing to repair
      const auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
      if (channel) break;
      const std::string_view code = channel.error().code;
      if (code == "V030") repair_cost(bytes);
      else if (code == "V020") repair_regexes(bytes);
      else if (code == "V021" || code == "V022") repair_indexes(bytes);
      else break;
    }
    return bytes;
  }

  // The complaint was V020: every target, class and range of the programs before it is in bounds, those behind may not be.
  static void repair_regexes(Bytes& bytes) {
    const auto layout = channel::map_sections(bytes);
    if (!layout) return;
    for (size_t r = 0; r < layout->regexes.size(); ++r) {
      const channel::RegexRecord& regex = layout->regexes[r];
      if (uint64_t{regex.first_instruction} + regex.instruction_count > layout->instructions.size() || regex.instruction_count == 0) return;
      const auto program = layout->instructions.subspan(regex.first_instruction, regex.instruction_count);
      const auto fits = [&](const channel::InstructionRecord& i) {
        return i.kind >= channel::InstructionKind::kMatch && i.kind <= channel::InstructionKind::kAssert && i.out < program.size() && (i.kind != channel::InstructionKind::kSplit || i.operand < program.size()) &&
               (i.kind != channel::InstructionKind::kClass || i.operand < layout->classes.size());
      };
      if (!std::ranges::all_of(program, fits)) return;
      const channel::RegexFacts facts = channel::regex_facts(program, layout->classes, layout->ranges);
      auto* const record = const_cast<channel::RegexRecord*>(&regex);
      record->first_bytes = facts.first_bytes;
      record->flags = facts.flags();
    }
  }

  // The complaint was about tables: all that stands before them is proven, so they can be built anew from the predicates.
  void repair_indexes(Bytes& bytes) {
    const auto layout = channel::map_sections(bytes);
    if (!layout) return;
    for (const channel::PredicateRecord& p : layout->predicates) {
      const bool too_short = p.operand.count < (p.kind == channel::PredicateKind::kContains ? channel::kNearMin : p.kind == channel::PredicateKind::kEquals ? 0 : 1);
      if ((p.flags & channel::kIndexed) != 0 && too_short) return;
    }
    channel::Draft draft;
    draft.texts = layout->texts;
    draft.numbers.assign(layout->numbers.begin(), layout->numbers.end());
    draft.predicates.assign(layout->predicates.begin(), layout->predicates.end());
    compiler::build_indexes(draft);
    take(bytes);
    const auto put = [&](channel::Section section, const auto& records) {
      const auto* const begin = reinterpret_cast<const uint8_t*>(records.data());
      sections_[static_cast<size_t>(section)].assign(begin, begin + records.size() * sizeof records[0]);
    };
    put(channel::Section::kNumbers, draft.numbers);
    put(channel::Section::kIndexes, draft.indexes);
    put(channel::Section::kSlots, draft.slots);
    put(channel::Section::kCandidates, draft.candidates);
    put(channel::Section::kBitmaps, draft.bitmaps);
    bytes = lay_out();
  }

  std::minstd_rand random_;
  channel::Header header_{};
  std::array<Bytes, channel::kSectionCount> sections_;
};

}  // namespace creance::test

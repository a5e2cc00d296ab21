// The door for channel files, signature and digest switched off. First byte below 0x80: the channel of a feature, patched by what follows; from 0x80 on: the rest is the file.
// What the verifier lets through must run without a fault within its cost, on events made from it to hurt it; what it refuses must not hurt the interpreter's own checks either.
//
// The mutator knows the format: it changes fields to numbers that mean something, adds, drops, copies and swaps records, crosses sections of two files, and lays the file out anew; then it
// repairs what would hide deeper checks (header, what is said about programs, wake-up tables, declared cost) - most of the time, so that those checks are tried as well.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "channel/features.hpp"
#include "channel/hostile_events.hpp"
#include "channel/regex_facts.hpp"
#include "channel/writer.hpp"
#include "compiler/index_builder.hpp"
#include "interpreter/interpreter.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max) __attribute__((weak));  // absent where a corpus is only replayed

namespace creance {
namespace {

using namespace channel;
using test::kFeatureInputs;

const std::vector<Bytes>& feature_channels() {
  static const std::vector<Bytes> kAll = [] {
    std::vector<Bytes> out;
    for (const test::Feature& feature : test::features()) out.push_back(test::channel_of(feature));
    return out;
  }();
  return kAll;
}

Bytes file_of(const uint8_t* data, size_t size) {
  if (size == 0) return feature_channels()[0];
  if (data[0] >= 0x80) return {data + 1, data + size};
  Bytes bytes = feature_channels()[data[0] % feature_channels().size()];
  for (size_t i = 1; i + 4 <= size; i += 4) {  // place (2 bytes), how, value
    const size_t at = (static_cast<size_t>(data[i]) << 8 | data[i + 1]) % bytes.size();
    if (data[i + 2] % 2 == 0) bytes[at] ^= data[i + 3];
    else bytes[at] = static_cast<uint8_t>(bytes[at] + data[i + 3]);
  }
  return bytes;
}

void run(const VerifiedChannel& channel, uint64_t seed, bool trusted) {
  static const std::vector<schema::InputValue> kValues{schema::InputValue("C:\\Windows\\PowerShell.exe"), schema::InputValue("x /a -B caé"), schema::InputValue("10.1.2.3")};
  static const std::vector<schema::FurtherValue> kFurther{{0, "owers powershell~1"}, {1, "x"}};
  static const std::vector<std::string_view> kOthers{"some hell"};
  interpreter::Scratch scratch(channel);
  const auto check = [&](const schema::Inputs& inputs) {
    const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
    if (!trusted) return;
    const interpreter::EventSize size = interpreter::measure(inputs);
    const uint64_t declared = channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes;
    if (!outcome.faults.empty() || outcome.steps > channel.cost_bound() || outcome.steps > declared) std::abort();
  };
  check({kValues, kFurther, kOthers});
  if (!trusted) return;
  test::HostileEvents hostile(channel, seed);
  for (const size_t bytes : {size_t{16}, size_t{40}, size_t{200}}) check(hostile.make(bytes).inputs());
}

void try_file(Bytes& bytes) {
  const Expectation expectation{std::nullopt, kFeatureInputs};
  auto channel = VerifiedChannel::verify(bytes, expectation);
  if (!channel && channel.error().code == "V030") {  // all but the cost is proven: say the right one
    test::repair_cost(bytes);
    channel = VerifiedChannel::verify(bytes, expectation);
  }
  if (channel) return run(*channel, bytes.size() ^ (bytes.empty() ? 0 : bytes.back()), true);
  const auto layout = map_sections(bytes);
  if (layout) run(UncheckedChannelForTests::make(*layout), 0, false);
}

// ---- the mutator

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  // A file out of `bytes`, or out of a feature's where those cannot be mapped.
  Bytes mutate(const Bytes& bytes) {
    take(map_sections(bytes) ? bytes : feature_channels()[below(feature_channels().size())]);
    for (size_t n = 1 + below(4); n > 0; --n) change();
    return finish();
  }
  // Some sections of one file, the others of another.
  Bytes cross(const Bytes& a, const Bytes& b) {
    if (!map_sections(a) || !map_sections(b)) return mutate(a);
    take(b);
    const auto other = sections_;
    take(a);
    for (uint32_t i = 0; i < kSectionCount; ++i) {
      if (below(3) == 0) sections_[i] = other[i];
    }
    return finish();
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }

  void take(const Bytes& bytes) {
    std::memcpy(&header_, bytes.data(), sizeof header_);
    for (uint32_t i = 0; i < kSectionCount; ++i) {
      const uint8_t* const begin = bytes.data() + header_.sections[i].offset;
      sections_[i].assign(begin, begin + header_.sections[i].count * record_bytes(i));
    }
  }
  size_t count(uint32_t section) const { return sections_[section].size() / record_bytes(section); }

  // A number that a field may mean: an index or a count of some section, a size, one of the marks.
  uint32_t number() {
    switch (below(8)) {
      case 0: return static_cast<uint32_t>(below(4));
      case 1: return static_cast<uint32_t>(below(64));
      case 2: return 0xffffffff - static_cast<uint32_t>(below(3));
      case 3: return kEveryValue;
      case 4: return 1u << below(32);
      default: {
        const auto all = static_cast<uint32_t>(count(static_cast<uint32_t>(below(kSectionCount))));
        return below(3) == 0 ? all : static_cast<uint32_t>(below(all + 1));
      }
    }
  }

  void change() {
    uint32_t section = static_cast<uint32_t>(below(kSectionCount));
    for (int tries = 0; tries < 32 && sections_[section].empty(); ++tries) section = static_cast<uint32_t>(below(kSectionCount));
    Bytes& bytes = sections_[section];
    const size_t size = record_bytes(section);
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
        const auto& other = *reinterpret_cast<const Header*>(from.data());
        const SectionEntry& entry = other.sections[section];
        if (entry.count == 0) break;
        const size_t first = below(entry.count);
        const uint8_t* const begin = from.data() + entry.offset + first * size;
        bytes.insert(record(below(records + 1)), begin, begin + size * (1 + below(std::min<size_t>(4, entry.count - first))));
        break;
      }
      case 5: bytes[below(bytes.size())] ^= static_cast<uint8_t>(1u << below(8)); break;
      case 6: bytes[below(bytes.size())] = static_cast<uint8_t>(random_()); break;
      default:
        if (size < 4 || section == static_cast<uint32_t>(Section::kBitmaps)) {
          bytes[below(bytes.size())] ^= static_cast<uint8_t>(1u << below(8));
        } else {
          uint8_t* const at = bytes.data() + 4 * below(bytes.size() / 4);
          const uint32_t value = below(3) == 0 ? load_le<uint32_t>(at) + (below(2) == 0 ? 1u : ~0u) : number();
          std::memcpy(at, &value, 4);
        }
    }
  }
  void swap_records(uint32_t section) {
    const size_t size = record_bytes(section);
    const size_t records = count(section);
    if (records < 2) return;
    uint8_t* const a = sections_[section].data() + below(records) * size;
    uint8_t* const b = sections_[section].data() + below(records) * size;
    if (a != b) std::swap_ranges(a, a + size, b);
  }

  Bytes lay_out() {
    Header header = header_;
    header.magic = kMagic;
    header.format_version = kFormatVersion;
    header.input_count = kFeatureInputs;
    Bytes out(sizeof header, 0);
    for (uint32_t i = 0; i < kSectionCount; ++i) {
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
      const auto channel = VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
      if (channel) break;
      const std::string_view code = channel.error().code;
      if (code == "V030") test::repair_cost(bytes);
      else if (code == "V020") repair_regexes(bytes);
      else if (code == "V021" || code == "V022") repair_indexes(bytes);
      else break;
    }
    return bytes;
  }

  // The complaint was V020: every target, class and range of the programs before it is in bounds, those behind may not be.
  static void repair_regexes(Bytes& bytes) {
    const auto layout = map_sections(bytes);
    if (!layout) return;
    for (size_t r = 0; r < layout->regexes.size(); ++r) {
      const RegexRecord& regex = layout->regexes[r];
      if (uint64_t{regex.first_instruction} + regex.instruction_count > layout->instructions.size() || regex.instruction_count == 0) return;
      const auto program = layout->instructions.subspan(regex.first_instruction, regex.instruction_count);
      const auto fits = [&](const InstructionRecord& i) {
        return i.kind >= InstructionKind::kMatch && i.kind <= InstructionKind::kAssert && i.out < program.size() && (i.kind != InstructionKind::kSplit || i.operand < program.size()) &&
               (i.kind != InstructionKind::kClass || i.operand < layout->classes.size());
      };
      if (!std::ranges::all_of(program, fits)) return;
      const RegexFacts facts = regex_facts(program, layout->classes, layout->ranges);
      auto* const record = const_cast<RegexRecord*>(&regex);
      record->first_bytes = facts.first_bytes;
      record->flags = facts.flags();
    }
  }

  // The complaint was about tables: all that stands before them is proven, so they can be built anew from the predicates.
  void repair_indexes(Bytes& bytes) {
    const auto layout = map_sections(bytes);
    if (!layout) return;
    for (const PredicateRecord& p : layout->predicates) {
      const bool too_short = p.operand.count < (p.kind == PredicateKind::kContains ? kNearMin : p.kind == PredicateKind::kEquals ? 0 : 1);
      if ((p.flags & kIndexed) != 0 && too_short) return;
    }
    Draft draft;
    draft.texts = layout->texts;
    draft.numbers.assign(layout->numbers.begin(), layout->numbers.end());
    draft.predicates.assign(layout->predicates.begin(), layout->predicates.end());
    compiler::build_indexes(draft);
    take(bytes);
    const auto put = [&](Section section, const auto& records) {
      const auto* const begin = reinterpret_cast<const uint8_t*>(records.data());
      sections_[static_cast<size_t>(section)].assign(begin, begin + records.size() * sizeof records[0]);
    };
    put(Section::kNumbers, draft.numbers);
    put(Section::kIndexes, draft.indexes);
    put(Section::kSlots, draft.slots);
    put(Section::kCandidates, draft.candidates);
    put(Section::kBitmaps, draft.bitmaps);
    bytes = lay_out();
  }

  std::minstd_rand random_;
  Header header_{};
  std::array<Bytes, kSectionCount> sections_;
};

size_t put_file(const Bytes& bytes, uint8_t* data, size_t size_max) {
  if (bytes.size() + 1 > size_max) return 0;
  data[0] = 0x80;
  std::copy(bytes.begin(), bytes.end(), data + 1);
  return bytes.size() + 1;
}

}  // namespace
}  // namespace creance

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  using namespace creance;
  if (seed % 16 == 0 && LLVMFuzzerMutate != nullptr) return LLVMFuzzerMutate(data, size, size_max);  // bytes without a meaning, now and then
  const size_t written = put_file(Mutator(seed).mutate(file_of(data, size)), data, size_max);
  return written != 0 ? written : LLVMFuzzerMutate != nullptr ? LLVMFuzzerMutate(data, size, size_max) : size;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size, uint8_t* out, size_t size_max, unsigned seed) {
  using namespace creance;
  return put_file(Mutator(seed).cross(file_of(a, a_size), file_of(b, b_size)), out, size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  creance::Bytes bytes = creance::file_of(data, size);
  creance::try_file(bytes);
  return 0;
}

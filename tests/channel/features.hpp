// One small channel (at most 16 KiB) per feature of the format, for everything that damages, measures or fuzzes channel files. Needs no test framework.
// That the list leaves nothing of the format out is a test (mutation_test.cpp).
#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "channel/cost.hpp"
#include "channel/sections.hpp"
#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "sigma/parser.hpp"

namespace creance::channel {
// The only way round the verifier, for tests of the interpreter's own checks.
class UncheckedChannelForTests {
 public:
  static VerifiedChannel make(const Layout& layout) { return VerifiedChannel(layout); }
};
}  // namespace creance::channel

namespace creance::test {

struct Feature {
  const char* name;
  std::vector<const char*> detections;  // one rule each: the lines under `detection:`
  friend void PrintTo(const Feature& feature, std::ostream* out) { *out << feature.name; }
};

inline constexpr uint32_t kFeatureInputs = 3;

inline const std::vector<Feature>& features() {
  static const std::vector<Feature> kAll{
      {"exact", {"sel:\n  A:\n    - cmd\n    - ''\n    - C:\\Windows\\explorer.exe\ncondition: sel"}},
      {"suffix", {"sel:\n  A|endswith:\n    - '\\powershell.exe'\n    - xe\n    - l.e\ncondition: sel"}},
      {"prefix", {"sel:\n  A|startswith:\n    - 'c:\\windows'\n    - c\n    - c:\\win\ncondition: sel"}},
      {"near", {"sel:\n  A|contains: owers\ncondition: sel"}},
      {"near_sizes", {"sel:\n  A|contains:\n    - ow\n    - hel\n    - wsPo\n    - rshell\ncondition: sel"}},
      {"far", {"sel:\n  A|contains: powershell\ncondition: sel"}},
      {"far_many", {"sel:\n  A|contains:\n    - powershell\n    - owershel\n    - windows\\power\n    - s\\power\ncondition: sel"}},
      {"every_table", {"sel:\n  A:\n    - cmd\n    - '*.exe'\n    - 'c:*'\n    - '*wind*'\n    - '*dows\\power*'\ncondition: sel"}},
      {"two_indexes", {"sel:\n  A|endswith: l.exe\n  B|contains: ' -b'\ncondition: sel", "sel:\n  B|endswith: caé\ncondition: sel"}},
      {"not", {"sel:\n  A|contains: ow\nf:\n  B: null\n  C|exists: true\ncondition: sel and not f"}},
      {"unindexed", {"sel:\n  A: cmd\nf:\n  A|contains: ' nothing'\n  B|startswith: x\n  B|endswith: y\n  C: '5'\ncondition: not sel and not f"}},
      {"glob", {"sel:\n  A: '?:\\*\\p*r?hell*'\ncondition: sel"}},
      {"glob_cased", {"sel:\n  A|cased: 'C:*\\Power?hell*exe'\ncondition: not sel"}},
      {"windash", {"sel:\n  B|contains|windash: '-a -b'\ncondition: sel"}},
      {"cased", {"sel:\n  B|contains|cased: ' -B'\ncondition: not sel", "sel:\n  A|cased: cmd\ncondition: sel", "sel:\n  A|cased|startswith: C\ncondition: sel", "sel:\n  A|cased|endswith: E\ncondition: sel"}},
      {"regex", {"sel:\n  B|re|i: '^(x|\\W)+[a-é]{1,3}\\b.*é$'\ncondition: sel"}},
      {"regex_assertions", {"sel:\n  B|re|m: '(^x|\\B.a$|\\bb)'\ncondition: sel", "sel:\n  B|re: '^x.*\\Bé$'\ncondition: sel"}},
      {"regex_any", {"sel:\n  A|re|s: 'c.*p.{2,5}r[^a-z\\d]*'\ncondition: sel", "sel:\n  A|re: '.'\ncondition: not sel"}},
      {"regex_empty", {"sel:\n  A|re: '(a|)*'\n  B|re: '(|é|[¡-ÿĀ-ſ€])+$'\ncondition: not sel"}},
      {"cidr", {"sel:\n  C|cidr:\n    - 10.0.0.0/9\n    - 'fe80::/10'\n    - 0.0.0.0/0\ncondition: sel"}},
      {"number", {"sel:\n  C|lt: 7.5\nf:\n  C|gte: 3\ncondition: sel or f", "sel:\n  C|gt: -1\nf:\n  C|lte: 1e9\ncondition: sel and f"}},
      {"time", {"sel:\n  C|hour: 22\nf:\n  C|week|gte: 53\ncondition: sel or f", "sel:\n  C|minute|lt: 7\nf:\n  C|year|lte: 2026\ncondition: sel and not f", "sel:\n  C|month|gt: 2\nf:\n  C|day|neq: 9\ncondition: sel and f"}},
      {"fieldref", {"sel:\n  A|fieldref|endswith: B\nf:\n  A|fieldref|contains: C\ncondition: sel or f", "sel:\n  A|fieldref: C\nf:\n  B|fieldref|startswith|cased: C\ncondition: not sel and not f"}},
      {"keywords", {"kw:\n  - hell\n  - '?-b'\n  - some long hell\ncondition: kw"}},
      {"keywords_regex", {"kw:\n  '|re': 'h[ae]l+'\nf:\n  - nothing\ncondition: kw and not f"}},
      {"keywords_and_inputs", {"kw:\n  - hell\nsel:\n  A|contains: powers\n  C|exists: true\ncondition: kw and sel"}},
      {"instances", {"sel:\n  A|contains: powershell\ncondition: sel", "sel:\n  A|contains: powershell\n  B: null\ncondition: sel", "sel:\n  A|endswith: '.exe'\nf:\n  A|contains: powershell\ncondition: sel and not f",
                     "a:\n  A: cmd\nb:\n  B: d\nc:\n  C: 5\ncondition: a and (b or not c) or not a and b"}},
      {"nothing", {}},
  };
  return kAll;
}

inline schema::TemplateType feature_type() {
  schema::TemplateType type{.id = "test.type", .version = 3, .title = "Test"};
  for (const char* name : {"A", "B", "C"}) type.inputs.push_back({name, schema::InputType::kString, ""});
  type.fingerprint.fill(0x5a);
  return type;
}

// The channel of a feature. Ends the program where the feature does not compile: that is the list's own mistake.
inline Bytes channel_of(const Feature& feature, size_t bytes_max = 16'384) {
  std::string yaml;
  for (size_t i = 0; i < feature.detections.size(); ++i) {
    char head[400];
    std::snprintf(head, sizeof head, "%stitle: Rule %zu\nid: 00000000-0000-4000-8000-%012zu\nstatus: test\nauthor: Ada\nlevel: high\ntags:\n  - attack.execution\n  - attack.t10%02zu\nreferences:\n  - https://example.org/%zu\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n",
                  i == 0 ? "" : "---\n", i, i, i, i);
    yaml += head;
    const std::string detection = feature.detections[i];
    for (size_t at = 0; at < detection.size();) {
      const size_t end = std::min(detection.find('\n', at), detection.size());
      yaml += "  " + detection.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }
  const sigma::ParseOutcome parsed = yaml.empty() ? sigma::ParseOutcome{} : sigma::parse(yaml, "feature.yml");
  const schema::TemplateType type = feature_type();
  std::vector<compiler::BoundRule> bound;
  for (const sigma::Rule& rule : parsed.rules) bound.push_back({&rule, nullptr});
  // A sample, so that what is counted on it stands in the files.
  const std::vector<schema::InputValue> values[] = {{schema::InputValue("C:\\Windows\\PowerShell.exe"), schema::InputValue("x /a -B"), schema::InputValue("5")}, {schema::InputValue("cmd"), {}, {}}};
  const std::vector<schema::Inputs> sample{{values[0], {}, {}}, {values[1], {}, {}}};
  compiler::Options options;
  options.sample = sample;
  Diagnostics diagnostics;
  auto bytes = compiler::compile(type, bound, diagnostics, options);
  if (!bytes || !diagnostics.empty() || bound.size() != feature.detections.size() || bytes->size() > bytes_max) {
    for (const Diagnostic& d : parsed.diagnostics) std::fprintf(stderr, "%s\n", to_line(d).c_str());
    for (const Diagnostic& d : diagnostics) std::fprintf(stderr, "%s\n", to_line(d).c_str());
    std::fprintf(stderr, "the feature %s does not compile, or is too large\n", feature.name);
    std::abort();
  }
  return std::move(*bytes);
}

// Writes the costs that the tables really have, so that damage elsewhere gets past the last check. False: the sections cannot be mapped or the tables cannot be walked.
// INVARIANT of the callers: the verifier's only complaint was V030.
inline void repair_cost(Bytes& bytes) {
  const auto layout = channel::map_sections(bytes);
  if (!layout) return;
  const channel::Cost cost = channel::channel_cost(*layout);
  auto* const header = reinterpret_cast<channel::Header*>(bytes.data());
  header->cost_bound = cost.bound;
  header->cost_fixed = cost.fixed;
  header->cost_per_value = cost.per_value;
  header->cost_per_byte = cost.per_byte;
}

// The same sections with other lengths, laid out anew: `resize(section, records)` says how many records a section keeps.
template <class Resize>
Bytes with_sections(const Bytes& bytes, Resize resize) {
  const auto& from = *reinterpret_cast<const channel::Header*>(bytes.data());
  channel::Header to = from;
  Bytes out(sizeof(channel::Header), 0);
  for (uint32_t i = 0; i < channel::kSectionCount; ++i) {
    const uint32_t begin = from.sections[i].offset;
    const uint32_t count = std::min(from.sections[i].count, static_cast<uint32_t>(resize(i, from.sections[i].count)));
    const size_t size = size_t{count} * channel::record_bytes(i);
    to.sections[i] = {static_cast<uint32_t>(out.size()), count};
    out.insert(out.end(), bytes.begin() + begin, bytes.begin() + static_cast<ptrdiff_t>(begin + size));
    out.resize((out.size() + 7) / 8 * 8, 0);
  }
  to.file_bytes = static_cast<uint32_t>(out.size());
  std::copy_n(reinterpret_cast<const uint8_t*>(&to), sizeof to, out.begin());
  return out;
}

}  // namespace creance::test

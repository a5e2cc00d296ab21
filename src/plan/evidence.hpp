// Which checks ran on exactly these channel files: an in-toto statement (https://in-toto.io/Statement/v1) with the predicate test-result/v0.1, as the target file
// `content/<release>/evidence.json`. The release document names its digest, so the `content` signature covers it; it carries no signature of its own.
// Rule sources are its `configuration`: name (the rule's id), digest, and title, level and what it runs as, as annotations. Values; unknown members are ignored.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "plan/release.hpp"

namespace creance::plan {

struct Evidence {
  struct Subject {
    std::string name;  // "<Template Type>.channel"
    Digest sha256;
    friend bool operator==(const Subject&, const Subject&) = default;
  };
  struct Source {
    std::string id, title, level;
    Digest sha256;  // of the file that the rule stands in
    std::optional<Digest> runs_as{};  // of what the rule looks for once filters, mappings and placeholders are in it; empty: older evidence, and correlations, which depend on other rules
    friend bool operator==(const Source&, const Source&) = default;
  };
  std::vector<Subject> subjects;
  std::vector<Source> sources;
  std::vector<std::string> passed;  // names of checks
  std::string result = "PASSED";
  friend bool operator==(const Evidence&, const Evidence&) = default;

  static Result<Evidence> parse(BytesView bytes);
  Bytes to_bytes() const;
  // kDenied unless `bytes` are what the release names, say that everything passed, and speak about every channel file of it.
  static Status check(BytesView bytes, const Release& release);
  static std::string path(const std::string& release) { return release_folder(release) + "/evidence.json"; }
};

// What a signer sees: rules that come, go, or whose source is another, or that a filter, mapping or placeholder changed.
struct EvidenceDifference {
  std::vector<Evidence::Source> added, removed, changed;
};
EvidenceDifference difference(const Evidence& before, const Evidence& after);

}  // namespace creance::plan

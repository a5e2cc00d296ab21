// A pack: one release as files in a folder, between `creance pack` and `creance push`. Layout of <out>/<release>/:
//   <type>.channel   channel files               evidence.json  which checks ran on exactly these bytes
//   <type>.cases.jsonl  events of the cases, for the rehearsals of hosts with too few events of their own
//   pack.json        what the release consists of (no times: the same sources give the same bytes)
//   release.json     made by the first `creance sign`: the release document with its floor
//   content.json     made by `creance sign`: the next metadata of the content role, with the signatures so far
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/diagnostic.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/rule_files.hpp"
#include "cli/terminal.hpp"
#include "schema/catalog.hpp"

namespace creance::cli {

inline constexpr const char* kPackFile = "pack.json";
inline constexpr const char* kEvidenceFile = "evidence.json";
inline constexpr const char* kReleaseFile = "release.json";
inline constexpr const char* kContentFile = "content.json";
inline constexpr const char* kChannelSuffix = ".channel";
inline constexpr const char* kCasesSuffix = ".cases.jsonl";
// Is it signed and published as a target of the release? (release.json is too, and is made later.)
inline bool is_published(std::string_view name) { return name.ends_with(kChannelSuffix) || name.ends_with(kCasesSuffix) || name == kEvidenceFile; }
inline constexpr const char* kDenyFile = "deny.json";  // beside a content.json, without a pack: made by `creance release deny`

struct PackRequest {
  std::string release;  // [a-z0-9][a-z0-9._-]{0,63}
  std::string category = "rapid";
  std::string notes;
  RuleSources sources;
  std::vector<std::string> logs;  // files of events: a sample for the compiler
  bool made_with_logs = false;    // of a request that was read back
};

// File name -> bytes, of pack.json, evidence.json, channel files and cases.
using PackFiles = std::map<std::string, Bytes>;

struct PackOutcome {
  PackFiles files;          // empty if there were findings
  Diagnostics diagnostics;  // of the rules
  std::vector<std::string> failures;  // cases that failed, one line each
  uint32_t instances = 0;
  uint32_t cases = 0;
  bool unreadable = false;
};

// Parses, binds, compiles, verifies and runs every case by both judges: what signers repeat before they sign. Writes nothing.
Result<PackOutcome> make_pack(const PackRequest& request, const schema::Catalog& catalog, const Terminal& terminal);

// Reads pack.json back as the request that made it, without the rules and logs.
Result<PackRequest> read_request(const std::filesystem::path& folder);

// All files or none: written beside `folder` and renamed. kExists: `folder` is there with other bytes.
Status write_pack(const std::filesystem::path& folder, const PackFiles& files);

}  // namespace creance::cli

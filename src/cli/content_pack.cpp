#include "cli/content_pack.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "base/digest.hpp"
#include "base/os/real.hpp"
#include "base/text.hpp"
#include "channel/verified_correlations.hpp"
#include "cli/rule_files.hpp"
#include "cli/sample_logs.hpp"
#include "compiler/build.hpp"
#include "compiler/fingerprint.hpp"
#include "plan/evidence.hpp"
#include "plan/release.hpp"
#include "validator/judge/cases.hpp"
#include "validator/judge/rehearsal_events.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;

Bytes to_bytes(const Json& json) {
  const std::string text = to_json_pretty(json);
  return Bytes(text.begin(), text.end());
}

Json channel_entry(const compiler::BuiltChannel& built) {
  return Json::object({{"type", built.type->id}, {"fingerprint", to_hex(built.type->fingerprint)}, {"sha256", sha256(built.bytes).hex()}, {"length", built.bytes.size()}, {"instances", built.rules.size()}, {"cost_bound", built.cost_bound}});
}

// Where each rule stands, for the evidence: sorted, so that the order of files leaves no trace.
Result<std::vector<plan::Evidence::Source>> rule_sources(const LoadedRules& loaded) {
  os::RealFileSystem disk;
  std::map<std::string, Digest> files;
  std::vector<plan::Evidence::Source> sources;
  const auto add = [&](const sigma::Metadata& rule, std::optional<Digest> runs_as) -> Status {
    auto known = files.find(rule.file);
    if (known == files.end()) {
      TRY(const Bytes bytes, disk.read(rule.file, limits::kRuleFileBytesMax * 16));
      known = files.emplace(rule.file, sha256(bytes)).first;
    }
    sources.push_back({rule.id, rule.title, std::string(sigma::to_string(rule.level)), known->second, runs_as});
    return {};
  };
  for (const sigma::Rule& rule : loaded.rules) {
    compiler::Fingerprint meaning;
    meaning.add(rule);
    TRY_VOID(add(rule, Digest{meaning.digest()}));
  }
  for (const sigma::Correlation& rule : loaded.correlations) TRY_VOID(add(rule, std::nullopt));
  std::ranges::sort(sources, [](const auto& x, const auto& y) { return std::tie(x.id, x.title, x.sha256) < std::tie(y.id, y.title, y.sha256); });
  return sources;
}

}  // namespace

Result<PackOutcome> make_pack(const PackRequest& request, const schema::Catalog& catalog, const Terminal& terminal) {
  if (!plan::is_release_name(request.release)) {
    return fail(ErrorCode::kInvalid, fmt::format("`{}` is no name of a release: use lower-case letters, digits, `.`, `_` and `-`, at most 64 (a tenant's own: `TENANT/NAME`)", request.release));
  }
  if (!plan::is_release_name(request.category)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no name of a category: use lower-case letters, digits, `.`, `_` and `-`, at most 64", request.category));
  if (invalid_utf8_at(request.notes)) return fail(ErrorCode::kInvalid, "the notes are not valid UTF-8");
  PackOutcome outcome;
  LoadedRules loaded = load_rules(request.sources, terminal);
  outcome.unreadable = loaded.unreadable;
  outcome.diagnostics = std::move(loaded.diagnostics);
  TRY(const SampleLogs logs, SampleLogs::read(request.logs, catalog));
  TRY(const compiler::Build built, compiler::build(loaded.rules, catalog, outcome.diagnostics, loaded.correlations, logs.samples()));
  sort(outcome.diagnostics);
  if (outcome.unreadable || has_errors(outcome.diagnostics)) return outcome;
  if (built.channels.empty()) return fail(ErrorCode::kInvalid, "there is no rule to pack");

  os::RealFileSystem disk;
  const validator::CaseReport cases = validator::run_cases(loaded.rules, catalog, disk, loaded.correlations);
  for (const Diagnostic& d : cases.diagnostics) outcome.diagnostics.push_back(d);
  for (const validator::CaseResult& result : cases.results) {
    ++outcome.cases;
    if (!result.passed) outcome.failures.push_back(fmt::format("{}:{}: {}: {}", result.file, result.span.line, result.name, result.reason));
  }
  if (!outcome.failures.empty() || has_errors(outcome.diagnostics)) return outcome;

  const auto rehearsal = validator::rehearsal_events(cases.results);
  Json channels = Json::array();
  PackFiles files;
  for (const compiler::BuiltChannel& channel : built.channels) {
    Json entry = channel_entry(channel);
    if (const auto found = rehearsal.find(channel.type->id); found != rehearsal.end()) {
      const BytesView lines = as_bytes(found->second.lines);
      entry.set("cases", Json::object({{"sha256", sha256(lines).hex()}, {"length", lines.size()}, {"events", found->second.count}}));
      files[channel.type->id + kCasesSuffix] = Bytes(lines.begin(), lines.end());
    }
    channels.push(std::move(entry));
    outcome.instances += static_cast<uint32_t>(channel.rules.size());
    files[channel.type->id + kChannelSuffix] = channel.bytes;
  }
  if (built.correlations) {
    const Bytes& bytes = built.correlations->bytes;
    const size_t count = built.correlations->correlations.size();
    channels.push(Json::object({{"type", channel::kCorrelationsId}, {"fingerprint", to_hex(channel::kCorrelationsInterface)}, {"sha256", sha256(bytes).hex()}, {"length", bytes.size()}, {"instances", count}, {"cost_bound", built.correlations->cost_bound}}));
    outcome.instances += static_cast<uint32_t>(count);
    files[std::string(channel::kCorrelationsId) + ".channel"] = bytes;
  }
  Json pack = Json::object({{"_type", "pack"}, {"release", request.release}, {"category", request.category}, {"notes", request.notes}, {"channels", channels}});
  if (!logs.digests().empty()) {
    Json digests = Json::array();
    for (const std::string& digest : logs.digests()) digests.push(digest);
    pack.set("logs", std::move(digests));
  }
  files[kPackFile] = to_bytes(pack);
  plan::Evidence evidence;
  for (const auto& [name, bytes] : files) {
    if (name.ends_with(".channel")) evidence.subjects.push_back({name, sha256(bytes)});
  }
  TRY(evidence.sources, rule_sources(loaded));
  evidence.passed = {fmt::format("parse and bind: {} rules", loaded.rules.size() + loaded.correlations.size()), fmt::format("compile and verify: {} channels", built.channels.size() + (built.correlations ? 1 : 0)),
                     fmt::format("cases, both judges agree: {}", outcome.cases), "made by creance " CREANCE_VERSION};
  files[kEvidenceFile] = evidence.to_bytes();
  outcome.files = std::move(files);
  return outcome;
}

Result<PackRequest> read_request(const fs::path& folder) {
  os::RealFileSystem files;
  TRY(const Bytes bytes, files.read(folder / kPackFile, 1u << 20));
  TRY(const Json json, parse_json(bytes));
  const JsonField root(json);
  PackRequest request;
  TRY(request.release, root.text_at("release"));
  TRY(request.category, root.text_at("category"));
  TRY(request.notes, root.text_at("notes"));
  request.made_with_logs = json.find("logs") != nullptr;
  return request;
}

Status write_pack(const fs::path& folder, const PackFiles& pack) {
  os::RealFileSystem files;
  if (files.exists(folder)) {
    for (const auto& [name, bytes] : pack) {
      const auto there = files.read(folder / name, bytes.size());
      if (!there || *there != bytes) return fail(ErrorCode::kExists, fmt::format("`{}` is there already, with other content; choose another name for the release or remove the folder", folder.string()));
    }
    return {};
  }
  fs::path staging = folder;
  staging += fmt::format(".tmp{}", ::getpid());
  TRY_VOID(files.make_directories(staging));
  for (const auto& [name, bytes] : pack) {
    if (auto written = files.write_atomic(staging / name, bytes, 0644); !written) {
      (void)files.remove_tree(staging);
      return written;
    }
  }
  std::error_code ec;
  fs::rename(staging, folder, ec);
  if (ec) {
    (void)files.remove_tree(staging);
    return fail(os::errno_error(ec.value(), "cannot make", folder));
  }
  return {};
}

}  // namespace creance::cli

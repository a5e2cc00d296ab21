#include "plan/evidence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "plan/documents.hpp"

namespace creance::plan {
namespace {
constexpr std::string_view kStatement = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicate = "https://in-toto.io/attestation/test-result/v0.1";
constexpr size_t kSourcesMax = 262'144;

Result<Digest> sha256_at(const JsonField& descriptor) {
  TRY(const JsonField digest, descriptor.at("digest"));
  return detail::digest_at(digest, "sha256");
}

Json descriptor(std::string_view name, const Digest& digest) { return Json::object({{"name", name}, {"digest", Json::object({{"sha256", digest.hex()}})}}); }

}  // namespace

Result<Evidence> Evidence::parse(BytesView bytes) {
  TRY(const Json json, detail::read_document(bytes, kStatement, limits::kTargetBytesMax));
  const JsonField statement(json);
  TRY(const std::string type, statement.text_at("predicateType", 1, 256));
  if (type != kPredicate) return fail(ErrorCode::kUnsupported, fmt::format("predicateType: `{}` where `{}` is needed", type.substr(0, 100), kPredicate));
  Evidence evidence;
  TRY(const JsonField subject, statement.at("subject"));
  TRY(const auto subjects, subject.elements(4'096));
  for (const JsonField& entry : subjects) {
    Subject one;
    TRY(one.name, entry.text_at("name", 1, 512));
    TRY(one.sha256, sha256_at(entry));
    evidence.subjects.push_back(std::move(one));
  }
  TRY(const JsonField predicate, statement.at("predicate"));
  TRY(evidence.result, predicate.text_at("result", 1, 16));
  TRY(const JsonField configuration, predicate.at("configuration"));
  TRY(const auto sources, configuration.elements(kSourcesMax));
  for (const JsonField& entry : sources) {
    Source one;
    TRY(one.id, entry.text_at("name", 0, 512));
    TRY(one.sha256, sha256_at(entry));
    TRY(const auto annotations, entry.find("annotations"));
    if (annotations) {
      TRY(one.title, annotations->text_at("title", 0, 4'096));
      TRY(one.level, annotations->text_at("level", 0, 64));
      TRY(const auto runs_as, annotations->find("runs_as"));
      if (runs_as) {
        TRY(one.runs_as, detail::digest_at(*annotations, "runs_as"));
      }
    }
    evidence.sources.push_back(std::move(one));
  }
  TRY(evidence.passed, detail::texts_at(predicate, "passedTests", 65'536, 1'024));
  TRY(const auto bad, detail::texts_at(predicate, "failedTests", 65'536, 1'024));
  if (!bad.empty() && evidence.result == "PASSED") return fail(predicate.error("`failedTests` is not empty, but `result` is PASSED"));
  return evidence;
}

Bytes Evidence::to_bytes() const {
  Json subject = Json::array();
  for (const Subject& one : subjects) subject.push(descriptor(one.name, one.sha256));
  Json configuration = Json::array();
  for (const Source& one : sources) {
    Json entry = descriptor(one.id, one.sha256);
    Json annotations = Json::object({{"title", one.title}, {"level", one.level}});
    if (one.runs_as) annotations.set("runs_as", one.runs_as->hex());
    entry.set("annotations", std::move(annotations));
    configuration.push(std::move(entry));
  }
  return detail::write_document(Json::object({{"_type", kStatement},
                                              {"subject", std::move(subject)},
                                              {"predicateType", kPredicate},
                                              {"predicate", Json::object({{"result", result}, {"configuration", std::move(configuration)}, {"passedTests", detail::texts(passed)}})}}));
}

Status Evidence::check(BytesView bytes, const Release& release) {
  if (!release.evidence) return fail(ErrorCode::kDenied, fmt::format("release `{}` names no evidence", release.name));
  if (creance::sha256(bytes) != *release.evidence) return fail(ErrorCode::kDenied, fmt::format("the evidence of release `{}` is not the one that was signed with it", release.name));
  TRY(const Evidence evidence, parse(bytes));
  if (evidence.result != "PASSED") return fail(ErrorCode::kDenied, fmt::format("the evidence of release `{}` says `{}`", release.name, evidence.result));
  for (const ChannelRef& channel : release.channels) {
    if (std::ranges::find(evidence.subjects, channel.sha256, &Subject::sha256) == evidence.subjects.end()) {
      return fail(ErrorCode::kDenied, fmt::format("the evidence of release `{}` says nothing about `{}`", release.name, channel.path));
    }
  }
  return {};
}

EvidenceDifference difference(const Evidence& before, const Evidence& after) {
  EvidenceDifference found;
  std::multimap<std::string, const Evidence::Source*> old;
  for (const Evidence::Source& source : before.sources) old.emplace(source.id, &source);
  for (const Evidence::Source& source : after.sources) {
    const auto [begin, end] = old.equal_range(source.id);
    if (begin == end) {
      found.added.push_back(source);
      continue;
    }
    if (std::none_of(begin, end, [&](const auto& entry) { return entry.second->sha256 == source.sha256 && (!entry.second->runs_as || !source.runs_as || entry.second->runs_as == source.runs_as); })) found.changed.push_back(source);
  }
  std::map<std::string, bool> now;
  for (const Evidence::Source& source : after.sources) now[source.id] = true;
  for (const Evidence::Source& source : before.sources) {
    if (!now.contains(source.id)) found.removed.push_back(source);
  }
  return found;
}

}  // namespace creance::plan

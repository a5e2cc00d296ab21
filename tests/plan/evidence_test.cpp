// Evidence: an in-toto statement (Statement/v1, predicate test-result/v0.1) that travels with a release.
#include "plan/evidence.hpp"

#include <gtest/gtest.h>

#include "plan/policy.hpp"

namespace creance::plan {
namespace {

Digest digest(uint8_t n) {
  Digest d;
  d.bytes.fill(n);
  return d;
}

Evidence sample() {
  Evidence e;
  e.subjects = {{"windows.a.channel", digest(1)}, {"windows.b.channel", digest(2)}};
  e.sources = {{"rule-1", "One", "high", digest(11)}, {"rule-2", "Two", "low", digest(12)}};
  e.passed = {"cases, both judges agree: 7"};
  return e;
}

Release release_of(const Evidence& e) {
  Release r;
  r.name = "r1";
  r.evidence = sha256(e.to_bytes());
  for (const Evidence::Subject& s : e.subjects) {
    ChannelRef channel;
    channel.path = "content/r1/" + s.name;
    channel.sha256 = s.sha256;
    r.channels.push_back(channel);
  }
  return r;
}

TEST(EvidenceDocument, IsAnInTotoStatementAndRoundTrips) {
  const Bytes bytes = sample().to_bytes();
  EXPECT_EQ(*Evidence::parse(bytes), sample());
  const Json json = *parse_json(bytes);
  EXPECT_EQ(json.find("_type")->string(), "https://in-toto.io/Statement/v1");
  EXPECT_EQ(json.find("predicateType")->string(), "https://in-toto.io/attestation/test-result/v0.1");
  EXPECT_EQ(json.find("subject")->elements()[0].find("digest")->find("sha256")->string(), digest(1).hex());
  EXPECT_EQ(json.find("predicate")->find("result")->string(), "PASSED");
}

TEST(EvidenceDocument, FitsTheReleaseOrNot) {
  const Evidence good = sample();
  const Release release = release_of(good);
  EXPECT_TRUE(Evidence::check(good.to_bytes(), release));
  Release without = release;
  without.evidence.reset();
  EXPECT_EQ(Evidence::check(good.to_bytes(), without).error().code, ErrorCode::kDenied);
  Evidence other = good;
  other.passed.push_back("more");
  EXPECT_EQ(Evidence::check(other.to_bytes(), release).error().code, ErrorCode::kDenied);  // not what was signed
  Release more = release;
  more.channels.push_back(more.channels[0]);
  more.channels.back().sha256 = digest(9);
  EXPECT_EQ(Evidence::check(good.to_bytes(), more).error().code, ErrorCode::kDenied);  // silent about a channel
  Evidence bad = good;
  bad.result = "FAILED";
  EXPECT_EQ(Evidence::check(bad.to_bytes(), release_of(bad)).error().code, ErrorCode::kDenied);
}

TEST(EvidenceDocument, RefusesOtherStatements) {
  std::string text(as_text(sample().to_bytes()));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string bent = text;
    bent.replace(bent.find(from), from.size(), to);
    return Evidence::parse(as_bytes(bent)).error().code;
  };
  EXPECT_EQ(with("Statement/v1", "Statement/v0"), ErrorCode::kInvalid);
  EXPECT_EQ(with("test-result/v0.1", "provenance/v1"), ErrorCode::kUnsupported);
  EXPECT_EQ(with("\"subject\"", "\"subjekt\""), ErrorCode::kInvalid);
  EXPECT_EQ(with("\"passedTests\"", "\"failedTests\""), ErrorCode::kInvalid);
}

TEST(EvidenceDocument, ARuleThatAFilterChangedIsAChangedRule) {
  Evidence before = sample(), after = sample();
  before.sources[0].runs_as = digest(1);
  EXPECT_EQ(*Evidence::parse(before.to_bytes()), before);
  EXPECT_TRUE(difference(before, after).changed.empty()) << "one of them does not say";
  after.sources[0].runs_as = digest(2);
  ASSERT_EQ(difference(before, after).changed.size(), 1u);
  EXPECT_EQ(difference(before, after).changed[0].id, "rule-1");
  after.sources[0].runs_as = digest(1);
  EXPECT_TRUE(difference(before, after).changed.empty());
}

TEST(EvidenceDocument, ShowsWhatChangedRuleByRule) {
  Evidence next = sample();
  next.sources = {{"rule-2", "Two", "low", digest(99)}, {"rule-3", "Three", "low", digest(13)}};
  const EvidenceDifference d = difference(sample(), next);
  ASSERT_EQ(d.added.size(), 1u);
  EXPECT_EQ(d.added[0].id, "rule-3");
  ASSERT_EQ(d.changed.size(), 1u);
  EXPECT_EQ(d.changed[0].id, "rule-2");
  ASSERT_EQ(d.removed.size(), 1u);
  EXPECT_EQ(d.removed[0].id, "rule-1");
}

TEST(LocalFile, MayRequireEvidence) {
  EXPECT_TRUE(LocalPolicy::parse(as_bytes(R"({"_type":"local","require_evidence":true})"))->require_evidence);
  EXPECT_FALSE(LocalPolicy::parse(as_bytes(R"({"_type":"local"})"))->require_evidence);
  EXPECT_FALSE(LocalPolicy::parse(as_bytes(R"({"_type":"local","require_evidence":"yes"})")));
}

}  // namespace
}  // namespace creance::plan

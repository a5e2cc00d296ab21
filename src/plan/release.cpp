#include "plan/release.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/documents.hpp"

namespace creance::plan {
namespace {
constexpr size_t kReleaseBytesMax = 1u << 20;
constexpr size_t kChannelsMax = 1'024;
constexpr std::string_view kRingNames[] = {"internal", "canary", "early", "general", "late"};

bool is_name(std::string_view name, std::string_view more) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 64 || !plain(name[0])) return false;
  return std::ranges::all_of(name, [&](char c) { return plain(c) || more.find(c) != std::string_view::npos; });
}

Status check_path(std::string_view path, const JsonField& field, std::string_view release) {
  const std::string folder = release_folder(release) + "/";
  if (path.starts_with(folder)) return {};
  return fail(field.error(fmt::format("path must lie in {}", folder)));
}

Result<ChannelRef> parse_channel(const JsonField& field, std::string_view release) {
  ChannelRef channel;
  TRY(channel.type, field.text_at("type", 1, 128));
  TRY(channel.fingerprint, detail::digest_at(field, "fingerprint"));
  TRY(channel.path, field.text_at("path", 1, 512));
  TRY_VOID(check_path(channel.path, field, release));
  TRY(channel.sha256, detail::digest_at(field, "sha256"));
  TRY(channel.length, field.integer_at("length", 1, static_cast<int64_t>(limits::kChannelBytesMax)));
  TRY(channel.instances, field.integer_at("instances", 0, limits::kInstancesPerChannelMax));
  TRY(const auto cases, field.find("cases"));
  if (cases) {
    CasesRef ref;
    TRY(ref.path, cases->text_at("path", 1, 512));
    TRY_VOID(check_path(ref.path, *cases, release));
    TRY(ref.sha256, detail::digest_at(*cases, "sha256"));
    TRY(ref.length, cases->integer_at("length", 1, static_cast<int64_t>(limits::kRehearsalBytesMax)));
    channel.cases = std::move(ref);
  }
  return channel;
}

Result<Floor> parse_floor(const JsonField& field) {
  Floor floor;
  TRY(floor.approved_until, field.time_at("approved_until"));
  TRY(const auto list, field.find("not_before"));
  if (!list) return floor;
  TRY(const auto entries, list->elements(1'024));
  for (const JsonField& entry : entries) {
    NotBefore bound;
    TRY(bound.ring, ring_at(entry, "ring"));
    TRY(const int64_t share, entry.integer_at("share", 0, kShareWhole));
    bound.share = static_cast<uint32_t>(share);
    TRY(bound.time, entry.time_at("time"));
    floor.not_before.push_back(bound);
  }
  return floor;
}

}  // namespace

std::string_view to_string(Ring ring) { return kRingNames[static_cast<size_t>(ring)]; }

Result<Ring> parse_ring(std::string_view text) {
  for (const Ring ring : kRings) {
    if (text == to_string(ring)) return ring;
  }
  return fail(ErrorCode::kInvalid, "must be one of internal, canary, early, general, late");
}

Result<Ring> ring_at(const JsonField& object, std::string_view name) {
  TRY(const JsonField field, object.at(name));
  TRY(const std::string text, field.text(1, 64));
  const auto ring = parse_ring(text);
  if (!ring) return fail(field.error(ring.error().detail));
  return *ring;
}

bool is_release_name(std::string_view name) {
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos) return is_name(name, "._-");
  return name.size() <= 64 && is_name(name.substr(0, slash), "_-") && is_name(name.substr(slash + 1), "._-");
}

std::string_view tenant_of(std::string_view release_name) {
  const size_t slash = release_name.find('/');
  return slash == std::string_view::npos ? std::string_view() : release_name.substr(0, slash);
}

std::string content_role(std::string_view release_name) {
  const std::string_view tenant = tenant_of(release_name);
  return tenant.empty() ? "content" : "content-" + std::string(tenant);
}

std::string release_folder(std::string_view release_name) {
  const std::string_view tenant = tenant_of(release_name);
  return content_role(release_name) + "/" + std::string(tenant.empty() ? release_name : release_name.substr(tenant.size() + 1));
}

std::string Release::path() const { return release_folder(name) + "/release.json"; }

Digest release_digest(BytesView document) { return sha256(document); }

Result<Release> Release::parse(BytesView bytes) {
  TRY(const Json json, detail::read_document(bytes, "release", kReleaseBytesMax));
  const JsonField document(json);
  Release release;
  TRY(const JsonField name, document.at("release"));
  TRY(release.name, name.text(1, 64));
  if (!is_release_name(release.name)) return fail(name.error("must be 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit (with a tenant's name and `/` before it, if it is a tenant's own)"));
  TRY(release.created, document.time_at("created"));
  TRY(release.notes, document.text_at("notes", 0, 262'144));
  TRY(const JsonField list, document.at("channels"));
  TRY(const auto channels, list.elements(kChannelsMax));
  std::set<std::pair<std::string, Digest>> seen;
  for (const JsonField& entry : channels) {
    TRY(ChannelRef channel, parse_channel(entry, release.name));
    if (!seen.emplace(channel.type, channel.fingerprint).second) return fail(entry.error("a second channel for the same type and fingerprint"));
    release.channels.push_back(std::move(channel));
  }
  TRY(const auto evidence, document.find("evidence"));
  if (evidence) {
    TRY(const Digest digest, detail::digest_at(*evidence, "sha256"));
    release.evidence = digest;
  }
  TRY(const JsonField floor, document.at("floor"));
  TRY(release.floor, parse_floor(floor));
  TRY(release.category, document.text_at("category", 1, 64));
  return release;
}

Bytes Release::to_bytes() const {
  Json list = Json::array();
  for (const ChannelRef& channel : channels) {
    Json entry = Json::object({{"type", channel.type}, {"fingerprint", channel.fingerprint.hex()}, {"path", channel.path}, {"sha256", channel.sha256.hex()}, {"length", channel.length},
                               {"instances", channel.instances}});
    if (channel.cases) entry.set("cases", Json::object({{"path", channel.cases->path}, {"sha256", channel.cases->sha256.hex()}, {"length", channel.cases->length}}));
    list.push(std::move(entry));
  }
  Json bounds = Json::array();
  for (const NotBefore& bound : floor.not_before) bounds.push(Json::object({{"ring", to_string(bound.ring)}, {"share", bound.share}, {"time", format_time(bound.time)}}));
  Json json = Json::object({{"_type", "release"},
                            {"release", name},
                            {"created", format_time(created)},
                            {"notes", notes},
                            {"channels", std::move(list)},
                            {"floor", Json::object({{"approved_until", format_time(floor.approved_until)}, {"not_before", std::move(bounds)}})},
                            {"category", category}});
  if (evidence) json.set("evidence", Json::object({{"sha256", evidence->hex()}}));
  return detail::write_document(json);
}

}  // namespace creance::plan

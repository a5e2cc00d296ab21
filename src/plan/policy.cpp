#include "plan/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/documents.hpp"
#include "plan/release.hpp"

namespace creance::plan {
namespace {
constexpr size_t kPolicyBytesMax = 1u << 20;
constexpr int64_t kDelayMax = 366LL * 24 * 3600;  // above: not a delay but a pin
constexpr size_t kListMax = 65'536;

Result<std::optional<std::string>> pin_at(const JsonField& object) {
  TRY(const auto field, object.find("pin"));
  if (!field) return std::optional<std::string>();
  TRY(std::string pin, field->text(1, 64));
  if (!is_release_name(pin)) return fail(field->error("is not a release name"));
  return std::optional<std::string>(std::move(pin));
}

Result<bool> paused_at(const JsonField& object) {
  TRY(const auto field, object.find("paused"));
  if (!field) return false;
  return field->boolean();
}

Result<std::chrono::seconds> delay_at(const JsonField& object) {
  TRY(const auto field, object.find("delay_s"));
  if (!field) return std::chrono::seconds(0);
  TRY(const int64_t seconds, field->integer(0, kDelayMax));
  return std::chrono::seconds(seconds);
}

Result<Windows> windows_at(const JsonField& object) {
  Windows out;
  TRY(const auto field, object.find("windows"));
  if (!field) return out;
  TRY(const auto entries, field->elements(kWindowsMax));
  if (entries.empty()) return fail(field->error("is empty: nothing would ever be taken; leave it out, or pause"));
  for (const JsonField& entry : entries) {
    TRY(const std::string text, entry.text(1, 256));
    if (const auto added = add_window(out, text); !added) return fail(entry.error(added.error().detail));
  }
  return out;
}

Result<std::vector<Digest>> digests_at(const JsonField& object, std::string_view name) {
  std::vector<Digest> out;
  TRY(const auto field, object.find(name));
  if (!field) return out;
  TRY(const auto entries, field->elements(kListMax));
  for (const JsonField& entry : entries) {
    TRY(const std::string text, entry.text(0, 128));
    const auto digest = Digest::parse(text);
    if (!digest) return fail(entry.error("must be 64 hexadecimal digits"));
    out.push_back(*digest);
  }
  return out;
}

// A misspelled member would silently loosen what its author wanted.
Status only(const JsonField& object, std::initializer_list<std::string_view> known) {
  for (const Json::Member& member : object.value().members())
    if (std::ranges::find(known, member.first) == known.end()) return fail(object.error(fmt::format("`{}` is not known here; known are {}", member.first.substr(0, 64), fmt::join(known, ", "))));
  return {};
}

Result<GroupRules> parse_rules(const JsonField& field) {
  GroupRules rules;
  TRY(rules.ring, ring_at(field, "ring"));
  TRY(rules.paused, paused_at(field));
  TRY(rules.pin, pin_at(field));
  TRY(rules.delay, delay_at(field));
  TRY(rules.mutes, detail::texts_at(field, "mutes", kListMax, 128));
  TRY(rules.windows, windows_at(field));
  return rules;
}

Json rules_json(const GroupRules& rules) {
  Json json = Json::object({{"ring", to_string(rules.ring)}, {"paused", rules.paused}, {"delay_s", rules.delay.count()}});
  if (rules.pin) json.set("pin", *rules.pin);
  if (!rules.mutes.empty()) json.set("mutes", detail::texts(rules.mutes));
  if (!rules.windows.empty()) {
    Json list = Json::array();
    for (const Window& window : rules.windows) list.push(window.text());
    json.set("windows", std::move(list));
  }
  return json;
}

}  // namespace

bool is_tenant_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 64 || !plain(name[0])) return false;
  return std::ranges::all_of(name, [&](char c) { return plain(c) || c == '_' || c == '-'; });
}

const GroupRules& Policy::rules_for(std::span<const std::string> tags) const {
  for (const Group& group : groups) {
    const auto has = [&](const std::string& tag) { return std::ranges::find(tags, tag) != tags.end(); };
    if (std::ranges::all_of(group.tags, has)) return group.rules;
  }
  return fallback;
}

Result<Policy> Policy::parse(BytesView bytes, UnknownMember unknown) {
  TRY(const Json json, detail::read_document(bytes, "policy", kPolicyBytesMax));
  const JsonField document(json);
  const bool strict = unknown == UnknownMember::kRefused;
  if (strict) TRY_VOID(only(document, {"_type", "tenant", "version", "groups", "default"}));
  Policy policy;
  TRY(const JsonField tenant, document.at("tenant"));
  TRY(policy.tenant, tenant.text(1, 64));
  if (!is_tenant_name(policy.tenant)) return fail(tenant.error("is not a tenant name"));
  TRY(policy.version, document.integer_at("version", 1));
  TRY(const JsonField list, document.at("groups"));
  TRY(const auto groups, list.elements(4'096));
  std::set<std::string> names;
  for (const JsonField& entry : groups) {
    Group group;
    if (strict && entry.value().is_object()) TRY_VOID(only(entry, {"name", "tags", "ring", "paused", "pin", "delay_s", "mutes", "windows"}));
    TRY(group.name, entry.text_at("name", 1, 128));
    if (!names.insert(group.name).second) return fail(entry.error("a second group of the same name"));
    TRY(group.tags, detail::texts_at(entry, "tags", 64, 128));
    TRY(group.rules, parse_rules(entry));
    policy.groups.push_back(std::move(group));
  }
  TRY(const JsonField fallback, document.at("default"));
  if (strict && fallback.value().is_object()) TRY_VOID(only(fallback, {"ring", "paused", "pin", "delay_s", "mutes", "windows"}));
  TRY(policy.fallback, parse_rules(fallback));
  return policy;
}

Bytes Policy::to_bytes() const {
  Json list = Json::array();
  for (const Group& group : groups) {
    Json json = rules_json(group.rules);
    json.set("name", group.name);
    json.set("tags", detail::texts(group.tags));
    list.push(std::move(json));
  }
  return detail::write_document(Json::object({{"_type", "policy"}, {"tenant", tenant}, {"version", version}, {"groups", std::move(list)}, {"default", rules_json(fallback)}}));
}

Result<LocalPolicy> LocalPolicy::parse(BytesView bytes) {
  TRY(const Json json, detail::read_document(bytes, "local", kPolicyBytesMax));
  const JsonField document(json);
  LocalPolicy local;
  TRY_VOID(only(document, {"_type", "paused", "pin", "delay_s", "ring", "mutes", "keep", "deny", "require_evidence", "windows"}));
  TRY(local.paused, paused_at(document));
  TRY(local.pin, pin_at(document));
  TRY(local.delay, delay_at(document));
  TRY(const auto ring, document.find("ring"));
  if (ring) {
    TRY(const Ring value, ring_at(document, "ring"));
    local.ring = value;
  }
  TRY(local.mutes, detail::texts_at(document, "mutes", kListMax, 128));
  TRY(local.keep, detail::texts_at(document, "keep", kListMax, 128));
  TRY(local.deny, digests_at(document, "deny"));
  TRY(Windows windows, windows_at(document));
  if (!windows.empty()) local.windows.push_back(std::move(windows));
  TRY(const auto evidence, document.find("require_evidence"));
  if (evidence) {
    TRY(local.require_evidence, evidence->boolean());
  }
  return local;
}

const DenyList::Entry* DenyList::find(const Digest& digest) const {
  const auto it = std::ranges::find(denied, digest, &Entry::digest);
  return it == denied.end() ? nullptr : &*it;
}

Result<DenyList> DenyList::parse(BytesView bytes) {
  TRY(const Json json, detail::read_document(bytes, "deny", kPolicyBytesMax));
  const JsonField document(json);
  DenyList list;
  TRY(list.version, document.integer_at("version", 1));
  TRY(const JsonField denied, document.at("denied"));
  TRY(const auto entries, denied.elements(kListMax));
  for (const JsonField& entry : entries) {
    Entry value;
    TRY(value.digest, detail::digest_at(entry, "digest"));
    TRY(value.reason, entry.text_at("reason", 0, 1'024));
    list.denied.push_back(std::move(value));
  }
  TRY(list.retry, digests_at(document, "retry"));
  return list;
}

Bytes DenyList::to_bytes() const {
  Json entries = Json::array();
  for (const Entry& entry : denied) entries.push(Json::object({{"digest", entry.digest.hex()}, {"reason", entry.reason}}));
  Json again = Json::array();
  for (const Digest& digest : retry) again.push(digest.hex());
  return detail::write_document(Json::object({{"_type", "deny"}, {"version", version}, {"denied", std::move(entries)}, {"retry", std::move(again)}}));
}

}  // namespace creance::plan

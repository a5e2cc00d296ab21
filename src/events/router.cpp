#include "events/router.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "events/json_text.hpp"

namespace creance::events {
namespace {

// Length, first and last eight bytes, each without ASCII case: field names of one event differ there.
uint64_t hash_of(std::string_view name) {
  constexpr uint64_t kLower = 0x2020202020202020;
  uint64_t head = 0;
  uint64_t tail = 0;
  const size_t n = std::min<size_t>(name.size(), 8);
  std::memcpy(&head, name.data(), n);
  std::memcpy(&tail, name.data() + name.size() - n, n);
  uint64_t h = ((head | kLower) * 0x9E3779B97F4A7C15) ^ ((tail | kLower) * 0xC2B2AE3D27D4EB4F) ^ (name.size() * 0x165667B19E3779F9);
  h ^= h >> 32;
  return h * 0xD6E8FEB86659FD93 >> 20;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& each) { return equal_ignoring_ascii_case(each, text); });
}

// Absent or empty: some ETW events have none, and some exports leave it out. The log of forwarded events is a collector's, not the one that they were written to.
bool says_no_channel(std::string_view channel) { return channel.empty() || equal_ignoring_ascii_case(channel, "ForwardedEvents"); }

bool takes(const schema::EventSource& source, std::string_view channel, std::string_view provider, std::optional<uint32_t> event_id) {
  const bool by_provider = says_no_channel(channel) && (contains(source.writers, provider) || !source.providers.empty());
  if (!source.channels.empty() && !by_provider && !contains(source.channels, channel)) return false;
  if (!source.providers.empty() && !contains(source.providers, provider)) return false;
  if (source.event_ids.empty()) return true;
  return event_id && std::find(source.event_ids.begin(), source.event_ids.end(), *event_id) != source.event_ids.end();
}

std::vector<std::string> field_names(const schema::TemplateType& type, const schema::EventSource* source) {
  std::vector<std::string> names;
  for (const schema::InputDefinition& input : type.inputs) names.push_back(input.name);
  if (source == nullptr) return names;
  for (const auto& [input, field] : source->rename) {
    if (const auto index = type.input_index(input)) names[*index] = field;
  }
  return names;
}

}  // namespace

FieldTable::FieldTable(std::vector<std::string> names) : names_(std::move(names)), slots_(std::bit_ceil(names_.size() * 2 + 2), 0) {
  CHECK(names_.size() <= limits::kInputsPerTypeMax);
  for (size_t i = 0; i < names_.size(); ++i) {
    size_t slot = hash_of(names_[i]) & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<uint16_t>(i + 1);
  }
}

std::optional<FieldTable::Found> FieldTable::find(std::string_view name) const {
  std::optional<Found> by_letters;
  size_t slot = hash_of(name) & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const uint32_t input = slots_[slot] - 1u;
    if (names_[input] == name) return Found{input, true};
    if (!by_letters && equal_ignoring_ascii_case(names_[input], name)) by_letters = Found{input, false};
  }
  return by_letters;
}

Route::Route(const schema::TemplateType& of, Wanted wants, FieldTable names, uint32_t n) : type(&of), wanted(std::move(wants)), fields(std::move(names)), number(n) {
  auto from = of.input_index("Hashes");
  if (!from) from = of.input_index("Hash");
  if (!from) return;
  for (const auto& [name, algorithm] : {std::pair<std::string_view, std::string_view>{"md5", "MD5"}, {"sha1", "SHA1"}, {"sha256", "SHA256"}, {"Imphash", "IMPHASH"}}) {
    if (const auto input = of.input_index(name); input && wanted.wants(*input)) hashes.push_back({*input, *from, algorithm});
  }
}

std::string_view hash_in(std::string_view hashes, std::string_view algorithm) {
  while (!hashes.empty()) {
    const size_t end = std::min(hashes.find(','), hashes.size());
    std::string_view each = hashes.substr(0, end);
    while (each.starts_with(' ')) each.remove_prefix(1);
    const size_t equals = std::min(each.find('='), each.size());
    if (equals + 1 < each.size() && equal_ignoring_ascii_case(each.substr(0, equals), algorithm)) return each.substr(equals + 1);
    hashes.remove_prefix(std::min(end + 1, hashes.size()));
  }
  return {};
}

Router::Router(const schema::Catalog& catalog, const Wants& wants) {
  for (const schema::TemplateType& type : catalog.types()) {
    const Wanted wanted = wants ? wants(type) : Wanted();
    for (const schema::EventSource& source : type.sources) {
      sources_.push_back({&source, static_cast<uint32_t>(routes_.size())});
      routes_.emplace_back(type, wanted, FieldTable(field_names(type, &source)), static_cast<uint32_t>(routes_.size()));
    }
    routes_.emplace_back(type, wanted, FieldTable(field_names(type, nullptr)), static_cast<uint32_t>(routes_.size()));
  }
  for (const Route& route : routes_) by_type_[route.type->id] = {&route};  // the last of each Type is the one without renames
}

std::vector<const Route*> Router::decide(std::string_view channel, std::string_view provider, std::string_view event_id) const {
  const auto number = whole_number(event_id);
  const bool is_id = number && *number >= 0 && *number <= UINT32_MAX;
  const std::optional<uint32_t> id = is_id ? std::optional(static_cast<uint32_t>(*number)) : std::nullopt;
  std::vector<const Route*> found;
  for (const bool unclaimed : {false, true}) {
    if (unclaimed && (!found.empty() || !id || (channel.empty() && provider.empty()))) break;
    for (const Source& each : sources_) {
      const Route& route = routes_[each.route];
      if (each.source->unclaimed != unclaimed || (!found.empty() && found.back()->type == route.type)) continue;
      if (takes(*each.source, channel, provider, id)) found.push_back(&route);
    }
  }
  return found;
}

std::span<const Route* const> Router::route(std::string_view channel, std::string_view provider, std::string_view event_id) {
  key_.assign(channel).push_back('\0');
  key_.append(event_id).push_back('\0');
  key_.append(provider);
  if (const auto at = remembered_.find(key_); at != remembered_.end()) return at->second;
  if (remembered_.size() >= limits::kRoutesRememberedMax) remembered_.clear();
  return remembered_.emplace(key_, decide(channel, provider, event_id)).first->second;
}

std::span<const Route* const> Router::route_to(std::string_view type_id) {
  key_.assign(type_id);
  const auto at = by_type_.find(key_);
  if (at == by_type_.end()) return {};
  return at->second;
}

}  // namespace creance::events

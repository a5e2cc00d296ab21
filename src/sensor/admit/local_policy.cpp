#include "sensor/admit/local_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json.hpp"
#include "base/yaml.hpp"
#include "plan/zone_files.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kPolicyBytesMax = 65'536;
constexpr std::string_view kKeys[] = {"paused", "pin", "delay", "ring", "mutes", "keep", "deny", "require_evidence", "windows"};

std::unexpected<Error> wrong(const std::string& file, const yaml::Node& node, const std::string& what) {
  return fail(ErrorCode::kInvalid, fmt::format("{}:{}:{}: {}", file, node.span.line, node.span.column, what));
}

// "90s", "15m", "12h", "2d" in seconds.
std::optional<int64_t> seconds_of(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const int64_t unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : text.back() == 'h' ? 3'600 : text.back() == 'd' ? 86'400 : 0;
  int64_t number = 0;
  const char* end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, number);
  if (unit == 0 || parsed.ec != std::errc() || parsed.ptr != end || number < 0 || number > 366 * 86'400) return std::nullopt;
  return number * unit;
}

Result<Json> value_of(const yaml::Document& document, const yaml::Node& key, const yaml::Node& value, const std::string& file, const ZoneCheck& zone_known) {
  if (key.text == "paused" || key.text == "require_evidence") {
    if (value.kind == yaml::Kind::kScalar && value.type == yaml::Scalar::kBoolean) return Json(value.text.front() == 't' || value.text.front() == 'T');
    return wrong(file, value, fmt::format("`{}` must be true or false", key.text));
  }
  if (key.text == "delay") {
    const auto seconds = value.kind == yaml::Kind::kScalar ? seconds_of(value.text) : std::nullopt;
    if (!seconds) return wrong(file, value, "`delay` must be a number with s, m, h or d behind it, like 12h");
    return Json(*seconds);
  }
  if (key.text == "pin" || key.text == "ring") {
    if (value.kind == yaml::Kind::kScalar && !value.text.empty()) return Json(value.text);
    return wrong(file, value, fmt::format("`{}` must be a name", key.text));
  }
  if (value.kind != yaml::Kind::kSequence) return wrong(file, value, fmt::format("`{}` must be a list", key.text));
  if (key.text == "windows" && value.children.empty()) return wrong(file, value, "`windows` is empty: nothing would ever be taken; leave it out, or write `paused: true`");
  Json::Array list;
  plan::Windows windows;
  for (const uint32_t child : value.children) {
    const yaml::Node& entry = document.at(child);
    if (entry.kind != yaml::Kind::kScalar) return wrong(file, entry, fmt::format("`{}` must be a list of texts", key.text));
    if (key.text == "windows") {
      auto added = plan::add_window(windows, entry.text);
      if (added) added = zone_known(windows.back().zone);
      if (!added) return wrong(file, entry, added.error().detail);
    }
    list.emplace_back(entry.text);
  }
  return Json(std::move(list));
}

// The stricter of both.
plan::LocalPolicy merged(const plan::LocalPolicy& a, const plan::LocalPolicy& b) {
  plan::LocalPolicy out = a;
  out.paused = a.paused || b.paused || (a.pin && b.pin && *a.pin != *b.pin);  // two pins that differ leave nothing
  if (b.pin) out.pin = b.pin;
  out.delay = std::max(a.delay, b.delay);
  if (b.ring) out.ring = a.ring ? std::max(*a.ring, *b.ring) : *b.ring;
  out.mutes.insert(out.mutes.end(), b.mutes.begin(), b.mutes.end());
  out.keep.insert(out.keep.end(), b.keep.begin(), b.keep.end());
  out.windows.insert(out.windows.end(), b.windows.begin(), b.windows.end());
  out.deny.insert(out.deny.end(), b.deny.begin(), b.deny.end());
  out.require_evidence = a.require_evidence || b.require_evidence;
  return out;
}

const char* why_unread(ErrorCode code) {
  if (code == ErrorCode::kNotFound) return " (the owner named it, or a link of that name leads nowhere: put the file there, or remove the link)";
  if (code == ErrorCode::kDenied) return " (whether the owner says something there cannot be seen: let the sensor enter its folder and read it)";
  return "";
}

}  // namespace

Result<plan::LocalPolicy> parse_policy_yaml(std::string_view text, const std::string& file, const ZoneCheck& zone_known) {
  Diagnostics diagnostics;
  const auto documents = yaml::parse(text, file, "policy", diagnostics);
  if (!documents || documents->size() > 1) return fail(ErrorCode::kInvalid, diagnostics.empty() ? fmt::format("{}:1:1: must be one document", file) : to_line(diagnostics.front()));
  Json json = Json::object({{"_type", "local"}});
  if (documents->empty() || documents->front().is_blank()) return plan::LocalPolicy{};  // nothing but comments
  const yaml::Document& document = documents->front();
  if (document.root().kind != yaml::Kind::kMap) return wrong(file, document.root(), "must be `key: value` lines");
  const auto& children = document.root().children;
  for (size_t i = 0; i + 1 < children.size(); i += 2) {
    const yaml::Node& key = document.at(children[i]);
    // A misspelled key would silently loosen what the owner wanted.
    if (std::ranges::find(kKeys, key.text) == std::end(kKeys)) return wrong(file, key, fmt::format("`{}` is not known here", key.text.substr(0, 64)));
    TRY(Json value, value_of(document, key, document.at(children[i + 1]), file, zone_known));
    json.set(key.text == "delay" ? "delay_s" : key.text, std::move(value));
  }
  auto policy = plan::LocalPolicy::parse(as_bytes(to_json(json)));
  if (!policy) return fail(policy.error().code, fmt::format("{}: {}", file, policy.error().detail));
  return policy;
}

OwnersWish read_owners_wish(FileSystem& files, const std::filesystem::path& json, const std::filesystem::path& yaml) {
  OwnersWish out;
  const auto take = [&](Result<plan::LocalPolicy> read) {
    if (!read) {
      if (out.complaint.empty()) out.complaint = read.error().detail;
      read = plan::LocalPolicy{};
      read->paused = true;
    }
    out.policy = out.policy ? merged(*out.policy, *read) : std::move(*read);
  };
  const auto zone_known = [&](std::string_view zone) -> Status {
    TRY_VOID(plan::read_zone(files, zone));
    return {};
  };
  const auto with_known_zones = [&](Result<plan::LocalPolicy> read) -> Result<plan::LocalPolicy> {
    if (read)
      for (const plan::Windows& list : read->windows)
        for (const plan::Window& window : list)
          if (const auto known = zone_known(window.zone); !known) return fail(known.error().code, fmt::format("{}: windows: {}", json.string(), known.error().detail));
    return read;
  };
  if (const auto bytes = files.read(json, kPolicyBytesMax)) take(with_known_zones(plan::LocalPolicy::parse(*bytes)));
  else if (bytes.error().code != ErrorCode::kNotFound) take(fail(bytes.error()));
  if (yaml.empty()) return out;
  if (const auto bytes = files.read(yaml, kPolicyBytesMax)) take(parse_policy_yaml(as_text(*bytes), yaml.string(), zone_known));
  else take(fail(bytes.error().code, bytes.error().detail + why_unread(bytes.error().code)));
  return out;
}

}  // namespace creance::sensor

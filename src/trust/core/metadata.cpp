#include "trust/core/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"

namespace creance::trust {
namespace {

constexpr size_t kNameMax = 4'096;        // role names, target paths, patterns
constexpr size_t kDelegationsPerRoleMax = 16'384;
constexpr std::string_view kTopLevel[] = {"root", "timestamp", "snapshot", "targets"};

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}
std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Result<Keys> parse_keys(const JsonField& field) {
  Keys keys;
  TRY(const auto members, field.members());
  for (const auto& [keyid, value] : members) {
    TRY(PublicKey key, PublicKey::from_json(value));
    keys.emplace(keyid, std::move(key));
  }
  return keys;
}

Result<RoleKeys> parse_role_keys(const JsonField& field, const Keys& keys) {
  RoleKeys role;
  TRY(const JsonField list, field.at("keyids"));
  TRY(const auto keyids, list.elements(limits::kKeysPerRoleMax));
  std::set<std::string> seen;
  for (const JsonField& keyid : keyids) {
    TRY(std::string text, keyid.text(0, kNameMax));
    if (!seen.insert(text).second) return fail(keyid.error("the same key id twice"));
    if (const auto it = keys.find(text); it != keys.end()) role.keys.emplace(text, it->second);
    role.keyids.push_back(std::move(text));
  }
  TRY(const int64_t threshold, field.integer_at("threshold", 1, 1'000'000));
  role.threshold = static_cast<uint32_t>(threshold);
  return role;
}

Result<Hashes> parse_hashes(const JsonField& field) {
  Hashes hashes;
  TRY(const auto members, field.members(64));
  if (members.empty()) return fail(field.error("must not be empty"));
  for (const auto& [algorithm, value] : members) {
    TRY(std::string text, value.text(1, 1'024));
    if (!is_hex(text)) return fail(value.error("must be hexadecimal"));
    hashes.emplace(algorithm, lower(std::move(text)));
  }
  return hashes;
}

Result<MetaFile> parse_meta_file(const JsonField& field) {
  MetaFile meta;
  TRY(meta.version, field.integer_at("version", 1));
  TRY(const auto length, field.find("length"));
  if (length) {
    TRY(const int64_t bytes, length->integer(0));
    meta.length = bytes;
  }
  TRY(const auto hashes, field.find("hashes"));
  if (hashes) {
    TRY(meta.hashes, parse_hashes(*hashes));
  }
  return meta;
}

Status parse_common(Common& out, BytesView bytes, size_t bytes_max, std::string_view type) {
  TRY(out.envelope, Envelope::parse(bytes, bytes_max));
  const JsonField signed_part(out.envelope.signed_part, "signed");
  TRY(const std::string found, signed_part.text_at("_type", 1, 64));
  if (found != type) return fail(ErrorCode::kInvalid, fmt::format("signed._type: `{}` where `{}` is needed", found.substr(0, 32), type));
  TRY(const std::string spec, signed_part.text_at("spec_version", 1, 64));
  if (!spec.starts_with("1.")) return fail(ErrorCode::kUnsupported, "signed.spec_version: only version 1 of the specification is understood");
  TRY(out.version, signed_part.integer_at("version", 1));
  TRY(out.expires, signed_part.time_at("expires"));
  return {};
}

Result<Delegation> parse_delegation(const JsonField& field, const Keys& keys) {
  Delegation delegation;
  TRY(delegation.name, field.text_at("name", 1, kNameMax));
  // Such a name would let a delegated role take the place of a top-level one in a client's folder.
  if (std::ranges::find(kTopLevel, delegation.name) != std::end(kTopLevel)) return fail(field.error("a delegated role must not have the name of a top-level role"));
  TRY(delegation.role, parse_role_keys(field, keys));
  TRY(const auto terminating, field.find("terminating"));
  if (terminating) {
    TRY(delegation.terminating, terminating->boolean());
  }
  TRY(const auto paths, field.find("paths"));
  TRY(const auto prefixes, field.find("path_hash_prefixes"));
  if (paths && prefixes) return fail(field.error("`paths` and `path_hash_prefixes` exclude each other"));
  if (paths) {
    TRY(const auto patterns, paths->elements());
    for (const JsonField& pattern : patterns) {
      TRY(std::string text, pattern.text(0, kNameMax));
      delegation.paths.push_back(std::move(text));
    }
  }
  if (prefixes) {
    TRY(const auto values, prefixes->elements());
    for (const JsonField& value : values) {
      TRY(std::string text, value.text(0, 64));
      if (!is_hex(text)) return fail(value.error("must be hexadecimal"));
      delegation.path_hash_prefixes.push_back(lower(std::move(text)));
    }
  }
  return delegation;
}

Status parse_delegations(Targets& out, const JsonField& field) {
  TRY(const JsonField keys_field, field.at("keys"));
  TRY(const Keys keys, parse_keys(keys_field));
  TRY(const auto roles, field.find("roles"));
  TRY(const auto succinct, field.find("succinct_roles"));
  if (roles && succinct) return fail(field.error("`roles` and `succinct_roles` exclude each other"));
  if (roles) {
    TRY(const auto list, roles->elements(kDelegationsPerRoleMax));
    std::set<std::string> names;
    for (const JsonField& entry : list) {
      TRY(Delegation delegation, parse_delegation(entry, keys));
      if (!names.insert(delegation.name).second) return fail(entry.error("the same role name twice"));
      out.delegations.push_back(std::move(delegation));
    }
  }
  if (succinct) {
    SuccinctRoles bins;
    TRY(bins.name_prefix, succinct->text_at("name_prefix", 1, kNameMax));
    TRY(const int64_t bits, succinct->integer_at("bit_length", 1, 32));
    bins.bit_length = static_cast<uint32_t>(bits);
    TRY(bins.role, parse_role_keys(*succinct, keys));
    out.succinct = std::move(bins);
  }
  return {};
}

uint64_t first_bits(std::string_view path, uint32_t bits) {
  const Digest digest = sha256(as_bytes(path));
  uint32_t first = 0;
  for (int i = 0; i < 4; ++i) first = first << 8 | digest.bytes[static_cast<size_t>(i)];
  return first >> (32 - bits);
}

// One character. Its bytes as a number: UTF-8 sorts as its code points do, and what is no UTF-8 is a character by itself that equals no other.
struct Character {
  uint32_t value = 0;
  size_t bytes = 1;
};
Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  size_t bytes = lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + bytes > text.size()) bytes = 1;
  Character out{lead, 1};
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {lead, 1};
    out.value = out.value << 8 | byte(at + i);
  }
  out.bytes = bytes;
  return out;
}

// One path segment's pattern.
class SegmentPattern {
 public:
  explicit SegmentPattern(std::string_view text) : text_(text), last_close_(text.rfind(']')) {}

  // The only backtracking is to the last star: at most |pattern| · |segment| steps.
  bool matches(std::string_view segment) const {
    size_t p = 0;
    size_t t = 0;
    size_t star = std::string_view::npos;
    size_t retry = 0;
    while (t < segment.size()) {
      if (p < text_.size() && text_[p] == '*') {
        star = p++;
        retry = t;
        continue;
      }
      const Character c = character_at(segment, t);
      if (p < text_.size() && one_matches(p, c.value)) {
        t += c.bytes;
      } else if (star != std::string_view::npos) {
        p = star + 1;
        retry += character_at(segment, retry).bytes;
        t = retry;
      } else {
        return false;
      }
    }
    while (p < text_.size() && text_[p] == '*') ++p;
    return p == text_.size();
  }

 private:
  // What stands at text_[at], no star, against one character; sets `at` behind it.
  bool one_matches(size_t& at, uint32_t c) const {
    const Character plain = character_at(text_, at);
    if (plain.value == '[') {
      const size_t first = at + (at + 1 < text_.size() && (text_[at + 1] == '!' || text_[at + 1] == '^') ? 2 : 1);
      // Without a closing bracket it is a plain '['. Looked for no further than the last one: else a row of '[' would be read to its end from each of them.
      if (last_close_ != std::string_view::npos && last_close_ > first) return set_matches(at, first, c);
    }
    at += plain.bytes;
    return plain.value == '?' || plain.value == c;
  }
  // "[…]" from `at`, its members from `first`.
  bool set_matches(size_t& at, size_t first, uint32_t c) const {
    const bool negated = first == at + 2;
    const size_t close = text_.find(']', first + 1);
    bool found = false;
    size_t i = first;
    while (i < close) {
      const Character low = character_at(text_, i);
      Character high = low;
      i += low.bytes;
      if (i + 1 < close && text_[i] == '-') {
        high = character_at(text_, i + 1);
        i += 1 + high.bytes;
      }
      found = found || (low.value <= c && c <= high.value);
    }
    at = close + 1;
    return found != negated;
  }

  std::string_view text_;
  size_t last_close_;
};

}  // namespace

Result<Envelope> Envelope::parse(BytesView bytes, size_t bytes_max) {
  TRY(const Json document, parse_json(bytes, {.bytes_max = bytes_max, .escaped_nul = false}));
  const JsonField field(document);
  TRY(const JsonField signed_part, field.at("signed"));
  if (!signed_part.value().is_object()) return fail(signed_part.error("must be an object"));
  Envelope envelope;
  envelope.signed_part = signed_part.value();
  TRY(envelope.canonical, canonical_json(envelope.signed_part));
  TRY(const JsonField list, field.at("signatures"));
  TRY(const auto signatures, list.elements(limits::kSignaturesMax));
  std::set<std::string> seen;
  for (const JsonField& entry : signatures) {
    Signature signature;
    TRY(signature.keyid, entry.text_at("keyid", 0, bytes_max));
    TRY(const std::string sig, entry.text_at("sig", 0, bytes_max));  // schemes that are not known here have long ones
    if (!seen.insert(signature.keyid).second) return fail(entry.error("a second signature with the same key id"));
    signature.sig = from_hex(sig).value_or(Bytes{});
    envelope.signatures.push_back(std::move(signature));
  }
  return envelope;
}

Result<Envelope> Envelope::of(Json signed_part) {
  Envelope envelope;
  envelope.signed_part = std::move(signed_part);
  TRY(envelope.canonical, canonical_json(envelope.signed_part));
  return envelope;
}

Bytes Envelope::to_bytes() const {
  Json list = Json::array();
  for (const Signature& signature : signatures) list.push(Json::object({{"keyid", signature.keyid}, {"sig", to_hex(signature.sig)}}));
  const std::string text = to_json_pretty(Json::object({{"signatures", std::move(list)}, {"signed", signed_part}}));
  return Bytes(text.begin(), text.end());
}

uint32_t count_valid_signatures(const Envelope& envelope, const RoleKeys& role) {
  std::set<std::string> signers;  // by key material
  for (const Signature& signature : envelope.signatures) {
    const auto it = role.keys.find(signature.keyid);
    if (it == role.keys.end() || signers.contains(it->second.identity())) continue;
    if (it->second.verify(envelope.canonical, signature.sig)) signers.insert(it->second.identity());
  }
  return static_cast<uint32_t>(signers.size());
}

Status check_signatures(const Envelope& envelope, const RoleKeys& role, std::string_view what) {
  const uint32_t valid = count_valid_signatures(envelope, role);
  if (role.threshold >= 1 && valid >= role.threshold) return {};
  return fail(ErrorCode::kDenied, fmt::format("{}: signed by {} of the {} different keys that are needed", what, valid, role.threshold));
}

Result<Root> Root::parse(BytesView bytes) {
  Root root;
  TRY_VOID(parse_common(root, bytes, limits::kRootBytesMax, "root"));
  const JsonField signed_part(root.envelope.signed_part, "signed");
  TRY(const auto consistent, signed_part.find("consistent_snapshot"));
  if (consistent) {
    TRY(root.consistent_snapshot, consistent->boolean());
  }
  TRY(const JsonField keys, signed_part.at("keys"));
  TRY(root.keys, parse_keys(keys));
  TRY(const JsonField roles, signed_part.at("roles"));
  TRY(const auto members, roles.members(64));
  for (const auto& [name, value] : members) {
    TRY(RoleKeys role, parse_role_keys(value, root.keys));
    root.roles.emplace(name, std::move(role));
  }
  for (const std::string_view name : kTopLevel) {
    if (!root.roles.contains(std::string(name))) return fail(roles.error(fmt::format("lacks `{}`", name)));
  }
  return root;
}

Result<Timestamp> Timestamp::parse(BytesView bytes) {
  Timestamp timestamp;
  TRY_VOID(parse_common(timestamp, bytes, limits::kTimestampBytesMax, "timestamp"));
  const JsonField signed_part(timestamp.envelope.signed_part, "signed");
  TRY(const JsonField meta, signed_part.at("meta"));
  TRY(const JsonField snapshot, meta.at("snapshot.json"));
  TRY(timestamp.snapshot, parse_meta_file(snapshot));
  if (const auto issued = signed_part.time_at("issued"); issued && *issued < timestamp.expires) timestamp.issued = *issued;
  return timestamp;
}

Result<Snapshot> Snapshot::parse(BytesView bytes) {
  Snapshot snapshot;
  TRY_VOID(parse_common(snapshot, bytes, limits::kSnapshotBytesMax, "snapshot"));
  const JsonField signed_part(snapshot.envelope.signed_part, "signed");
  TRY(const JsonField meta, signed_part.at("meta"));
  TRY(const auto members, meta.members());
  for (const auto& [name, value] : members) {
    TRY(MetaFile file, parse_meta_file(value));
    snapshot.meta.emplace(name, std::move(file));
  }
  if (!snapshot.meta.contains("targets.json")) return fail(meta.error("lacks `targets.json`"));
  return snapshot;
}

Result<Targets> Targets::parse(BytesView bytes) {
  Targets targets;
  TRY_VOID(parse_common(targets, bytes, limits::kTargetsBytesMax, "targets"));
  const JsonField signed_part(targets.envelope.signed_part, "signed");
  TRY(const JsonField list, signed_part.at("targets"));
  TRY(const auto members, list.members());
  for (const auto& [path, value] : members) {
    TargetFileInfo file;
    file.path = path;
    if (path.size() > kNameMax) return fail(list.error("a target path is too long"));
    TRY(file.length, value.integer_at("length"));
    TRY(const JsonField hashes, value.at("hashes"));
    TRY(file.hashes, parse_hashes(hashes));
    TRY(const auto custom, value.find("custom"));
    if (custom) {
      if (!custom->value().is_object()) return fail(custom->error("must be an object"));
      file.custom = custom->value();
    }
    targets.targets.emplace(path, std::move(file));
  }
  TRY(const auto delegations, signed_part.find("delegations"));
  if (delegations) TRY_VOID(parse_delegations(targets, *delegations));
  return targets;
}

bool Delegation::covers(std::string_view target_path) const {
  if (std::ranges::any_of(paths, [&](const std::string& pattern) { return path_matches(pattern, target_path); })) return true;
  if (path_hash_prefixes.empty()) return false;
  const std::string hash = sha256(as_bytes(target_path)).hex();
  return std::ranges::any_of(path_hash_prefixes, [&](const std::string& prefix) { return hash.starts_with(prefix); });
}

std::string SuccinctRoles::bin_of(std::string_view target_path) const {
  const size_t digits = (bit_length + 3) / 4;
  return fmt::format("{}-{:0{}x}", name_prefix, first_bits(target_path, bit_length), digits);
}

bool SuccinctRoles::has(std::string_view role_name) const {
  const size_t digits = (bit_length + 3) / 4;
  if (role_name.size() != name_prefix.size() + 1 + digits || !role_name.starts_with(name_prefix) || role_name[name_prefix.size()] != '-') return false;
  uint64_t bin = 0;
  for (const char c : role_name.substr(name_prefix.size() + 1)) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    bin = bin << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return bin < uint64_t{1} << bit_length;
}

bool path_matches(std::string_view pattern, std::string_view path) {
  for (;;) {
    const size_t pattern_end = pattern.find('/');
    const size_t path_end = path.find('/');
    if ((pattern_end == std::string_view::npos) != (path_end == std::string_view::npos)) return false;
    if (!SegmentPattern(pattern.substr(0, pattern_end)).matches(path.substr(0, path_end))) return false;
    if (path_end == std::string_view::npos) return true;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

Status check_length_and_hashes(BytesView bytes, std::optional<int64_t> length, const Hashes& hashes, std::string_view what) {
  if (length && bytes.size() != static_cast<uint64_t>(*length)) {
    return fail(ErrorCode::kDenied, fmt::format("{}: {} bytes, {} are signed for", what, bytes.size(), *length));
  }
  bool known = hashes.empty();
  for (const auto& [algorithm, expected] : hashes) {
    std::string found;
    if (algorithm == "sha256") {
      found = sha256(bytes).hex();
    } else if (algorithm == "sha512") {
      found = to_hex(sha512(bytes));
    } else {
      continue;
    }
    known = true;
    if (found != expected) return fail(ErrorCode::kDenied, fmt::format("{}: its {} is not the one that is signed for", what, algorithm));
  }
  if (!known) return fail(ErrorCode::kInvalid, fmt::format("{}: no hash of a kind that is known here (sha256, sha512)", what));
  return {};
}

}  // namespace creance::trust

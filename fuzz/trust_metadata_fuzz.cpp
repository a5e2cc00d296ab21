// Metadata that nobody has vouched for. Must not crash or hang; what the JSON reader accepts must survive being written and read again with the same canonical form;
// what a metadata parser accepts must have the invariants that its header promises. The first byte also splits the input into a path pattern and a path.
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "base/check.hpp"
#include "base/text.hpp"
#include "trust/core/metadata.hpp"
#include "trust/core/trusted_set.hpp"
#include "trust/keys/seal.hpp"

namespace {
using namespace creance;
using namespace creance::trust;

void check_json(BytesView bytes) {
  const auto json = parse_json(bytes, {.bytes_max = 1u << 20});
  if (!json) {
    CHECK(!json.error().detail.empty() && json.error().detail.find('\n') == std::string::npos);
    return;
  }
  const auto canonical = canonical_json(*json);
  CHECK(canonical.has_value());
  for (const std::string& text : {to_json(*json), to_json_pretty(*json), to_json_sorted(*json)}) {
    const auto again = parse_json(as_bytes(text), {.bytes_max = 64u << 20});
    CHECK(again.has_value());
    CHECK(*canonical_json(*again) == *canonical);
  }
}

void check_role(const RoleKeys& role) {
  CHECK(role.threshold >= 1);
  CHECK(std::set<std::string>(role.keyids.begin(), role.keyids.end()).size() == role.keyids.size());
}

void check_metadata(BytesView bytes) {
  if (const auto root = Root::parse(bytes)) {
    CHECK(root->version >= 1);
    for (const char* name : {"root", "timestamp", "snapshot", "targets"}) CHECK(root->roles.contains(name));
    for (const auto& [name, role] : root->roles) check_role(role);
    (void)TrustedSet::start(bytes, WallTime{}).has_value();
  }
  if (const auto timestamp = Timestamp::parse(bytes)) CHECK(timestamp->snapshot.version >= 1);
  if (const auto snapshot = Snapshot::parse(bytes)) CHECK(snapshot->meta.contains("targets.json"));
  if (const auto targets = Targets::parse(bytes)) {
    std::set<std::string> names;
    for (const Delegation& delegation : targets->delegations) {
      check_role(delegation.role);
      CHECK(names.insert(delegation.name).second && delegation.name != "root" && !delegation.name.empty());
      (void)delegation.covers("content/r/x");
    }
    if (targets->succinct) CHECK(targets->succinct->has(targets->succinct->bin_of("content/r/x")));
    for (const auto& [path, info] : targets->targets) CHECK(!info.hashes.empty() && info.length >= 0);
  }
  if (const auto envelope = Envelope::parse(bytes, 1u << 20)) {
    const auto again = Envelope::parse(envelope->to_bytes(), 64u << 20);
    CHECK(again.has_value() && again->canonical == envelope->canonical);
  }
}
}  // namespace

// The characters of valid UTF-8.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (size_t from = 0; from < text.size();) {
    size_t to = from + 1;
    while (to < text.size() && (static_cast<uint8_t>(text[to]) & 0xc0) == 0x80) ++to;
    out.push_back(text.substr(from, to - from));
    from = to;
  }
  return out;
}

// The second opinion on patterns without sets: a table over all prefixes, as slow as it is obvious.
bool plainly_matches(const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& path) {
  std::vector<std::vector<bool>> fits(pattern.size() + 1, std::vector<bool>(path.size() + 1, false));
  fits[0][0] = true;
  for (size_t i = 1; i <= pattern.size(); ++i) {
    const std::string_view p = pattern[i - 1];
    for (size_t j = 0; j <= path.size(); ++j) {
      if (p == "*") fits[i][j] = fits[i - 1][j] || (j > 0 && path[j - 1] != "/" && fits[i][j - 1]);
      else fits[i][j] = j > 0 && fits[i - 1][j - 1] && (p == path[j - 1] || (p == "?" && path[j - 1] != "/"));
    }
  }
  return fits[pattern.size()][path.size()];
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const BytesView bytes(data, size);
  check_json(bytes);
  check_metadata(bytes);
  static const SealKey recipient = *SealKey::from_raw(Bytes(32, 7));
  if (const auto opened = open_document_sealed_as("policy/demo.json", bytes, recipient)) CHECK(opened->version >= 1);
  if (size > 1 && size < 4'096) {
    const size_t cut = 1 + data[0] % size;
    const std::string_view text = as_text(bytes);
    const std::string_view pattern = text.substr(1, cut - 1);
    const std::string_view path = text.substr(cut);
    const bool matches = path_matches(pattern, path);
    // Metadata is valid UTF-8 or refused; of what is neither that nor ASCII only that it ends is asked here.
    const bool utf8 = !invalid_utf8_at(pattern) && !invalid_utf8_at(path);
    if (size < 256 && utf8 && pattern.find('[') == std::string_view::npos) CHECK(matches == plainly_matches(characters(pattern), characters(path)));
    if (path.find_first_of("*?[") == std::string_view::npos) CHECK(path_matches(path, path));
  }
  return 0;
}

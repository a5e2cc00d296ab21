#include "cli/previous_content.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "base/os/real.hpp"
#include "trust/client/http_transport.hpp"
#include "trust/client/updater.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;
constexpr size_t kReleasesLookedAtMax = 256;

// A folder that is gone afterwards.
class Scratch {
 public:
  static Result<Scratch> make() {
    std::error_code ec;
    std::string pattern = (fs::temp_directory_path(ec) / "creance-XXXXXX").string();
    if (ec || ::mkdtemp(pattern.data()) == nullptr) return fail(os::errno_error(errno, "cannot make a folder like", pattern));
    return Scratch(pattern);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// As a host reads the tree.
Result<std::optional<Bytes>> from_tree(const std::string& root_file, const RemoteOptions& remote, const std::string& role_name) {
  os::RealFileSystem files;
  TRY(const Bytes root, files.read(root_file, limits::kRootBytesMax));
  TRY(const Scratch scratch, Scratch::make());
  trust::HttpOptions http;
  http.base_url = server_address(remote) + "/tuf/";
  http.user_agent = "creance";
  trust::HttpTransport transport(http);
  trust::Client client(transport, files, scratch.path());
  TRY_VOID(client.init(root));
  TRY_VOID(client.refresh(os::RealClock().wall()));
  const auto role = client.load_role(role_name);
  if (!role && role.error().code == ErrorCode::kNotFound) return std::optional<Bytes>();
  if (!role) return fail(role.error());
  TRY(Bytes bytes, client.stored(role_name));
  return std::optional(std::move(bytes));
}

Status signed_by(BytesView content, const trust::PublicKey& signer) {
  TRY(const trust::Targets parsed, trust::Targets::parse(content));
  const trust::RoleKeys own{{signer.id()}, 1, {{signer.id(), signer}}};
  if (trust::count_valid_signatures(parsed.envelope, own) == 1) return {};
  return fail(ErrorCode::kDenied, "the content metadata to follow does not carry your own signature, so there is no reason here to believe it; give --root with the root.json that sensors are shipped with");
}

}  // namespace

void add_previous_options(CLI::App& command, PreviousOptions& options) {
  command.add_option("--root", options.root, "Trusted root.json: the server's content is then verified as a host verifies it. Without it, content that your own key signed is followed");
  command.add_option("--previous", options.previous, "The content.json to follow, in place of the server's; your own key must have signed it");
  command.add_flag("--first", options.first, "There is no content yet");
}

Result<std::optional<Bytes>> previous_content(const PreviousOptions& options, const RemoteOptions& remote, const trust::PublicKey& signer, const std::string& role) {
  if (options.first) return std::optional<Bytes>();
  if (!options.root.empty() && options.previous.empty()) return from_tree(options.root, remote, role);
  std::optional<Bytes> content;
  if (!options.previous.empty()) {
    os::RealFileSystem files;
    TRY(content, files.read(options.previous, limits::kTargetsBytesMax));
  } else {
    TRY(Remote server, Remote::open(remote));
    TRY(content, published_content(server, role));
  }
  if (content) TRY_VOID(signed_by(*content, signer));
  return content;
}

Result<std::optional<Bytes>> published_content(Remote& remote, const std::string& role) {
  TRY(const auto roles, remote.get("/api/v1/roles"));
  const auto versions = roles.find("content_versions");
  if (versions == roles.end() || !versions->contains(role)) return fail(ErrorCode::kNotFound, fmt::format("the server knows no role `{}`", role));
  const int64_t version = versions->value(role, int64_t{0});
  if (version == 0) return std::optional<Bytes>();
  TRY(const std::string text, remote.tree_file(fmt::format("metadata/{}.{}.json", version, role), limits::kTargetsBytesMax));
  return std::optional(Bytes(text.begin(), text.end()));
}

Result<Bytes> target_of(BytesView content, const std::string& path, const RemoteOptions& options) {
  TRY(const trust::Targets parsed, trust::Targets::parse(content));
  const auto found = parsed.targets.find(path);
  if (found == parsed.targets.end()) return fail(ErrorCode::kNotFound, fmt::format("the content metadata names no `{}`", path));
  const auto hash = found->second.hashes.find("sha256");
  if (hash == found->second.hashes.end()) return fail(ErrorCode::kInvalid, fmt::format("`{}` has no sha256", path));
  TRY(Remote remote, Remote::open(options));
  const size_t file = path.rfind('/') + 1;
  const auto length = static_cast<size_t>(found->second.length);
  TRY(const std::string text, remote.tree_file("targets/" + trust::percent_encode(path.substr(0, file) + hash->second + "." + path.substr(file), true), std::min(length, limits::kTargetBytesMax)));
  TRY_VOID(trust::check_length_and_hashes(as_bytes(text), found->second.length, found->second.hashes, path));
  return Bytes(text.begin(), text.end());
}

Result<std::vector<plan::Release>> releases_of(BytesView content, const std::string& but, const RemoteOptions& remote) {
  TRY(const trust::Targets parsed, trust::Targets::parse(content));
  std::vector<plan::Release> releases;
  for (const auto& [path, file] : parsed.targets) {
    if (!path.ends_with("/release.json") || path == plan::release_folder(but) + "/release.json" || releases.size() >= kReleasesLookedAtMax) continue;
    TRY(const Bytes bytes, target_of(content, path, remote));
    TRY(plan::Release release, plan::Release::parse(bytes));
    releases.push_back(std::move(release));
  }
  std::ranges::stable_sort(releases, [](const plan::Release& a, const plan::Release& b) { return a.created > b.created; });
  return releases;
}

}  // namespace creance::cli

#include "server/control/ceremony.hpp"

#include <fmt/format.h>

#include <set>

#include "base/digest.hpp"
#include "server/signer/link.hpp"
#include "server/store/sqlite_store.hpp"
#include "trust/repository/repository.hpp"
#include "trust/keys/key_file.hpp"

namespace creance::server {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::hours kYear{24 * 365};
constexpr std::array kParts = {"offline-keys", "signer", "tuf"};
constexpr std::array kFiles = {"root.json", "operator.token", "server.db", "server.db-wal", "server.db-shm"};

Result<Bytes> signed_by(const Json& part, trust::Signer& signer) {
  trust::Signer* const signers[] = {&signer};
  return trust::sign_document(part, signers);
}

Status make_all(const CeremonyRequest& request, FileSystem& files, Random& random, const Clock& clock) {
  TRY(auto root_key, trust::KeyPair::generate_ed25519());
  TRY(auto targets_key, trust::KeyPair::generate_ed25519());
  TRY_VOID(trust::save_key(files, request.dir / "offline-keys" / "root.pem", root_key));
  TRY_VOID(trust::save_key(files, request.dir / "offline-keys" / "targets.pem", targets_key));
  std::map<std::string, trust::PublicKey, std::less<>> online;
  for (const std::string_view role : kOnlineRoles) {
    TRY(auto key, trust::KeyPair::generate_ed25519());
    TRY_VOID(trust::save_key(files, request.dir / "signer" / "keys" / fmt::format("{}.pem", role), key));
    online.emplace(role, key.public_key());
  }
  const WallTime now = clock.wall();
  const auto one = [](const trust::PublicKey& key) { return trust::RoleSpec{{key}, 1}; };
  const Json root = trust::make_root(1, now + kYear, {{"root", one(root_key.public_key())}, {"targets", one(targets_key.public_key())},
                                                      {"snapshot", one(online.at("snapshot"))}, {"timestamp", one(online.at("timestamp"))}});
  const Json targets = trust::make_targets(1, now + kYear, {{"content", {request.content_keys, request.content_threshold}, {"content/*/*"}, true},
                                                            {"rollout", one(online.at("rollout")), {"rollout/*"}, true},
                                                            {"policy", one(online.at("policy")), {"policy/*"}, true}});
  TRY(const auto root_bytes, signed_by(root, root_key));
  TRY(const auto targets_bytes, signed_by(targets, targets_key));
  for (const char* name : {"root.json", "signer/root.json"}) TRY_VOID(files.write_atomic(request.dir / name, root_bytes));
  TRY_VOID(files.write_atomic(request.dir / "signer" / "targets.json", targets_bytes));

  TRY(auto core, SignerCore::open(files, request.dir / "signer", clock));
  LocalLink link(std::move(core));
  TRY(const auto signers, RemoteSigners::connect(link));
  trust::Repository repository(files, request.dir / "tuf");
  TRY_VOID(repository.create(root_bytes, targets_bytes, {signers->role("snapshot"), signers->role("timestamp")}, now));

  std::array<uint8_t, 32> secret{};
  random.fill(secret);
  const std::string token = to_hex(secret);
  TRY(const auto store, open_sqlite_store(request.dir / "server.db"));
  TRY_VOID(store->set("operator_token_sha256", sha256(as_bytes(token)).hex()));
  return files.write_atomic(request.dir / "operator.token", as_bytes(token + "\n"), 0600);
}

}  // namespace

Status key_ceremony(const CeremonyRequest& request, FileSystem& files, Random& random, const Clock& clock) {
  std::set<std::string> distinct;
  for (const trust::PublicKey& key : request.content_keys) {
    TRY_VOID(key.usable());
    distinct.insert(key.identity());
  }
  if (request.content_threshold == 0 || distinct.size() < request.content_threshold) {
    return fail(ErrorCode::kInvalid, fmt::format("--content-threshold {} needs as many different --content-key files; there are {}", request.content_threshold, distinct.size()));
  }
  TRY_VOID(files.make_directories(request.dir));
  for (const auto& group : {std::vector<const char*>(kParts.begin(), kParts.end()), std::vector<const char*>(kFiles.begin(), kFiles.end())}) {
    for (const char* name : group) {
      if (files.exists(request.dir / name)) return fail(ErrorCode::kExists, fmt::format("`{}` is there already: `init` needs an empty folder, `run` uses it as it is", (request.dir / name).string()));
    }
  }
  const Status made = make_all(request, files, random, clock);
  if (made) return made;
  for (const char* name : kParts) (void)files.remove_tree(request.dir / name);
  for (const char* name : kFiles) (void)files.remove(request.dir / name);
  return made;
}

}  // namespace creance::server

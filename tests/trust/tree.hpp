// A small control plane in memory: keys from seeds, a published tree, a client. Tests bend it.
#pragma once
#include <gtest/gtest.h>

#include "base/fake/files.hpp"
#include "trust/client/transports.hpp"
#include "trust/client/updater.hpp"
#include "trust/repository/repository.hpp"

namespace creance::trust::testing {

inline KeyPair key(uint8_t n) { return *KeyPair::ed25519_from_seed(Bytes(32, n)); }
inline WallTime at(std::string_view text) { return *parse_time(text); }
inline Bytes bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

// Counts and records what is asked for; may be told to answer something else.
class ScriptedTransport final : public Transport {
 public:
  explicit ScriptedTransport(Transport& upstream) : upstream_(upstream) {}
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override {
    requests.push_back(path);
    if (const auto it = instead.find(path); it != instead.end()) {
      if (!it->second) return it->second;
      if (it->second->size() > bytes_max) return fail(ErrorCode::kTooLarge, path);
      return it->second;
    }
    return upstream_.fetch(path, bytes_max);
  }
  std::vector<std::string> requests;
  std::map<std::string, Result<Bytes>> instead;

 private:
  Transport& upstream_;
};

struct Tree {
  KeyPair root1 = key(1), root2 = key(2), root3 = key(3), targets = key(4), snapshot = key(5), timestamp = key(6), author = key(7), reviewer = key(8), rollout = key(9), policy = key(10);
  fake::MemoryFileSystem server;
  fake::MemoryFileSystem host;
  WallTime now = at("2026-11-23T10:00:00Z");
  Repository repository{server, "/tree"};
  DirectoryTransport folder{server, "/tree"};
  ScriptedTransport transport{folder};
  Client client{transport, host, "/cache"};

  OnlineSigners online() { return {snapshot, timestamp}; }
  std::map<std::string, RoleSpec> roles(std::vector<PublicKey> root_keys, uint32_t threshold) {
    return {{"root", {std::move(root_keys), threshold}}, {"targets", {{targets.public_key()}, 1}}, {"snapshot", {{snapshot.public_key()}, 1}}, {"timestamp", {{timestamp.public_key()}, 1}}};
  }
  std::vector<DelegationSpec> delegations() {
    return {{"content", {{author.public_key(), reviewer.public_key()}, 2}, {"content/*/*"}, true},
            {"rollout", {{rollout.public_key()}, 1}, {"rollout/*"}, true},
            {"policy", {{policy.public_key()}, 1}, {"policy/*"}, true}};
  }
  Bytes signed_by(const Json& json, std::vector<Signer*> signers) { return *sign_document(json, signers); }
  Bytes root_bytes(int64_t version, WallTime expires) { return signed_by(make_root(version, expires, roles({root1.public_key(), root2.public_key()}, 2)), {&root1, &root2}); }

  // Root with 2 of 2, targets with three delegations, content not yet published.
  Tree() {
    const Bytes root = root_bytes(1, now + std::chrono::days(365));
    const Bytes top = signed_by(make_targets(1, now + std::chrono::days(365), delegations()), {&targets});
    EXPECT_TRUE(repository.create(root, top, online(), now));
    EXPECT_TRUE(client.init(root));
  }

  Status publish_content(std::vector<TargetFile> files) {
    std::optional<BytesView> previous;
    const auto before = repository.metadata("content");
    if (before) previous = *before;
    TRY(const Json next, next_targets(previous, files, {}, now + std::chrono::days(90)));
    return repository.publish({{"content", signed_by(next, {&author, &reviewer}), std::move(files)}}, online(), now);
  }
  Status publish_rollout(std::string_view text) { return repository.publish_files("rollout", {{"rollout/plan.json", bytes(text), std::nullopt}}, {}, rollout, online(), now); }

  // What lies on the server, replaced: for repositories that misbehave with the right or wrong keys.
  void put(const std::string& name, const Bytes& content) { EXPECT_TRUE(server.write_atomic("/tree/metadata/" + name + ".json", content, 0644)); }
  // Snapshot and timestamp anew over the given meta, signed by the real keys: a repository whose online keys were taken.
  void put_snapshot(int64_t snapshot_version, int64_t timestamp_version, std::map<std::string, MetaFile> meta, bool with_hashes = true, std::optional<WallTime> snapshot_expires = {}) {
    const Bytes s = signed_by(make_snapshot(snapshot_version, snapshot_expires.value_or(now + std::chrono::days(1)), meta), {&snapshot});
    put(std::to_string(snapshot_version) + ".snapshot", s);
    MetaFile named = meta_of(s, snapshot_version);
    if (!with_hashes) named = {snapshot_version, std::nullopt, {}};
    put("timestamp", signed_by(make_timestamp(timestamp_version, now + std::chrono::days(1), named), {&timestamp}));
  }
  std::map<std::string, MetaFile> published_meta() {
    return Snapshot::parse(*server.read("/tree/metadata/" + std::to_string(repository.version("snapshot")) + ".snapshot.json", 1u << 20))->meta;
  }
  int64_t stored_version(const std::string& role) {
    const auto stored = client.stored(role);
    if (!stored) return 0;
    const Json json = *parse_json(*stored);
    return json.find("signed")->find("version")->integer();
  }
};

}  // namespace creance::trust::testing

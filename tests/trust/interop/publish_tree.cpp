// Writes a tree with our Repository for an independent client to read.
//   publish_tree DIR KIND [expired]    KIND: ed25519, ecdsa, rsa (of every key in the tree)
// DIR/root.json is the first root (2 of 3 keys); the tree's root was rotated since (2 of 2 others); two delegated roles and their files are published.
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/check.hpp"
#include "base/os/real.hpp"
#include "trust/repository/repository.hpp"

using namespace creance;
using namespace creance::trust;

namespace {
Bytes bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }
KeyPair make(const std::string& kind) {
  auto key = kind == "rsa" ? KeyPair::generate_rsa(2048) : kind == "ecdsa" ? KeyPair::generate_ecdsa_p256() : KeyPair::generate_ed25519();
  CHECK(key.has_value());
  return std::move(*key);
}
Bytes sign(const Json& json, std::vector<Signer*> signers) {
  auto signed_bytes = sign_document(json, signers);
  CHECK(signed_bytes.has_value());
  return *signed_bytes;
}
}  // namespace

int main(int argc, char** argv) {
  CHECK(argc >= 3);
  const std::filesystem::path dir = argv[1];
  const std::string kind = argv[2];
  os::RealFileSystem files;
  const WallTime real = os::RealClock().wall();
  const WallTime now = argc > 3 ? real - std::chrono::days(3) : real;  // expired: everything was published three days ago, the timestamp lives for one
  KeyPair root1 = make(kind), root2 = make(kind), root3 = make(kind), targets = make(kind), snapshot = make(kind), timestamp = make(kind), author = make(kind), reviewer = make(kind), rollout = make(kind);
  const OnlineSigners online{snapshot, timestamp};
  std::map<std::string, RoleSpec> roles{{"root", {{root1.public_key(), root2.public_key(), root3.public_key()}, 2}},
                                        {"targets", {{targets.public_key()}, 1}},
                                        {"snapshot", {{snapshot.public_key()}, 1}},
                                        {"timestamp", {{timestamp.public_key()}, 1}}};
  const Bytes first = sign(make_root(1, now + std::chrono::days(365), roles), {&root1, &root2});
  CHECK(files.make_directories(dir).has_value() && files.write_atomic(dir / "root.json", first, 0644).has_value());
  const std::vector<DelegationSpec> delegations{{"content", {{author.public_key(), reviewer.public_key()}, 2}, {"content/*/*"}, true}, {"rollout", {{rollout.public_key()}, 1}, {"rollout/*"}, true}};
  Repository repository(files, dir);
  CHECK(repository.create(first, sign(make_targets(1, now + std::chrono::days(365), delegations), {&targets}), online, now).has_value());
  roles["root"] = {{root3.public_key(), author.public_key()}, 2};
  const Bytes second = sign(make_root(2, now + std::chrono::days(365), roles), {&root1, &root3, &author});
  CHECK(repository.publish_root(second, online, now).has_value());
  const std::vector<TargetFile> content{{"content/r 1/ä b.channel", bytes("channel\n"), Json::object({{"note", "line\nbreak \"quoted\" \\ ü"}})}};
  const Bytes metadata = sign(*next_targets({}, content, {}, now + std::chrono::days(90)), {&author, &reviewer});
  CHECK(repository.publish({{"content", metadata, content}}, online, now).has_value());
  CHECK(repository.publish_files("rollout", {{"rollout/plan.json", bytes("{}"), std::nullopt}}, {}, rollout, online, now).has_value());
  return 0;
}

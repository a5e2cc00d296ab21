// What delivery costs: refreshes, verification, a publication for 10,000 tenants. Not a test: prints a table. Figures are in docs/benchmarks.md.
//   creance_trust_bench [--tenants N]
#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.hpp"
#include "base/fake/files.hpp"
#include "base/os/real.hpp"
#include "trust/client/transports.hpp"
#include "trust/client/updater.hpp"
#include "trust/keys/seal.hpp"
#include "trust/repository/repository.hpp"

namespace creance::bench {
namespace {

using namespace creance::trust;
namespace fs = std::filesystem;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

KeyPair key(uint8_t n) { return std::move(*KeyPair::ed25519_from_seed(Bytes(32, n))); }
Bytes bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

class Counted final : public Transport {
 public:
  explicit Counted(Transport& upstream) : upstream_(upstream) {}
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override {
    ++requests;
    auto got = upstream_.fetch(path, bytes_max);
    if (got) received += got->size();
    return got;
  }
  void reset() { requests = received = 0; }
  size_t requests = 0, received = 0;

 private:
  Transport& upstream_;
};

struct Tree {
  KeyPair root = key(1), targets = key(2), snapshot = key(3), timestamp = key(4), author = key(5), reviewer = key(6), rollout = key(7), policy = key(8);
  WallTime now = os::RealClock().wall();
  Repository repository;
  Bytes first;
  Tree(FileSystem& files, const fs::path& dir) : repository(files, dir) {
    std::vector<Signer*> by_root{&root};
    std::vector<Signer*> by_targets{&targets};
    first = *sign_document(make_root(1, now + std::chrono::days(365), {{"root", {{root.public_key()}, 1}}, {"targets", {{targets.public_key()}, 1}}, {"snapshot", {{snapshot.public_key()}, 1}}, {"timestamp", {{timestamp.public_key()}, 1}}}), by_root);
    const Bytes top = *sign_document(make_targets(1, now + std::chrono::days(365), {{"content", {{author.public_key(), reviewer.public_key()}, 2}, {"content/*/*"}, true}, {"rollout", {{rollout.public_key()}, 1}, {"rollout/*"}, true}, {"policy", {{policy.public_key()}, 1}, {"policy/*"}, true}}), by_targets);
    CHECK(repository.create(first, top, online(), now).has_value());
  }
  OnlineSigners online() { return {snapshot, timestamp}; }
  void release(int n) {
    std::vector<TargetFile> files;
    for (int type = 0; type < 12; ++type) files.push_back({fmt::format("content/r{}/windows.type{}.channel", n, type), Bytes(100'000, static_cast<uint8_t>(n)), std::nullopt});
    std::optional<BytesView> previous;
    const auto before = repository.metadata("content");
    if (before) previous = *before;
    std::vector<Signer*> by{&author, &reviewer};
    const Bytes metadata = *sign_document(*next_targets(previous, files, {}, now + std::chrono::days(90)), by);
    CHECK(repository.publish({{"content", metadata, files}}, online(), now).has_value());
  }
  void plan(std::string_view text) { CHECK(repository.publish_files("rollout", {{"rollout/plan.json", bytes(text), std::nullopt}}, {}, rollout, online(), now).has_value()); }
};

void refreshes() {
  fake::MemoryFileSystem server;
  fake::MemoryFileSystem host;
  Tree tree(server, "/tree");
  for (int n = 0; n < 50; ++n) tree.release(n);
  tree.plan("{\"plan\":1}");
  DirectoryTransport folder(server, "/tree");
  Counted counted(folder);
  Client client(counted, host, "/cache");
  CHECK(client.init(tree.first).has_value());
  const auto one = [&] {
    CHECK(client.refresh(tree.now).has_value());
    CHECK(client.download(*client.target("rollout/plan.json")).has_value());
  };
  one();
  constexpr int kRounds = 200;
  counted.reset();
  double start = cpu_seconds();
  for (int i = 0; i < kRounds; ++i) CHECK(client.refresh(tree.now).has_value());
  fmt::print("refresh without news: {} requests, {} bytes, {:.0f} µs of processor time\n", counted.requests / kRounds, counted.received / kRounds, 1e6 * (cpu_seconds() - start) / kRounds);
  double spent = 0;
  size_t requests = 0;
  size_t received = 0;
  for (int i = 0; i < 20; ++i) {
    tree.release(100 + i);
    tree.plan(fmt::format("{{\"plan\":{}}}", i + 2));
    counted.reset();
    start = cpu_seconds();
    one();
    CHECK(client.target(fmt::format("content/r{}/windows.type3.channel", 100 + i)).has_value());
    spent += cpu_seconds() - start;
    requests += counted.requests;
    received += counted.received;
  }
  fmt::print("refresh with a new release (metadata of 50 releases and the plan; no channel files): {} requests, {} bytes, {:.0f} µs\n", requests / 20, received / 20, 1e6 * spent / 20);
}

void verification() {
  const Bytes message(2'000, 'x');
  const auto measure = [&](const char* name, KeyPair pair) {
    const Bytes signature = *pair.sign(message);
    int done = 0;
    const double start = cpu_seconds();
    while (cpu_seconds() - start < 0.5) {
      for (int i = 0; i < 100; ++i) CHECK(pair.public_key().verify(message, signature));
      done += 100;
    }
    fmt::print("verifications of 2,000 bytes, {}: {:.0f} /s\n", name, done / (cpu_seconds() - start));
  };
  measure("ed25519", std::move(*KeyPair::generate_ed25519()));
  measure("ecdsa-sha2-nistp256", std::move(*KeyPair::generate_ecdsa_p256()));
  measure("rsassa-pss-sha256 (3,072 bits)", std::move(*KeyPair::generate_rsa(3072)));
}

size_t bytes_below(const fs::path& dir, std::map<fs::path, fs::file_time_type>& seen) {
  size_t changed = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    auto [known, fresh] = seen.try_emplace(entry.path(), entry.last_write_time());
    if (!fresh && known->second == entry.last_write_time()) continue;
    known->second = entry.last_write_time();
    changed += entry.file_size();
  }
  return changed;
}

void tenants(int count) {
  std::string pattern = (fs::temp_directory_path() / "creance-bench-XXXXXX").string();
  CHECK(::mkdtemp(pattern.data()) != nullptr);
  const fs::path dir = pattern;
  os::RealFileSystem files;
  Tree tree(files, dir / "tree");
  const auto signer = [&](const std::string&) -> Signer& { return tree.policy; };
  const SealKey recipient = SealKey::generate();
  const auto policy = [&](int n, int version) {
    const std::string path = fmt::format("policy/tenant-{:05}.json", n);
    const Bytes plain = bytes(fmt::format(R"({{"_type":"policy","tenant":"tenant-{:05}","version":{},"groups":[{{"name":"canaries","tags":["canary"],"ring":"canary"}}],"default":{{"ring":"general"}}}})", n, version));
    return TargetFile{path, *seal_document(path, version, plain, recipient.public_key()), std::nullopt};
  };
  std::vector<TargetFile> all;
  const double sealing = cpu_seconds();
  for (int n = 0; n < count; ++n) all.push_back(policy(n, 1));
  fmt::print("{} tenants' policies sealed: {:.2f} s of processor time\n", count, cpu_seconds() - sealing);
  std::map<fs::path, fs::file_time_type> seen;
  bytes_below(dir, seen);
  double start = wall_seconds();
  double cpu = cpu_seconds();
  CHECK(tree.repository.publish_binned("policy", 7, all, {}, signer, tree.online(), tree.now).has_value());
  fmt::print("{} tenants' policies in one publication, on disk and synced: {:.2f} s ({:.2f} s of processor time), {} bytes\n", count, wall_seconds() - start, cpu_seconds() - cpu, bytes_below(dir, seen));
  start = wall_seconds();
  CHECK(tree.repository.publish_binned("policy", 7, {policy(count / 2, 2)}, {}, signer, tree.online(), tree.now).has_value());
  fmt::print("one tenant's policy changed: {:.0f} ms, {} bytes written\n", 1e3 * (wall_seconds() - start), bytes_below(dir, seen));
  fs::remove_all(dir);
}

}  // namespace
}  // namespace creance::bench

int main(int argc, char** argv) {
  int count = 10'000;
  if (argc == 3 && std::string_view(argv[1]) == "--tenants") count = std::atoi(argv[2]);
  creance::bench::refreshes();
  creance::bench::verification();
  creance::bench::tenants(count);
  return 0;
}

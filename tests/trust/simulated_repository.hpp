// A repository as a server shows it, with no rule kept: every role's next version is whatever the test says, signed by whoever it says. Metadata is made here as JSON, not by
// our Repository, so that a mistake in the one does not hide a mistake in the other. `Site` serves it over HTTP/1.0 and drives creance-tuf-client as a program.
#pragma once
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <fstream>
#include <memory>
#include <mutex>

#include "base/digest.hpp"
#include "base/os/real.hpp"
#include "support/places.hpp"
#include "trust/client/updater.hpp"
#include "trust/keys/signer.hpp"
#include "trust/tiny_server.hpp"

namespace creance::trust::testing {

namespace fs = std::filesystem;
using Key = std::shared_ptr<KeyPair>;
using Names = std::vector<std::string>;

inline Key seeded(int n) { return std::make_shared<KeyPair>(*KeyPair::ed25519_from_seed(Bytes(32, static_cast<uint8_t>(n)))); }
inline Bytes to_bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

struct SimulatedRepository {
  struct Role {
    Names keyids;
    int64_t threshold = 1;
    Json json() const {
      Json ids = Json::array();
      for (const std::string& id : keyids) ids.push(id);
      return Json::object({{"keyids", std::move(ids)}, {"threshold", threshold}});
    }
  };
  struct Delegated {
    std::string name;
    Names paths{"*"};
    bool terminating = false;
    Role role;
  };
  struct TargetsDoc {
    Json files = Json::object();
    Json keys = Json::object();
    std::vector<Delegated> delegations;
  };

  std::map<std::string, Role> roles;           // of the root
  Json root_keys = Json::object();
  std::map<std::string, TargetsDoc> documents; // "targets" and delegated roles
  std::map<std::string, std::vector<Key>> signers;
  std::map<std::string, int64_t> version;
  std::map<std::string, WallTime> expires;
  Json snapshot_meta = Json::object();
  Json timestamp_meta = Json::object();
  std::map<std::string, std::vector<Bytes>> published;  // by role; version N stands at N - 1
  std::map<std::string, Bytes> files;                   // what is served for a target path
  Json more_in_root = Json::object();                   // further members
  bool consistent = true;
  bool hashes = false;                                  // hashes and lengths in snapshot and timestamp
  WallTime safe = os::RealClock().wall() + std::chrono::days(30);
  int next_key = 1;

  SimulatedRepository() {
    documents["targets"];
    for (const char* role : {"root", "timestamp", "snapshot", "targets"}) add_key(role, seeded(next_key++));
    publish({"targets", "snapshot", "timestamp", "root"});
  }
  void add_key(const std::string& role, const Key& key) {
    root_keys.set(key->public_key().id(), key->public_key().json());
    roles[role].keyids.push_back(key->public_key().id());
    signers[role].push_back(key);
  }
  void rotate_keys(const std::string& role) {
    roles[role].keyids.clear();
    signers[role].clear();
    add_key(role, seeded(next_key++));
  }
  void delegate(const std::string& from, const std::string& to, Names paths = {"*"}, bool terminating = false) {
    documents[to];
    const Key key = signers[to].empty() ? seeded(next_key++) : signers[to][0];
    documents[from].keys.set(key->public_key().id(), key->public_key().json());
    documents[from].delegations.push_back({to, std::move(paths), terminating, {{key->public_key().id()}, 1}});
    signers[to] = {key};
  }
  void add_file(const std::string& role, const std::string& path, std::string_view content, const Names& algorithms = {"sha256"}) {
    const Bytes data = to_bytes(content);
    Json sums = Json::object();
    for (const std::string& algorithm : algorithms) sums.set(algorithm, algorithm == "sha256" ? sha256(data).hex() : to_hex(sha512(data)));
    documents[role].files.set(path, Json::object({{"hashes", sums}, {"length", data.size()}}));
    files[path] = data;
  }
  Json make(const std::string& role) {
    Json json = Json::object({{"_type", documents.contains(role) ? std::string("targets") : role}, {"spec_version", "1.0.34"}, {"version", version[role]},
                              {"expires", format_time(expires.contains(role) ? expires[role] : safe)}});
    if (role == "root") {
      Json list = Json::object();
      for (const auto& [name, entry] : roles) list.set(name, entry.json());
      json.set("consistent_snapshot", consistent);
      json.set("keys", root_keys);
      json.set("roles", list);
      for (const auto& [name, value] : more_in_root.members()) json.set(name, value);
    } else if (role == "timestamp") {
      json.set("meta", Json::object({{"snapshot.json", timestamp_meta}}));
    } else if (role == "snapshot") {
      json.set("meta", snapshot_meta);
    } else {
      const TargetsDoc& document = documents[role];
      json.set("targets", document.files);
      if (!document.delegations.empty()) {
        Json list = Json::array();
        for (const Delegated& d : document.delegations) {
          Json entry = d.role.json();
          Json paths = Json::array();
          for (const std::string& path : d.paths) paths.push(path);
          entry.set("name", d.name);
          entry.set("paths", paths);
          entry.set("terminating", d.terminating);
          list.push(entry);
        }
        json.set("delegations", Json::object({{"keys", document.keys}, {"roles", list}}));
      }
    }
    return json;
  }
  Bytes sign(const std::string& role, const Json& json) {
    std::vector<Signer*> by;
    for (const Key& key : signers[role]) by.push_back(key.get());
    return *sign_document(json, by);
  }
  Json entry_of(const std::string& role) {
    Json entry = Json::object({{"version", version[role]}});
    if (hashes) {
      const Bytes& bytes = published[role].back();
      entry.set("length", bytes.size());
      entry.set("hashes", Json::object({{"sha256", sha256(bytes).hex()}}));
    }
    return entry;
  }
  // The next version of each role, in this order; snapshot and timestamp follow what they list.
  void publish(const Names& list) {
    for (const std::string& role : list) {
      version[role] = published[role].empty() ? std::max<int64_t>(version[role], 1) : version[role] + 1;
      published[role].push_back(sign(role, make(role)));
      if (documents.contains(role)) snapshot_meta.set(role + ".json", entry_of(role));
      if (role == "snapshot") timestamp_meta = entry_of(role);
    }
  }
  void start_again(const std::string& role) {  // its next version is 1
    published[role].clear();
    version[role] = 1;
  }
  // Replaces the last published bytes of a role by their JSON, changed.
  void bend(const std::string& role, const std::function<void(Json&)>& change) {
    Json envelope = *parse_json(published[role].back());
    change(envelope);
    const std::string text = to_json(envelope);
    published[role].back() = to_bytes(text);
  }
};

// Program results and what was asked for: "2.root.json", "timestamp.json", "T:<path as asked>".
class Site {
 public:
  SimulatedRepository repo;
  std::map<std::string, TinyServer::Answer> instead;  // by request path without the site's prefix
  fs::path dir;
  Names asked;

  Site() : dir(fs::path(::testing::TempDir()) / fmt::format("creance-site-{}-{}", ::getpid(), counter()++)), server_([this](const std::string& path) { return answer(path); }) {
    fs::remove_all(dir);
    fs::create_directories(dir);
  }
  ~Site() {
    std::error_code ignored;
    fs::remove_all(dir, ignored);
  }
  // The prefix has an escape that must arrive as it was given.
  std::string base() const { return server_.url() + "site%5Ba%5D/"; }
  std::string metadata_url() const { return base() + "metadata/"; }

  int init() { return init(repo.published["root"][0]); }
  int init(const Bytes& root) {
    EXPECT_TRUE(os::RealFileSystem().write_atomic(dir / "first.json", root, 0644));
    return run({"--metadata-dir", (dir / "metadata").string(), "init", (dir / "first.json").string()});
  }
  int refresh(const std::string& faked = "") { return run({"--metadata-url", metadata_url(), "--metadata-dir", (dir / "metadata").string(), "refresh"}, faked); }
  int download(const Names& targets, const std::string& faked = "") {
    Names arguments{"--metadata-url", metadata_url(), "--metadata-dir", (dir / "metadata").string()};
    for (const std::string& target : targets) arguments.insert(arguments.end(), {"--target-name", target});
    arguments.insert(arguments.end(), {"--target-dir", (dir / "targets").string(), "--target-base-url", base() + "targets/", "download"});
    return run(arguments, faked);
  }
  static int start(const Names& arguments, const std::string& faked, const fs::path& log) {
    const int pid = ::fork();
    if (pid != 0) return pid;
    if (!faked.empty()) {
      ::setenv("LD_PRELOAD", faketime(), 1);
      ::setenv("FAKETIME", faked.c_str(), 1);
    }
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(fd, 2);
    const std::string program = test::bin_dir() / "creance-tuf-client";
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  static int wait(int pid) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run(const Names& arguments, const std::string& faked = "") {
    {
      const std::lock_guard lock(mutex_);
      asked.clear();
    }
    const int code = wait(start(arguments, faked, dir / "stderr"));
    std::ifstream log(dir / "stderr");
    said.assign(std::istreambuf_iterator<char>(log), {});
    return code;
  }
  std::string said;

  Names stored() const {  // files of the metadata folder, sorted
    return os::RealFileSystem().list(dir / "metadata").value_or(Names{});
  }
  Bytes stored_bytes(const std::string& role) const { return os::RealFileSystem().read(dir / "metadata" / (percent_encode(role, false) + ".json"), 10u << 20).value_or(Bytes{}); }
  int64_t stored_version(const std::string& role) const {
    const Bytes bytes = stored_bytes(role);
    return bytes.empty() ? 0 : parse_json(bytes)->find("signed")->find("version")->integer();
  }
  std::map<std::string, std::string> downloaded() const {
    std::map<std::string, std::string> out;
    os::RealFileSystem files;
    for (const std::string& name : files.list(dir / "targets").value_or(Names{})) out[name] = std::string(as_text(*files.read(dir / "targets" / name, 1u << 20)));
    return out;
  }
  static const char* faketime() { return "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"; }
  static std::string after(int days) { return fmt::format("+{}d", days); }
  std::mutex mutex_;

 private:
  static int& counter() {
    static int n = 0;
    return n;
  }
  static std::string decoded(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = from_hex(text[i] == '%' ? text.substr(i + 1, 2) : std::string_view("-"));
      if (!byte || byte->empty()) {
        out += text[i];
        continue;
      }
      out += static_cast<char>((*byte)[0]);
      i += 2;
    }
    return out;
  }
  static TinyServer::Answer not_found() { return {"HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"}; }
  static TinyServer::Answer found(const Bytes& body) { return {fmt::format("HTTP/1.0 200 OK\r\nContent-length: {}\r\n\r\n{}", body.size(), as_text(body))}; }
  TinyServer::Answer answer(const std::string& path) {
    const std::lock_guard lock(mutex_);
    constexpr std::string_view kPrefix = "/site%5Ba%5D/";
    if (!path.starts_with(kPrefix)) {
      asked.push_back("elsewhere: " + path);
      return not_found();
    }
    const std::string rest = path.substr(kPrefix.size());
    const bool metadata = rest.starts_with("metadata/");
    asked.push_back(metadata ? rest.substr(9) : "T:" + rest.substr(std::min<size_t>(rest.size(), 8)));
    if (const auto it = instead.find(rest); it != instead.end()) return it->second;
    if (metadata) {
      if (!rest.ends_with(".json")) return not_found();
      std::string name = rest.substr(9, rest.size() - 14);
      int64_t wanted = 0;
      if (const size_t dot = name.find('.'); dot != std::string::npos && (repo.consistent || name.ends_with(".root"))) {
        wanted = std::atoll(name.c_str());
        name.erase(0, dot + 1);
      }
      const auto it = repo.published.find(decoded(name));
      if (it == repo.published.end() || it->second.empty()) return not_found();
      if (wanted == 0) return found(it->second.back());
      return wanted >= 1 && wanted <= static_cast<int64_t>(it->second.size()) ? found(it->second[static_cast<size_t>(wanted - 1)]) : not_found();
    }
    std::string name = decoded(rest.substr(std::min<size_t>(rest.size(), 8)));
    if (repo.consistent) {
      const size_t file = name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1;
      const size_t dot = name.find('.', file);
      if (dot == std::string::npos) return not_found();
      name.erase(file, dot + 1 - file);
    }
    const auto it = repo.files.find(name);
    return it == repo.files.end() ? not_found() : found(it->second);
  }
  TinyServer server_;
};

}  // namespace creance::trust::testing

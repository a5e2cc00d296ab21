// A disk in memory that forgets, when the power goes, whatever was not synced: bytes of files, and names in folders. Files change by the same recipes as on a real one
// (base/os/durable.hpp), so that a forgotten sync there is found here. Faults on demand: it is full, read-only, or loses power at the k-th changing call.
// Not thread-safe. Paths are compared as text after lexical normalisation.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/check.hpp"
#include "base/os/durable.hpp"
#include "base/seams/files.hpp"
#include "base/seams/reserved_files.hpp"

namespace creance::fake {

class Disk final : public FileSystem, public ReservedFiles, private os::DiskCalls {
 public:
  // How much of what was not synced has reached the disk all the same: a number below `n`, as the test's seed says. For each file, and for the names of each folder in their order.
  using Luck = std::function<size_t(size_t n)>;

  // --- as decisions see it
  Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) override {
    if (!on_) return power_is_out();
    const auto it = now_.find(key(path));
    if (it == now_.end() || !it->second) return fail(ErrorCode::kNotFound, "no such file: " + path.string());
    if (it->second->unreadable) return fail(ErrorCode::kIo, "cannot read `" + path.string() + "`: input/output error");
    if (it->second->bytes.size() > bytes_max) return fail(ErrorCode::kTooLarge, "file is larger than the limit: " + path.string());
    return it->second->bytes;
  }
  Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode) override {
    std::filesystem::path staging = path;
    staging += ".tmp" + std::to_string(++staged_);
    return os::write_atomic(*this, path, staging, bytes, mode);
  }
  Status write_many(std::span<const FileWrite> files) override {
    for (const FileWrite& file : files) {
      TRY_VOID(make_directories(file.path.parent_path()));
      TRY_VOID(write_atomic(file.path, file.bytes, file.mode));
    }
    return {};
  }
  Status make_directories(const std::filesystem::path& path) override { return os::make_directories(*this, path); }
  Status remove(const std::filesystem::path& path) override { return os::remove(*this, path); }
  Status remove_tree(const std::filesystem::path& path) override {
    std::vector<std::string> names;
    for (const auto& [name, node] : now_)
      if (name == key(path) || name.starts_with(key(path) + "/")) names.push_back(name);
    for (auto it = names.rbegin(); it != names.rend(); ++it) TRY_VOID(change({{*it, std::nullopt}}));
    return {};
  }
  bool exists(const std::filesystem::path& path) override { return on_ && now_.contains(key(path)); }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    if (!on_) return power_is_out();
    if (!now_.contains(key(directory))) return fail(ErrorCode::kNotFound, "no such folder: " + directory.string());
    std::vector<std::string> names;
    for (const auto& [name, node] : now_)
      if (parent(name) == key(directory)) names.push_back(std::filesystem::path(name).filename().string());
    return names;
  }
  Status reserve(const std::filesystem::path& path, BytesView blank) override { return os::reserve(*this, path, blank); }
  Status write(const std::filesystem::path& path, BytesView bytes) override { return os::write_reserved(*this, path, bytes); }
  Status take_spare(const std::filesystem::path& path) override { return os::take_spare(*this, path); }

  // --- as tests see it
  uint64_t operations() const { return operations_; }                       // changing calls, so far
  void power_off_at(uint64_t operation) { off_at_ = operations_ + operation; }  // 0: the next one does not happen any more
  void power_stays() { off_at_.reset(); }
  bool on() const { return on_; }
  void fill(bool full) { full_ = full; }
  void make_read_only(bool yes) { read_only_ = yes; }
  void make_unable_to_exchange() { cannot_exchange_ = true; }
  void damage(const std::filesystem::path& path) {                          // a bit turns over
    const auto it = now_.find(key(path));
    if (it != now_.end() && it->second && !it->second->bytes.empty()) it->second->synced[it->second->synced.size() / 2] = it->second->bytes[it->second->bytes.size() / 2] ^= 0x10;
  }
  void make_unreadable(const std::filesystem::path& path) {                 // its blocks, under whatever name they are later; until they are written again
    if (const auto it = now_.find(key(path)); it != now_.end() && it->second) it->second->unreadable = true;
  }
  // As a file that another program left there: durable at once, without a call of the recipes.
  void put(const std::filesystem::path& path, Bytes bytes) { now_[key(path)] = disk_[key(path)] = std::make_shared<Node>(Node{bytes, bytes, false}); }
  void lose(const std::filesystem::path& path) {
    now_.erase(key(path));
    disk_.erase(key(path));
  }
  // What is on it now, synced or not, as a snapshot of a virtual machine holds it.
  Disk image() const {
    Disk copy;
    for (const auto& [name, node] : now_) copy.now_[name] = node ? std::make_shared<Node>(Node{node->bytes, node->bytes, false}) : nullptr;
    copy.disk_ = copy.now_;
    return copy;
  }
  bool durable(const std::filesystem::path& path) const {  // there, as it is, also after a power loss
    const auto it = disk_.find(key(path));
    return it != disk_.end() && reachable(it->first) && (!it->second || it->second->synced == it->second->bytes);
  }
  // The power goes (if it had not yet) and comes back.
  void power_loss(const Luck& luck) {
    for (auto& [folder, changes] : pending_) {
      const size_t kept = luck(changes.size() + 1);
      for (size_t i = 0; i < kept; ++i) apply(changes[i], disk_);
    }
    pending_.clear();
    std::erase_if(disk_, [&](const auto& entry) { return !reachable(entry.first); });
    now_ = disk_;
    for (auto& [name, node] : now_) {
      if (!node) continue;
      const bool survives = node->bytes != node->synced && luck(2) == 1;
      if (survives) {  // as far as it came; what was overwritten in its place keeps the old bytes behind that
        const auto reached = static_cast<std::ptrdiff_t>(luck(node->bytes.size() + 1));
        Bytes torn(node->bytes.begin(), node->bytes.begin() + reached);
        if (node->synced.size() == node->bytes.size()) torn.insert(torn.end(), node->synced.begin() + reached, node->synced.end());
        node->synced = std::move(torn);
      }
      node->bytes = node->synced;
    }
    off_at_.reset();
    on_ = true;
  }

 private:
  struct Node {
    Bytes bytes, synced;
    bool unreadable = false;
  };
  using Entry = std::shared_ptr<Node>;                                       // nullptr: a folder
  struct Open {
    Entry node;
    size_t at = 0;
  };
  using Change = std::vector<std::pair<std::string, std::optional<Entry>>>;  // names of one folder; nothing: gone
  using Names = std::map<std::string, Entry>;

  static std::string key(const std::filesystem::path& path) {
    std::string text = path.lexically_normal().string();
    if (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
  }
  static std::string parent(const std::string& name) { return std::filesystem::path(name).parent_path().string(); }
  static std::unexpected<Error> power_is_out() { return fail(ErrorCode::kIo, "the power is out"); }
  static void apply(const Change& change, Names& names) {
    for (const auto& [name, entry] : change) {
      if (entry) names[name] = *entry;
      else names.erase(name);
    }
  }
  bool reachable(std::string name) const {
    for (name = parent(name); name != "/" && !name.empty(); name = parent(name))
      if (!disk_.contains(name)) return false;
    return true;
  }
  // Each changing call passes here.
  Status begin(bool needs_space) {
    if (!on_) return power_is_out();
    if (off_at_ && operations_ >= *off_at_) {
      on_ = false;
      return power_is_out();
    }
    ++operations_;
    if (read_only_) return fail(ErrorCode::kDenied, "the file system is read-only");
    if (full_ && needs_space) return fail(ErrorCode::kNoSpace, "no space left on device");
    return {};
  }
  Status change(const Change& change, bool needs_space = false) {
    TRY_VOID(begin(needs_space));
    const std::string folder = parent(change[0].first);
    if (folder != "/" && !folder.empty() && !now_.contains(folder)) return fail(ErrorCode::kNotFound, "no such folder: " + folder);
    apply(change, now_);
    pending_[folder].push_back(change);
    return {};
  }

  Result<int> create(const std::filesystem::path& path, unsigned) override {
    const auto it = now_.find(key(path));
    const Entry node = it != now_.end() && it->second ? it->second : std::make_shared<Node>();
    if (it == now_.end()) {
      TRY_VOID(change({{key(path), node}}, true));
    } else {
      TRY_VOID(begin(true));
    }
    node->bytes.clear();
    open_[++handles_] = {node, 0};
    return handles_;
  }
  Result<int> open_to_overwrite(const std::filesystem::path& path) override {
    if (!on_) return power_is_out();
    const auto it = now_.find(key(path));
    if (it == now_.end() || !it->second) return fail(ErrorCode::kNotFound, "no such file: " + path.string());
    open_[++handles_] = {it->second, 0};
    return handles_;
  }
  Result<uint64_t> size(const std::filesystem::path& path) override {
    if (!on_) return power_is_out();
    const auto it = now_.find(key(path));
    if (it == now_.end() || !it->second) return fail(ErrorCode::kNotFound, "no such file: " + path.string());
    return it->second->bytes.size();
  }
  Status exchange(const std::filesystem::path& a, const std::filesystem::path& b) override {
    CHECK(parent(key(a)) == parent(key(b)));
    if (cannot_exchange_) return fail(ErrorCode::kUnsupported, "this file system cannot exchange files");
    const auto first = now_.find(key(a)), second = now_.find(key(b));
    if (first == now_.end() || second == now_.end()) return fail(ErrorCode::kNotFound, "no such file: " + (first == now_.end() ? a : b).string());
    return change({{key(a), second->second}, {key(b), first->second}});
  }
  Status write(int file, BytesView bytes, const std::filesystem::path&) override {
    Open& open = open_.at(file);
    Bytes& to = open.node->bytes;
    TRY_VOID(begin(open.at + bytes.size() > to.size()));
    open.node->unreadable = false;
    to.resize(std::max(to.size(), open.at + bytes.size()));
    std::ranges::copy(bytes, to.begin() + static_cast<std::ptrdiff_t>(open.at));
    open.at += bytes.size();
    return {};
  }
  Status sync(int file, const std::filesystem::path&) override {
    TRY_VOID(begin(false));
    open_.at(file).node->synced = open_.at(file).node->bytes;
    return {};
  }
  void close(int file) override { open_.erase(file); }
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    CHECK(parent(key(from)) == parent(key(to)));
    const auto it = now_.find(key(from));
    if (it == now_.end()) return fail(ErrorCode::kNotFound, "no such file: " + from.string());
    return change({{key(to), it->second}, {key(from), std::nullopt}});
  }
  Status unlink(const std::filesystem::path& path) override {
    if (!on_) return power_is_out();
    if (!now_.contains(key(path))) return fail(ErrorCode::kNotFound, "no such file: " + path.string());
    return change({{key(path), std::nullopt}});
  }
  Status make_folder(const std::filesystem::path& path) override {
    if (!on_) return power_is_out();
    if (now_.contains(key(path))) return fail(ErrorCode::kExists, path.string());
    return change({{key(path), Entry()}}, true);
  }
  Status sync_folder(const std::filesystem::path& path) override {
    if (on_ && key(path) != "/" && !now_.contains(key(path))) return fail(ErrorCode::kNotFound, "no such folder: " + path.string());
    TRY_VOID(begin(false));
    for (const Change& each : pending_[key(path)]) apply(each, disk_);
    pending_.erase(key(path));
    return {};
  }

  Names now_, disk_;                                 // as a running system sees it; what a power loss cannot take
  std::map<std::string, std::vector<Change>> pending_;  // by folder, in order
  std::map<int, Open> open_;
  int handles_ = 0;
  uint64_t staged_ = 0, operations_ = 0;
  std::optional<uint64_t> off_at_;
  bool on_ = true, full_ = false, read_only_ = false, cannot_exchange_ = false;
};

}  // namespace creance::fake

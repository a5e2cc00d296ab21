// Files in memory, for tests and the simulator, with faults on demand: the k-th changing operation fails, or the power goes out just before or just after it.
// Not thread-safe. Paths are compared as text after lexical normalisation.
#pragma once
#include <map>
#include <optional>
#include <set>

#include "base/seams/files.hpp"

namespace creance::fake {

enum class Fault : uint8_t {
  kFails,         // that one operation does nothing and answers kNoSpace; later ones work
  kStopsBefore,   // nothing more happens: it and all later operations answer kIo until restart()
  kStopsAfter,    // it happens, its caller is told kIo, and nothing more happens until restart()
};

class MemoryFileSystem final : public FileSystem {
 public:
  Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) override {
    if (stopped_) return power_is_out();
    const auto it = files_.find(key(path));
    if (it == files_.end()) return fail(ErrorCode::kNotFound, "no such file: " + path.string());
    if (it->second.size() > bytes_max) return fail(ErrorCode::kTooLarge, "file is larger than the limit: " + path.string());
    return it->second;
  }
  Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode) override {
    return change([&] {
      files_[key(path)] = Bytes(bytes.begin(), bytes.end());
      modes_[key(path)] = mode;
    });
  }
  Status write_many(std::span<const FileWrite> files) override {  // last to first: nobody may rely on an order
    for (auto file = files.rbegin(); file != files.rend(); ++file) TRY_VOID(write_atomic(file->path, file->bytes, file->mode));
    return {};
  }
  Status make_directories(const std::filesystem::path&) override { return change([] {}); }
  Status remove(const std::filesystem::path& path) override {
    return change([&] { files_.erase(key(path)); });
  }
  Status remove_tree(const std::filesystem::path& path) override {
    return change([&] { std::erase_if(files_, [&](const auto& file) { return file.first == key(path) || file.first.starts_with(key(path) + "/"); }); });
  }
  bool exists(const std::filesystem::path& path) override {
    if (stopped_) return false;
    const auto it = files_.lower_bound(key(path));
    return it != files_.end() && (it->first == key(path) || it->first.starts_with(key(path) + "/"));
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    if (stopped_) return power_is_out();
    std::set<std::string> names;
    const std::string prefix = key(directory) + "/";
    for (const auto& [name, bytes] : files_) {
      if (name.starts_with(prefix)) names.insert(name.substr(prefix.size(), name.find('/', prefix.size()) - prefix.size()));
    }
    return std::vector<std::string>(names.begin(), names.end());
  }

  void fault_at(uint64_t operation, Fault fault) { fault_ = {operations_ + operation, fault}; }  // 0 = the next changing operation
  void restart() {
    stopped_ = false;
    fault_.reset();
  }
  uint64_t operations() const { return operations_; }  // changing ones, so far
  const std::map<std::string, Bytes>& files() const { return files_; }
  unsigned mode(const std::filesystem::path& path) const { return modes_.at(key(path)); }

 private:
  static std::string key(const std::filesystem::path& path) { return path.lexically_normal().string(); }
  static std::unexpected<Error> power_is_out() { return fail(ErrorCode::kIo, "the power is out"); }
  template <class Change>
  Status change(const Change& make) {
    if (stopped_) return power_is_out();
    const uint64_t now = operations_++;
    if (fault_ && fault_->first == now) {
      if (fault_->second == Fault::kFails) return fail(ErrorCode::kNoSpace, "no space left");
      if (fault_->second == Fault::kStopsAfter) make();
      stopped_ = true;
      return power_is_out();
    }
    make();
    return {};
  }

  std::map<std::string, Bytes> files_;
  std::map<std::string, unsigned> modes_;
  uint64_t operations_ = 0;
  std::optional<std::pair<uint64_t, Fault>> fault_;
  bool stopped_ = false;
};

}  // namespace creance::fake

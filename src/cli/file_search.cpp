#include "cli/file_search.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/os/real.hpp"
#include "base/text.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;
constexpr size_t kPathShownMax = 4'096;

}  // namespace

const std::string* SeenFiles::add(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return nullptr;
  const auto [at, is_new] = seen_.emplace(std::pair(info.st_dev, info.st_ino), path);
  return is_new ? nullptr : &at->second;
}

FoundFiles search_files(const std::string& folder, const FileSearch& search, SeenFiles& seen) {
  FoundFiles found;
  os::RealFileSystem file_system;
  std::vector<std::string> open{folder};
  const auto look_at = [&](const std::string& path, const std::string& name, std::vector<std::string>& below) {
    std::error_code ec;
    const fs::file_status status = fs::status(path, ec);
    const bool hidden = name.starts_with('.');
    if (fs::is_directory(status)) {
      if ((search.hidden_folders || !hidden) && seen.add(path) == nullptr) below.push_back(path);
      return;
    }
    const bool wanted = search.takes(name);
    if (fs::is_regular_file(status)) {
      if (!wanted) found.passed_over.push_back(path);
      else if (const std::string* first = seen.add(path)) found.same.emplace_back(path, *first);
      else found.files.push_back(path);
      return;
    }
    const bool is_link = fs::is_symlink(fs::symlink_status(path, ec));
    if (is_link && !fs::exists(status)) {  // whether a file or a folder is missing nobody can say, its name aside
      if (wanted || !hidden) found.problems.push_back(fmt::format("`{}` is a link whose target cannot be read", printable(path, kPathShownMax)));
    } else if (wanted) {
      found.problems.push_back(fmt::format("`{}` is no regular file", printable(path, kPathShownMax)));
    } else {
      found.passed_over.push_back(path);
    }
  };
  while (!open.empty()) {
    const std::string at = open.back();
    open.pop_back();
    const auto names = file_system.list(at);
    if (!names) {
      found.problems.push_back(names.error().detail);
      continue;
    }
    std::vector<std::string> below;
    for (const std::string& name : *names) {
      look_at((fs::path(at) / name).string(), name, below);
      found.too_many = found.files.size() + found.passed_over.size() + found.problems.size() > search.files_max;
      if (found.too_many) return found;
    }
    open.insert(open.end(), below.rbegin(), below.rend());
  }
  std::ranges::sort(found.files);
  std::ranges::sort(found.passed_over);
  return found;
}

}  // namespace creance::cli

// creance-tuf-client: the client of this library as a program, for scripts and for conformance tests.
//   creance-tuf-client --metadata-dir D init ROOT                        puts the trusted root there; makes no request
//   creance-tuf-client --metadata-url U --metadata-dir D refresh
//   creance-tuf-client --metadata-url U --metadata-dir D --target-name T [--target-name T2 …] --target-dir TD --target-base-url TU download
// Exit 0, or exactly 1 with one line on standard error. Base URLs are taken as they are; a target is stored in TD under its percent-encoded name.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/os/real.hpp"
#include "trust/client/http_transport.hpp"
#include "trust/client/updater.hpp"

namespace creance::trust {
namespace {

struct Arguments {
  std::string metadata_dir, metadata_url, target_dir, target_base_url, command, root;
  std::vector<std::string> target_names;
};

Result<Arguments> parse(int argc, char** argv) {
  Arguments out;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      words.push_back(word);
      continue;
    }
    if (i + 1 == argc) return fail(ErrorCode::kInvalid, word + " needs a value");
    const std::string value = argv[++i];
    if (word == "--metadata-dir") {
      out.metadata_dir = value;
    } else if (word == "--metadata-url") {
      out.metadata_url = value;
    } else if (word == "--target-dir") {
      out.target_dir = value;
    } else if (word == "--target-base-url") {
      out.target_base_url = value;
    } else if (word == "--target-name") {
      out.target_names.push_back(value);
    } else {
      return fail(ErrorCode::kInvalid, "unknown option " + word);
    }
  }
  out.command = words.empty() ? "" : words[0];
  const bool init = out.command == "init";
  const bool download = out.command == "download";
  if (!init && !download && out.command != "refresh") return fail(ErrorCode::kInvalid, "usage: creance-tuf-client --metadata-dir D (init ROOT | --metadata-url U refresh | --metadata-url U --target-name T --target-dir TD --target-base-url TU download)");
  if (words.size() != (init ? 2u : 1u)) return fail(ErrorCode::kInvalid, init ? "init needs the file of the trusted root" : out.command + " takes no further word");
  if (out.metadata_dir.empty()) return fail(ErrorCode::kInvalid, "--metadata-dir is needed");
  if (!init && out.metadata_url.empty()) return fail(ErrorCode::kInvalid, "--metadata-url is needed");
  if (download && (out.target_names.empty() || out.target_dir.empty() || out.target_base_url.empty())) return fail(ErrorCode::kInvalid, "download needs --target-name, --target-dir and --target-base-url");
  if (init) out.root = words[1];
  return out;
}

constexpr std::string_view kMetadata = "metadata/";
constexpr std::string_view kTargets = "targets/";

// "metadata/…" from the metadata's base URL, "targets/…" from the targets'.
class TwoBases final : public Transport {
 public:
  TwoBases(HttpOptions metadata, HttpOptions targets) : metadata_(std::move(metadata)), targets_(std::move(targets)) {}
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override {
    return path.starts_with(kMetadata) ? metadata_.fetch(path.substr(kMetadata.size()), bytes_max) : targets_.fetch(path.substr(kTargets.size()), bytes_max);
  }

 private:
  HttpTransport metadata_, targets_;
};

HttpOptions at(std::string base) {
  HttpOptions options;
  if (!base.empty() && base.back() != '/' && base.find('?') == std::string::npos) base += '/';
  options.base_url = std::move(base);
  options.user_agent = "creance-tuf-client";
  return options;
}

Status store(FileSystem& files, const std::filesystem::path& dir, Client& client, const std::string& name) {
  TRY(const TargetInfo info, client.target(name));
  const std::string file = percent_encode(name, false);
  if (file.size() > limits::kFileNameBytesMax) {
    return fail(ErrorCode::kUnsupported, fmt::format("target `{}…`: its percent-encoded name has {} bytes and cannot be a file's name, which has at most {}", file.substr(0, 64), file.size(), limits::kFileNameBytesMax));
  }
  const std::filesystem::path to = dir / file;
  const auto have = files.read(to, limits::kTargetBytesMax);
  if (have && check_length_and_hashes(*have, info.file.length, info.file.hashes, name)) return {};  // here already
  TRY(const Bytes bytes, client.download(info));
  TRY_VOID(files.make_directories(dir));
  TRY_VOID(os::remove_abandoned(dir));
  return files.write_atomic(to, bytes);
}

Status run(int argc, char** argv) {
  TRY(const Arguments arguments, parse(argc, argv));
  os::RealFileSystem files;
  const os::RealClock clock;
  TwoBases transport(at(arguments.metadata_url), at(arguments.target_base_url));
  ClientOptions options;
  options.metadata_prefix = kMetadata;
  options.targets_prefix = kTargets;
  Client client(transport, files, arguments.metadata_dir, options);
  if (arguments.command == "init") {
    TRY(const Bytes root, files.read(arguments.root, limits::kRootBytesMax));
    TRY_VOID(files.make_directories(arguments.metadata_dir));
    TRY(const os::FolderLock lock, os::FolderLock::wait_for(arguments.metadata_dir));
    return client.init(root);
  }
  // One process at a time: a slower one must not put an older timestamp over what a faster one stored.
  auto lock = os::FolderLock::wait_for(arguments.metadata_dir);
  if (!lock) return fail(lock.error().code, fmt::format("no trusted root to start from: run init first ({})", lock.error().detail));
  TRY_VOID(os::remove_abandoned(arguments.metadata_dir));
  TRY_VOID(client.refresh(clock.wall()));
  for (const std::string& name : arguments.target_names) TRY_VOID(store(files, arguments.target_dir, client, name));
  return {};
}

}  // namespace
}  // namespace creance::trust

int main(int argc, char** argv) {
  const creance::Status status = creance::trust::run(argc, argv);
  if (status) return 0;
  std::fprintf(stderr, "creance-tuf-client: %s: %s\n", std::string(to_string(status.error().code)).c_str(), status.error().detail.c_str());
  return 1;
}

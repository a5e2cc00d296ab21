#include "trust/delta/delta.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <set>

#include "base/digest.hpp"
#include "trust/client/transports.hpp"

namespace creance::trust {
namespace {

// Of what a release pipeline can wait for: twice the time of level 12, a fifth less to fetch, by every host.
constexpr int kLevel = 19;
constexpr int kWindowLogMin = 10;  // the least that the format knows
constexpr int kWindowLogMax = 27;  // 128 MiB: two of the largest target files

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

struct Wanted {
  std::string sha256, name;  // of "targets/…/<sha256>.<name>"
};
std::optional<Wanted> parse_wanted(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (!path.starts_with("targets/") || slash == std::string::npos) return std::nullopt;
  const std::string file = path.substr(slash + 1);
  if (file.size() < 66 || file[64] != '.' || !is_sha256(std::string_view(file).substr(0, 64))) return std::nullopt;
  return Wanted{file.substr(0, 64), file.substr(65)};
}

}  // namespace

Result<Bytes> make_delta(BytesView from, BytesView to) {
  if (from.size() > limits::kTargetBytesMax || to.size() > limits::kTargetBytesMax) return fail(ErrorCode::kTooLarge, "a file is too large for a delta");
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const int window = std::clamp(static_cast<int>(std::bit_width(from.size() + to.size())), kWindowLogMin, kWindowLogMax);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, 1);
  ZSTD_CCtx_refPrefix(context.get(), from.data(), from.size());
  Bytes delta(ZSTD_compressBound(to.size()));
  const size_t size = ZSTD_compress2(context.get(), delta.data(), delta.size(), to.data(), to.size());
  if (ZSTD_isError(size)) return fail(ErrorCode::kUnsupported, fmt::format("no delta: {}", ZSTD_getErrorName(size)));
  delta.resize(size);
  return delta;
}

Result<Bytes> apply_delta(BytesView from, BytesView delta, size_t bytes_max) {
  const unsigned long long said = ZSTD_getFrameContentSize(delta.data(), delta.size());
  if (said == ZSTD_CONTENTSIZE_ERROR || said == ZSTD_CONTENTSIZE_UNKNOWN) return fail(ErrorCode::kInvalid, "not a delta");
  if (said > bytes_max || from.size() > limits::kTargetBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("the delta makes {} bytes, {} are wanted at most", said, bytes_max));
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  ZSTD_DCtx_refPrefix(context.get(), from.data(), from.size());
  Bytes out(static_cast<size_t>(said));
  const size_t size = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), delta.data(), delta.size());
  if (ZSTD_isError(size) || size != out.size()) return fail(ErrorCode::kInvalid, fmt::format("not a delta of this file: {}", ZSTD_isError(size) ? ZSTD_getErrorName(size) : "too short"));
  return out;
}

Result<Bytes> DeltaTransport::fetch(const std::string& path, size_t bytes_max) {
  const auto wanted = parse_wanted(path);
  if (!wanted || !files_.exists(have_ / "targets")) return upstream_.fetch(path, bytes_max);
  const auto lying = files_below(files_, have_ / "targets");
  std::set<std::string> tried;
  if (lying) {
    for (auto file = lying->rbegin(); file != lying->rend() && tried.size() < limits::kDeltaBasesMax; ++file) {
      const auto base = parse_wanted("targets/" + file->generic_string());
      if (!base || base->name != wanted->name || base->sha256 == wanted->sha256 || !tried.insert(base->sha256).second) continue;
      const auto from = files_.read(have_ / "targets" / *file, limits::kTargetBytesMax);
      if (!from || sha256(*from).hex() != base->sha256) continue;
      const auto delta = upstream_.fetch(delta_path(base->sha256, wanted->sha256), bytes_max);
      if (!delta && delta.error().code == ErrorCode::kUnavailable) break;  // the file itself will not come either: say so once
      if (!delta) continue;
      auto made = apply_delta(*from, *delta, bytes_max);
      if (!made || sha256(*made).hex() != wanted->sha256) continue;
      ++applied_;
      return std::move(*made);
    }
  }
  return upstream_.fetch(path, bytes_max);
}

}  // namespace creance::trust

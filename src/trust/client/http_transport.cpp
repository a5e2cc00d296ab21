#include "trust/client/http_transport.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/check.hpp"

namespace creance::trust {
namespace {

struct Sink {
  Bytes bytes;
  size_t bytes_max = 0;
  bool too_large = false;
};

size_t receive(char* data, size_t size, size_t count, void* user) {
  Sink& sink = *static_cast<Sink*>(user);
  const size_t n = size * count;
  if (n > sink.bytes_max - sink.bytes.size()) {
    sink.too_large = true;
    return 0;  // ends the transfer
  }
  sink.bytes.insert(sink.bytes.end(), data, data + n);
  return n;
}

std::string text_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

// scheme://host:port
std::string origin_of(const std::string& address) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, address.c_str(), 0) != CURLUE_OK) return "";
  return text_of(url.get(), CURLUPART_SCHEME) + "://" + text_of(url.get(), CURLUPART_HOST) + ":" + text_of(url.get(), CURLUPART_PORT);
}

constexpr int kRedirectsMax = 5;

}  // namespace

struct HttpTransport::State {
  HttpOptions options;
  CURL* handle = nullptr;
};

HttpTransport::HttpTransport(HttpOptions options) : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
  state_->options = std::move(options);
  state_->handle = curl_easy_init();
  CHECK(state_->handle != nullptr);
}

HttpTransport::~HttpTransport() { curl_easy_cleanup(state_->handle); }

Result<Bytes> HttpTransport::fetch(const std::string& path, size_t bytes_max) {
  const HttpOptions& options = state_->options;
  CURL* handle = state_->handle;
  const std::string first = options.base_url + path;
  const std::string origin = origin_of(first);
  if (origin.empty() || !(origin.starts_with("http://") || origin.starts_with("https://"))) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not an HTTP address", first.substr(0, 200)));
  std::string address = first;
  for (int redirects = 0; redirects <= kRedirectsMax; ++redirects) {
    Sink sink;
    sink.bytes_max = bytes_max;
    char why[CURL_ERROR_SIZE] = {};
    curl_easy_reset(handle);  // keeps the connection
    curl_easy_setopt(handle, CURLOPT_URL, address.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);  // followed below, on the same origin only
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_max.count()));
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options.total_max.count()));
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, options.rate_min_bytes_s);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, options.rate_window_s);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, why);
    if (!options.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    if (status == 404 || status == 403 || status == 410) return fail(ErrorCode::kNotFound, fmt::format("{}: HTTP {}", address, status));
    if (sink.too_large && status >= 200 && status < 300) return fail(ErrorCode::kTooLarge, fmt::format("{}: more than {} bytes", address, bytes_max));
    if (status >= 300 && status < 400) {
      char* to = nullptr;
      curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &to);
      const std::string next = to != nullptr ? to : "";
      if (next.empty() || origin_of(next) != origin) return fail(ErrorCode::kUnavailable, fmt::format("{}: HTTP {} to another place, which is not followed", address, status));
      address = next;
      continue;
    }
    if (code != CURLE_OK) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", address, why[0] != '\0' ? why : curl_easy_strerror(code)));
    if (status != 200) return fail(ErrorCode::kUnavailable, fmt::format("{}: HTTP {}", address, status));
    return std::move(sink.bytes);
  }
  return fail(ErrorCode::kUnavailable, fmt::format("{}: more than {} redirects", first, kRedirectsMax));
}

}  // namespace creance::trust

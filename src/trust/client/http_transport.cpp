#include "trust/client/http_transport.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/check.hpp"

namespace creance::trust {
namespace {

struct Sink {
  Bytes bytes;             // of the file, so far
  size_t bytes_max = 0;
  bool too_large = false;
  CURL* handle = nullptr;
  bool begun = false;      // the first byte of this answer's body is here
  size_t resumed_at = 0;   // what a 206 must begin with; 0: nothing was asked for but the whole
  std::string validator;   // strong ETag of the answer that `bytes` came from; "": it cannot be taken up again
  bool mismatch = false;   // a 206 that begins elsewhere
  std::string etag, content_range;  // of this answer
};

size_t receive(char* data, size_t size, size_t count, void* user) {
  Sink& sink = *static_cast<Sink*>(user);
  const size_t n = size * count;
  if (!sink.begun) {
    sink.begun = true;
    long status = 0;
    curl_easy_getinfo(sink.handle, CURLINFO_RESPONSE_CODE, &status);
    if (status == 206) {
      sink.mismatch = sink.resumed_at == 0 || !sink.content_range.starts_with(fmt::format("bytes {}-", sink.resumed_at)) || sink.etag != sink.validator;
      if (sink.mismatch) return 0;
    } else {
      sink.bytes.clear();  // the whole file, or an error page that nobody will look at
      sink.validator = status == 200 && !sink.etag.starts_with("W/") ? sink.etag : "";
    }
  }
  if (n > sink.bytes_max - sink.bytes.size()) {
    sink.too_large = true;
    return 0;  // ends the transfer
  }
  sink.bytes.insert(sink.bytes.end(), data, data + n);
  return n;
}

// "ETag: \"abc\"\r\n" → "\"abc\""; "" if the line is another header.
std::string header_value(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':' || !curl_strnequal(line.data(), name.data(), name.size())) return "";
  line.remove_prefix(name.size() + 1);
  const size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(line.substr(first, line.find_last_not_of(" \t\r\n") + 1 - first));
}

size_t read_header(char* data, size_t size, size_t count, void* user) {
  Sink& sink = *static_cast<Sink*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // a new answer: behind a proxy there are two
    sink.etag.clear();
    sink.content_range.clear();
  }
  if (std::string etag = header_value(line, "ETag"); !etag.empty() && etag.size() <= 256) sink.etag = std::move(etag);
  if (std::string range = header_value(line, "Content-Range"); !range.empty()) sink.content_range = std::move(range);
  return line.size();
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
  std::chrono::milliseconds left = options.total_max;
  Sink sink;
  sink.bytes_max = bytes_max;
  sink.handle = handle;
  int redirects = 0;
  for (unsigned resumptions = 0;;) {
    if (left.count() <= 0) return fail(ErrorCode::kUnavailable, fmt::format("{}: not done after {} ms", address, options.total_max.count()));
    sink.begun = false;
    sink.resumed_at = sink.validator.empty() ? 0 : sink.bytes.size();
    char why[CURL_ERROR_SIZE] = {};
    curl_easy_reset(handle);  // keeps the connection
    curl_easy_setopt(handle, CURLOPT_URL, address.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);  // followed below, on the same origin only
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(options.connect_max, left).count()));
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, options.rate_min_bytes_s);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, options.rate_window_s);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, read_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &sink);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, why);
    if (!options.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.proxy.empty()) {
      curl_easy_setopt(handle, CURLOPT_PROXY, options.proxy == "direct" ? "" : options.proxy.c_str());
      curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
    }
    const std::string range = fmt::format("{}-", sink.resumed_at);
    const std::string condition = "If-Range: " + sink.validator;
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(sink.resumed_at > 0 ? curl_slist_append(nullptr, condition.c_str()) : nullptr, curl_slist_free_all);
    if (sink.resumed_at > 0) {
      curl_easy_setopt(handle, CURLOPT_RANGE, range.c_str());
      curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
    }
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t spent_us = 0;
    curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &spent_us);
    left -= std::chrono::milliseconds(spent_us / 1000 + 1);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    if (status == 404 || status == 403 || status == 410) return fail(ErrorCode::kNotFound, fmt::format("{}: HTTP {}", address, status));
    if (sink.too_large && status >= 200 && status < 300) return fail(ErrorCode::kTooLarge, fmt::format("{}: more than {} bytes", address, bytes_max));
    if (status >= 300 && status < 400) {
      char* to = nullptr;
      curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &to);
      const std::string next = to != nullptr ? to : "";
      if (next.empty() || origin_of(next) != origin) return fail(ErrorCode::kUnavailable, fmt::format("{}: HTTP {} to another place, which is not followed", address, status));
      if (++redirects > kRedirectsMax) return fail(ErrorCode::kUnavailable, fmt::format("{}: more than {} redirects", first, kRedirectsMax));
      address = next;
      continue;
    }
    // A transfer that never got anywhere, or too slowly, is not tried again here: that is the caller's rhythm, and a slow server's wish.
    const bool broke_off = code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_CONNECT || sink.mismatch;
    if (broke_off && !sink.bytes.empty() && !sink.validator.empty() && resumptions < options.resumptions_max) {
      ++resumptions;
      if (std::exchange(sink.mismatch, false)) sink.validator.clear();  // from the beginning
      continue;
    }
    if (code != CURLE_OK) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", address, sink.mismatch ? "another part of the file than was asked for" : why[0] != '\0' ? why : curl_easy_strerror(code)));
    if (status != 200 && (status != 206 || sink.resumed_at == 0)) return fail(ErrorCode::kUnavailable, fmt::format("{}: HTTP {}", address, status));
    if (!sink.begun && status == 200) sink.bytes.clear();  // an empty file in place of what had begun
    return std::move(sink.bytes);
  }
}

}  // namespace creance::trust

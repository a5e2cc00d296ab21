#include "base/http_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/check.hpp"

namespace creance {
namespace {

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

struct Sink {
  std::string body;
  size_t bytes_max = 0;
  bool too_large = false;
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto* sink = static_cast<Sink*>(user);
  const size_t n = size * count;
  if (sink->body.size() + n > sink->bytes_max) {
    sink->too_large = true;
    return 0;
  }
  sink->body.append(data, n);
  return n;
}

struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

struct HttpClient::State {
  CURL* handle = nullptr;
  std::string user_agent;
  ~State() { curl_easy_cleanup(handle); }
};

HttpClient::HttpClient(std::string user_agent) : state_(std::make_unique<State>()) {
  initialise_curl();
  state_->handle = curl_easy_init();
  state_->user_agent = std::move(user_agent);
  CHECK(state_->handle != nullptr);
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpAnswer> HttpClient::send(const HttpRequest& request) {
  CURL* const handle = state_->handle;
  curl_easy_reset(handle);
  Sink sink;
  sink.bytes_max = request.answer_bytes_max;
  curl_slist* raw = nullptr;
  for (const auto& [name, value] : request.headers) raw = curl_slist_append(raw, (name + ": " + value).c_str());
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") raw = curl_slist_append(raw, ("Content-Type: " + request.content_type).c_str());
  raw = curl_slist_append(raw, "Expect:");
  const std::unique_ptr<curl_slist, ListFree> headers(raw);
  char error_text[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, state_->user_agent.c_str());
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  const CURLcode code = curl_easy_perform(handle);
  if (sink.too_large) return fail(ErrorCode::kTooLarge, fmt::format("`{}` answered with more than {} bytes", request.url, request.answer_bytes_max));
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no http or https address", request.url));
  if (code != CURLE_OK) return fail(ErrorCode::kUnavailable, fmt::format("`{}` cannot be reached: {}", request.url, error_text[0] ? error_text : curl_easy_strerror(code)));
  HttpAnswer answer;
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  const char* type = nullptr;
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  answer.status = static_cast<int>(status);
  answer.content_type = type ? type : "";
  curl_header* etag = nullptr;
  curl_header* own = nullptr;
  if (curl_easy_header(handle, kCreanceTag, 0, CURLH_HEADER, -1, &own) == CURLHE_OK) answer.creance_tag = own->value;
  if (curl_easy_header(handle, "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK) answer.etag = etag->value;
  answer.body = std::move(sink.body);
  return answer;
}

}  // namespace creance

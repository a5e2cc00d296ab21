#include "cli/remote.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"

namespace creance::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kAnswerBytesMax = 64u << 20;
constexpr size_t kTokenBytesMax = 4096;

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

ErrorCode code_of(int status) {
  switch (status) {
    case 401: case 403: return ErrorCode::kDenied;
    case 404: return ErrorCode::kNotFound;
    case 409: case 412: return ErrorCode::kExists;
    case 413: return ErrorCode::kTooLarge;
    default: return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
  }
}

// RFC 9457: the title and detail that the server gives, else its status.
Error problem(const HttpAnswer& answer, const std::string& what) {
  const Json body = Json::parse(answer.body, nullptr, false);
  std::string text = fmt::format("status {}", answer.status);
  if (body.is_object()) {
    const auto part = [&](const char* key) { return body.contains(key) && body[key].is_string() ? body[key].get<std::string>() : std::string(); };
    if (const std::string detail = part("detail"); !detail.empty()) text = detail;
    else if (const std::string title = part("title"); !title.empty()) text = title;
  }
  return {code_of(answer.status), fmt::format("{}: {}", what, printable(text, 400))};
}

// A proxy that compresses makes ETag weak, or another one, and If-Match compares strongly (RFC 9110, 13.1.1): what the server says in a field of its own goes before. One that has none is an older server.
std::string strong_tag(const HttpAnswer& answer) {
  if (!answer.creance_tag.empty()) return answer.creance_tag;
  return answer.etag.starts_with("W/") ? answer.etag.substr(2) : answer.etag;
}

}  // namespace

void add_remote_options(CLI::App& command, RemoteOptions& options) {
  options.server = "http://127.0.0.1:8420";
  command.add_option("--server", options.server, "Address of creance-server")->envname("CREANCE_SERVER")->capture_default_str();
  command.add_option("--token-file", options.token_file, "File with the operator's token")->envname("CREANCE_TOKEN_FILE");
}

std::string server_address(const RemoteOptions& options) {
  std::string server = options.server;
  while (server.ends_with('/')) server.pop_back();
  return server;
}

Remote::Remote(std::string server, std::string token) : server_(std::move(server)), token_(std::move(token)), client_("creance/" CREANCE_VERSION) {}

Result<Remote> Remote::open(const RemoteOptions& options) {
  std::string token;
  if (!options.token_file.empty()) {
    os::RealFileSystem files;
    TRY(const Bytes bytes, files.read(options.token_file, kTokenBytesMax));
    token = trimmed(as_text(bytes));
    if (token.empty()) return fail(ErrorCode::kInvalid, fmt::format("the token file `{}` is empty", options.token_file));
  }
  return Remote(server_address(options), std::move(token));
}

Result<Remote::Tagged> Remote::call(const std::string& method, const std::string& path, std::string body, std::chrono::milliseconds timeout, const Headers& headers) {
  HttpRequest request;
  request.method = method;
  request.url = server_ + path;
  request.body = std::move(body);
  request.timeout = timeout;
  request.answer_bytes_max = kAnswerBytesMax;
  request.headers = headers;
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  TRY(const HttpAnswer answer, client_.send(request));
  if (answer.status < 200 || answer.status > 299) {
    Error error = problem(answer, fmt::format("{} {}", method, request.url));
    if (answer.status == 401 && token_.empty()) error.detail += "; give the operator's token with --token-file (the server's data folder has `operator.token`)";
    return fail(std::move(error));
  }
  const std::string tag = strong_tag(answer);
  if (answer.body.empty()) return Tagged{Json::object(), tag};
  Json json = Json::parse(answer.body, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::kInvalid, fmt::format("`{}` did not answer with JSON; is this a creance-server?", request.url));
  return Tagged{std::move(json), tag};
}

Result<Remote::Tagged> Remote::get_tagged(const std::string& path) { return call("GET", path, "", std::chrono::seconds(15)); }
Result<Json> Remote::get(const std::string& path) {
  TRY(Tagged answer, get_tagged(path));
  return std::move(answer.body);
}
Result<Json> Remote::post(const std::string& path, const Json& body) {
  TRY(Tagged answer, call("POST", path, body.dump(), std::chrono::seconds(30)));
  return std::move(answer.body);
}
Result<Json> Remote::put(const std::string& path, const Json& body) {
  TRY(Tagged answer, call("PUT", path, body.dump(), std::chrono::seconds(120)));
  return std::move(answer.body);
}
Result<Json> Remote::put_over(const std::string& path, const std::string& etag, const Json& body) {
  const Headers condition = {etag.empty() ? std::pair<std::string, std::string>{"If-None-Match", "*"} : std::pair<std::string, std::string>{"If-Match", etag}};
  TRY(Tagged answer, call("PUT", path, body.dump(), std::chrono::seconds(120), condition));
  return std::move(answer.body);
}

Result<std::string> Remote::tree_file(const std::string& path, size_t bytes_max) {
  HttpRequest request;
  request.url = server_ + "/tuf/" + path;
  request.answer_bytes_max = bytes_max;
  TRY(HttpAnswer answer, client_.send(request));
  if (answer.status != 200) return fail(problem(answer, "GET " + request.url));
  return std::move(answer.body);
}

int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDenied: case ErrorCode::kUnsupported: return kUsage;
    default: return kUnreadable;
  }
}

}  // namespace creance::cli

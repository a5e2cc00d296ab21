// The operator's side of docs/reference/protocol.md: calls with the bearer token, answers as JSON, errors in words.
#pragma once
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/http_client.hpp"
#include "base/result.hpp"

namespace CLI {
class App;
}

namespace creance::cli {

struct RemoteOptions {
  std::string server;      // --server, CREANCE_SERVER, else http://127.0.0.1:8420
  std::string token_file;  // --token-file, CREANCE_TOKEN_FILE
};
void add_remote_options(CLI::App& command, RemoteOptions& options);
std::string server_address(const RemoteOptions& options);  // without a "/" at its end

class Remote {
 public:
  // kInvalid, kNotFound: the token file; the server is not asked yet.
  static Result<Remote> open(const RemoteOptions& options);

  Result<nlohmann::ordered_json> get(const std::string& path);
  Result<nlohmann::ordered_json> post(const std::string& path, const nlohmann::ordered_json& body);
  Result<nlohmann::ordered_json> put(const std::string& path, const nlohmann::ordered_json& body);
  // What is there under a path, and the strong entity tag that says which state of it that is (RFC 9110), as the server gave it, whatever a proxy between makes of ETag.
  struct Tagged {
    nlohmann::ordered_json body;
    std::string etag;
  };
  Result<Tagged> get_tagged(const std::string& path);
  // kExists: it is not what `etag` names any more; "": there must be nothing yet.
  Result<nlohmann::ordered_json> put_over(const std::string& path, const std::string& etag, const nlohmann::ordered_json& body);
  // A file of the TUF tree, as bytes; nothing is verified here.
  Result<std::string> tree_file(const std::string& path, size_t bytes_max);

 private:
  Remote(std::string server, std::string token);
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Result<Tagged> call(const std::string& method, const std::string& path, std::string body, std::chrono::milliseconds timeout, const Headers& headers = {});

  std::string server_;
  std::string token_;
  HttpClient client_;
};

// Exit code for an error of a remote call or of local input.
int exit_code_of(const Error& error);

}  // namespace creance::cli

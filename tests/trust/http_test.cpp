// HttpTransport against a real socket that misbehaves.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include <gtest/gtest.h>

#include "trust/client/http_transport.hpp"
#include "trust/tiny_server.hpp"

namespace creance::trust {
namespace {

using testing::TinyServer;

std::string ok(std::string_view body) { return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + std::string(body); }
HttpOptions options(const TinyServer& server) {
  HttpOptions o;
  o.base_url = server.url();
  return o;
}

// Specification 5.3.3.
TEST(HttpTransport, FetchesAndAppendsThePathAsItIs) {
  TinyServer server([](const std::string&) { return TinyServer::Answer{ok("hello")}; });
  HttpTransport http(options(server));
  EXPECT_EQ(as_text(*http.fetch("metadata/1.%2E%2E%2Fx.json", 5)), "hello");
  EXPECT_EQ(http.fetch("a/../b", 4).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(server.paths, (std::vector<std::string>{"/metadata/1.%2E%2E%2Fx.json", "/a/../b"}));
}

// Specification 5.3.3: not there ends the chain of roots, anything else stops the refresh.
TEST(HttpTransport, ToldApartByStatus) {
  int status = 0;
  TinyServer server([&](const std::string&) { return TinyServer::Answer{"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}; });
  HttpTransport http(options(server));
  for (const int not_there : {403, 404, 410}) {
    status = not_there;
    EXPECT_EQ(http.fetch("x", 10).error().code, ErrorCode::kNotFound) << status;
  }
  for (const int trouble : {500, 503, 401, 204, 304}) {
    status = trouble;
    EXPECT_EQ(http.fetch("x", 10).error().code, ErrorCode::kUnavailable) << status;
  }
}

// Specification 1.5.2, endless data; 5.3.3.
TEST(HttpTransport, EndlessDataEndsAtTheCap) {
  TinyServer server([](const std::string&) { return TinyServer::Answer{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(100'000, 'x'), false, true}; });
  HttpTransport http(options(server));
  EXPECT_EQ(http.fetch("x", 1'000'000).error().code, ErrorCode::kTooLarge);
}

// Specification 1.5.2, slow retrieval.
TEST(HttpTransport, SilenceEndsAtTheTimeLimit) {
  TinyServer server([](const std::string&) { return TinyServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", true}; });
  HttpOptions o = options(server);
  o.total_max = std::chrono::milliseconds(200);
  HttpTransport http(o);
  EXPECT_EQ(http.fetch("x", 1'000).error().code, ErrorCode::kUnavailable);
}

// Specification 1.5.2, slow retrieval.
TEST(HttpTransport, SlowRetrievalEndsAtTheMinimumRate) {
  TinyServer server([](const std::string&) { return TinyServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", true}; });
  HttpOptions o = options(server);
  o.rate_min_bytes_s = 1'000;
  o.rate_window_s = 1;
  HttpTransport http(o);
  const auto result = http.fetch("x", 1'000);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(result.error().detail.find("too slow"), std::string::npos) << result.error().detail;
}

TEST(HttpTransport, FollowsRedirectsOnTheSameServerOnly) {
  TinyServer other([](const std::string&) { return TinyServer::Answer{ok("stolen")}; });
  TinyServer server([&](const std::string& path) {
    const std::string to = path == "/near" ? "/here" : path == "/far" ? other.url() + "x" : path == "/file" ? "file:///etc/passwd" : "/loop";
    if (path == "/here") return TinyServer::Answer{ok("fine")};
    return TinyServer::Answer{"HTTP/1.1 302 X\r\nLocation: " + to + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};
  });
  HttpTransport http(options(server));
  EXPECT_EQ(as_text(*http.fetch("near", 100)), "fine");
  EXPECT_EQ(http.fetch("far", 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(http.fetch("file", 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(http.fetch("loop", 100).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(other.paths.empty());
}

// Specification 5.5.2, 5.6.2, 5.7.3: what is cut off is not taken for the whole.
TEST(HttpTransport, SurvivesHttp10CutAndEmptyAnswers) {
  TinyServer server([](const std::string& path) {
    if (path == "/old") return TinyServer::Answer{"HTTP/1.0 200 OK\r\n\r\nbody"};
    if (path == "/cut") return TinyServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort"};
    return TinyServer::Answer{""};
  });
  HttpTransport http(options(server));
  EXPECT_EQ(as_text(*http.fetch("old", 100)), "body");
  EXPECT_EQ(http.fetch("cut", 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(http.fetch("empty", 100).error().code, ErrorCode::kUnavailable);
}

// "abcdefghij" piece by piece: each answer breaks off after three bytes.
struct Breaking {
  std::string etag = "\"v1\"";
  bool ranges = true;
  std::vector<std::string> wanted;  // Range and If-Range of each request
  std::string content = "abcdefghij";
  size_t answers = 0;
  TinyServer server{[this](const std::string&) { return answer(); }};

  TinyServer::Answer answer() {
    const std::string& request = server.requests.back();
    const auto header = [&](const std::string& name) {
      const size_t at = request.find("\r\n" + name + ": ");
      return at == std::string::npos ? std::string() : request.substr(at + name.size() + 4, request.find("\r\n", at + 2) - at - name.size() - 4);
    };
    wanted.push_back(header("Range") + "|" + header("If-Range"));
    ++answers;
    const bool part = ranges && header("Range").starts_with("bytes=") && header("If-Range") == etag;
    const size_t from = part ? std::stoul(header("Range").substr(6)) : 0;
    std::string head = part ? "HTTP/1.1 206 X\r\nContent-Range: bytes " + std::to_string(from) + "-9/10\r\n" : "HTTP/1.1 200 X\r\n";
    return {head + "ETag: " + etag + "\r\nConnection: close\r\nContent-Length: " + std::to_string(content.size() - from) + "\r\n\r\n" + content.substr(from, 3)};
  }
};

TEST(HttpTransport, TakesABrokenTransferUpWhereItStopped) {
  Breaking b;
  HttpTransport http(options(b.server));
  EXPECT_EQ(as_text(*http.fetch("x", 100)), "abcdefghij");
  EXPECT_EQ(b.wanted, (std::vector<std::string>{"|", "bytes=3-|\"v1\"", "bytes=6-|\"v1\"", "bytes=9-|\"v1\""}));
}

TEST(HttpTransport, DoesNotPutPiecesOfTwoFilesTogether) {
  {
    Breaking b;
    b.etag = "W/\"weak\"";  // says nothing about bytes
    EXPECT_EQ(HttpTransport(options(b.server)).fetch("x", 100).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(b.answers, 1u);
  }
  {
    Breaking b;
    b.ranges = false;  // always from the beginning, always broken off
    EXPECT_EQ(HttpTransport(options(b.server)).fetch("x", 100).error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(b.answers, 5u);
  }
  int n = 0;  // another file under the same range
  TinyServer liar([&](const std::string&) {
    ++n;
    if (n == 1) return TinyServer::Answer{"HTTP/1.1 200 X\r\nETag: \"a\"\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc"};
    if (n == 2) return TinyServer::Answer{"HTTP/1.1 206 X\r\nETag: \"b\"\r\nContent-Range: bytes 3-9/10\r\nContent-Length: 7\r\nConnection: close\r\n\r\n3456789"};
    return TinyServer::Answer{ok("0123456789")};
  });
  EXPECT_EQ(as_text(*HttpTransport(options(liar)).fetch("x", 100)), "0123456789");
  TinyServer unasked([](const std::string&) { return TinyServer::Answer{"HTTP/1.1 206 X\r\nETag: \"b\"\r\nContent-Range: bytes 3-9/10\r\nContent-Length: 7\r\nConnection: close\r\n\r\n3456789"}; });
  EXPECT_EQ(HttpTransport(options(unasked)).fetch("x", 100).error().code, ErrorCode::kUnavailable);
}

// Specification 1.5.2, endless data.
TEST(HttpTransport, TheCapHoldsOverAllPieces) {
  Breaking b;
  EXPECT_EQ(HttpTransport(options(b.server)).fetch("x", 8).error().code, ErrorCode::kTooLarge);
}

TEST(HttpTransport, GoesThroughTheProxyThatItIsGiven) {
  TinyServer proxy([](const std::string&) { return TinyServer::Answer{ok("by proxy")}; });
  TinyServer server([](const std::string&) { return TinyServer::Answer{ok("direct")}; });
  const std::string address = proxy.url().substr(0, proxy.url().size() - 1);
  HttpOptions o;
  o.base_url = "http://tree.example/";  // never looked up: the proxy does that
  o.proxy = address;
  EXPECT_EQ(as_text(*HttpTransport(o).fetch("x", 100)), "by proxy");
  EXPECT_EQ(proxy.paths, (std::vector<std::string>{"http://tree.example/x"}));
  ::setenv("http_proxy", address.c_str(), 1);
  o = options(server);
  EXPECT_EQ(as_text(*HttpTransport(o).fetch("x", 100)), "by proxy");
  o.proxy = "direct";
  EXPECT_EQ(as_text(*HttpTransport(o).fetch("x", 100)), "direct");
  ::unsetenv("http_proxy");
  o.proxy = "http://127.0.0.1:1";
  EXPECT_EQ(HttpTransport(o).fetch("x", 100).error().code, ErrorCode::kUnavailable);
}

TEST(HttpTransport, NoServerAndNoHttpAddress) {
  HttpOptions o;
  o.base_url = "http://127.0.0.1:1/";
  EXPECT_EQ(HttpTransport(o).fetch("x", 10).error().code, ErrorCode::kUnavailable);
  o.base_url = "file:///etc/";
  EXPECT_EQ(HttpTransport(o).fetch("passwd", 10'000).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace creance::trust

#include "server/http/http_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace creance::server {
namespace {

class Echo final : public HttpHandler {
 public:
  size_t body_bytes_max(const HttpRequest& head) const override { return head.path == "/big" ? 100'000 : 100; }
  HttpResponse handle(const HttpRequest& r) override { return {200, "text/plain", r.method + " " + r.path + "?" + r.query + " " + std::string(r.header("x-test")) + " " + r.body, {}}; }
};

class Running {
 public:
  explicit Running(HttpServerOptions options = {}) {
    auto made = HttpServer::listen(options, echo_);
    EXPECT_TRUE(made) << made.error().detail;
    server_ = std::move(*made);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~Running() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    server_->stop();
    thread_.join();
  }
  uint16_t port() const { return server_->port(); }
  HttpCounters counters() const { return server_->counters(); }  // after stop()

 private:
  Echo echo_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

int open_to(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  timeval patience{20, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) text.append(buffer, static_cast<size_t>(n));
  return text;
}

// Sends the bytes, and reads until the server closes.
std::string exchange(uint16_t port, const std::string& bytes) {
  const int fd = open_to(port);
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<size_t>(n);
  }
  const std::string answer = read_all(fd);
  ::close(fd);
  return answer;
}

bool starts(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

}  // namespace

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  Running server;
  const std::string answer = exchange(server.port(), "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\n\r\nPOST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  EXPECT_TRUE(starts(answer, "HTTP/1.1 200 OK")) << answer;
  EXPECT_NE(answer.find("GET /a?b=c yes "), std::string::npos);
  EXPECT_NE(answer.find("POST /d?  abc"), std::string::npos) << answer;
}

TEST(HttpServer, TakesBodiesUpToTheLimitAndRefusesOneByteMore) {
  Running server;
  const auto post = [&](const std::string& path, size_t n) {
    return exchange(server.port(), "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n" + std::string(n, 'x'));
  };
  EXPECT_TRUE(starts(post("/", 100), "HTTP/1.1 200"));
  EXPECT_TRUE(starts(post("/", 101), "HTTP/1.1 413"));
  EXPECT_TRUE(starts(post("/big", 100'000), "HTTP/1.1 200"));
  const std::string refused = post("/big", 3'000'000);
  EXPECT_TRUE(starts(refused, "HTTP/1.1 413"));
  EXPECT_NE(refused.find("application/problem+json"), std::string::npos);
}

TEST(HttpServer, CountsChunkedBodiesToo) {
  Running server;
  std::string chunks = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 3; ++i) chunks += "32\r\n" + std::string(50, 'x') + "\r\n";
  EXPECT_TRUE(starts(exchange(server.port(), chunks + "0\r\n\r\n"), "HTTP/1.1 413"));
}

TEST(HttpServer, AnswersExpectContinue) {
  Running server;
  const std::string answer = exchange(server.port(), "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(starts(answer, "HTTP/1.1 100 Continue")) << answer;
  EXPECT_NE(answer.find("HTTP/1.1 200"), std::string::npos);
}

TEST(HttpServer, RefusesNonsenseAndLongHeaders) {
  Running server;
  EXPECT_TRUE(starts(exchange(server.port(), "hello\r\n\r\n"), "HTTP/1.1 400"));
  EXPECT_TRUE(starts(exchange(server.port(), "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"), "HTTP/1.1 431"));
}

TEST(HttpServer, EndsSlowHeadersSlowBodiesAndIdleConnections) {
  HttpServerOptions options;
  options.header_max = options.body_max = options.idle_max = std::chrono::milliseconds(100);
  Running server(options);
  EXPECT_TRUE(starts(exchange(server.port(), "GET / HTT"), "HTTP/1.1 408"));
  EXPECT_TRUE(starts(exchange(server.port(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc"), "HTTP/1.1 408"));
  EXPECT_EQ(exchange(server.port(), ""), "");
}

TEST(HttpServer, BoundsConnections) {
  HttpServerOptions options;
  options.connections_max = 2;
  Running server(options);
  const int first = open_to(server.port());
  const int second = open_to(server.port());
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  char buffer[512];
  for (const int fd : {first, second}) {  // both are surely accepted once they are answered
    ASSERT_EQ(::send(fd, get.data(), get.size(), MSG_NOSIGNAL), static_cast<ssize_t>(get.size()));
    ASSERT_GT(::recv(fd, buffer, sizeof buffer, 0), 0);
  }
  EXPECT_EQ(exchange(server.port(), ""), "");  // closed at once
  ::close(first);
  ::close(second);
}

TEST(HttpServer, SaysThatThePortIsInUse) {
  Running server;
  Echo echo;
  HttpServerOptions options;
  options.port = server.port();
  const auto second = HttpServer::listen(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kExists);
  EXPECT_NE(second.error().detail.find("--listen"), std::string::npos);
  options.address = "nowhere";
  EXPECT_EQ(HttpServer::listen(options, echo).error().code, ErrorCode::kInvalid);
}

// Every coroutine ends with run(): what one still held would be lost (LeakSanitizer sees it).
TEST(HttpServer, StopEndsIdleConnectionsAtOnceAndAnswersOpenRequests) {
  HttpServerOptions options;
  options.stop_max = std::chrono::seconds(20);
  Running server(options);
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  char buffer[512];
  const int idle = open_to(server.port());
  ASSERT_EQ(::send(idle, get.data(), get.size(), MSG_NOSIGNAL), static_cast<ssize_t>(get.size()));
  ASSERT_GT(::recv(idle, buffer, sizeof buffer, 0), 0);
  const int busy = open_to(server.port());
  const std::string part = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  ASSERT_EQ(::send(busy, part.data(), part.size(), MSG_NOSIGNAL), static_cast<ssize_t>(part.size()));
  ASSERT_GT(::recv(busy, buffer, sizeof buffer, 0), 0);  // the server waits for the body now
  std::thread stopping([&] { server.stop(); });
  EXPECT_EQ(read_all(idle), "");  // closed, while the other still waits
  ASSERT_EQ(::send(busy, "ok", 2, MSG_NOSIGNAL), 2);
  EXPECT_TRUE(starts(read_all(busy), "HTTP/1.1 200"));
  stopping.join();
  EXPECT_EQ(server.counters().connections_open, 0u);
  ::close(idle);
  ::close(busy);
}

TEST(HttpServer, StopDoesNotWaitForAPeerThatSaysNothing) {
  HttpServerOptions options;
  options.stop_max = std::chrono::milliseconds(50);
  Running server(options);
  const int fd = open_to(server.port());
  const std::string part = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  ASSERT_EQ(::send(fd, part.data(), part.size(), MSG_NOSIGNAL), static_cast<ssize_t>(part.size()));
  char buffer[512];
  ASSERT_GT(::recv(fd, buffer, sizeof buffer, 0), 0);
  server.stop();
  EXPECT_EQ(server.counters().connections_open, 0u);
  read_all(fd);
  ::close(fd);
}

TEST(HttpServer, IsGivenUpBeforeItRan) {
  Echo echo;
  auto server = HttpServer::listen({}, echo);
  ASSERT_TRUE(server);
  (*server)->every(std::chrono::milliseconds(1), [] {});
  (*server)->stop();
}

}  // namespace creance::server

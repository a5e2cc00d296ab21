// A web server of a few lines that can misbehave in every way a test asks for. Answers one connection after the other, on a thread of its own.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace creance::trust::testing {

// Answers each connection's first request with what `answer` gives for its path; then closes. `stall` keeps the connection open without another byte until the client leaves.
class TinyServer {
 public:
  struct Answer {
    std::string bytes;
    bool stall = false;
    bool endless = false;  // repeats `bytes` until the client leaves
  };
  explicit TinyServer(std::function<Answer(const std::string&)> answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TinyServer() {
    ::shutdown(listener_, SHUT_RDWR);  // ends accept
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  std::vector<std::string> paths;     // as they stood in the request; read it after the requests are over
  std::vector<std::string> requests;  // whole, with their headers and bodies

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::string request;
      char buffer[4'096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        request.append(buffer, static_cast<size_t>(n));
      }
      const size_t head = request.find("\r\n\r\n"), length = request.find("\r\nContent-Length: ");
      const size_t whole = head == std::string::npos ? 0 : head + 4 + (length < head ? std::stoul(request.substr(length + 18)) : 0);
      for (ssize_t n = 1; n > 0 && request.size() < whole;)
        if (n = ::recv(fd, buffer, sizeof buffer, 0); n > 0) request.append(buffer, static_cast<size_t>(n));
      const size_t from = request.find(' ') + 1;
      const std::string path = request.substr(from, request.find(' ', from) - from);
      paths.push_back(path);
      requests.push_back(request);
      const Answer answer = answer_(path);
      bool open = ::send(fd, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL) >= 0;
      while (open && answer.endless) open = ::send(fd, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL) > 0;
      if (answer.stall) (void)!::recv(fd, buffer, sizeof buffer, 0);  // until the client gives up
      ::close(fd);
    }
  }
  std::function<Answer(const std::string&)> answer_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace creance::trust::testing

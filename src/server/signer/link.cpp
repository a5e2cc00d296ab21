#include "server/signer/link.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.hpp"
#include "base/os/real.hpp"

namespace creance::server {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

Error gone(std::string_view why) { return {ErrorCode::kUnavailable, fmt::format("creance-signer does not answer: {}", why)}; }

Status send_all(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(gone("the connection is cut"));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status receive_all(int fd, std::span<uint8_t> into) {
  while (!into.empty()) {
    const ssize_t n = ::recv(fd, into.data(), into.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fail(gone("time is over"));
    if (n <= 0) return fail(gone("the connection is cut"));
    into = into.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status send_message(int fd, BytesView message) {
  if (message.size() > limits::kSignerMessageBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("a message of {} bytes is too large for creance-signer", message.size()));
  const uint32_t length = static_cast<uint32_t>(message.size());
  TRY_VOID(send_all(fd, {reinterpret_cast<const uint8_t*>(&length), sizeof length}));
  return send_all(fd, message);
}

Result<Bytes> receive_message(int fd) {
  uint32_t length = 0;
  TRY_VOID(receive_all(fd, {reinterpret_cast<uint8_t*>(&length), sizeof length}));
  if (length > limits::kSignerMessageBytesMax) return fail(gone("its message is too large"));
  Bytes message(length);
  TRY_VOID(receive_all(fd, message));
  return message;
}

void set_patience(int fd) {
  const timeval patience{20, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

class StreamLink : public SignerLink {
 public:
  Result<Bytes> call(BytesView request) override {
    for (int attempt = 0;; ++attempt) {
      auto answer = once(request);
      if (answer || answer.error().code != ErrorCode::kUnavailable || attempt == 1) return answer;
      fd_.reset();
    }
  }

 protected:
  virtual Status connect(Fd& fd) = 0;

 private:
  Result<Bytes> once(BytesView request) {
    if (fd_.get() < 0) TRY_VOID(connect(fd_));
    TRY_VOID(send_message(fd_.get(), request));
    return receive_message(fd_.get());
  }
  Fd fd_;
};

class ProcessLink final : public StreamLink {
 public:
  ProcessLink(std::filesystem::path program, std::filesystem::path dir) : program_(std::move(program)), dir_(std::move(dir)) {}
  ~ProcessLink() override { end(); }

 protected:
  Status connect(Fd& fd) override {
    end();
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail(os::errno_error(errno, "cannot make a socket for", program_));
    fd.reset(pair[0]);
    Fd theirs(pair[1]);
    set_patience(fd.get());
    const std::string number = std::to_string(theirs.get());
    const std::string program = program_.string();
    const std::string dir = dir_.string();
    const char* const arguments[] = {program.c_str(), "--data", dir.c_str(), "--fd", number.c_str(), nullptr};
    child_ = ::fork();
    if (child_ < 0) return fail(os::errno_error(errno, "cannot start", program_));
    if (child_ == 0) {  // only async-signal-safe calls from here
      ::fcntl(theirs.get(), F_SETFD, 0);
      ::setpgid(0, 0);  // a Ctrl-C for the server must not kill the signer under its last signature
      ::execv(program.c_str(), const_cast<char* const*>(arguments));
      ::_exit(127);
    }
    return {};
  }

 private:
  void end() {
    if (child_ <= 0) return;
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }
  std::filesystem::path program_;
  std::filesystem::path dir_;
  pid_t child_ = -1;
};

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) return fail(ErrorCode::kInvalid, fmt::format("socket path `{}` is too long", path.string()));
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

class SocketLink final : public StreamLink {
 public:
  explicit SocketLink(std::filesystem::path path) : path_(std::move(path)) {}

 protected:
  Status connect(Fd& fd) override {
    TRY(const auto address, address_of(path_));
    fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_patience(fd.get());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      const Error error = os::errno_error(errno, "cannot reach creance-signer at", path_);
      fd.reset();
      return fail(ErrorCode::kUnavailable, error.detail);
    }
    return {};
  }

 private:
  std::filesystem::path path_;
};

Result<Json> ask(SignerLink& link, const Json& request) {
  TRY(const auto bytes, link.call(as_bytes(to_json(request))));
  TRY(Json answer, parse_json(bytes, {.bytes_max = limits::kSignerMessageBytesMax}));
  const JsonField object(answer, "signer");
  TRY(const auto error, object.find("error"));
  if (!error) return answer;
  TRY(const auto code, error->integer_at("code", 0, static_cast<int64_t>(ErrorCode::kIo)));
  TRY(const auto detail, error->text_at("detail"));
  return fail(static_cast<ErrorCode>(code), detail);
}

class RemoteSigner final : public trust::Signer {
 public:
  RemoteSigner(SignerLink& link, std::string role, trust::PublicKey key) : link_(link), role_(std::move(role)), key_(std::move(key)) {}
  const trust::PublicKey& public_key() const override { return key_; }
  Result<Bytes> sign(BytesView message) override {
    TRY(const auto answer, ask(link_, Json::object({{"op", "sign"}, {"role", role_}, {"message", to_base64(message)}})));
    TRY(const auto hex, JsonField(answer, "signer").text_at("sig"));
    return from_hex(hex);
  }

 private:
  SignerLink& link_;
  std::string role_;
  trust::PublicKey key_;
};

}  // namespace

std::unique_ptr<SignerLink> make_process_link(std::filesystem::path program, std::filesystem::path dir) { return std::make_unique<ProcessLink>(std::move(program), std::move(dir)); }
std::unique_ptr<SignerLink> make_socket_link(std::filesystem::path socket) { return std::make_unique<SocketLink>(std::move(socket)); }

void serve_signer(int fd, SignerCore& core) {
  for (;;) {
    const auto request = receive_message(fd);
    if (!request) return;
    if (!send_message(fd, core.handle(*request))) return;
  }
}

Status listen_signer(const std::filesystem::path& path, SignerCore& core) {
  TRY(const auto address, address_of(path));
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::unlink(path.c_str());
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return fail(os::errno_error(errno, "cannot listen on", path));
  ::chmod(path.c_str(), 0660);
  if (::listen(listener.get(), 4) != 0) return fail(os::errno_error(errno, "cannot listen on", path));
  for (;;) {
    const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer.get() >= 0) serve_signer(peer.get(), core);
    else if (errno != EINTR && errno != ECONNABORTED) return fail(os::errno_error(errno, "cannot accept on", path));
  }
}

Result<std::unique_ptr<RemoteSigners>> RemoteSigners::connect(SignerLink& link) {
  std::unique_ptr<RemoteSigners> signers(new RemoteSigners(link));
  TRY_VOID(signers->read_keys());
  return signers;
}

Status RemoteSigners::read_keys() {
  TRY(const auto answer, ask(*link_, Json::object({{"op", "keys"}})));
  TRY(const auto keys, JsonField(answer, "signer").at("keys"));
  decltype(roles_) roles;  // without bins: role() makes them as they are asked for
  for (const std::string_view role : kOnlineRoles) {
    TRY(const auto field, keys.at(role));
    TRY(auto key, trust::PublicKey::from_json(field));
    roles[std::string(role)] = std::make_unique<RemoteSigner>(*link_, std::string(role), std::move(key));
  }
  roles_ = std::move(roles);
  return {};
}

trust::Signer& RemoteSigners::role(std::string_view name) {
  auto found = roles_.find(name);
  if (found == roles_.end() && name.starts_with("policy-")) {
    found = roles_.emplace(std::string(name), std::make_unique<RemoteSigner>(*link_, std::string(name), roles_.at("policy")->public_key())).first;
  }
  CHECK(found != roles_.end());
  return *found->second;
}

Status RemoteSigners::approve_plan(const plan::Plan& plan, const std::map<std::string, Bytes>& contents, const std::vector<Bytes>& releases) {
  Json signed_content = Json::object();
  for (const auto& [role, metadata] : contents) signed_content.set(role, to_base64(metadata));
  Json list = Json::array();
  for (const Bytes& release : releases) list.push(to_base64(release));
  const auto answer = ask(*link_, Json::object({{"op", "plan"}, {"plan", to_base64(plan.to_bytes())}, {"contents", signed_content}, {"releases", list}}));
  if (!answer) return fail(answer.error());
  return {};
}

Status RemoteSigners::renew_trust(const std::string& role, BytesView metadata) {
  const auto answer = ask(*link_, Json::object({{"op", "trust"}, {"role", role}, {"metadata", to_base64(metadata)}}));
  if (!answer) return fail(answer.error());
  return read_keys();
}

}  // namespace creance::server

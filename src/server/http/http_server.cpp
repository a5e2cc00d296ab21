#include "server/http/http_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <list>

#include "base/json.hpp"
#include "base/os/real.hpp"

namespace creance::server {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Error_code = boost::system::error_code;

std::string_view HttpRequest::header(std::string_view name) const {
  const auto at = std::ranges::find(headers, name, [](const auto& h) -> std::string_view { return h.first; });
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

HttpResponse problem(int status, std::string_view title, std::string_view detail, std::string_view type) {
  const Json body = Json::object({{"type", type}, {"title", title}, {"status", status}, {"detail", detail}});
  return {status, "application/problem+json", to_json(body), {}};
}

namespace {

// Ends the pending operation of one connection when its time is over, and leaves the socket open, so that the peer can still be told.
class Deadline {
 public:
  Deadline(asio::io_context& context, tcp::socket& socket) : shared_(std::make_shared<Shared>(asio::steady_timer(context), &socket)) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    shared_->socket = nullptr;
    shared_->timer.cancel();
  }
  void set(std::chrono::milliseconds after) {
    shared_->passed = false;
    shared_->timer.expires_after(after);  // the wait before is cancelled
    shared_->timer.async_wait([shared = shared_, turn = ++shared_->turn](const Error_code& ec) {
      if (ec || shared->socket == nullptr || shared->turn != turn) return;
      shared->passed = true;
      Error_code ignored;
      shared->socket->cancel(ignored);
    });
  }
  bool passed() const { return shared_->passed; }

 private:
  struct Shared {
    Shared(asio::steady_timer t, tcp::socket* s) : timer(std::move(t)), socket(s) {}
    asio::steady_timer timer;
    tcp::socket* socket;
    uint64_t turn = 0;
    bool passed = false;
  };
  std::shared_ptr<Shared> shared_;
};

}  // namespace

struct HttpServer::State {
  State(const HttpServerOptions& o, HttpHandler& h) : options(o), handler(h), acceptor(context) {}

  HttpServerOptions options;
  HttpHandler& handler;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  uint16_t port = 0;
  bool stopping = false;
  HttpCounters counters;
  struct Connection {
    beast::tcp_stream stream;
    bool idle = false;  // waits for a request's first byte, or for the peer to close
  };
  struct Repeated {
    asio::steady_timer timer;
    std::chrono::milliseconds interval;
    std::function<void()> call;
  };
  std::list<Connection*> open;  // each lives in the frame of its serve()
  std::list<Repeated> repeated;
  asio::steady_timer grace{context};  // runs while stopping and connections are open
  std::unique_ptr<asio::signal_set> signals;

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<bool> answer_one(Connection& connection, beast::flat_buffer& buffer, Deadline& deadline);
  asio::awaitable<void> write(beast::tcp_stream& stream, Deadline& deadline, const HttpResponse& response, unsigned version, bool keep_alive, bool head_only);
  asio::awaitable<void> repeat(Repeated& what);
  void begin_stop();
};

namespace {

std::chrono::milliseconds with_size(std::chrono::milliseconds base, uint64_t bytes) { return base + std::chrono::seconds(bytes / (256u << 10)); }

HttpRequest head_of(const http::fields& fields, std::string_view method, std::string_view target) {
  HttpRequest request;
  request.method = method;
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  for (const auto& field : fields) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    request.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  return request;
}

HttpResponse refusal(const Error_code& ec) {
  if (ec == http::error::header_limit) return problem(431, "Request header too large", fmt::format("headers may have {} bytes", limits::kHttpHeaderBytesMax));
  if (ec == http::error::body_limit) return problem(413, "Request body too large", "the body is larger than this call takes");
  if (ec == beast::error::timeout) return problem(408, "Request too slow", "the request did not arrive in time");
  return problem(400, "Malformed request", fmt::format("not HTTP/1.1: {}", ec.message()));
}

}  // namespace

asio::awaitable<void> HttpServer::State::write(beast::tcp_stream& stream, Deadline& deadline, const HttpResponse& response, unsigned version, bool keep_alive, bool head_only) {
  http::response<http::string_body> message(static_cast<http::status>(response.status), version);
  message.set(http::field::content_type, response.content_type);
  message.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  message.content_length(response.body.size());
  if (!head_only) message.body() = response.body;
  http::response_serializer<http::string_body> serializer(message);
  serializer.split(head_only);
  deadline.set(with_size(options.answer_max, response.body.size()));
  Error_code ec;
  if (head_only) co_await http::async_write_header(stream, serializer, asio::redirect_error(asio::use_awaitable, ec));
  else co_await http::async_write(stream, serializer, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) stream.close();
}

// One request. False: the connection is over.
asio::awaitable<bool> HttpServer::State::answer_one(Connection& connection, beast::flat_buffer& buffer, Deadline& deadline) {
  beast::tcp_stream& stream = connection.stream;
  http::request_parser<http::string_body> parser;
  parser.header_limit(limits::kHttpHeaderBytesMax);
  parser.body_limit(boost::none);  // Content-Length is judged below, when the handler has seen the header
  Error_code ec;
  if (buffer.size() == 0) {  // idle until the first byte, then the header has its own time
    deadline.set(options.idle_max);
    connection.idle = true;
    co_await stream.socket().async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
    connection.idle = false;
    if (ec) co_return false;
  }
  deadline.set(options.header_max);
  co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
  if (ec && deadline.passed()) ec = beast::error::timeout;
  if (ec == http::error::end_of_stream || ec == asio::error::operation_aborted || ec == asio::error::connection_reset || ec == asio::error::eof) co_return false;
  ++counters.requests;
  if (ec) {
    ++counters.refused;
    const HttpResponse response = refusal(ec);
    co_await write(stream, deadline, response, 11, false, false);
    co_return false;
  }
  HttpRequest request = head_of(parser.get(), std::string_view(parser.get().method_string()), std::string_view(parser.get().target()));
  const size_t body_max = handler.body_bytes_max(request);
  const auto announced = parser.content_length();
  const bool head_only = request.method == "HEAD";
  if (announced && *announced > body_max) {
    ++counters.refused;
    const HttpResponse response = problem(413, "Request body too large", fmt::format("this call takes {} bytes, {} were announced", body_max, *announced));
    co_await write(stream, deadline, response, 11, false, head_only);
    co_return false;
  }
  parser.body_limit(body_max);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    co_await http::async_write(stream, go_on, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return false;
  }
  deadline.set(with_size(options.body_max, announced.value_or(0)));
  if (!parser.is_done()) co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
  if (ec && deadline.passed()) ec = beast::error::timeout;
  if (ec) {
    ++counters.refused;
    const HttpResponse response = refusal(ec);
    co_await write(stream, deadline, response, 11, false, head_only);
    co_return false;
  }
  const bool keep_alive = parser.get().keep_alive() && !stopping;
  const unsigned version = parser.get().version();
  request.body = std::move(parser.get().body());
  HttpResponse response;
  try {
    response = handler.handle(request);
  } catch (const std::exception& e) {  // a library threw (no memory): this request fails, the server goes on
    response = problem(500, "Internal error", std::string_view(e.what()).substr(0, 200));
  }
  if (response.status >= 400) ++counters.refused;
  co_await write(stream, deadline, response, version, keep_alive, head_only);
  co_return keep_alive && stream.socket().is_open();
}

asio::awaitable<void> HttpServer::State::serve(tcp::socket socket) {
  Connection connection{beast::tcp_stream(std::move(socket))};
  beast::tcp_stream& stream = connection.stream;
  const auto self = open.insert(open.end(), &connection);
  Error_code ec;
  stream.socket().set_option(tcp::no_delay(true), ec);
  beast::flat_buffer buffer(limits::kHttpHeaderBytesMax + (64u << 10));
  Deadline deadline(context, stream.socket());
  bool more = true;
  while (more && !stopping) more = co_await answer_one(connection, buffer, deadline);
  if (stream.socket().is_open()) {  // the peer may still be sending: let it read our answer before the socket goes
    stream.socket().shutdown(tcp::socket::shutdown_send, ec);
    deadline.set(std::chrono::seconds(2));
    connection.idle = true;
    std::array<char, 16'384> waste;
    for (size_t drained = 0; drained < (8u << 20) && !ec && !stopping;) {
      drained += co_await stream.async_read_some(asio::buffer(waste), asio::redirect_error(asio::use_awaitable, ec));
    }
    stream.close();
  }
  open.erase(self);
  --counters.connections_open;
  if (open.empty()) grace.cancel();
}

asio::awaitable<void> HttpServer::State::accept() {
  while (!stopping) {
    Error_code ec;
    tcp::socket socket(context);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (stopping) break;
    if (ec) {  // out of descriptors: wait for one to come back instead of spinning
      asio::steady_timer pause(context, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    ++counters.connections;
    if (counters.connections_open >= options.connections_max) {
      ++counters.connections_refused;
      socket.close(ec);
      continue;
    }
    ++counters.connections_open;
    asio::co_spawn(context, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::State::repeat(Repeated& what) {
  while (!stopping) {
    Error_code ec;
    what.timer.expires_after(what.interval);
    co_await what.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!ec && !stopping) what.call();
  }
}

// The context is never stopped: every coroutine is brought to its end, and run() returns when nothing is left to wait for. (A coroutine that still waits when its
// context is destroyed is lost with all it holds.)
void HttpServer::State::begin_stop() {
  if (stopping) return;
  stopping = true;
  Error_code ec;
  acceptor.close(ec);
  if (signals) signals->cancel(ec);
  for (Repeated& one : repeated) one.timer.cancel();
  for (Connection* connection : open)
    if (connection->idle) connection->stream.socket().cancel(ec);  // the others are in a request: they answer it first
  if (open.empty()) return;
  grace.expires_after(options.stop_max);
  grace.async_wait([this](const Error_code& cancelled) {
    if (cancelled) return;
    for (Connection* connection : open) connection->stream.close();
  });
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options, HttpHandler& handler) {
  auto state = std::make_unique<State>(options, handler);
  Error_code ec;
  const auto address = asio::ip::make_address(options.address, ec);
  if (ec) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not an IP address to listen on; give one such as 127.0.0.1:8420", options.address));
  const tcp::endpoint endpoint(address, options.port);
  const auto refuse = [&](const Error_code& why) {
    Error error = os::errno_error(why.value(), "cannot listen on", fmt::format("{}:{}", options.address, options.port));
    if (why == asio::error::address_in_use) error.detail += "; another server runs there, choose another port with --listen";
    return error;
  };
  state->acceptor.open(endpoint.protocol(), ec);
  if (ec) return fail(refuse(ec));
  state->acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  state->acceptor.bind(endpoint, ec);
  if (ec) return fail(refuse(ec));
  state->acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return fail(refuse(ec));
  state->port = state->acceptor.local_endpoint(ec).port();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

uint16_t HttpServer::port() const { return state_->port; }

void HttpServer::every(std::chrono::milliseconds interval, std::function<void()> call) {
  state_->repeated.push_back({asio::steady_timer(state_->context), interval, std::move(call)});
}

void HttpServer::on_signals(std::function<void(int)> call) {
  state_->signals = std::make_unique<asio::signal_set>(state_->context, SIGTERM, SIGINT);
  state_->signals->async_wait([this, call = std::move(call)](const Error_code& ec, int signal) {
    if (ec) return;
    call(signal);
    state_->begin_stop();
  });
}

void HttpServer::run() {
  asio::co_spawn(state_->context, state_->accept(), asio::detached);
  for (State::Repeated& one : state_->repeated) asio::co_spawn(state_->context, state_->repeat(one), asio::detached);
  state_->context.run();
}

void HttpServer::stop() {
  asio::post(state_->context, [this] { state_->begin_stop(); });
}

HttpCounters HttpServer::counters() const { return state_->counters; }

}  // namespace creance::server

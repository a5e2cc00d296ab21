// creance-server: the control plane in one process, with creance-signer beside it.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "base/os/real.hpp"
#include "base/parser_words.hpp"
#include "server/api/server.hpp"
#include "server/control/ceremony.hpp"
#include "trust/keys/key_file.hpp"

using namespace creance;
namespace fs = std::filesystem;

namespace {

constexpr int kOk = 0, kUnreadable = 2, kUsage = 3;

int exit_code(const Error& error) {
  return error.code == ErrorCode::kIo || error.code == ErrorCode::kInvalid || error.code == ErrorCode::kNoSpace ? kUnreadable : kUsage;
}

int failed(const Error& error) {
  fmt::print(stderr, "creance-server: {}\n", error.detail);
  return exit_code(error);
}

struct InitOptions {
  std::string data;
  std::vector<std::string> content_keys;
  uint32_t threshold = 0;  // 0: all of them
};

int init(const InitOptions& options) {
  os::RealFileSystem files;
  os::RealRandom random;
  const os::RealClock clock;
  server::CeremonyRequest request;
  request.dir = options.data;
  for (const std::string& path : options.content_keys) {
    auto key = trust::load_public_key(files, path);
    if (!key) {
      fmt::print(stderr, "creance-server: --content-key {}: {}\n", path, key.error().detail);
      return kUnreadable;
    }
    request.content_keys.push_back(std::move(*key));
  }
  request.content_threshold = options.threshold == 0 ? static_cast<uint32_t>(request.content_keys.size()) : options.threshold;
  if (const auto done = server::key_ceremony(request, files, random, clock); !done) {
    fmt::print(stderr, "creance-server: {}\n", done.error().detail);
    return done.error().code == ErrorCode::kIo || done.error().code == ErrorCode::kNoSpace ? kUnreadable : kUsage;  // the rest is about what was asked for
  }
  const std::string dir = fs::absolute(options.data).lexically_normal().string();
  fmt::print(stderr,
             "Keys and an empty tree are in `{0}`.\n"
             "  {0}/root.json         what sensors are shipped with\n"
             "  {0}/operator.token    for operators' calls (mode 0600)\n"
             "  {0}/signer/keys       online keys: rollout, policy, snapshot, timestamp; only creance-signer needs them\n"
             "  {0}/offline-keys      root and targets. A real ceremony makes these on a machine without network and keeps them elsewhere:\n"
             "                        move them away now. The server never reads them.\n"
             "Content is signed by {1} of {2} keys that were given; their private halves were never here.\n"
             "Next: creance-server run --data {0}\n",
             dir, request.content_threshold, request.content_keys.size());
  return kOk;
}

struct RunOptions {
  std::string data, listen = "127.0.0.1:8420", port_file, signer_socket, log_level = "info";
  uint32_t report_interval_ms = 1000;
  uint32_t silent_after_reports = 5;
  uint32_t silent_after_ms = 3000;
  bool require_evidence = false;
};

Result<server::HttpServerOptions> parse_listen(const std::string& text) {
  server::HttpServerOptions http;
  const size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), http.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) return fail(ErrorCode::kDenied, fmt::format("--listen `{}`: must be ADDRESS:PORT, such as 127.0.0.1:8420", text));
  http.address = text.substr(0, colon);
  if (http.address.starts_with('[') && http.address.ends_with(']')) http.address = http.address.substr(1, http.address.size() - 2);
  return http;
}

fs::path signer_program() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec).parent_path() / "creance-signer";
}

int run(const RunOptions& options) {
  const auto logger = spdlog::stderr_color_mt("server");
  logger->set_level(spdlog::level::from_str(options.log_level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  os::RealFileSystem files;
  os::RealRandom random;
  const os::RealClock clock;
  const auto http = parse_listen(options.listen);
  if (!http) return failed(http.error());
  server::ServerOptions wanted;
  wanted.data = options.data;
  wanted.http = *http;
  wanted.rollouts.report_interval = std::chrono::milliseconds(options.report_interval_ms);
  wanted.rollouts.silence.reports_missed = options.silent_after_reports;
  wanted.rollouts.silence.least = std::chrono::milliseconds(options.silent_after_ms);
  wanted.require_evidence = options.require_evidence;
  wanted.log = [logger](std::string_view line) { logger->warn("{}", line); };
  ::signal(SIGPIPE, SIG_IGN);
  auto link = options.signer_socket.empty() ? server::make_process_link(signer_program(), fs::path(options.data) / "signer") : server::make_socket_link(options.signer_socket);
  auto opened = server::Server::open(std::move(wanted), std::move(link), files, clock, random);
  if (!opened) return failed(opened.error());
  server::Server& server = **opened;
  server.on_signals();
  if (!options.port_file.empty()) {
    if (const auto written = files.write_atomic(options.port_file, as_bytes(fmt::format("{}\n", server.port())), 0644); !written) return failed(written.error());
  }
  logger->info("listening on {}:{}; operator's token in {}/operator.token", http->address, server.port(), options.data);
  server.run();
  if (!options.port_file.empty()) (void)files.remove(options.port_file);
  logger->info("stopped");
  return kOk;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The control plane of Creance: publishes signed content, grants its activation, watches what it does and halts it.", "creance-server");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("creance-server 0.1.0"));
  InitOptions init_options;
  CLI::App* init_command = app.add_subcommand("init", "Key ceremony: makes keys, an empty tree and the operator's token in an empty folder");
  init_command->add_option("--data", init_options.data, "Folder of the server")->required();
  init_command->add_option("--content-key", init_options.content_keys, "Public key file of a person who may sign content (creance keys create); repeat it")->required()->take_all();
  init_command->add_option("--content-threshold", init_options.threshold, "How many of them must sign; without: all");
  RunOptions run_options;
  CLI::App* run_command = app.add_subcommand("run", "Serves until SIGTERM");
  run_command->add_option("--data", run_options.data, "Folder of the server")->required();
  run_command->add_option("--listen", run_options.listen, "ADDRESS:PORT; port 0 takes any free one")->capture_default_str();
  run_command->add_option("--port-file", run_options.port_file, "File that gets the port once the server listens");
  run_command->add_option("--signer-socket", run_options.signer_socket, "UNIX socket of a creance-signer that runs under its own user; without: it is started beside the server");
  run_command->add_option("--report-interval-ms", run_options.report_interval_ms, "What sensors are told")->check(CLI::Range(10u, 3'600'000u))->capture_default_str();
  run_command->add_option("--silent-after-reports", run_options.silent_after_reports, "Reports missed in a row that are silence")->check(CLI::Range(2u, 1000u))->capture_default_str();
  run_command->add_option("--silent-after-ms", run_options.silent_after_ms, "But never sooner")->check(CLI::Range(10u, 86'400'000u))->capture_default_str();
  run_command->add_flag("--require-evidence", run_options.require_evidence, "Take no release without evidence that was signed with it");
  run_command->add_option("--log-level", run_options.log_level, "debug, info, warn, error")->capture_default_str();
  std::string shell;
  CLI::App* completion_command = app.add_subcommand("completion", "Completion script for a shell");
  completion_command->add_option("SHELL", shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e, std::cout, std::cerr);
    return code == 0 ? kOk : kUsage;
  }
  if (completion_command->parsed()) {
    fmt::print("{}", completion::script("creance-server", completion::words_of(app), shell));
    return std::fflush(stdout) == 0 ? kOk : kUnreadable;
  }
  return init_command->parsed() ? init(init_options) : run(run_options);
}

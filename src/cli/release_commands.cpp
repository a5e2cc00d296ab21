// release, rollout, sensor, detections: what an operator asks of a running creance-server.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/deny.hpp"
#include "cli/remote.hpp"
#include "plan/ring.hpp"

namespace creance::cli {
namespace {

using Json = nlohmann::ordered_json;

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return exit_code_of(error);
}

std::string text(const Json& object, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return "";
  return printable(object[key].is_string() ? object[key].get<std::string>() : object[key].dump(), 200);
}

std::string decimal(const Json& object, const char* key) {
  if (!object.contains(key) || !object[key].is_number()) return "–";
  const double value = object[key].get<double>();
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

// "canary:50:300:4": ring, share in per cent, soak in seconds, hosts with unknown outcome at once; the later parts may be left out.
Result<Json> parse_stage(const std::string& given) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= given.size();) {
    const size_t end = std::min(given.find(':', at), given.size());
    parts.push_back(given.substr(at, end - at));
    at = end + 1;
  }
  if (parts.empty() || parts.size() > 4 || parts[0].empty()) return fail(ErrorCode::kInvalid, fmt::format("stage `{}` is not RING[:SHARE%[:SOAK_S[:UNKNOWN_MAX]]]", given));
  if (const auto ring = plan::parse_ring(parts[0]); !ring) return fail(ErrorCode::kInvalid, fmt::format("the ring `{}` in stage `{}` {}", parts[0], given, ring.error().detail));
  const auto number = [&](size_t i, double otherwise, double low, double high) -> Result<double> {
    if (parts.size() <= i || parts[i].empty()) return otherwise;
    try {
      size_t used = 0;
      const double value = std::stod(parts[i], &used);
      if (used == parts[i].size() && value >= low && value <= high) return value;
    } catch (const std::exception&) {  // falls through to the message
    }
    return fail(ErrorCode::kInvalid, fmt::format("`{}` in stage `{}` is no number from {} to {}", parts[i], given, low, high));
  };
  TRY(const double share, number(1, 100, 0.0001, 100));
  TRY(const double soak, number(2, 3600, 0, 90 * 86400.0));
  TRY(const double unknown, number(3, 1000, 1, 1e7));
  return Json{{"ring", parts[0]}, {"share", static_cast<int64_t>(share * 10'000 + 0.5)}, {"soak_s", soak}, {"unknown_max", static_cast<int64_t>(unknown)}};
}

std::string stage_table(const Json& status, const Terminal& terminal) {
  Table table({"STAGE", "EXPOSED", "HELD", "CONFIRMED", "UNKNOWN", "RETURNED", "CRASHED", "E", "HALTS AT", "VERDICT"});
  if (status.contains("stages")) {
    for (const Json& s : status["stages"]) {
      table.row({text(s, "ring"), text(s, "exposed"), text(s, "held"), text(s, "confirmed"), text(s, "unknown"), text(s, "returned"), text(s, "crashed"), decimal(s, "e"), decimal(s, "e_halt"), text(s, "verdict")});
    }
  }
  return table.text(terminal);
}

Style style_of(std::string_view state) {
  if (state == "complete") return Style::kGreen;
  if (state == "halted" || state == "withdrawn") return Style::kRed;
  return state == "paused" ? Style::kYellow : Style::kBlue;
}

void print_status(const Json& status, const Session& session) {
  if (session.json) {
    session.terminal.data_line(status.dump());
    return;
  }
  const std::string state = text(status, "state");
  session.terminal.data_line(fmt::format("{}  release {}  {}", session.terminal.styled(Style::kBold, text(status, "rollout")), text(status, "release"), session.terminal.styled(style_of(state), state)));
  session.terminal.data(stage_table(status, session.terminal));
  if (status.contains("log") && status["log"].is_array()) {
    session.terminal.data_line("");
    for (const Json& entry : status["log"]) session.terminal.data_line(fmt::format("  {}  {}: {}", text(entry, "time"), text(entry, "decision"), text(entry, "reason")));
  }
}

// The one that is named, or the newest.
Result<std::string> resolve_rollout(Remote& remote, const std::string& named) {
  if (!named.empty()) return named;
  TRY(const Json all, remote.get("/api/v1/rollouts"));
  if (!all.contains("rollouts") || all["rollouts"].empty()) return fail(ErrorCode::kNotFound, "there is no rollout yet; start one with `creance release NAME`");
  return all["rollouts"].front().at("rollout").get<std::string>();
}

int show_status(const Session& session, const RemoteOptions& options, const std::string& named) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  const auto id = resolve_rollout(*remote, named);
  if (!id) return failed(session, id.error());
  const auto status = remote->get("/api/v1/rollouts/" + *id);
  if (!status) return failed(session, status.error());
  print_status(*status, session);
  return text(*status, "state") == "halted" || text(*status, "state") == "withdrawn" ? kFindings : kOk;
}

// Follows a rollout until it ends: a redrawn table on a terminal, a line for each change elsewhere.
int watch(const Session& session, const RemoteOptions& options, const std::string& named, double interval_s) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  const auto id = resolve_rollout(*remote, named);
  if (!id) return failed(session, id.error());
  std::string last;
  size_t drawn_lines = 0;
  unsigned misses = 0;
  for (;;) {
    const auto status = remote->get("/api/v1/rollouts/" + *id);
    if (!status && (status.error().code != ErrorCode::kUnavailable || ++misses > 10)) return failed(session, status.error());
    if (status) {
      misses = 0;
      const std::string state = text(*status, "state");
      const std::string shown = session.json ? status->dump() + "\n" : fmt::format("{}  {}\n", text(*status, "release"), session.terminal.styled(style_of(state), state)) + stage_table(*status, session.terminal);
      if (shown != last) {
        if (drawn_lines > 0 && session.terminal.output_is_a_terminal() && !session.json) session.terminal.data(fmt::format("\x1b[{}A\x1b[J", drawn_lines));
        session.terminal.data(shown);
        if (!session.terminal.flush()) return kUnreadable;
        drawn_lines = static_cast<size_t>(std::ranges::count(shown, '\n'));
        last = shown;
      }
      if (state == "complete") return kOk;
      if (state == "halted" || state == "withdrawn") {
        if (!session.json) print_status(*status, session);
        return kFindings;
      }
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(interval_s));
  }
}

int act(const Session& session, const RemoteOptions& options, const std::string& named, const std::string& action, const std::string& reason) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  const auto id = resolve_rollout(*remote, named);
  if (!id) return failed(session, id.error());
  const auto done = remote->post(fmt::format("/api/v1/rollouts/{}/{}", *id, action), {{"reason", reason}});
  if (!done) return failed(session, done.error());
  if (session.json) session.terminal.data_line(done->dump());
  else session.terminal.note(fmt::format("rollout {}: {} accepted", *id, action));
  return kOk;
}

int list_sensors(const Session& session, const RemoteOptions& options, const std::string& ring, const std::string& state) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  std::string query;
  if (!ring.empty()) query += "?ring=" + ring;
  if (!state.empty()) query += (query.empty() ? "?state=" : "&state=") + state;
  const auto answer = remote->get("/api/v1/sensors" + query);
  if (!answer) return failed(session, answer.error());
  if (session.json) {
    for (const Json& sensor : answer->at("sensors")) session.terminal.data_line(sensor.dump());
    return kOk;
  }
  Table table({"SENSOR", "HOST", "RING", "STATE", "RELEASE", "LAST REPORT"});
  const auto state_of = [&](const Json& s) {
    if (const std::string retired = text(s, "retired"); !retired.empty()) return fmt::format("given up: {}", retired);
    const auto paused = s.find("paused");
    return paused == s.end() || !paused->is_object() ? text(s, "state") : fmt::format("{}, paused until {}", text(s, "state"), text(*paused, "until"));
  };
  for (const Json& s : answer->at("sensors")) table.row({text(s, "sensor_id").substr(0, 12), text(s, "hostname"), text(s, "ring"), state_of(s), text(s, "running_release"), text(s, "last_report")});
  session.terminal.data(table.text(session.terminal));
  return kOk;
}

int make_tokens(const Session& session, const RemoteOptions& options, const Json& body) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  const auto answer = remote->post("/api/v1/tokens", body);
  if (!answer) return failed(session, answer.error());
  if (session.json) session.terminal.data_line(answer->dump());
  else for (const Json& token : answer->at("tokens")) session.terminal.data_line(token.get<std::string>());
  return kOk;
}

int list_detections(const Session& session, const RemoteOptions& options, unsigned limit) {
  auto remote = Remote::open(options);
  if (!remote) return failed(session, remote.error());
  const auto answer = remote->get(fmt::format("/api/v1/detections?limit={}", limit));
  if (!answer) return failed(session, answer.error());
  Table table({"TIME", "LEVEL", "RULE", "HOST", "MATCHED"});
  for (const Json& d : answer->at("detections")) {
    if (session.json) session.terminal.data_line(d.dump());
    std::string matched;
    if (d.contains("matched")) {
      for (const Json& name : d["matched"]) {
        if (!name.is_string()) continue;
        const std::string key = name.get<std::string>();
        matched += (matched.empty() ? "" : ", ") + printable(key) + "=" + (d.contains("inputs") ? text(d["inputs"], key.c_str()) : "");
      }
    }
    table.row({text(d, "time"), text(d, "level"), text(d, "rule_title"), text(d, "host"), printable(matched, 80)});
  }
  if (!session.json) session.terminal.data(table.text(session.terminal));
  return kOk;
}

}  // namespace

void add_release(CLI::App& app, Session& session) {
  struct Options {
    RemoteOptions remote;
    std::string name, rollout, reason;
    std::vector<std::string> stages;
    bool no_tripwire = false;
  };
  auto* options = session.keep<Options>();
  CLI::App* command = add_command(app, session, "release", "Release pushed content ring by ring, or take it back",
                                  {"creance release starter-1 --stage internal:100:600 --stage canary:50:3600:100 --stage general:100:3600", "creance release withdraw --reason 'breaks the mail gateway'",
                                   "creance release deny DIGEST --reason 'crashes hosts' --out deny-1 --key ana.key", "creance release deny --out deny-1 --key ben.key && creance push deny-1"});
  add_remote_options(*command, options->remote);
  command->add_option("NAME", options->name, "The release, as it was pushed");
  command->add_option("--stage", options->stages, "RING[:SHARE%[:SOAK_S[:UNKNOWN_MAX]]], in order; without: internal, canary 50 %, early, general, late")->take_all();
  command->add_flag("--no-tripwire", options->no_tripwire, "An event on an internal host does not halt at once (for demonstrations)");
  CLI::App* withdraw = command->add_subcommand("withdraw", "Take back a release that is still rolling out, for good: hosts return to their last known good content");
  withdraw->fallthrough();
  withdraw->add_option("ROLLOUT", options->rollout, "Which; the newest if left out");
  withdraw->add_option("--reason", options->reason, "For the log")->required();
  withdraw->callback([&session, options] { session.run = [&session, options] { return act(session, options->remote, options->rollout, "withdraw", options->reason); }; });
  add_taking_back(*command, session);
  command->callback([&session, options, command] {
    if (!command->get_subcommands().empty()) return;
    session.run = [&session, options] {
      if (options->name.empty()) {
        session.terminal.error("name the release; see `creance release --help`");
        return static_cast<int>(kUsage);
      }
      if (options->stages.empty()) options->stages = {"internal:100:3600", "canary:50:14400", "early:50:14400", "general:50:43200", "late:100:43200"};
      Json body = {{"release", options->name}, {"stages", Json::array()}, {"tripwire", !options->no_tripwire}};
      for (const std::string& given : options->stages) {
        const auto stage = parse_stage(given);
        if (!stage) {
          session.terminal.error(stage.error().detail);
          return static_cast<int>(kUsage);
        }
        body["stages"].push_back(*stage);
      }
      auto remote = Remote::open(options->remote);
      if (!remote) return failed(session, remote.error());
      const auto started = remote->post("/api/v1/rollouts", body);
      if (!started) return failed(session, started.error());
      if (session.json) session.terminal.data_line(started->dump());
      else session.terminal.data_line(fmt::format("rollout {} of release {} has begun; follow it with `creance rollout watch`", text(*started, "rollout"), options->name));
      return static_cast<int>(kOk);
    };
  });
}

void add_rollout(CLI::App& app, Session& session) {
  struct Options {
    RemoteOptions remote;
    std::string id;
    std::string reason;
    double interval_s = 1;
  };
  auto* options = session.keep<Options>();
  CLI::App* command = add_command(app, session, "rollout", "Status and control of rollouts", {"creance rollout status", "creance rollout watch", "creance rollout halt --reason 'false alarms at a customer'"});
  command->require_subcommand(1);
  add_remote_options(*command, options->remote);
  const auto nested = [&](const char* name, const char* about, auto run) {
    CLI::App* sub = command->add_subcommand(name, about);
    sub->fallthrough();
    sub->add_option("ROLLOUT", options->id, "Which; the newest if left out");
    sub->callback([&session, run] { session.run = run; });
    return sub;
  };
  nested("status", "Where it stands; exit code 1 if it was halted", [&session, options] { return show_status(session, options->remote, options->id); });
  nested("watch", "Follow it until it is complete (0) or halted (1)", [&session, options] { return watch(session, options->remote, options->id, options->interval_s); })
      ->add_option("--interval", options->interval_s, "Seconds between two looks")->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  for (const auto& [name, about] : {std::pair{"approve", "Let it go on where a person is asked"}, {"pause", "No new host takes it; exposed hosts stay"}, {"resume", "Go on after a pause or, with a stricter gate, after a halt"}, {"halt", "Stop it; exposed hosts return to their last known good content"}}) {
    nested(name, about, [&session, options, action = std::string(name)] { return act(session, options->remote, options->id, action, options->reason); })
        ->add_option("--reason", options->reason, "For the log")->required(std::string_view(name) == "halt");
  }
}

void add_sensor(CLI::App& app, Session& session) {
  struct Options {
    RemoteOptions remote;
    std::string ring, state, tenant = "default";
    std::vector<std::string> tags;
    unsigned count = 1;
    unsigned expires_s = 3600;
  };
  auto* options = session.keep<Options>();
  CLI::App* command = add_command(app, session, "sensor", "Sensors: list them, make enrolment tokens", {"creance sensor list --ring canary", "creance sensor token --tag canary --count 3"});
  command->require_subcommand(1);
  add_remote_options(*command, options->remote);
  CLI::App* list = command->add_subcommand("list", "Sensors, their rings and what they run");
  list->fallthrough();
  list->add_option("--ring", options->ring, "Only this ring");
  list->add_option("--state", options->state, "Only this state");
  list->callback([&session, options] { session.run = [&session, options] { return list_sensors(session, options->remote, options->ring, options->state); }; });
  CLI::App* token = command->add_subcommand("token", "One-time enrolment tokens");
  token->fallthrough();
  token->add_option("--tenant", options->tenant, "Whose hosts")->capture_default_str();
  token->add_option("--tag", options->tags, "Tag of the hosts; policies choose by tags")->take_all();
  token->add_option("--count", options->count, "How many")->check(CLI::Range(1u, 10'000u))->capture_default_str();
  token->add_option("--expires", options->expires_s, "Seconds that they are good for")->check(CLI::Range(1u, 31'536'000u))->capture_default_str();
  token->callback([&session, options] {
    session.run = [&session, options] {
      return make_tokens(session, options->remote, {{"tenant", options->tenant}, {"tags", options->tags}, {"count", options->count}, {"expires_s", options->expires_s}});
    };
  });
}

void add_detections(CLI::App& app, Session& session) {
  struct Options {
    RemoteOptions remote;
    unsigned limit = 20;
  };
  auto* options = session.keep<Options>();
  CLI::App* command = add_command(app, session, "detections", "Newest detections that reached the server", {"creance detections --limit 5", "creance detections --json"});
  add_remote_options(*command, options->remote);
  command->add_option("--limit", options->limit, "How many")->check(CLI::Range(1u, 10'000u))->capture_default_str();
  command->callback([&session, options] { session.run = [&session, options] { return list_detections(session, options->remote, options->limit); }; });
}

}  // namespace creance::cli

// policy: what a tenant wants for its hosts, as a file that people edit. A file is judged here, with file:line:column, before anything is sent; and what is sent replaces only what its author has seen.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/remote.hpp"
#include "plan/policy_text.hpp"
#include "plan/zone_files.hpp"

namespace creance::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kPolicyBytesMax = 1u << 20;
constexpr const char* kPolicies = "/api/v1/policies";

struct PolicyOptions {
  RemoteOptions remote;
  std::string tenant, file;
  std::vector<std::string> files;
  bool local = false, dry_run = false, force = false;
};

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return exit_code_of(error);
}

Result<std::string> read_text(const std::string& file) {
  os::RealFileSystem files;
  TRY(const Bytes bytes, files.read(file == "-" ? "/dev/stdin" : file, kPolicyBytesMax));
  return std::string(as_text(bytes));
}

Status zone_known(std::string_view zone) {
  os::RealFileSystem files;
  TRY([[maybe_unused]] const plan::Zone read, plan::read_zone(files, zone));
  return {};
}

// One line on standard output, as `check` does: file:line:column: error: what.
int refuse(const Session& session, const std::string& file, const Error& error) {
  std::string_view rest = error.detail;
  if (rest.starts_with(file + ":")) rest.remove_prefix(file.size() + 1);
  const auto number = [&rest] {
    unsigned value = 1;
    rest.remove_prefix(static_cast<size_t>(std::from_chars(rest.data(), rest.data() + rest.size(), value).ptr - rest.data()));
    rest.remove_prefix(std::min<size_t>(1, rest.size()));  // the colon
    return value;
  };
  const unsigned line = number(), column = number();
  rest.remove_prefix(std::min<size_t>(1, rest.size()));
  if (session.json) session.terminal.data_line(Json{{"file", file}, {"line", line}, {"column", column}, {"severity", "error"}, {"message", rest}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  else session.terminal.data_line(fmt::format("{}:{}:{}: {}: {}", printable(file, 4096), line, column, session.terminal.styled(Style::kRed, "error"), printable(rest, 400)));
  return kFindings;
}

int check(const PolicyOptions& options, const Session& session) {
  int code = kOk;
  for (const std::string& file : options.files) {
    const auto text = read_text(file);
    if (!text) {
      session.terminal.error(text.error().detail);
      code = kUnreadable;
      continue;
    }
    std::optional<Error> wrong;
    if (options.local) {
      if (const auto policy = plan::parse_local_policy(*text, file, zone_known); !policy) wrong = policy.error();
    } else if (const auto policy = plan::parse_tenant_policy(*text, file, zone_known); !policy) {
      wrong = policy.error();
    }
    if (wrong) code = std::max(code, refuse(session, file, *wrong));
  }
  return code;
}

struct Published {
  plan::Policy policy;
  std::string etag;
};

// Nothing: the tenant has none.
Result<std::optional<Published>> published(Remote& remote, const std::string& tenant) {
  const auto answer = remote.get_tagged(fmt::format("{}/{}", kPolicies, tenant));
  if (!answer && answer.error().code == ErrorCode::kNotFound) return std::optional<Published>();
  if (!answer) return fail(answer.error());
  auto policy = plan::Policy::parse(as_bytes(answer->body.dump()));
  if (!policy) return fail(policy.error().code, fmt::format("the server's policy of `{}` is not understood ({}): is it newer than this program?", tenant, policy.error().detail));
  return std::optional(Published{std::move(*policy), answer->etag});
}

int show(const PolicyOptions& options, const Session& session) {
  auto remote = Remote::open(options.remote);
  if (!remote) return failed(session, remote.error());
  const auto found = published(*remote, options.tenant);
  if (!found) return failed(session, found.error());
  if (!*found) {
    session.terminal.error(fmt::format("tenant `{}` has no policy yet; `creance policy list` names those that have one", printable(options.tenant)));
    return kUnreadable;
  }
  if (session.json) session.terminal.data_line(as_text((*found)->policy.to_bytes()));
  else session.terminal.data(plan::to_yaml((*found)->policy));
  return kOk;
}

int list(const PolicyOptions& options, const Session& session) {
  auto remote = Remote::open(options.remote);
  if (!remote) return failed(session, remote.error());
  const auto answer = remote->get(kPolicies);
  if (!answer) return failed(session, answer.error());
  const auto policies = answer->find("policies");
  if (policies == answer->end() || !policies->is_array()) return failed(session, {ErrorCode::kInvalid, "the server did not answer with policies; is this a creance-server?"});
  Table table({"TENANT", "VERSION", "GROUPS"});
  for (const Json& policy : *policies) {
    if (session.json) session.terminal.data_line(policy.dump());
    else table.row({printable(policy.value("tenant", ""), 64), fmt::to_string(policy.value("version", int64_t{0})), fmt::to_string(policy.value("groups", int64_t{0}))});
  }
  if (!session.json) session.terminal.data(table.text(session.terminal));
  return kOk;
}

// What a policy says, one thing a line: "groups.servers.ring", "late".
using Facts = std::vector<std::pair<std::string, std::string>>;

void add_facts(Facts& facts, const std::string& where, const plan::GroupRules& rules) {
  facts.emplace_back(where + ".ring", plan::to_string(rules.ring));
  if (rules.paused) facts.emplace_back(where + ".paused", "true");
  if (rules.pin) facts.emplace_back(where + ".pin", *rules.pin);
  if (rules.delay.count() > 0) facts.emplace_back(where + ".delay", fmt::format("{}s", rules.delay.count()));
  for (const plan::Window& window : rules.windows) facts.emplace_back(where + ".windows", window.text());
  for (const std::string& mute : rules.mutes) facts.emplace_back(where + ".mutes", mute);
}

Facts facts_of(const plan::Policy& policy) {
  Facts facts;
  std::string order;  // the first group that fits applies
  for (const plan::Group& group : policy.groups) {
    order += (order.empty() ? "" : ", ") + group.name;
    const std::string where = "groups." + group.name;
    for (const std::string& tag : group.tags) facts.emplace_back(where + ".tags", tag);
    add_facts(facts, where, group.rules);
  }
  if (!order.empty()) facts.insert(facts.begin(), {"groups", order});
  add_facts(facts, "default", policy.fallback);
  return facts;
}

// Prints what goes ("-") and comes ("+"); how many lines.
size_t print_difference(const Facts& before, const Facts& after, const Session& session) {
  size_t lines = 0;
  const auto print = [&](const Facts& from, const Facts& without, const char* sign, Style style) {
    Facts sorted = without;
    std::ranges::sort(sorted);
    for (const auto& fact : from) {
      if (std::ranges::binary_search(sorted, fact)) continue;
      ++lines;
      if (session.json) session.terminal.data_line(Json{{"change", sign}, {"what", fact.first}, {"value", fact.second}}.dump(-1, ' ', false, Json::error_handler_t::replace));
      else session.terminal.data_line(session.terminal.styled(style, fmt::format("{} {}: {}", sign, printable(fact.first, 200), printable(fact.second, 4096))));
    }
  };
  print(before, after, "-", Style::kRed);
  print(after, before, "+", Style::kGreen);
  return lines;
}

int set(const PolicyOptions& options, const Session& session) {
  const Terminal& terminal = session.terminal;
  const auto text = read_text(options.file);
  if (!text) return failed(session, text.error());
  auto policy = plan::parse_tenant_policy(*text, options.file, zone_known);
  if (!policy) {
    const int code = refuse(session, options.file, policy.error());
    terminal.note("nothing was sent");
    return code;
  }
  auto remote = Remote::open(options.remote);
  if (!remote) return failed(session, remote.error());
  const auto now = published(*remote, policy->tenant);
  if (!now) return failed(session, now.error());
  const int64_t version = *now ? (*now)->policy.version : 0;
  if (policy->version > 0 && policy->version != version && !options.force) {
    terminal.error(fmt::format("`{}` was made from version {} of the policy of `{}`, and the server has {}: somebody changed it. Put your change into what `creance policy show {}` says now, or send it over that with --force; nothing was sent",
                               printable(options.file, 200), policy->version, policy->tenant, version == 0 ? "none" : fmt::format("version {}", version), policy->tenant));
    return kUnreadable;
  }
  const size_t changes = print_difference(*now ? facts_of((*now)->policy) : Facts(), facts_of(*policy), session);
  if (changes == 0 && *now) {
    terminal.note(fmt::format("the policy of `{}` says this already (version {}); nothing was sent", policy->tenant, version));
    return kOk;
  }
  if (options.dry_run) {
    terminal.note(fmt::format("{} lines would change for `{}`; nothing was sent", changes, policy->tenant));
    return kFindings;
  }
  if (policy->version == 0) policy->version = 1;  // the server gives the next one itself
  const std::string path = fmt::format("{}/{}", kPolicies, policy->tenant);
  const Json body = Json::parse(as_text(policy->to_bytes()));
  const auto done = options.force ? remote->put(path, body) : remote->put_over(path, *now ? (*now)->etag : "", body);
  if (!done) return failed(session, done.error());
  if (session.json) terminal.data_line(Json{{"tenant", policy->tenant}, {"version", done->value("version", int64_t{0})}}.dump());
  terminal.note(fmt::format("the policy of `{}` is version {} now; hosts take it with their next look at the tree", policy->tenant, done->value("version", int64_t{0})));
  return kOk;
}

}  // namespace

void add_policy(CLI::App& app, Session& session) {
  auto* options = session.keep<PolicyOptions>();
  CLI::App* command = add_command(app, session, "policy", "What tenants want for their hosts: rings, delays, windows, pins, pauses, mutes",
                                  {"creance policy list", "creance policy show default > default.yml", "creance policy check default.yml", "creance policy set --dry-run default.yml", "creance policy set default.yml"});
  command->require_subcommand(1);
  add_remote_options(*command, options->remote);
  const auto nested = [&](const char* name, const char* about, int (*run)(const PolicyOptions&, const Session&)) {
    CLI::App* sub = command->add_subcommand(name, about);
    sub->fallthrough();
    sub->callback([&session, options, run] { session.run = [&session, options, run] { return run(*options, session); }; });
    return sub;
  };
  nested("list", "Tenants that have a policy", list);
  nested("show", "A tenant's policy, as a file that `set` takes", show)->add_option("TENANT", options->tenant, "Whose")->required()->check([](const std::string& name) {
    return plan::is_tenant_name(name) ? std::string() : fmt::format("`{}` is no tenant's name ([a-z0-9][a-z0-9_-]{{0,63}})", printable(name));
  });
  CLI::App* checks = nested("check", "Judge files without asking a server; exit code 1 if one has an error", check);
  checks->add_option("FILE", options->files, "Policies (YAML or JSON); - is standard input")->required()->take_all();
  checks->add_flag("--local", options->local, "They are a host owner's own, as /etc/creance/policy.yml");
  CLI::App* sets = nested("set", "Judge a file, show what it changes, and send it", set);
  sets->add_option("FILE", options->file, "The policy (YAML or JSON); - is standard input. Its `version` is the one that it was made from")->required();
  sets->add_flag("--dry-run", options->dry_run, "Send nothing; exit code 1 if something would change");
  sets->add_flag("--force", options->force, "Also over a version that the file was not made from");
}

}  // namespace creance::cli

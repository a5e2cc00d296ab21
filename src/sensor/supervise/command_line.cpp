#include "sensor/supervise/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <variant>

#include "base/completion.hpp"

namespace creance::sensor {
namespace {

struct Command {
  std::string_view name, required, does, example, exits;  // `required`: its options that must be given
};
constexpr std::string_view kOkOr2Or3 = "0 ok, 2 something cannot be read or reached, 3 usage or configuration";
constexpr std::string_view kShown = "0 ok, 1 no sensor runs there, or it has written nothing for 30 s, 2 something cannot be read, 3 usage";
constexpr std::string_view kOrdered = "0 carried out, 1 waits: no sensor runs there, or it has not taken it within 5 s, 2 it cannot be written, 3 usage, 4 there was nothing to do, 5 the sensor does not carry it out now";
constexpr Command kCommands[] = {
    {"enrol", "--state --server --token", "makes this sensor's key and has the server draw its id", "creance-sensor enrol --state /var/lib/creance --server https://creance.example:8443 --token TOKEN --root root.json", kOkOr2Or3},
    {"run", "--state", "watches this host, until SIGTERM; needs --live, --events FILE, or both (FILE is replayed where this host cannot be watched)", "creance-sensor run --state /var/lib/creance --live", kOkOr2Or3},
    {"status", "--state", "how the sensor fares, how old that is, and whether a sensor runs", "creance-sensor status --state /var/lib/creance --json", kShown},
    {"why", "--state", "what was refused, held, suspended and done lately, and for which reason", "creance-sensor why --state /var/lib/creance", kShown},
    {"doctor", "--state", "looks at this sensor's folder and host, and says what is wrong and how to mend it; run it as root", "creance-sensor doctor --state /var/lib/creance", "0 nothing is wrong, 2 something is, or could not be looked at for want of rights, 3 usage"},
    {"pause", "--state", "nothing new is taken for so long; what runs goes on, and denials still reach it", "creance-sensor pause --state /var/lib/creance --for 12h --reason maintenance", kOrdered},
    {"resume", "--state", "ends a pause", "creance-sensor resume --state /var/lib/creance", kOrdered},
    {"return", "--state", "back to the good content before this one, which is refused from now on", "creance-sensor return --state /var/lib/creance --reason 'it is slow'", kOrdered},
    {"retry", "--state --digest", "lifts the refusal of a release or channel file, of this host and of what the server remembers of it", "creance-sensor retry --state /var/lib/creance --digest HEX", kOrdered},
    {"completion", "", "completion script for a shell: bash, zsh or fish", "source <(creance-sensor completion bash)", "0 ok, 3 usage"},
    {"man", "", "the manual page, for man(1)", "creance-sensor man | man -l -", "0 ok, 3 usage"},
};

using Member = std::variant<bool CommandLine::*, std::string CommandLine::*, uint32_t CommandLine::*, uint64_t CommandLine::*>;
struct Option {
  std::string_view name, value, commands;  // `value`: empty for a flag
  Member to;
  std::string_view does;
};
const Option kOptions[] = {
    {"--state", "DIR", "enrol run status why doctor pause resume return retry", &CommandLine::state, "the sensor's folder"},
    {"--server", "URL", "enrol", &CommandLine::server, "the server to enrol with"},
    {"--token", "TOKEN", "enrol", &CommandLine::token, "what allows it, from the server"},
    {"--root", "FILE", "enrol", &CommandLine::root, "the root of trust (else the server's first one is taken, and its fingerprint shown)"},
    {"--hostname", "NAME", "enrol", &CommandLine::hostname, "how the server calls this host (its own name)"},
    {"--live", "", "run", &CommandLine::live, "watches this host through eBPF (root), else through the process connector; where neither works, replays --events if that is given too"},
    {"--without-ebpf", "", "run", &CommandLine::without_ebpf, "with --live: the process connector"},
    {"--events", "FILE", "run", &CommandLine::events, "replays a file of events in any form that scan reads"},
    {"--loop", "", "run", &CommandLine::loop, "replays it again and again"},
    {"--rate", "N", "run", &CommandLine::rate, "events a second of a replay, at most 1000"},
    {"--probation-ms", "N", "run", &CommandLine::probation_ms, "trial time of new content (20000)"},
    {"--policy", "FILE", "run doctor", &CommandLine::policy, "the owner's own rules, stricter than the server's (/etc/creance/policy.yml, if it is there; a FILE that is named must be there)"},
    {"--offline", "", "run", &CommandLine::offline, "runs what it has, without a server"},
    {"--memory-mib", "N", "run", &CommandLine::memory_mib, "what each of the sensor's processes may have resident, at most 512 (512); above, it is ended"},
    {"--stall-busy-ms", "N", "run", &CommandLine::stall_busy_ms, "what CPU time without a sign of life makes a stall (5000)"},
    {"--stall-silent-ms", "N", "run", &CommandLine::stall_silent_ms, "what silence makes a stall (60000)"},
    {"--rule-steps", "N", "run", &CommandLine::rule_steps, "steps that one rule may take within a minute (3221225472, which is also the most); above, it is suspended until the next"},
    {"--worker", "PROGRAM", "enrol run status", &CommandLine::worker, "another worker than that beside this program; for tests and demonstrations"},
    {"--updater", "PROGRAM", "enrol run", &CommandLine::updater, "another updater, likewise"},
    {"--admit", "PROGRAM", "run", &CommandLine::admit, "another admit, likewise"},
    {"--boot-id", "TEXT", "run", &CommandLine::boot_id, "another boot, likewise"},
    {"--fields", "", "status", &CommandLine::fields, "which inputs of which Types this host can say, and which rules can therefore not fire"},
    {"--json", "", "status why doctor", &CommandLine::json, "for programs (of why: all that status --json has, which is more)"},
    {"--for", "SPAN", "pause", &CommandLine::pause, "how long: a number with s, m, h or d behind it, at most 366d (24h)"},
    {"--trust-kept", "", "resume", &CommandLine::trust_kept, "also lets what is kept run although records were lost (creance-sensor doctor); say it when you know that nothing of that was refused here"},
    {"--digest", "HEX", "retry", &CommandLine::digest, "the 64 digits of a refusal (status --json)"},
    {"--reason", "TEXT", "pause resume return retry", &CommandLine::reason, "stands in status, why and reports"},
};

bool lists(std::string_view words, std::string_view word) {  // words with one space between
  for (size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1))
    if ((at == 0 || words[at - 1] == ' ') && (at + word.size() == words.size() || words[at + word.size()] == ' ')) return true;
  return false;
}
const Command* command_of(std::string_view name) {
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == std::end(kCommands) ? nullptr : found;
}
std::string names_of_commands(std::string_view between) {
  std::string out;
  for (const Command& command : kCommands) out += fmt::format("{}{}", out.empty() ? "" : between, command.name);
  return out;
}
std::string names_of_options(std::string_view command, std::string_view between) {
  std::string out;
  for (const Option& option : kOptions)
    if (lists(option.commands, command)) out += fmt::format("{}{}", out.empty() ? "" : between, option.name);
  return out + (out.empty() ? "" : std::string(between)) + "--help";
}
std::string with_value(const Option& option) { return fmt::format("{}{}{}", option.name, option.value.empty() ? "" : " ", option.value); }

std::string synopsis(const Command& command) {
  std::string out = fmt::format("creance-sensor {}", command.name);
  if (command.name == "completion") out += " bash|zsh|fish";
  for (const Option& option : kOptions) {
    if (!lists(option.commands, command.name)) continue;
    out += lists(command.required, option.name) ? " " + with_value(option) : fmt::format(" [{}]", with_value(option));
  }
  return out;
}

Status set(CommandLine& line, const Option& option, const std::string& value) {
  if (const auto* text = std::get_if<std::string CommandLine::*>(&option.to)) {
    line.*(*text) = value;
    return {};
  }
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const auto* small = std::get_if<uint32_t CommandLine::*>(&option.to);
  if (error != std::errc() || end != value.data() + value.size() || (small != nullptr && number > UINT32_MAX)) return fail(ErrorCode::kInvalid, fmt::format("{}: `{}` is not a number", option.name, value));
  if (small != nullptr) line.*(*small) = static_cast<uint32_t>(number);
  else line.*std::get<uint64_t CommandLine::*>(option.to) = number;
  return {};
}

// man(7): a leading dot or quote would be a request, a backslash an escape.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}
}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  if (arguments.empty()) return fail(ErrorCode::kInvalid, fmt::format("a command is missing: {}", names_of_commands(", ")));
  line.command = arguments[0];
  const auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (is_help(line.command) || line.command == "help") {
    line.command = arguments.size() > 1 && command_of(arguments[1]) != nullptr ? arguments[1] : "";
    line.help = true;
    return line;
  }
  if (line.command == "--version") return line;
  const Command* command = command_of(line.command);
  if (command == nullptr) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no command; these are: {}", line.command, names_of_commands(", ")));
  if (std::ranges::any_of(arguments, is_help)) {
    line.help = true;
    return line;
  }
  std::string given;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (line.command == "completion" && line.shell.empty()) {
      line.shell = arguments[i];
      continue;
    }
    const size_t equals = arguments[i].starts_with("--") ? arguments[i].find('=') : std::string::npos;
    const std::string name = arguments[i].substr(0, equals);
    const auto option = std::ranges::find(kOptions, name, &Option::name);
    if (option == std::end(kOptions) || !lists(option->commands, line.command)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no option of {}; these are: {}", name, line.command, names_of_options(line.command, ", ")));
    if (const auto* flag = std::get_if<bool CommandLine::*>(&option->to)) {
      if (equals != std::string::npos) return fail(ErrorCode::kInvalid, fmt::format("{} takes no value", name));
      line.*(*flag) = true;
    } else {
      if (equals == std::string::npos && ++i == arguments.size()) return fail(ErrorCode::kInvalid, fmt::format("the value of {} is missing ({})", name, option->value));
      TRY_VOID(set(line, *option, equals == std::string::npos ? arguments[i] : arguments[i].substr(equals + 1)));
    }
    given += (given.empty() ? "" : " ") + name;
  }
  for (const Option& option : kOptions)
    if (lists(command->required, option.name) && !lists(given, option.name)) return fail(ErrorCode::kInvalid, fmt::format("{} needs {}", line.command, with_value(option)));
  if (line.rule_steps > limits::kInstanceStepsPerMinuteMax) return fail(ErrorCode::kInvalid, fmt::format("--rule-steps must be a number up to {}; `{}` is not", limits::kInstanceStepsPerMinuteMax, line.rule_steps));
  if (line.command == "completion" && completion_text(line.shell).empty()) return fail(ErrorCode::kInvalid, "completion needs bash, zsh or fish");
  return line;
}

std::string help_text(std::string_view name) {
  std::string out;
  if (const Command* command = command_of(name)) {
    out = fmt::format("{}\n    {}\n", synopsis(*command), command->does);
    if (command->name != "completion" && command->name != "man") out += "\nOptions:\n";
    for (const Option& option : kOptions)
      if (lists(option.commands, command->name)) out += fmt::format("  {:<22} {}\n", with_value(option), option.does);
    return out + fmt::format("\nExample:\n  {}\n\nExit codes: {}\n", command->example, command->exits);
  }
  out = "creance-sensor: runs detection content on this host and keeps the host safe from it\n\n";
  for (const Command& command : kCommands) out += fmt::format("  {}\n      {}\n", synopsis(command), command.does);
  return out + "\n  creance-sensor COMMAND --help   its options, an example and its exit codes\n  creance-sensor --version\n\nOrders (pause, resume, return, retry) need no server, and wait for the sensor where it does not run.\n";
}

std::string completion_text(std::string_view shell) {
  std::vector<completion::Command> commands = {{"", "", {{"--help", "what it takes", false}, {"--version", "", false}}, {}}};
  for (const Command& command : kCommands) {
    completion::Command& one = commands.emplace_back(completion::Command{"/" + std::string(command.name), std::string(command.does), {}, {}});
    if (command.name == "completion") one.words = {"bash", "zsh", "fish"};
    for (const Option& option : kOptions)
      if (lists(option.commands, command.name)) one.options.push_back({std::string(option.name), std::string(option.does), !option.value.empty()});
    one.options.push_back({"--help", "what it takes", false});
  }
  return completion::script("creance-sensor", commands, shell);
}

std::string man_page(std::string_view version) {
  std::string out = fmt::format(".TH CREANCE-SENSOR 8 \"\" \"creance-sensor {}\" \"System Administration\"\n.SH NAME\ncreance\\-sensor \\- runs detection content on this host and keeps the host safe from it\n", version);
  out += ".SH SYNOPSIS\n.B creance\\-sensor\n.I COMMAND\n[options]\n.SH COMMANDS\n";
  for (const Command& command : kCommands) {
    out += fmt::format(".SS {}\n{}\n", roff(synopsis(command)), roff(command.does));
    for (const Option& option : kOptions)
      if (lists(option.commands, command.name)) out += fmt::format(".TP\n.B {}\n{}\n", roff(with_value(option)), roff(option.does));
    out += fmt::format(".PP\nExample:\n.PP\n.nf\n  {}\n.fi\n.PP\nExit codes: {}\n", roff(command.example), roff(command.exits));
  }
  return out + ".SH FILES\n.TP\n.B /etc/creance/policy.yml\nthe owner's own rules\n";
}

}  // namespace creance::sensor

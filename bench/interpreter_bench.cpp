// Events per second of processor time of the interpreter over decoded events, against the number of rules; compile, verify and load times; sizes.
// Not a test: prints a table, or with --json one object. Figures and the command are in docs/benchmarks.md.
//
//   creance_interpreter_bench --rules DIR... --events FILE... [--events-max N] [--mix natural|mixed|process|pipe] [--rounds N] [--json]
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "channel/verified_channel.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "events/line_source.hpp"
#include "interpreter/interpreter.hpp"
#include "sigma/parser.hpp"

namespace creance {
namespace {

using SteadyClock = std::chrono::steady_clock;
double seconds_since(SteadyClock::time_point start) { return std::chrono::duration<double>(SteadyClock::now() - start).count(); }
// Of this thread: on a busy machine the wall clock would measure the others.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Options {
  std::vector<std::string> rules;
  std::vector<std::string> events;
  size_t events_max = 100'000;
  std::string mix = "natural";
  int rounds = 5;
  bool json = false;
};

int usage() {
  fmt::print(stderr, "usage: creance_interpreter_bench --rules DIR... --events FILE... [--events-max N] [--mix natural|mixed|process|pipe] [--rounds N] [--json]\n");
  return 3;
}

bool parse_options(int argc, char** argv, Options& o) {
  std::vector<std::string>* list = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool has_next = i + 1 < argc;
    if (arg == "--rules") list = &o.rules;
    else if (arg == "--events") list = &o.events;
    else if (arg == "--events-max" && has_next) o.events_max = std::stoul(argv[++i]);
    else if (arg == "--mix" && has_next) o.mix = argv[++i];
    else if (arg == "--rounds" && has_next) o.rounds = std::stoi(argv[++i]);
    else if (arg == "--json") o.json = true;
    else if (list != nullptr && !arg.starts_with("--")) list->push_back(arg);
    else return false;
  }
  return !o.rules.empty() && !o.events.empty();
}

std::vector<sigma::Rule> read_rules(const std::vector<std::string>& directories) {
  std::vector<std::filesystem::path> files;
  for (const std::string& directory : directories) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.path().extension() == ".yml") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<sigma::Rule> rules;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string yaml{std::istreambuf_iterator<char>(in), {}};
    for (sigma::Rule& rule : sigma::parse(yaml, file.string()).rules) rules.push_back(std::move(rule));
  }
  return rules;
}

// Decoded events that own their texts; laid out one behind the other, as a collector would reuse its buffer.
struct OwnedEvent {
  const schema::TemplateType* type = nullptr;
  std::vector<schema::InputValue> values;
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;
  std::unique_ptr<std::string> text;
  schema::Inputs inputs() const { return {values, further, others}; }
};

OwnedEvent own(const events::Decoded& decoded) {
  OwnedEvent out{.type = decoded.type};
  const schema::Inputs& in = decoded.inputs;
  size_t bytes = 0;
  for (const auto& value : in.values) bytes += value.size;
  for (const auto& further : in.further) bytes += further.text.size();
  for (const auto& other : in.others) bytes += other.size();
  out.text = std::make_unique<std::string>();
  out.text->reserve(bytes);
  const auto keep = [&](std::string_view text) {
    const size_t at = out.text->size();
    *out.text += text;
    return std::string_view(*out.text).substr(at);
  };
  for (const auto& value : in.values) out.values.push_back(value.has_value() ? schema::InputValue(keep(value.text())) : value);
  for (const auto& further : in.further) out.further.push_back({further.input, keep(further.text)});
  for (const auto& other : in.others) out.others.push_back(keep(other));
  return out;
}

// natural: as they come. mixed: 20 % process creations, the other Types evened out. process, pipe: one Type alone.
std::vector<OwnedEvent> mix_events(std::map<std::string, std::vector<OwnedEvent>> by_type, const std::string& mix, size_t most) {
  std::vector<OwnedEvent> out;
  const auto take = [&](const std::string& id, size_t count) {
    auto& from = by_type[id];
    for (size_t i = 0; i < count && i < from.size(); ++i) out.push_back(std::move(from[i]));
  };
  if (mix == "process") take("windows.process_creation", most);
  else if (mix == "pipe") take("windows.pipe_created", most);
  else if (mix == "mixed") {
    size_t others = 0;
    for (const auto& [id, events] : by_type) others += id == "windows.process_creation" ? 0 : 1;
    const size_t each = others == 0 ? 0 : most * 8 / 10 / others;
    for (auto& [id, events] : by_type) {
      if (id != "windows.process_creation") take(id, each);
    }
    take("windows.process_creation", std::max<size_t>(1, out.size() / 4));
  } else {
    for (auto& [id, events] : by_type) take(id, events.size());
  }
  std::mt19937 random(1);
  std::shuffle(out.begin(), out.end(), random);
  if (out.size() > most) out.resize(most);
  return out;
}

struct Loaded {
  const schema::TemplateType* type;
  const Bytes* bytes;
  std::unique_ptr<channel::VerifiedChannel> channel;
  std::unique_ptr<interpreter::Scratch> scratch;
};

struct Row {
  size_t rules = 0;
  size_t instances = 0;
  size_t bytes = 0;
  double compile_s = 0;
  double verify_s = 0;
  double events_per_s = 0;       // best round
  double events_per_s_median = 0;
  double steps_per_event = 0;
  uint64_t matches = 0;
};

Row measure(std::span<const sigma::Rule> rules, const std::vector<OwnedEvent>& events, int rounds) {
  Row row{.rules = rules.size()};
  Diagnostics diagnostics;
  auto start = SteadyClock::now();
  const auto build = compiler::build(rules, schema::Catalog::embedded(), diagnostics);
  row.compile_s = seconds_since(start);
  if (!build) {
    fmt::print(stderr, "{}\n", build.error().detail);
    std::exit(1);
  }
  std::map<const schema::TemplateType*, Loaded> loaded;
  start = SteadyClock::now();
  for (const auto& built : build->channels) {
    auto channel = channel::VerifiedChannel::verify(built.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
    if (!channel) std::exit(1);
    Loaded entry{built.type, &built.bytes, std::make_unique<channel::VerifiedChannel>(std::move(*channel)), nullptr};
    entry.scratch = std::make_unique<interpreter::Scratch>(*entry.channel);
    row.instances += entry.channel->instance_count();
    row.bytes += built.bytes.size();
    loaded.emplace(built.type, std::move(entry));
  }
  row.verify_s = seconds_since(start);

  std::vector<std::pair<const OwnedEvent*, Loaded*>> work;
  for (const OwnedEvent& event : events) {
    const auto found = loaded.find(event.type);
    work.emplace_back(&event, found == loaded.end() ? nullptr : &found->second);
  }
  std::vector<double> speeds;
  for (int round = 0; round < rounds; ++round) {
    uint64_t matches = 0;
    uint64_t steps = 0;
    const double begin = cpu_seconds();
    for (const auto& [event, channel] : work) {
      if (channel == nullptr) continue;
      const interpreter::Outcome outcome = interpreter::evaluate(*channel->channel, event->inputs(), *channel->scratch);
      matches += outcome.matches.size();
      steps += outcome.steps;
    }
    speeds.push_back(static_cast<double>(events.size()) / (cpu_seconds() - begin));
    row.matches = matches;
    row.steps_per_event = static_cast<double>(steps) / static_cast<double>(events.size());
  }
  std::ranges::sort(speeds);
  row.events_per_s = speeds.back();
  row.events_per_s_median = speeds[speeds.size() / 2];
  return row;
}

int run(const Options& o) {
  const std::vector<sigma::Rule> all = read_rules(o.rules);
  std::map<std::string, std::vector<OwnedEvent>> by_type;
  events::Decoder decoder(schema::Catalog::embedded());
  size_t lines = 0;
  for (const std::string& file : o.events) {
    auto source = events::LineSource::open(file);
    if (!source) {
      fmt::print(stderr, "{}: {}\n", file, source.error().detail);
      return 2;
    }
    while (true) {
      const auto line = source->next();
      if (!line || !*line) break;
      ++lines;
      const auto decoded = decoder.decode((*line)->text);
      if (!decoded) continue;
      for (const auto& one : *decoded) by_type[one.type->id].push_back(own(one));
    }
  }
  const std::vector<OwnedEvent> events = mix_events(std::move(by_type), o.mix, o.events_max);
  if (events.empty()) {
    fmt::print(stderr, "no event of these files belongs to a Template Type\n");
    return 2;
  }
  std::vector<size_t> counts;
  for (const size_t count : {size_t{10}, size_t{100}, size_t{1000}}) {
    if (count < all.size()) counts.push_back(count);
  }
  counts.push_back(all.size());
  // The same random order for every count, so that each set holds the one before it.
  std::vector<sigma::Rule> shuffled = all;
  std::mt19937 random(2);
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  if (!o.json) {
    fmt::print("{} lines, {} events ({}), {} rules\n", lines, events.size(), o.mix, all.size());
    fmt::print("{:>6} {:>9} {:>11} {:>10} {:>10} {:>13} {:>13} {:>11} {:>9}\n", "rules", "instances", "bytes", "compile ms", "verify ms", "events/s best", "events/s med.", "steps/event", "matches");
  }
  std::string rows;
  for (const size_t count : counts) {
    const Row row = measure(std::span(shuffled).first(count), events, o.rounds);
    if (o.json) {
      rows += fmt::format("{}{{\"rules\":{},\"instances\":{},\"bytes\":{},\"compile_s\":{:.4f},\"verify_s\":{:.6f},\"events_per_s_best\":{:.0f},\"events_per_s_median\":{:.0f},\"steps_per_event\":{:.1f},\"matches\":{}}}",
                          rows.empty() ? "" : ",", row.rules, row.instances, row.bytes, row.compile_s, row.verify_s, row.events_per_s, row.events_per_s_median, row.steps_per_event, row.matches);
    } else {
      fmt::print("{:>6} {:>9} {:>11} {:>10.1f} {:>10.2f} {:>13.0f} {:>13.0f} {:>11.1f} {:>9}\n", row.rules, row.instances, row.bytes, row.compile_s * 1e3, row.verify_s * 1e3, row.events_per_s, row.events_per_s_median, row.steps_per_event, row.matches);
    }
  }
  if (o.json) fmt::print("{{\"mix\":\"{}\",\"events\":{},\"rows\":[{}]}}\n", o.mix, events.size(), rows);
  return 0;
}

}  // namespace
}  // namespace creance

int main(int argc, char** argv) {
  creance::Options options;
  if (!creance::parse_options(argc, argv, options)) return creance::usage();
  return creance::run(options);
}

// Events per second of processor time of the interpreter, stream by stream, side by side with other ways to do it; compile, verify and load times; sizes and memory.
// Not a test: prints tables. Rounds alternate between what is compared, so that a machine whose speed drifts hits all alike; judge by the ratios. Figures are in docs/benchmarks.md.
//
//   creance_interpreter_bench --rules DIR... --events FILE... [--events-max N] [--rounds N] [--streams mixed,process,…] [--no-sample] [--brief [--json]] [--guarantees]
//
// --brief: only the streams and the steps, without rivals, rule counts and multiplied rules; --json: with decoding.
// --guarantees: instead, events made to hurt, and a swap of content while events come (guarantees.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "guarantees.hpp"
#include "interpreter/interpreter.hpp"
#include "rivals.hpp"

namespace creance::bench {
namespace {

struct Options {
  std::vector<std::string> rules;
  std::vector<std::string> events;
  size_t events_max = 40'000;
  std::string streams = "mixed,natural,process,pipe";
  int rounds = 9;
  bool sample = true;
  bool brief = false;
  bool json = false;
  bool guarantees = false;
};

bool parse_options(int argc, char** argv, Options& o) {
  std::vector<std::string>* list = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool has_next = i + 1 < argc;
    if (arg == "--rules") list = &o.rules;
    else if (arg == "--events") list = &o.events;
    else if (arg == "--events-max" && has_next) o.events_max = std::stoul(argv[++i]);
    else if (arg == "--streams" && has_next) o.streams = argv[++i];
    else if (arg == "--rounds" && has_next) o.rounds = std::stoi(argv[++i]);
    else if (arg == "--no-sample") o.sample = false;
    else if (arg == "--brief") o.brief = true;
    else if (arg == "--json") o.json = true;
    else if (arg == "--guarantees") o.guarantees = true;
    else if (list != nullptr && !arg.starts_with("--")) list->push_back(arg);
    else return false;
  }
  return !o.rules.empty() && !o.events.empty();
}

// Channels of one set of rules, ready to run.
struct Engine {
  compiler::Build build;
  struct Loaded {
    std::unique_ptr<channel::VerifiedChannel> channel;
    std::unique_ptr<interpreter::Scratch> scratch;
  };
  std::map<const schema::TemplateType*, Loaded> loaded;
  double compile_s = 0;
  double ready_s = 0;
  size_t bytes = 0;
  size_t instances = 0;
  uint64_t steps = 0;

  Engine(std::span<const sigma::Rule> rules, const Events* events) {
    compiler::Samples samples;
    if (events != nullptr) {
      for (const OwnedEvent& event : events->sample) samples[event.type].push_back(event.inputs());
    }
    Diagnostics diagnostics;
    double start = cpu_seconds();
    auto made = compiler::build(rules, schema::Catalog::embedded(), diagnostics, {}, samples);
    compile_s = cpu_seconds() - start;
    if (!made) {
      fmt::print(stderr, "{}\n", made.error().detail);
      std::exit(1);
    }
    build = std::move(*made);
    start = cpu_seconds();
    for (const auto& built : build.channels) {
      auto channel = channel::VerifiedChannel::verify(built.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
      if (!channel) std::exit(1);
      Loaded entry{std::make_unique<channel::VerifiedChannel>(std::move(*channel)), nullptr};
      entry.scratch = std::make_unique<interpreter::Scratch>(*entry.channel);
      instances += entry.channel->instance_count();
      bytes += built.bytes.size();
      loaded.emplace(built.type, std::move(entry));
    }
    ready_s = cpu_seconds() - start;
  }
  uint64_t evaluate(const schema::TemplateType* type, const schema::Inputs& inputs) {
    const auto found = loaded.find(type);
    if (found == loaded.end()) return 0;
    const interpreter::Outcome outcome = interpreter::evaluate(*found->second.channel, inputs, *found->second.scratch);
    steps += outcome.steps;
    return outcome.matches.size();
  }
  // What its rules look at: a scan decodes no more.
  events::Wanted wanted(const schema::TemplateType& type) const {
    const auto found = loaded.find(&type);
    if (found == loaded.end()) return {false, std::vector<bool>(type.inputs.size())};
    events::Wanted out{false, std::vector<bool>(type.inputs.size())};
    for (uint32_t i = 0; i < found->second.channel->instance_count(); ++i) {
      const channel::InstanceInfo info = found->second.channel->instance(i);
      out.others = out.others || info.reads_every_value;
      for (const uint32_t input : info.inputs) out.inputs[input] = true;
    }
    if (out.others) out.inputs.clear();
    return out;
  }
  Channels channels() const {
    Channels out;
    for (const auto& [type, entry] : loaded) out.emplace(type, entry.channel.get());
    return out;
  }
};

struct Contestant {
  std::string name;
  Rival run;
  double best = 0;
  std::vector<double> rates;
  uint64_t result = 0;
};

// Every contestant over all events, round by round.
void compete(std::vector<Contestant>& all, const std::vector<const OwnedEvent*>& events, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (Contestant& one : all) {
      uint64_t result = 0;
      const double begin = cpu_seconds();
      for (const OwnedEvent* event : events) result += one.run(*event);
      one.rates.push_back(static_cast<double>(events.size()) / (cpu_seconds() - begin));
      one.result = result;
    }
  }
  for (Contestant& one : all) {
    std::ranges::sort(one.rates);
    one.best = one.rates.back();
  }
}
void print(const std::vector<Contestant>& all) {
  for (const Contestant& one : all) {
    fmt::print("  {:<34} {:>11.0f} /s best {:>11.0f} /s median {:>8.3f} of the first {:>10} results\n", one.name, one.best, one.rates[one.rates.size() / 2], one.rates[one.rates.size() / 2] / all[0].rates[all[0].rates.size() / 2], one.result);
  }
}

std::vector<const OwnedEvent*> pointers(const std::vector<OwnedEvent>& events) {
  std::vector<const OwnedEvent*> out;
  for (const OwnedEvent& event : events) out.push_back(&event);
  return out;
}

Contestant contestant(std::string name, Engine& engine) {
  return {std::move(name), [&engine](const OwnedEvent& event) { return engine.evaluate(event.type, event.inputs()); }, 0, {}, 0};
}
Contestant from_json(Engine& engine) {
  auto decoder = std::make_shared<events::Decoder>(schema::Catalog::embedded(), [&engine](const schema::TemplateType& type) { return engine.wanted(type); });
  return {"interpreter, from JSON", [decoder, &engine](const OwnedEvent& event) {
            uint64_t matches = 0;
            const auto decoded = decoder->decode(event.line);
            if (!decoded) return matches;
            for (const events::Decoded& one : *decoded) matches += engine.evaluate(one.type, one.inputs);
            return matches;
          }, 0, {}, 0};
}
Contestant decoding_alone(std::string name, events::Decoder::Ways ways, Engine& engine) {
  auto decoder = std::make_shared<events::Decoder>(schema::Catalog::embedded(), [&engine](const schema::TemplateType& type) { return engine.wanted(type); }, ways);
  return {std::move(name), [decoder](const OwnedEvent& event) {
            const auto decoded = decoder->decode(event.line);
            return decoded ? decoded->size() : uint64_t{0};
          }, 0, {}, 0};
}

void describe(const char* name, const Engine& engine) {
  fmt::print("{}: {} channels, {} instances, {} bytes; compile {:.1f} ms (YAML apart), verify and make ready {:.2f} ms\n", name, engine.loaded.size(), engine.instances, engine.bytes, engine.compile_s * 1e3, engine.ready_s * 1e3);
}

int run(const Options& o) {
  const std::vector<sigma::Rule> rules = read_rules(o.rules);
  const Events events = read_events(o.events);
  fmt::print("{} rules, {} lines, {} sample events{}\n", rules.size(), events.lines, events.sample.size(), o.sample ? "" : " (not used)");
  const size_t before = resident_bytes();
  Engine engine(rules, o.sample ? &events : nullptr);
  std::set<const schema::TemplateType*> types;
  for (const auto& [type, entry] : engine.loaded) types.insert(type);
  for (const OwnedEvent* event : stream(events, "natural", o.events_max, types)) (void)engine.evaluate(event->type, event->inputs());
  describe("all rules", engine);
  for (const auto& [type, entry] : engine.loaded) {
    const auto measured = events.measured.find(type->id);
    if (!o.brief) fmt::print("  {:<40} {:>5} instances {:>8} events\n", type->id, entry.channel->instance_count(), measured == events.measured.end() ? 0 : measured->second.size());
  }
  fmt::print("resident memory of compiling, channels and scratch: {:.1f} MiB\n", static_cast<double>(resident_bytes() - before) / (1 << 20));
  if (o.guarantees) {
    for (const auto& [type, entry] : engine.loaded) {
      if (type->id == "windows.process_creation") compare_hostile(*entry.channel, *type, stream(events, "process", o.events_max, types));
    }
    swap_under_load(engine.build.channels, stream(events, "mixed", o.events_max, types));
    return 0;
  }
  Engine guessed(rules, nullptr);
  for (size_t at = 0; at < o.streams.size();) {
    const size_t end = std::min(o.streams.find(',', at), o.streams.size());
    const std::string mix = o.streams.substr(at, end - at);
    at = end + 1;
    const auto plain = stream(events, mix, o.events_max, types);
    if (plain.empty()) {
      fmt::print("{}: there is no such event in these files\n", mix);
      continue;
    }
    for (const bool is_salted : {false, true}) {
      const std::vector<OwnedEvent> copies = is_salted ? salted(plain) : side_by_side(plain);
      const auto list = pointers(copies);
      std::vector<Contestant> all{contestant("interpreter", engine)};
      if (!o.brief && o.sample) all.push_back(contestant("interpreter, static guess", guessed));
      const bool with_json = !is_salted && (!o.brief || o.json);
      if (with_json) {
        all.push_back(from_json(engine));
        all.push_back(decoding_alone("decoding JSON alone", events::Decoder::Ways::kAll, engine));
        all.push_back(decoding_alone("… the general way", events::Decoder::Ways::kGeneral, engine));
        all.push_back({"simdjson alone", parse_alone(), 0, {}, 0});
      }
      engine.steps = 0;
      compete(all, list, o.rounds);
      fmt::print("{}{}: {} events, {:.1f} steps an event\n", mix, is_salted ? ", salted" : "", list.size(), static_cast<double>(engine.steps) / static_cast<double>(list.size()) / (o.rounds * (with_json ? 2 : 1)));
      print(all);
    }
  }
  if (o.brief) return 0;

  fmt::print("\nrivals over mixed\n");
  const std::vector<OwnedEvent> mixed_events = side_by_side(stream(events, "mixed", o.events_max, types));
  const auto mixed = pointers(mixed_events);
  std::vector<Contestant> all{contestant("interpreter", engine), {"simdjson alone", parse_alone(), 0, {}, 0}};
  const auto add = [&](const char* name, auto make) {
    const double start = cpu_seconds();
    Rival rival = make();
    if (rival) fmt::print("  {} made ready in {:.1f} ms\n", name, (cpu_seconds() - start) * 1e3), all.push_back({name, std::move(rival), 0, {}, 0});
  };
  add("Hyperscan over the literals", [&] { return hyperscan_over_literals(engine.channels()); });
  add("RE2::Set over the literals", [&] { return re2_set_over_literals(engine.channels()); });
  compete(all, mixed, std::min(o.rounds, 3));
  print(all);
  std::vector<Contestant> slow{contestant("interpreter", engine), {"rule by rule (reference)", rule_by_rule(rules), 0, {}, 0}};
  compete(slow, std::vector<const OwnedEvent*>(mixed.begin(), mixed.begin() + static_cast<ptrdiff_t>(std::min<size_t>(mixed.size(), 1'000))), 1);
  print(slow);

  fmt::print("\nfewer and more rules over mixed\n");
  std::vector<sigma::Rule> shuffled = rules;
  std::mt19937 random(2);
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<Contestant> sizes{contestant(fmt::format("{} rules", rules.size()), engine)};
  for (const size_t count : {size_t{10}, size_t{100}, size_t{1'000}}) {
    if (count >= shuffled.size()) continue;
    engines.push_back(std::make_unique<Engine>(std::span(shuffled).first(count), o.sample ? &events : nullptr));
    sizes.push_back(contestant(fmt::format("{} rules", count), *engines.back()));
  }
  const std::vector<sigma::Rule> many = multiplied(rules, 10);
  engines.push_back(std::make_unique<Engine>(many, o.sample ? &events : nullptr));
  describe("ten times the rules, literals changed", *engines.back());
  sizes.push_back(contestant(fmt::format("{} rules", many.size()), *engines.back()));
  compete(sizes, mixed, o.rounds);
  print(sizes);
  return 0;
}

}  // namespace
}  // namespace creance::bench

int main(int argc, char** argv) {
  creance::bench::Options options;
  if (!creance::bench::parse_options(argc, argv, options)) {
    fmt::print(stderr, "usage: creance_interpreter_bench --rules DIR... --events FILE... [--events-max N] [--rounds N] [--streams mixed,natural,process,pipe] [--no-sample] [--brief [--json]] [--guarantees]\n");
    return 3;
  }
  return creance::bench::run(options);
}

// How fast `creance scan` is from files: reading, unpacking, decoding and matching, with one thread and with two; beside it the floor, simdjson alone over the same lines. Rounds of all
// variants take turns, the best of each counts, so that a machine whose speed drifts is judged by ratios.
//
//   scan_bench --rules FOLDER... --events FILE... [--rounds N]
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <thread>
#include <vector>

#include "events/blocks.hpp"
#include "events/decoder.hpp"
#include "events/records.hpp"
#include "scan/scan.hpp"
#include "sigma/parser.hpp"

namespace {
using namespace creance;
namespace fs = std::filesystem;

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What the threads of this process did while it lived: time on a processor, and time ready to run without being given one (schedstat of proc(5)). What is left of the clock they slept,
// waiting for each other or for a disk. So a machine that others use, too, can still say how long the work would have taken alone: the time that its threads ran, shared by them evenly (as
// they share their work), and at most their sleep beside it (some of which is only another thread's waiting for a processor).
class ThreadTimes {
 public:
  ThreadTimes() : watcher_([this](std::stop_token stop) {
    watcher_id_ = std::to_string(gettid());
    while (!stop.stop_requested()) {
      look();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }) {}

  struct Alone {
    double at_least = 0, at_most = 0;
  };
  // To be called once, by the thread that made it. `threads`: of the work.
  Alone finish(unsigned threads) {
    watcher_.request_stop();
    watcher_.join();
    look();
    threads_.erase(watcher_id_);
    Alone out;
    double begin = 1e18, end = 0, waited = 0;
    for (const auto& [id, thread] : threads_) {
      begin = std::min(begin, thread.first.at);
      end = std::max(end, thread.last.at);
      waited += thread.last.waited - thread.first.waited;
      out.at_least += (thread.last.ran - thread.first.ran) / threads;
    }
    out.at_most = end - begin - waited / threads;
    return out;
  }

 private:
  struct Look {
    double at = 0, ran = 0, waited = 0;
  };
  struct Thread {
    Look first, last;
  };
  void look() {
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
      std::ifstream file(task.path() / "schedstat");
      Look now{std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(), 0, 0};
      if (!(file >> now.ran >> now.waited)) continue;  // it has just ended
      now.ran *= 1e-9;
      now.waited *= 1e-9;
      const auto [known, is_new] = threads_.try_emplace(task.path().filename().string(), Thread{now, now});
      if (!is_new) known->second.last = now;
    }
  }

  std::map<std::string, Thread> threads_;
  std::string watcher_id_;
  std::jthread watcher_;
};

struct Best {
  double wall = 1e9, processor = 1e9, at_least = 1e9, at_most = 1e9;
};
// Returns how long it took by the clock. Nothing looks at the threads meanwhile: that takes a tenth of a processor, which two threads would miss and one would not.
double measure(Best& best, const std::function<void()>& work) {
  const double processor = processor_seconds();
  const auto begin = std::chrono::steady_clock::now();
  work();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  best.wall = std::min(best.wall, wall);
  best.processor = std::min(best.processor, processor_seconds() - processor);
  return wall;
}
void watch(Best& best, const std::function<void()>& work, unsigned threads) {
  ThreadTimes times;
  work();
  const ThreadTimes::Alone alone = times.finish(threads);
  best.at_least = std::min(best.at_least, alone.at_least);
  best.at_most = std::min(best.at_most, alone.at_most);
}

std::vector<sigma::Rule> load(const std::vector<std::string>& folders) {
  std::vector<fs::path> paths;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".yml") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<sigma::Rule> rules;
  for (const fs::path& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    auto parsed = sigma::parse(text.str(), path.string());
    for (auto& rule : parsed.rules) rules.push_back(std::move(rule));
  }
  return rules;
}

// Calls for each event of the files, read by one thread.
uint64_t each_event(const std::vector<std::string>& files, const std::function<void(std::string_view)>& call) {
  uint64_t n = 0;
  events::Block block;
  events::RecordReader records;
  for (const std::string& file : files) {
    auto blocks = events::BlockSource::open(file);
    if (!blocks) continue;
    while (blocks->next(block).value_or(false)) {
      records.begin(block);
      for (events::Record record; records.next(record); ++n) {
        if (record.problem.empty() && call) call(record.json);
      }
    }
  }
  return n;
}

uint64_t parse_alone(simdjson::ondemand::parser& parser, std::vector<char>& padded, std::string_view json) {
  padded.resize(std::max(padded.size(), json.size() + simdjson::SIMDJSON_PADDING));
  std::copy(json.begin(), json.end(), padded.begin());
  simdjson::ondemand::document document;
  if (parser.iterate(simdjson::padded_string_view(padded.data(), json.size(), padded.size())).get(document) != simdjson::SUCCESS) return 0;
  uint64_t bytes = 0;
  simdjson::ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return 0;
  for (auto field : object) {
    simdjson::ondemand::value value;
    if (field.value().get(value) == simdjson::SUCCESS) bytes += std::string_view(value.raw_json_token()).size();
  }
  return bytes;
}
}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> rule_folders, files;
  int rounds = 5;
  std::vector<std::string>* to = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string_view each = argv[i];
    if (each == "--rules") to = &rule_folders;
    else if (each == "--events") to = &files;
    else if (each == "--rounds" && i + 1 < argc) rounds = std::atoi(argv[++i]);
    else if (to != nullptr) to->emplace_back(each);
  }
  if (rule_folders.empty() || files.empty()) {
    fmt::print(stderr, "usage: {} --rules FOLDER... --events FILE... [--rounds N]\n", argv[0]);
    return 3;
  }
  Diagnostics diagnostics;
  const auto rules = scan::Ruleset::prepare(load(rule_folders), schema::Catalog::embedded(), diagnostics);
  if (!rules) {
    fmt::print(stderr, "{}\n", rules.error().detail);
    return 3;
  }
  const uint64_t events = each_event(files, {});
  Best read, parse, decode, one, two;
  simdjson::ondemand::parser parser;
  std::vector<char> padded;
  events::Decoder decoder(schema::Catalog::embedded(), [](const schema::TemplateType&) { return events::Wanted{false, {}}; });
  uint64_t sink = 0, matches = 0;
  std::vector<double> speed_ups;  // by the clock, of each round
  for (int round = 0; round < rounds; ++round) {
    measure(read, [&] { each_event(files, {}); });
    measure(parse, [&] { each_event(files, [&](std::string_view json) { sink += parse_alone(parser, padded, json); }); });
    measure(decode, [&] { each_event(files, [&](std::string_view json) { sink += decoder.decode(json).has_value(); }); });
    const auto scan_with = [&](unsigned threads) {
      uint64_t n = 0;
      scan::Sinks sinks;
      sinks.on_match = [&](const scan::Match&) { ++n; };
      scan::run(*rules, files, threads, sinks);
      matches = n;
    };
    const double alone = measure(one, [&] { scan_with(1); });
    speed_ups.push_back(alone / measure(two, [&] { scan_with(2); }));
    watch(one, [&] { scan_with(1); }, 1);
    watch(two, [&] { scan_with(2); }, 2);
  }
  std::ranges::sort(speed_ups);
  const auto row = [&](const char* what, const Best& best) {
    fmt::print("{:32} {:>12.0f} /s by the clock {:>12.0f} /s of processor time\n", what, static_cast<double>(events) / best.wall, static_cast<double>(events) / best.processor);
  };
  fmt::print("{} rules, {} events, {} matches, best of {} rounds ({})\n", rules->running().size(), events, matches, rounds, sink);
  row("read and unpack", read);
  row("  and parse (simdjson alone)", parse);
  row("  and decode to inputs", decode);
  row("scan, one thread", one);
  row("scan, two threads", two);
  fmt::print("two threads against one: {:.2f} by the clock, best rounds ({:.2f} in the median round, {:.2f} to {:.2f}); processor time {:.2f}\n", one.wall / two.wall, speed_ups[speed_ups.size() / 2], speed_ups.front(), speed_ups.back(), two.processor / one.processor);
  fmt::print("… were no others on the machine: {:.2f} to {:.2f} (what the threads ran, with and without their sleep)\n", one.at_least / two.at_most, one.at_most / two.at_least);
  fmt::print("scan against parsing alone: {:.2f} of its speed\n", parse.processor / one.processor);
  return 0;
}

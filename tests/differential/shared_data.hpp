// Public rules and events beside the repository (see the README there), for the tests that compare judges. Absent on most machines: those tests say so and skip.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "events/records.hpp"
#include "sigma/parser.hpp"
#include "support/places.hpp"

namespace creance::shared_data {

namespace fs = std::filesystem;

inline fs::path folder() { return test::shared_dir() / "data"; }
inline bool present() { return fs::exists(folder() / "matches.tsv.zst"); }

#define SKIP_WITHOUT_SHARED_DATA()                                                                     \
  if (!creance::shared_data::present()) GTEST_SKIP() << "the public rules and events are not here: " << creance::shared_data::folder()

// "events/x.jsonl.zst", sorted. Quick: about 24,000 events.
inline std::vector<std::string> event_files(bool quick_only) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder() / "events")) {
    const std::string name = entry.path().filename().string();
    if (!quick_only || name.starts_with("evtx-") || name.starts_with("splunk-")) out.push_back("events/" + name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Calls for each event of a file, with its line; gives what went wrong.
template <class Call>
std::string each_event(const fs::path& path, Call call) {
  auto source = events::BlockSource::open(path.string(), events::Format::kJson);
  if (!source) return source.error().detail;
  events::Block block;
  events::RecordReader records;
  for (;;) {
    const auto more = source->next(block);
    if (!more) return more.error().detail;
    if (!*more) return {};
    records.begin(block);
    for (events::Record record; records.next(record);) call(record.number, record.json);
  }
}

struct Place {
  std::string file;  // as in event_files
  uint64_t line = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
inline std::string text_of(const Place& place) { return place.file + ":" + std::to_string(place.line); }

// rule id -> where it matches: native and audited 4688 events together, since scan routes both.
inline std::map<std::string, std::vector<Place>> expected_matches() {
  std::map<std::string, std::vector<Place>> out;
  const std::string error = each_event(folder() / "matches.tsv.zst", [&](uint64_t, std::string_view line) {
    std::istringstream fields{std::string(line)};
    std::string id, pipeline, file, number;
    std::getline(fields, id, '\t');
    std::getline(fields, pipeline, '\t');
    std::getline(fields, file, '\t');
    std::getline(fields, number, '\t');
    if (pipeline == "native" || pipeline == "audit") out[id].push_back({file, std::stoull(number)});
  });
  EXPECT_EQ(error, "");
  for (auto& [id, places] : out) {
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
  }
  return out;
}

// The ids of expected.jsonl, with zero matches too. Each line begins {"rule_id": "<36 characters>".
inline std::unordered_set<std::string> rules_with_expectation() {
  std::unordered_set<std::string> out;
  std::ifstream file(folder() / "expected.jsonl");
  constexpr std::string_view kKey = "\"rule_id\": \"";
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(kKey);
    EXPECT_NE(at, std::string::npos);
    out.insert(line.substr(at + kKey.size(), 36));
  }
  return out;
}

// Every rule of the folder that parses, by path.
inline std::vector<sigma::Rule> rules() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder() / "rules")) {
    if (entry.path().extension() == ".yml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<sigma::Rule> out;
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    auto parsed = sigma::parse(text.str(), fs::relative(path, folder()).string());
    for (auto& rule : parsed.rules) out.push_back(std::move(rule));
  }
  return out;
}

}  // namespace creance::shared_data

// The first stage of reading JSON has an implementation for each kind of processor, chosen when the program starts; every one that this processor can run gives the same answers.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <vector>

#include "events/answers.hpp"
#include "events/decoder.hpp"

namespace creance::events {
namespace {

// Lines of many lengths, so that strings, escapes and what JSON forbids lie across the blocks that an implementation takes at once.
std::vector<std::string> lines() {
  std::vector<std::string> out;
  std::mt19937 random(11);
  const char* const pieces[] = {"\\\\", "\\\"", "\\u00e4", "ä", "x", "C:\\\\Windows\\\\", " ", "{", "}", ":", ",", "日本", "\\ud83d\\ude00", "powershell -enc "};
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (auto n = random() % 40; n > 0; --n) text += pieces[random() % std::size(pieces)];
    std::string line = R"({"Channel":"Microsoft-Windows-Sysmon/Operational","Provider_Name":"P","EventID":1,"CommandLine":")" + text + R"(","Image":"C:\\x.exe"})";
    if (i % 7 == 3) line[random() % line.size()] = static_cast<char>(random());
    if (i % 11 == 5) line.resize(random() % line.size());
    if (i % 13 == 6) line.insert(1, R"("Extra":{"a":[1,"b"]},)");
    out.push_back(std::move(line));
  }
  return out;
}

TEST(Targets, EveryImplementationGivesTheSameAnswers) {
  const std::vector<std::string> all = lines();
  const simdjson::implementation* const chosen = simdjson::get_active_implementation();
  std::vector<std::string> expected;
  size_t tried = 0;
  for (const simdjson::implementation* each : simdjson::get_available_implementations()) {
    if (!each->supported_by_runtime_system()) continue;
    simdjson::get_active_implementation() = each;
    Decoder decoder(schema::Catalog::embedded());
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < all.size(); ++i) {
        const std::string got = told(decoder.decode(all[i]));
        if (tried == 0 && round == 0) expected.push_back(got);
        ASSERT_EQ(got, expected[i]) << each->name() << " " << all[i];
      }
    }
    ++tried;
  }
  simdjson::get_active_implementation() = chosen;
  EXPECT_GE(tried, 2u) << "at least one for this processor, and the one for any";
}

}  // namespace
}  // namespace creance::events

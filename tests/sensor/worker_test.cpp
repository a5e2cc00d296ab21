// The worker's parts without a process: detections as JSON, recent events that outlive it, rehearsal over own and generic events, suspension of an instance.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/sensor_limits.hpp"
#include "base/os/real.hpp"
#include "base/os/turns.hpp"
#include "base/text.hpp"
#include "compiler/build.hpp"
#include "plan/messages.hpp"
#include "sensor/worker/crowd.hpp"
#include "sensor/worker/detection.hpp"
#include "sensor/worker/evaluation.hpp"
#include "sensor/worker/recent_events.hpp"
#include "sensor/worker/rehearsal.hpp"
#include "sigma/parser.hpp"
#include "support/set_files.hpp"

namespace creance::sensor {
namespace {
namespace fs = std::filesystem;

class WorkerParts : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("creance-worker-parts-{}", ::getpid());
    fs::create_directories(folder_);
    sets_ = ipc::Descriptor(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const schema::TemplateType* type = schema::Catalog::embedded().find("windows.pipe_created");
    supplied_.push_back({type, std::vector<bool>(type->inputs.size(), true)});
  }
  void TearDown() override { fs::remove_all(folder_); }

  ipc::Set make_set(const std::string& detection, const std::string& cases = "") {
    auto parsed = sigma::parse(fmt::format("title: T\nid: 00000000-0000-4000-8000-000000000001\nstatus: test\nlevel: high\nauthor: A\nreferences: [https://example.org/a]\nlogsource:\n    product: windows\n    category: pipe_created\ndetection:\n{}", detection), "t.yml");
    EXPECT_EQ(parsed.rules.size(), 1u);
    Diagnostics diagnostics;
    const auto built = compiler::build(parsed.rules, schema::Catalog::embedded(), diagnostics);
    EXPECT_EQ(built->channels.size(), 1u);
    return *test::write_set(files_, folder_, 5, *built, [&](ipc::SetRecord& record, const fs::path& set) {
      if (cases.empty()) return;
      record.files[0].cases_bytes = cases.size();
      record.files[0].cases_sha256 = sha256(as_bytes(cases)).bytes;
      EXPECT_TRUE(files_.write_atomic(set / "windows.pipe_created.channel.cases", as_bytes(cases), 0644));
    });
  }
  // Rules and correlations as one YAML text; the files of the set as `creance pack` would make them. `number` tells sets apart.
  ipc::Set make_correlated_set(const std::string& yaml, uint8_t number = 6) {
    auto parsed = sigma::parse(yaml, "t.yml");
    Diagnostics diagnostics;
    const auto built = compiler::build(parsed.rules, schema::Catalog::embedded(), diagnostics, parsed.correlations);
    EXPECT_TRUE(built->correlations) << (diagnostics.empty() ? "" : to_line(diagnostics[0]));
    return *test::write_set(files_, folder_, number, *built);
  }
  static std::string pipes_correlation(const std::string& more = "") {
    return "title: Many pipes\nid: 00000000-0000-4000-8000-0000000000c1\nauthor: C\nlevel: high\ntags: [attack.execution]\ncorrelation: {type: event_count, rules: [pipe], group-by: [Image], timespan: 1m, condition: {gte: 3}" + more +
           "}\n---\ntitle: Pipe\nname: pipe\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: windows, category: pipe_created}\ndetection: {sel: {PipeName|contains: evil}, condition: sel}\n";
  }
  std::vector<schema::InputValue> pipe_event(std::string_view image, std::string_view time) {
    auto values = event("evil");
    values[*supplied_[0].type->input_index("Image")] = schema::InputValue(image);
    values[*supplied_[0].type->input_index("UtcTime")] = schema::InputValue(time);
    return values;
  }
  Evaluation make_evaluation() {
    return Evaluation(supplied_, "host-1", {[this](std::string_view, std::string_view line) { lines_.emplace_back(line); }, [this](const Suspension& s) { suspensions_.push_back(s); }, [this](std::string_view) { ++left_out_; }});
  }
  std::vector<schema::InputValue> event(std::string_view pipe) {
    std::vector<schema::InputValue> values(supplied_[0].type->inputs.size());
    values[*supplied_[0].type->input_index("PipeName")] = schema::InputValue(pipe);
    return values;
  }

  fs::path folder_;
  ipc::Descriptor sets_;
  os::RealFileSystem files_;
  std::vector<Supplied> supplied_;
  std::vector<std::string> lines_;
  std::vector<Suspension> suspensions_;
  uint64_t left_out_ = 0;
};

TEST_F(WorkerParts, ADetectionIsWhatTheProtocolSaysWhateverTheEventHolds) {
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n");
  auto evaluation = make_evaluation();
  auto active = ActiveSet::load(sets_.get(), set, supplied_);
  ASSERT_TRUE(active) << active.error().detail;
  (void)evaluation.swap(std::move(*active));
  const std::string hostile = "evil \"\\\n\x01\x7f \xff\xc3 \xe2\x82\xac </script>";
  for (const std::string& pipe : {hostile, "evil" + std::string(limits::kInputBytesMax, '\x01'), "evil" + std::string(2000, '\xff'), "evil" + std::string(1019, 'a') + "\xc3\xa9\xc3\xa9"}) {
    lines_.clear();
    auto values = event(pipe);
    for (size_t i = 0; i < values.size(); ++i)
      if (!values[i].has_value()) values[i] = schema::InputValue(std::string_view(pipe).substr(0, 3000));
    evaluation.evaluate({0, {values, {}, {}}, WallTime(std::chrono::milliseconds(1795428000123))}, MonotonicTime(1), true);
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_LE(lines_[0].size(), limits::kDetectionBytesMax);
    EXPECT_FALSE(invalid_utf8_at(lines_[0]));
    EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
    const auto detection = plan::Detection::parse(as_bytes(lines_[0]));
    ASSERT_TRUE(detection) << detection.error().detail << "\n" << lines_[0];
    EXPECT_EQ(detection->rule_title, "T");
    EXPECT_EQ(detection->author, "A");
    EXPECT_EQ(detection->references, std::vector<std::string>{"https://example.org/a"});
    EXPECT_EQ(detection->time, "2026-11-23T10:00:00.123Z");
    EXPECT_EQ(detection->matched, std::vector<std::string>{"PipeName"});
    EXPECT_EQ(detection->release_digest->bytes, set);
  }
  lines_.clear();
  evaluation.evaluate({0, {event(hostile), {}, {}}, WallTime{}}, MonotonicTime(1), true);
  const auto detection = plan::Detection::parse(as_bytes(lines_[0]));
  ASSERT_TRUE(detection);
  EXPECT_EQ(detection->inputs[0].second, "evil \"\\\n\x01\x7f \xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac </script>");
}

TEST_F(WorkerParts, ACorrelationDetectsAndWhatItNamesIsSilent) {
  const auto set = make_correlated_set(pipes_correlation());
  auto evaluation = make_evaluation();
  auto active = ActiveSet::load(sets_.get(), set, supplied_, ActiveSet::Cases::kNone, {1, 2});
  ASSERT_TRUE(active) << active.error().detail;
  EXPECT_EQ((*active)->instances(), 2u);
  EXPECT_TRUE((*active)->held().empty());
  (void)evaluation.swap(std::move(*active));
  const auto see = [&](std::string_view image, std::string_view time) { evaluation.evaluate({0, {pipe_event(image, time), {}, {}}, WallTime(std::chrono::milliseconds(1795428000123))}, MonotonicTime(1), true); };
  see("C:\\a \"b\".exe", "2026-11-23 10:00:00.000");
  see("C:\\other.exe", "2026-11-23 10:00:01.000");
  see("C:\\a \"b\".exe", "2026-11-23 10:00:20.000");
  EXPECT_TRUE(lines_.empty());
  see("C:\\a \"b\".exe", "2026-11-23 10:01:00.000");
  ASSERT_EQ(lines_.size(), 1u);
  const auto detection = plan::Detection::parse(as_bytes(lines_[0]));
  ASSERT_TRUE(detection) << detection.error().detail << lines_[0];
  EXPECT_EQ(detection->rule_id, "00000000-0000-4000-8000-0000000000c1");
  EXPECT_EQ(detection->rule_title, "Many pipes");
  EXPECT_EQ(detection->author, "C");
  EXPECT_EQ(detection->tags, std::vector<std::string>{"attack.execution"});
  EXPECT_EQ(detection->matched, std::vector<std::string>{"Image"});
  EXPECT_NE(lines_[0].find(R"("correlation":{"events":3,"group":{"Image":"C:\\a \"b\".exe"}})"), std::string::npos) << lines_[0];
  EXPECT_EQ(evaluation.totals().matches, 1u);
}

TEST_F(WorkerParts, CorrelationsKeepTheirStateOverASwap) {
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), make_correlated_set(pipes_correlation()), supplied_, ActiveSet::Cases::kNone, {1, 2})));
  for (int i = 0; i < 2; ++i) evaluation.evaluate({0, {pipe_event("x", "2026-11-23 10:00:00"), {}, {}}, WallTime{}}, MonotonicTime(1), true);
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), make_correlated_set(pipes_correlation(", generate: true"), 7), supplied_, ActiveSet::Cases::kNone, {3, 4})));
  evaluation.evaluate({0, {pipe_event("x", "2026-11-23 10:00:05"), {}, {}}, WallTime{}}, MonotonicTime(1), true);
  ASSERT_EQ(lines_.size(), 2u);  // the rule reports now as well
  EXPECT_NE(lines_[1].find("Many pipes"), std::string::npos);
}

TEST_F(WorkerParts, ACorrelationIsHeldWhereSomethingIsMissing) {
  supplied_[0].available[*supplied_[0].type->input_index("Image")] = false;
  auto active = ActiveSet::load(sets_.get(), make_correlated_set(pipes_correlation()), supplied_);
  ASSERT_TRUE(active) << active.error().detail;
  ASSERT_EQ((*active)->held().size(), 1u);
  EXPECT_EQ((*active)->held()[0].rule_id, "00000000-0000-4000-8000-0000000000c1");
  EXPECT_EQ((*active)->held()[0].input, "Image");
  supplied_[0].available[*supplied_[0].type->input_index("Image")] = true;
  supplied_[0].available[*supplied_[0].type->input_index("PipeName")] = false;
  active = ActiveSet::load(sets_.get(), make_correlated_set(pipes_correlation(), 8), supplied_);
  ASSERT_TRUE(active);
  ASSERT_EQ((*active)->held().size(), 2u);  // the rule, and so the correlation
  EXPECT_EQ((*active)->held()[1].input, "rule 00000000-0000-4000-8000-000000000001");
}

TEST_F(WorkerParts, DamagedCorrelationsAreRefused) {
  const auto set = make_correlated_set(pipes_correlation());
  const fs::path file = folder_ / to_hex(set) / "correlations.63726561.channel";
  Bytes bytes = *files_.read(file, 1u << 20);
  bytes[100] ^= 1;
  ASSERT_TRUE(files_.write_atomic(file, bytes, 0644));
  const auto active = ActiveSet::load(sets_.get(), set, supplied_);
  ASSERT_FALSE(active);
  EXPECT_NE(active.error().detail.find("not the ones that were signed"), std::string::npos);
}

TEST_F(WorkerParts, AnInstanceThatHitsWithoutEndIsSuspendedAloneAndForAMinute) {
  const auto set = make_set("    sel:\n        PipeName|contains: e\n    condition: sel\n");
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  const auto values = event("e");
  for (uint32_t i = 0; i < limits::kHitsPerMinuteMax; ++i) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(1), true);
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax);
  EXPECT_TRUE(suspensions_.empty());
  for (int i = 0; i < 10; ++i) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(2), true);
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax + 1) << "one sample of what repeats";
  EXPECT_EQ(left_out_, 9u);
  ASSERT_EQ(suspensions_.size(), 1u) << "said once";
  EXPECT_EQ(suspensions_[0].reason, ipc::Reason::kHitsOverBudget);
  evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(60'001), true);
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax + 2);
}

// An ordinary user floods a rule so that it is blind when it matters.
TEST_F(WorkerParts, AFloodOfARuleDoesNotHideTheOneHitThatIsNew) {
  const auto set = make_set("    sel:\n        PipeName|contains: e\n    condition: sel\n");
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  const size_t image = *supplied_[0].type->input_index("Image");
  std::vector<std::string> names;
  for (int i = 0; i < 40'000; ++i) names.push_back(fmt::format("e{}", i));  // ever new values of one actor
  const auto flood = [&](int from, int to, MonotonicTime now) {
    for (int i = from; i < to; ++i) {
      auto values = event(names[static_cast<size_t>(i)]);
      values[image] = schema::InputValue("C:\\flood.exe");
      evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, now, true);
    }
  };
  const auto told = [&](std::string_view text) { return std::ranges::count_if(lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; }); };
  flood(0, 10'000, MonotonicTime(1));
  ASSERT_EQ(suspensions_.size(), 1u);
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax + 2) << "the actor, and of its values one a second";
  for (int second = 1; second <= 30; ++second) flood(10'000 + second * 100, 10'100 + second * 100, MonotonicTime(second * 1'000 + 1));
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax + Trickle::kEach) << "no more than so many within a minute";
  auto values = event("e1");
  values[image] = schema::InputValue("C:\\intruder.exe");
  for (int i = 0; i < 3; ++i) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(31'000), true);
  EXPECT_EQ(told("intruder.exe"), 1) << "another actor is told, once";
  for (int i = 0; i < 1'000; ++i) {
    values[image] = schema::InputValue(names[static_cast<size_t>(i)]);
    evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(32'000), true);
  }
  EXPECT_EQ(lines_.size(), limits::kHitsPerMinuteMax + 2 * Trickle::kEach - 1) << "and of actors no more either; the first one came with its value";
  EXPECT_EQ(suspensions_.size(), 1u) << "said once";
  EXPECT_EQ(lines_.size() + left_out_, 10'000u + 3'000 + 3 + 1'000) << "what is not told is counted";
}

TEST_F(WorkerParts, AnInstanceThatWritesTooMuchIsSuspendedAloneAndForAMinute) {
  const auto set = make_set("    sel:\n        PipeName|contains: e\n    condition: sel\n");
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  auto values = event("e");
  const std::string large(limits::kDetectionInputBytesMax, 'e');
  for (size_t i = 0; i < 8; ++i) values[i] = schema::InputValue(large);
  size_t bytes = 0;
  for (uint32_t i = 0; suspensions_.empty() && i < limits::kHitsPerMinuteMax; ++i) {
    lines_.clear();
    evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(1), true);
    for (const std::string& line : lines_) bytes += line.size();
  }
  ASSERT_EQ(suspensions_.size(), 1u);
  EXPECT_EQ(suspensions_[0].reason, ipc::Reason::kBytesOverBudget);
  EXPECT_LE(bytes, limits::kInstanceBytesPerMinuteMax);
  EXPECT_GT(bytes, limits::kInstanceBytesPerMinuteMax - limits::kDetectionBytesMax);
  for (int i = 0; i < 10; ++i) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(2), true);
  EXPECT_EQ(lines_.size(), 1u) << "one sample of what repeats";
  EXPECT_EQ(suspensions_.size(), 1u) << "said once";
  evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(60'001), true);
  EXPECT_EQ(lines_.size(), 2u);
}

TEST_F(WorkerParts, AnInstanceThatComputesTooMuchIsSuspendedAloneAndForAMinute) {
  const auto set = make_set("    sel:\n        PipeName|re: '(a|ab|aa)*a{2,40}(b|a){3}c$'\n    other:\n        PipeName|contains: zzz\n    condition: sel or other\n");
  constexpr uint64_t kSteps = 1'000'000;
  Evaluation evaluation(supplied_, "host-1", {[this](std::string_view, std::string_view line) { lines_.emplace_back(line); }, [this](const Suspension& seen) { suspensions_.push_back(seen); }}, {kSteps});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  LoadedChannel& loaded = evaluation.active().channels()[0];
  const std::string text(4'000, 'a');
  const auto dear = event(text), cheap = event("zzz");
  int events = 0;
  for (; suspensions_.empty() && events < 100'000; ++events) {
    EXPECT_LE(loaded.scratch.steps_of(0), kSteps);
    evaluation.evaluate({0, {dear, {}, {}}, WallTime{}}, MonotonicTime(1), true);
  }
  ASSERT_EQ(suspensions_.size(), 1u);
  EXPECT_GT(events, 1);
  EXPECT_EQ(suspensions_[0].reason, ipc::Reason::kStepsOverBudget);
  EXPECT_EQ(suspensions_[0].rule_id, "00000000-0000-4000-8000-000000000001");
  const uint64_t spent = loaded.scratch.steps_of(0);
  EXPECT_GT(spent, kSteps);
  for (int i = 0; i < 10; ++i) evaluation.evaluate({0, {dear, {}, {}}, WallTime{}}, MonotonicTime(2), true);
  evaluation.evaluate({0, {cheap, {}, {}}, WallTime{}}, MonotonicTime(2), true);
  EXPECT_EQ(loaded.scratch.steps_of(0), spent) << "what is suspended for its cost costs nothing";
  EXPECT_TRUE(lines_.empty());
  EXPECT_EQ(suspensions_.size(), 1u) << "said once";
  evaluation.evaluate({0, {cheap, {}, {}}, WallTime{}}, MonotonicTime(60'001), true);
  EXPECT_EQ(lines_.size(), 1u) << "and in the next minute it is back";
  EXPECT_EQ(loaded.scratch.steps_of(0), 0u);
}

TEST_F(WorkerParts, ACorrelationThatComputesTooMuchIsSuspendedAloneAndForAMinute) {
  const std::string dear = "title: Largest\nid: 00000000-0000-4000-8000-0000000000c2\nlevel: low\ncorrelation: {type: value_max, rules: [pipe], timespan: 1h, condition: {field: ProcessId, gte: 1000}}\n---\n";
  const auto set = make_correlated_set(dear + pipes_correlation());
  constexpr uint64_t kSteps = 50'000;
  Evaluation evaluation(supplied_, "host-1", {[this](std::string_view, std::string_view line) { lines_.emplace_back(line); }, [this](const Suspension& seen) { suspensions_.push_back(seen); }}, {kSteps});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  auto values = pipe_event("x", "2026-11-23 10:00:00");
  values[*supplied_[0].type->input_index("ProcessId")] = schema::InputValue(std::string_view("7"));
  int events = 0;
  for (; suspensions_.empty() && events < 10'000; ++events) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(1), true);
  ASSERT_EQ(suspensions_.size(), 1u);
  EXPECT_GT(events, 100);
  EXPECT_EQ(suspensions_[0].reason, ipc::Reason::kStepsOverBudget);
  EXPECT_EQ(suspensions_[0].rule_id, "00000000-0000-4000-8000-0000000000c2");
  EXPECT_NE(suspensions_[0].detail.find("more than 50000 steps"), std::string::npos) << suspensions_[0].detail;
  const auto told = [&](std::string_view id) { return std::ranges::count_if(lines_, [&](const std::string& line) { return line.find(id) != std::string::npos; }); };
  const auto before = told("0000000000c1");
  values[*supplied_[0].type->input_index("ProcessId")] = schema::InputValue(std::string_view("1001"));
  for (int i = 0; i < 3; ++i) evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(2), true);
  EXPECT_EQ(told("0000000000c1"), before + 1) << "the other one goes on";
  EXPECT_EQ(told("0000000000c2"), 0) << "and it sees nothing";
  EXPECT_EQ(suspensions_.size(), 1u) << "said once";
  evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(60'001), true);
  EXPECT_EQ(told("0000000000c2"), 1) << "and in the next minute it is back";
}

TEST_F(WorkerParts, ACorrelationThatWritesTooMuchIsSuspendedAloneAndForAMinute) {
  const auto set = make_correlated_set("title: Each\nid: 00000000-0000-4000-8000-0000000000c3\nlevel: low\ncorrelation: {type: event_count, rules: [pipe], timespan: 1h, condition: {gte: 1}}\n---\n" + pipes_correlation());
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  auto values = pipe_event("x", "2026-11-23 10:00:00");
  const std::string large(limits::kDetectionInputBytesMax, 'e');
  for (size_t i = 0; i < 8; ++i) values[i] = schema::InputValue(large);
  size_t bytes = 0;
  for (uint32_t i = 0; suspensions_.empty() && i < limits::kHitsPerMinuteMax; ++i) {
    lines_.clear();
    evaluation.evaluate({0, {values, {}, {}}, WallTime{}}, MonotonicTime(1), true);
    for (const std::string& line : lines_)
      if (line.find("0000000000c3") != std::string::npos) bytes += line.size();
  }
  ASSERT_GE(suspensions_.size(), 1u);
  EXPECT_EQ(suspensions_[0].reason, ipc::Reason::kBytesOverBudget);
  EXPECT_EQ(suspensions_[0].rule_id, "00000000-0000-4000-8000-0000000000c3");
  EXPECT_LE(bytes, limits::kInstanceBytesPerMinuteMax);
  EXPECT_GT(left_out_, 0u);
}

TEST_F(WorkerParts, ARehearsalThatWouldWriteTooMuchOfOwnEventsFails) {
  const auto set = make_set("    sel:\n        PipeName|contains: e\n    condition: sel\n");
  auto evaluation = make_evaluation();
  const std::string large(limits::kDetectionInputBytesMax, 'e');
  const auto run = [&](size_t large_events) {
    evaluation = make_evaluation();
    (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
    std::vector<RecentEvent> recent;
    for (size_t i = 0; i < limits::kRecentEventsMax; ++i) {
      recent.push_back({supplied_[0].type->fingerprint, {}, event(i % 5 == 0 ? "good" : "e")});
      if (i % 5 != 0 && i < large_events)
        for (size_t input = 0; input < recent.back().values.size(); ++input) recent.back().values[input] = schema::InputValue(large);
    }
    return rehearse(evaluation, supplied_, recent);
  };
  const auto fits = run(20);
  EXPECT_EQ(fits.passed, 1) << fits.detail.view();
  EXPECT_EQ(fits.matches, 204u);
  EXPECT_LE(evaluation.totals().detection_bytes, limits::kRehearsalDetectionBytesMax);
  const auto floods = run(limits::kRecentEventsMax);
  EXPECT_GT(evaluation.totals().detection_bytes, limits::kRehearsalDetectionBytesMax);
  EXPECT_EQ(floods.passed, 0);
  EXPECT_EQ(floods.reason, ipc::Reason::kBytesOverBudget);
  EXPECT_EQ(floods.detail.view(), fmt::format("its detections over this host's last 256 events have {} bytes; 1048576 are allowed", evaluation.totals().detection_bytes));
  EXPECT_TRUE(lines_.empty()) << "a rehearsal reports nothing";
}

TEST_F(WorkerParts, ARehearsalThatComputesTooMuchFailsWithTheRulesName) {
  const auto set = make_set("    sel:\n        PipeName|re: '(a|ab|aa)*a{2,40}(b|a){3}c$'\n    condition: sel\n");
  Evaluation evaluation(supplied_, "host-1", {[](std::string_view, std::string_view) {}, [](const Suspension&) {}}, {10'000});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  const std::string text(4'000, 'a');
  std::vector<RecentEvent> recent;
  for (int i = 0; i < 40; ++i) recent.push_back({supplied_[0].type->fingerprint, {}, event(text)});
  const auto answer = rehearse(evaluation, supplied_, recent);
  EXPECT_EQ(answer.passed, 0);
  EXPECT_EQ(answer.reason, ipc::Reason::kStepsOverBudget);
  EXPECT_NE(answer.detail.view().find("rule 00000000-0000-4000-8000-000000000001 took "), std::string_view::npos) << answer.detail.view();
}

TEST_F(WorkerParts, ARehearsalInWhichACorrelationComputesTooMuchFailsWithItsName) {
  const std::string dear = "title: Largest\nid: 00000000-0000-4000-8000-0000000000c2\nlevel: low\ncorrelation: {type: value_max, rules: [pipe], timespan: 1h, condition: {field: ProcessId, gte: 1000}}\n---\n";
  const auto set = make_correlated_set(dear + pipes_correlation());
  Evaluation evaluation(supplied_, "host-1", {[](std::string_view, std::string_view) {}, [](const Suspension&) {}}, {3'000});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  auto values = pipe_event("x", "2026-11-23 10:00:00");
  values[*supplied_[0].type->input_index("ProcessId")] = schema::InputValue(std::string_view("7"));
  std::vector<RecentEvent> recent;
  for (int i = 0; i < 200; ++i) recent.push_back({supplied_[0].type->fingerprint, {}, i % 2 == 0 ? values : event("good")});
  const auto answer = rehearse(evaluation, supplied_, recent);
  EXPECT_EQ(answer.passed, 0);
  EXPECT_EQ(answer.reason, ipc::Reason::kStepsOverBudget);
  EXPECT_NE(answer.detail.view().find("correlation 00000000-0000-4000-8000-0000000000c2 took "), std::string_view::npos) << answer.detail.view();
}

TEST_F(WorkerParts, ARefusedChannelIsLeftOutAndTheRestOfTheSetRuns) {
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n");
  const auto record = ipc::read_record<ipc::SetRecord>(files_, folder_ / to_hex(set) / "set.bin");
  ASSERT_TRUE(record);
  const ipc::Set refused[] = {record->files[0].sha256};
  const auto active = ActiveSet::load(sets_.get(), set, supplied_, ActiveSet::Cases::kNone, {}, refused);
  ASSERT_TRUE(active);
  EXPECT_EQ((*active)->instances(), 0u);
  const ipc::Set other[] = {set};
  EXPECT_EQ(ActiveSet::load(sets_.get(), set, supplied_, ActiveSet::Cases::kNone, {}, other).value()->instances(), 1u);
}

TEST_F(WorkerParts, WhatIsEvaluatedIsSaidBeforeAndAfter) {
  std::vector<uint64_t> said;
  Evaluation evaluation(supplied_, "host-1", {[](std::string_view, std::string_view) {}, [](const Suspension&) {}, {}, [&](uint64_t file) { said.push_back(file); }});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n"), supplied_)));
  evaluation.evaluate({0, {event("evil"), {}, {}}, WallTime{}}, MonotonicTime(1), true);
  EXPECT_EQ(said, (std::vector<uint64_t>{1, 0})) << "the first file of the set, then none";
}

TEST_F(WorkerParts, RehearsesOverOwnEventsOrAGenericSampleNeverOverNothing) {
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n");
  auto evaluation = make_evaluation();
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  const auto fresh = rehearse(evaluation, supplied_, {});
  EXPECT_EQ(fresh.passed, 1);
  EXPECT_EQ(fresh.own_events, 0u);
  EXPECT_EQ(fresh.sample_events, kSampleEventsPerType);
  EXPECT_TRUE(lines_.empty()) << "a rehearsal reports nothing";
  std::vector<RecentEvent> recent;
  recent.reserve(200);
  for (int i = 0; i < 200; ++i) recent.push_back({supplied_[0].type->fingerprint, {}, event(i < 150 ? "good" : "evil")});
  const auto own = rehearse(evaluation, supplied_, recent);
  EXPECT_EQ(own.passed, 1) << own.detail.view();
  EXPECT_EQ(own.own_events, 200u);
  EXPECT_EQ(own.sample_events, 0u);
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, supplied_)));
  for (RecentEvent& each : recent) each.values = event("evil");
  const auto greedy = rehearse(evaluation, supplied_, recent);
  EXPECT_EQ(greedy.passed, 0);
  EXPECT_EQ(greedy.reason, ipc::Reason::kHitsOverBudget);
}

TEST_F(WorkerParts, RehearsesOverTheReleasesOwnCasesWhereTheHostHasTooFewEvents) {
  const std::string sysmon = R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":)";
  const std::string cases = sysmon + R"("\\evil"})" "\n" + sysmon + R"("\\good"})" "\nno event\n" R"({"_type":"linux.fifo_created","Path":"/tmp/x"})" "\n";
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n", cases);
  auto evaluation = make_evaluation();
  const auto load = [&] { return ActiveSet::load(sets_.get(), set, supplied_, ActiveSet::Cases::kRead); };
  auto active = load();
  ASSERT_TRUE(active) << active.error().detail;
  (void)evaluation.swap(std::move(*active));
  const auto fresh = rehearse(evaluation, supplied_, {});
  EXPECT_EQ(fresh.passed, 1) << fresh.detail.view();
  EXPECT_EQ(fresh.case_events, 2u) << "a line that is no event, or one of another Type, is passed by";
  EXPECT_GE(fresh.matches, 1u);
  EXPECT_EQ(fresh.sample_events, kSampleEventsPerType);
  EXPECT_TRUE(lines_.empty());
  (void)evaluation.swap(std::move(*load()));
  std::vector<RecentEvent> recent;
  for (size_t i = 0; i < kOwnEventsEnough; ++i) recent.push_back({supplied_[0].type->fingerprint, {}, event("good")});
  EXPECT_EQ(rehearse(evaluation, supplied_, recent).case_events, 0u) << "this host has enough of its own";

  // Signed bytes or none, and the live worker does not read them at all.
  ASSERT_TRUE(files_.write_atomic(folder_ / to_hex(set) / "windows.pipe_created.channel.cases", as_bytes(std::string(cases.size(), ' ')), 0644));
  EXPECT_EQ(load().error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(ActiveSet::load(sets_.get(), set, supplied_));
  ASSERT_TRUE(files_.remove(folder_ / to_hex(set) / "windows.pipe_created.channel.cases"));
  EXPECT_FALSE(load());
}

TEST_F(WorkerParts, WithoutAnyCollectorNothingIsRehearsedAndSoNothingPasses) {
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n");
  Evaluation evaluation({}, "h", {[](std::string_view, std::string_view) {}, [](const Suspension&) {}});
  (void)evaluation.swap(std::move(*ActiveSet::load(sets_.get(), set, {})));
  EXPECT_EQ(rehearse(evaluation, {}, {}).passed, 0);
}

TEST_F(WorkerParts, ASetIsLoadedWholeOrNotAtAll) {
  const auto set = make_set("    sel:\n        PipeName|contains: evil\n    condition: sel\n");
  const fs::path file = folder_ / to_hex(set) / "windows.pipe_created.channel";
  auto bytes = files_.read(file, 1 << 20);
  ASSERT_TRUE(bytes);
  for (const size_t at : {size_t{0}, bytes->size() / 2, bytes->size() - 1}) {
    Bytes damaged = *bytes;
    damaged[at] ^= 1;
    ASSERT_TRUE(files_.write_atomic(file, damaged, 0644));
    EXPECT_FALSE(ActiveSet::load(sets_.get(), set, supplied_)) << at;
  }
  ASSERT_TRUE(files_.write_atomic(file, BytesView(*bytes).first(bytes->size() - 1), 0644));
  EXPECT_FALSE(ActiveSet::load(sets_.get(), set, supplied_));
  fs::remove(file);
  fs::create_symlink("/etc/passwd", file);
  EXPECT_FALSE(ActiveSet::load(sets_.get(), set, supplied_)) << "links are not followed";
  ipc::Set none = set;
  none[0] ^= 1;
  EXPECT_FALSE(ActiveSet::load(sets_.get(), none, supplied_));
  const auto empty = ActiveSet::load(sets_.get(), ipc::kNoSet, supplied_);
  ASSERT_TRUE(empty);
  EXPECT_EQ((*empty)->instances(), 0u);
}

TEST(CrowdOfEvents, IsWhatComesDenseAndNeverTheFirstAfterAQuietMoment) {
  Crowd crowd;
  MonotonicTime now(1'000);
  EXPECT_FALSE(crowd.dense(now));
  for (int i = 0; i < 1'000; ++i) {  // one each millisecond: each is fetched at once
    crowd.event(++now);
    ASSERT_FALSE(crowd.dense(now));
  }
  for (uint32_t i = 0; i < Crowd::kMany; ++i) crowd.event(now);
  EXPECT_TRUE(crowd.dense(now));
  for (int i = 0; i < 1'000; ++i) {
    if (i % 2 == 0) ++now;
    for (int each = 0; each < 10; ++each) crowd.event(now);
    ASSERT_TRUE(crowd.dense(now)) << "it stays so while they come, at the edges of what is counted over too";
  }
  EXPECT_FALSE(crowd.dense(now + 2 * Crowd::kLook)) << "and no longer: whatever comes then comes alone";
  crowd.event(now + 3 * Crowd::kLook);
  EXPECT_FALSE(crowd.dense(now + 3 * Crowd::kLook));
}

TEST(Turns, AreAsShortAsTheKernelGrantsAndNiceStays) {
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 7), 0);
    if (!os::ask_for_turns_of(std::chrono::microseconds(100))) GTEST_SKIP() << "this kernel knows no length of turns";
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 7);
  }).join();
}

class Recent : public testing::Test {
 protected:
  void SetUp() override {
    file_ = ipc::Descriptor(::memfd_create("memory", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file_.get(), ipc::kWorkerMemoryBytes), 0);
  }
  schema::Inputs inputs(const std::string& text) {
    values_ = {schema::InputValue(text), schema::InputValue(), schema::InputValue::unavailable(), schema::InputValue(std::string_view(""))};
    return {values_, {}, {}};
  }
  ipc::Descriptor file_;
  std::vector<schema::InputValue> values_;
  schema::Fingerprint fingerprint_{1, 2, 3};
};

TEST_F(Recent, OutlivesItsWriterAndKeepsTheNewest) {
  {
    auto recent = RecentEvents::map(file_.get(), true);
    ASSERT_TRUE(recent);
    for (uint32_t i = 0; i < limits::kRecentEventsMax + 10; ++i) recent->remember(fingerprint_, inputs(fmt::format("event {}", i)));
    recent->remember(fingerprint_, inputs(std::string(limits::kRecentEventBytesMax, 'x')));  // too large: not kept, and takes no place
    *recent->replay_position() = 77;
  }
  auto again = RecentEvents::map(file_.get(), false);
  ASSERT_TRUE(again);
  const auto events = again->snapshot();
  ASSERT_EQ(events.size(), limits::kRecentEventsMax);
  EXPECT_EQ(events.front().values[0].text(), "event 10");
  EXPECT_EQ(events.back().values[0].text(), fmt::format("event {}", limits::kRecentEventsMax + 9));
  EXPECT_EQ(events[0].fingerprint, fingerprint_);
  EXPECT_EQ(events[0].values[1].presence, schema::Presence::kAbsent);
  EXPECT_EQ(events[0].values[2].presence, schema::Presence::kUnavailable);
  EXPECT_EQ(events[0].values[3].presence, schema::Presence::kValue);
  EXPECT_EQ(*again->replay_position(), 77u);
}

TEST_F(Recent, KeepsSparseEventsOfTheWidestType) {
  values_.assign(limits::kInputsPerTypeMax, schema::InputValue());
  values_.front() = schema::InputValue(std::string_view("first"));
  values_.back() = schema::InputValue(std::string_view("last"));
  auto recent = RecentEvents::map(file_.get(), true);
  ASSERT_TRUE(recent);
  recent->remember(fingerprint_, {values_, {}, {}});
  const auto events = recent->snapshot();
  ASSERT_EQ(events.size(), 1u);
  ASSERT_EQ(events[0].values.size(), limits::kInputsPerTypeMax);
  EXPECT_EQ(events[0].values.front().text(), "first");
  EXPECT_EQ(events[0].values[1].presence, schema::Presence::kAbsent);
  EXPECT_EQ(events[0].values.back().text(), "last");
}

TEST_F(Recent, BelievesNothingThatADyingWorkerLeftBehind) {
  auto recent = RecentEvents::map(file_.get(), true);
  ASSERT_TRUE(recent);
  for (int i = 0; i < 3; ++i) recent->remember(fingerprint_, inputs(fmt::format("event {}", i)));
  for (size_t at = 0; at < 120; ++at) {  // any byte of the second event
    const off_t place = static_cast<off_t>(limits::kRecentEventBytesMax * 2 + at);
    uint8_t byte = 0;
    ASSERT_EQ(::pread(file_.get(), &byte, 1, place), 1);
    const uint8_t other = byte ^ 0xff;
    ASSERT_EQ(::pwrite(file_.get(), &other, 1, place), 1);
    for (const RecentEvent& event : recent->snapshot())
      for (const schema::InputValue& value : event.values)
        if (value.has_value()) {
          EXPECT_TRUE(value.size == 0 || (value.data >= event.bytes.data() && value.data + value.size <= event.bytes.data() + event.bytes.size()));
        }
    ASSERT_EQ(::pwrite(file_.get(), &byte, 1, place), 1);
  }
  EXPECT_EQ(recent->snapshot().size(), 3u);
}

TEST_F(Recent, AShortFileIsRefused) {
  ASSERT_EQ(::ftruncate(file_.get(), ipc::kWorkerMemoryBytes - 1), 0);
  EXPECT_FALSE(RecentEvents::map(file_.get(), true));
}

}  // namespace
}  // namespace creance::sensor

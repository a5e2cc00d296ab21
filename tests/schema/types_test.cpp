#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <algorithm>
#include <filesystem>
#include <set>

#include "base/limits.hpp"
#include "generated/types.hpp"
#include "schema/catalog.hpp"
#include "schema/fingerprint.hpp"
#include "support/places.hpp"

namespace creance::schema {

TEST(EmbeddedCatalog, EqualsTheFilesItWasMadeFrom) {
  Diagnostics diagnostics;
  const auto loaded = load_types(test::source_dir() / "types", diagnostics);
  ASSERT_TRUE(loaded) << loaded.error().detail;
  const auto embedded = Catalog::embedded().types();
  ASSERT_EQ(loaded->size(), embedded.size());
  for (size_t t = 0; t < embedded.size(); ++t) {
    EXPECT_EQ((*loaded)[t].id, embedded[t].id);
    EXPECT_EQ((*loaded)[t].fingerprint, embedded[t].fingerprint) << embedded[t].id;
    EXPECT_EQ(fingerprint_of(embedded[t]), embedded[t].fingerprint) << embedded[t].id;
  }
}

TEST(GeneratedStruct, WritesEveryInputInOrder) {
  const InputValue text{"x"};
  const types::LinuxFifoCreated fifo{
      .Path = std::string_view("/tmp/f"), .Mode = text, .Computer = text, .UtcTime = text, .ProcessId = text, .Image = text, .CommandLine = text,
      .CurrentDirectory = kUnavailable, .User = text, .UserId = text, .ParentProcessId = kAbsent, .ParentImage = text, .ParentCommandLine = text};
  std::array<InputValue, types::LinuxFifoCreated::kInputCount> out;
  fifo.write(out);
  const TemplateType* type = Catalog::embedded().find("linux.fifo_created");
  ASSERT_NE(type, nullptr);
  ASSERT_EQ(type->inputs.size(), out.size());
  EXPECT_EQ(out[*type->input_index("path")].text(), "/tmp/f");
  EXPECT_EQ(out[*type->input_index("CurrentDirectory")].presence, Presence::kUnavailable);
  EXPECT_EQ(out[*type->input_index("ParentProcessId")].presence, Presence::kAbsent);
}

TEST(Fingerprint, ChangesWithEveryPartOfTheInterfaceAndWithNothingElse) {
  const TemplateType base = *Catalog::embedded().find("windows.pipe_created");
  const auto differs = [&](auto change) {
    TemplateType other = base;
    change(other);
    return fingerprint_of(other) != base.fingerprint;
  };
  EXPECT_TRUE(differs([](TemplateType& t) { t.id += "x"; }));
  EXPECT_TRUE(differs([](TemplateType& t) { ++t.version; }));
  EXPECT_TRUE(differs([](TemplateType& t) { t.inputs.pop_back(); }));
  EXPECT_TRUE(differs([](TemplateType& t) { std::swap(t.inputs[0], t.inputs[1]); }));
  EXPECT_TRUE(differs([](TemplateType& t) { t.inputs[0].type = InputType::kIp; }));
  EXPECT_FALSE(differs([](TemplateType& t) { t.inputs[0].description = "other words"; t.title = "other"; }));
}

TEST(Catalog, AnswersLogSources) {
  const Catalog& catalog = Catalog::embedded();
  const auto set = catalog.answers({"windows", "registry_set", ""});
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set[0].type->id, "windows.registry_event");
  ASSERT_EQ(set[0].logsource->when.size(), 1u);
  EXPECT_EQ(set[0].logsource->when[0].values, std::vector<std::string>{"13"});
  std::set<std::string> systems;
  for (const auto& answer : catalog.answers({"", "process_creation", ""})) systems.insert(answer.type->id);
  EXPECT_EQ(systems, (std::set<std::string>{"linux.process_creation", "macos.process_creation", "windows.process_creation"}));
  EXPECT_TRUE(catalog.answers({"windows", "no_such", ""}).empty());
}

namespace {
std::string lines_for(std::string_view yaml) {
  const std::filesystem::path dir = std::filesystem::path(testing::TempDir()) / ("types" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + std::to_string(std::hash<std::string_view>()(yaml)));
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "a.b.yml") << yaml;
  Diagnostics diagnostics;
  EXPECT_FALSE(load_types(dir, diagnostics));
  std::ostringstream out;
  for (const Diagnostic& d : diagnostics) out << d.span.line << ":" << d.span.column << " " << d.code << " " << d.message << " " << d.help << "\n";
  std::filesystem::remove_all(dir);
  return out.str();
}
constexpr std::string_view kHead = "id: a.b\nversion: 1\ntitle: t\ndescription: d\nplatform: linux\n";
}  // namespace

TEST(TypeLoader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(lines_for(std::string(kHead) + "inputs:\n  - {name: A, type: string, about: x}\n  - {name: A, type: strin, about: x}\nlogsorces: []\n"),
            "9:1 T003 unknown key `logsorces` did you mean `logsources`?\n8:5 T010 `strin` is no type of an input use string, integer, boolean, ip or time\n8:5 T007 input `A` stands twice \n");
  EXPECT_NE(lines_for("id: a.b\n").find("T004 `version` is missing"), std::string::npos);
  EXPECT_NE(lines_for(std::string(kHead) + "inputs: [{name: A, type: string, about: x}]\nsources: [{rename: {B: C}}]\n").find("T008 `B` is no input"), std::string::npos);
  EXPECT_NE(lines_for("[1, 2]").find("T002"), std::string::npos);
  EXPECT_NE(lines_for("id: c.d\nversion: 1\ntitle: t\ndescription: d\nplatform: linux\ninputs: [{name: A, type: string, about: x}]\n").find("T011"), std::string::npos);
}

TEST(TypeLoader, TakesAsManyInputsAsTheLimitAllowsAndNotOneMore) {
  const auto wide = [](uint32_t inputs) {
    std::string yaml = std::string(kHead) + "inputs:\n";
    for (uint32_t i = 0; i < inputs; ++i) yaml += "  - {name: F" + std::to_string(i) + ", type: string, about: x}\n";
    return yaml;
  };
  EXPECT_NE(lines_for(wide(limits::kInputsPerTypeMax + 1)).find("T009"), std::string::npos);
  EXPECT_EQ(lines_for(wide(limits::kInputsPerTypeMax) + "logsorces: []\n").find("T009"), std::string::npos);
}

TEST(TypeLoader, MarksAreTrueOrFalse) {
  EXPECT_NE(lines_for(std::string(kHead) + "collected: yes\ninputs: [{name: A, type: string, about: x}]\n").find("T004 `collected` is true or false"), std::string::npos);
  EXPECT_NE(lines_for(std::string(kHead) + "inputs: [{name: A, type: string, about: x}]\nsources: [{unclaimed: 1}]\n").find("T004 `unclaimed` is true or false"), std::string::npos);
}

TEST(Catalog, SysmonIsAServiceOfAllItsTypes) {
  const Catalog& catalog = Catalog::embedded();
  std::set<std::string> types;
  for (const auto& answer : catalog.answers({"windows", "", "sysmon"})) {
    types.insert(answer.type->id);
    if (answer.type->id != "windows.process_creation") continue;
    ASSERT_EQ(answer.logsource->when.size(), 1u) << "Security 4688 is no event of Sysmon";
    EXPECT_EQ(answer.logsource->when[0].input, "Channel");
  }
  EXPECT_EQ(types.size(), 21u);  // events 1 to 29 and 255 of schema 4.90, those of one shape together
  for (const TemplateType& type : catalog.types()) {
    const bool of_sysmon = std::ranges::any_of(type.sources, [](const EventSource& source) { return source.channels == std::vector<std::string>{"Microsoft-Windows-Sysmon/Operational"}; });
    EXPECT_EQ(of_sysmon, types.contains(type.id)) << type.id;
  }
}

TEST(Catalog, OtherLogsOfWindowsAreServicesRestrictedToThem) {
  const Catalog& catalog = Catalog::embedded();
  const TemplateType& other = *catalog.find("windows.other");
  const auto answers = catalog.answers({"windows", "", "winrm"});
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].type, &other);
  std::set<std::string> services;
  for (const AnsweredLogSource& answered : other.logsources) {
    EXPECT_TRUE(services.insert(answered.logsource.service).second) << answered.logsource.service << " stands twice";
    if (answered.logsource.service.empty()) continue;
    EXPECT_EQ(catalog.answers(answered.logsource).size(), 1u) << answered.logsource.service << " has a Type of its own";
    ASSERT_EQ(answered.when.size(), 1u) << answered.logsource.service << " would be every log";
    for (const std::string& name : answered.when[0].values) {
      for (const TemplateType& type : catalog.types()) {
        for (const EventSource& source : type.sources) {
          const auto& taken = answered.when[0].input == "Channel" ? source.channels : source.providers;
          EXPECT_TRUE(std::ranges::find(taken, name) == taken.end()) << "events of " << name << " go to " << type.id;
        }
      }
    }
  }
}

TEST(Catalog, ARestrictionToALogNamesOneThatReachesTheType) {
  for (const TemplateType& type : Catalog::embedded().types()) {
    if (std::ranges::any_of(type.sources, [](const EventSource& source) { return source.unclaimed; })) continue;
    for (const AnsweredLogSource& answered : type.logsources) {
      for (const Restriction& when : answered.when) {
        if (when.input != "Channel") continue;
        for (const std::string& channel : when.values) {
          EXPECT_TRUE(std::ranges::any_of(type.sources, [&](const EventSource& source) { return std::ranges::find(source.channels, channel) != source.channels.end(); })) << type.id << " never sees " << channel;
        }
      }
    }
  }
}

TEST(TemplateType, ExactNameWinsOverAnotherCase) {
  const TemplateType& auditd = *Catalog::embedded().find("linux.auditd");
  const auto number = auditd.input_index("syscall"), name = auditd.input_index("SYSCALL");
  ASSERT_TRUE(number && name);
  EXPECT_NE(*number, *name);
  EXPECT_EQ(auditd.input_index("Syscall"), std::min(*number, *name));
}

}  // namespace creance::schema

// What a host can say and which rules can therefore not fire: of each way of watching, as text, with colours and as JSON; and of a running sensor.
#include "sensor/worker/fields.hpp"

#include <sys/wait.h>

#include <cstdlib>

#include "base/json.hpp"
#include "sensor/collect/live.hpp"
#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

const std::string kSockets = "    product: linux\n    category: unix_socket\n";

class FieldsOfAHost : public Processes {
 protected:
  Set content() {
    const Set set = make_set(1, {rule("01", kLinux, "Image|endswith: /nc"), rule("02", kLinux, "ParentCommandLine|contains: evil"), rule("03", kPipe, "PipeName|contains: x"), rule("04", kPipe, "PipeName|contains: y")});
    put(set);
    return set;
  }
  Fields fields(LiveOptions::From from, const Set& set, const std::string& collector, const std::vector<ipc::Set>& without = {}) {
    const ipc::Descriptor sets(::open((state_ / "sets").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto read = read_fields(sets.get(), set, collector, live_supplied(from, clock_), without);
    EXPECT_TRUE(read) << read.error().detail;
    return read ? *read : Fields{};
  }
  std::string run(const std::vector<std::string>& arguments, int expected = 0) {
    std::string line = fmt::format("'{}'", (kBin / "creance-sensor").string());
    for (const std::string& argument : arguments) line += fmt::format(" '{}'", argument);
    const int ended = std::system(fmt::format("{} > '{}' 2> '{}'", line, (state_ / "printed").string(), (state_ / "complaint").string()).c_str());
    EXPECT_EQ(WEXITSTATUS(ended), expected) << text_of(state_ / "complaint");
    return text_of(state_ / "printed");
  }
  os::RealClock clock_;
};

TEST_F(FieldsOfAHost, NamesInputsThatItCannotSayAndTheRulesThatReadThem) {
  const Fields seen = fields(LiveOptions::From::kRingBuffer, content(), "ebpf");
  ASSERT_EQ(seen.types.size(), 3u);
  EXPECT_EQ(seen.types[0].type->id, "linux.process_creation");
  EXPECT_EQ(seen.types[0].rules, 2u);
  EXPECT_EQ(seen.types[0].held, 1u);
  ASSERT_EQ(seen.held.size(), 1u);
  EXPECT_EQ(seen.held[0].input, "ParentCommandLine");
  ASSERT_EQ(seen.without_collector.size(), 1u);
  EXPECT_EQ(seen.without_collector[0].type, "windows.pipe_created");
  EXPECT_EQ(seen.without_collector[0].rule_ids, (std::vector<std::string>{"00000000-0000-4000-8000-000000000003", "00000000-0000-4000-8000-000000000004"}));
  const std::string text = to_text(seen, FieldsForm::kText);
  for (const char* line : {"collector  ebpf\n", "rules      2, 1 of them held\n", "TYPE                    AVAILABLE  RULES  HELD  COLLECTOR          UNAVAILABLE\n", "linux.process_creation  ", "ParentCommandLine",
                           "rules that cannot fire here: an input is missing\n00000000-0000-4000-8000-000000000002  ParentCommandLine\n", "windows.pipe_created  2 rules\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(to_text(seen, FieldsForm::kColours).find("\x1b[33mlinux.process_creation"), std::string::npos) << "a Type with held rules";
}

TEST_F(FieldsOfAHost, ATypeWithoutItsWayOfWatchingIsAllUnavailable) {
  const Set set = make_set(2, {rule("05", kSockets, "SocketName|startswith: 'x'"), rule("01", kLinux, "Image|endswith: /nc")});
  put(set);
  const Fields connector = fields(LiveOptions::From::kConnector, set, "process connector");
  EXPECT_TRUE(connector.types[0].any_available());
  EXPECT_FALSE(connector.types[2].any_available());
  EXPECT_EQ(connector.held.size(), 1u);
  EXPECT_NE(to_text(connector, FieldsForm::kText).find("none               all\n"), std::string::npos) << to_text(connector, FieldsForm::kText);
  const Fields none = fields(LiveOptions::From::kNothing, set, "none");
  EXPECT_EQ(none.held.size(), 2u);
  const auto record = ipc::read_record<ipc::SetRecord>(files_, state_ / "sets" / to_hex(set) / "set.bin");
  ASSERT_TRUE(record);
  EXPECT_EQ(fields(LiveOptions::From::kNothing, set, "none", {record->files[0].sha256}).held.size(), 1u) << "a channel that is refused is not loaded";
  EXPECT_EQ(fields(LiveOptions::From::kRingBuffer, ipc::kNoSet, "ebpf").rules, 0u);
}

TEST_F(FieldsOfAHost, TheJsonSaysAll) {
  const Fields seen = fields(LiveOptions::From::kConnector, content(), "process \"connector\"\n");
  const auto json = parse_json(as_bytes(to_text(seen, FieldsForm::kJson)));
  ASSERT_TRUE(json) << json.error().detail;
  EXPECT_EQ(json->find("collector")->string(), "process \"connector\"\n");
  const auto& types = json->find("types")->elements();
  ASSERT_EQ(types.size(), 3u);
  const size_t inputs = seen.types[0].type->inputs.size();
  EXPECT_EQ(types[0].find("available")->elements().size() + types[0].find("unavailable")->elements().size(), inputs);
  EXPECT_EQ(types[2].find("available")->elements().size(), 0u);
  EXPECT_EQ(json->find("held")->elements()[0].find("input")->string(), "ParentCommandLine");
  EXPECT_EQ(json->find("without_collector")->elements()[0].find("rules")->elements().size(), 2u);
}

TEST_F(FieldsOfAHost, ARunningSensorIsAskedByItsStatus) {
  EXPECT_EQ(run({"status", "--fields", "--state", state_.string()}, 2), "");
  EXPECT_NE(text_of(state_ / "complaint").find("is the sensor running on this folder?"), std::string::npos);
  good({content()});
  start();
  ASSERT_TRUE(await([&] {
    const auto sight = ipc::read_record<ipc::Sight>(files_, state_ / "state/sight.bin");
    return sight && sight->running != ipc::kNoSet;
  })) << log();
  const std::string text = run({"status", "--fields", "--state", state_.string()});
  EXPECT_NE(text.find("collector  replay of `"), std::string::npos) << text;
  EXPECT_NE(text.find("windows.pipe_created"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "no colours in a file";
  const auto json = parse_json(as_bytes(run({"status", "--fields", "--json", "--state", state_.string()})));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("rules")->integer(), 4);
  EXPECT_TRUE(json->find("held")->elements().empty()) << "a file may say anything";
}

}  // namespace
}  // namespace creance::sensor

// Two real sensors on copies of one state folder, against a server: both are found, each gets an identity of its own, and neither stops watching.
#include <fstream>
#include <set>

#include "base/ipc/records.hpp"
#include "base/os/process.hpp"
#include "harness.hpp"
#include "support/places.hpp"

namespace creance::server::testing {
namespace {

namespace fs = std::filesystem;

struct RealSensor {
  fs::path state;
  os::ChildProcess process;
  std::string text(const char* name) const {
    std::ifstream in(state / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string id() const {
    os::RealFileSystem files;
    const auto record = ipc::read_record<ipc::Successors>(files, state / ipc::kSuccessorsFile);
    if (record && record->count > 0) return to_hex(record->list[record->count - 1].sensor_id);
    const auto json = parse_json(as_bytes(text("identity.json")));
    return json && json->find("sensor_id") != nullptr ? json->find("sensor_id")->string() : "";
  }
  void start(const fs::path& events) {
    auto child = os::ChildProcess::start({test::bin_dir() / "creance-sensor", {"run", "--state", state.string(), "--events", events.string(), "--loop", "--rate", "20"}, {}, state / "log", {}});
    ASSERT_TRUE(child) << child.error().detail;
    process = std::move(*child);
  }
};

}  // namespace

TEST(Clones, TwoCopiesOfOneStateFolderEachGetAnIdentityOfTheirOwn) {
  World world;
  world.clock.set(os::RealClock().wall());  // the sensors live by the real one
  ASSERT_TRUE(world.start());
  const fs::path events = world.folder.path / "events.jsonl";
  std::ofstream(events) << R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\x"})" << "\n";
  RealSensor sensors[2] = {{world.folder.path / "a", {}}, {world.folder.path / "b", {}}};
  auto enrolment = os::ChildProcess::start({test::bin_dir() / "creance-sensor", {"enrol", "--state", sensors[0].state.string(), "--server", world.url(), "--token", world.tokens("canary", 1)[0], "--hostname", "golden"}, {}, world.folder.path / "enrol-log", {}});
  ASSERT_TRUE(enrolment);
  ASSERT_EQ(enrolment->wait().code, 0);
  const std::string id = sensors[0].id(), key = sensors[0].text("sensor.key"), identity = sensors[0].text("identity.json");
  ASSERT_TRUE(plan::is_id(id));
  fs::copy(sensors[0].state, sensors[1].state, fs::copy_options::recursive);
  for (RealSensor& sensor : sensors) sensor.start(events);
  const auto all_new = [&] {
    return sensors[0].id() != id && sensors[1].id() != id && !sensors[0].id().empty() && !sensors[1].id().empty() && sensors[0].id() != sensors[1].id();
  };
  const bool became = world.wait(all_new);
  ASSERT_TRUE(became) << sensors[0].text("log") << "\n" << sensors[1].text("log");
  const auto shown = [&](const std::string& which) {
    const Answer list = world.operate("GET", "/api/v1/sensors");
    for (const Json& sensor : list.body.find("sensors")->elements())
      if (sensor.find("sensor_id")->string() == which) return sensor;
    return Json::object({{"state", ""}, {"retired", ""}});
  };
  os::RealFileSystem files;
  std::set<std::string> keys;
  for (RealSensor& sensor : sensors) {
    EXPECT_TRUE(world.wait([&] { return shown(sensor.id()).find("state")->string() == "steady"; })) << sensor.text("log");  // it reports under its new name
    EXPECT_EQ(shown(sensor.id()).find("from_sensor")->string(), id);
    EXPECT_EQ(shown(sensor.id()).find("ring")->string(), "canary");
    const auto record = ipc::read_record<ipc::Successors>(files, sensor.state / ipc::kSuccessorsFile);
    ASSERT_TRUE(record) << record.error().detail;
    ASSERT_EQ(record->count, 1u);
    EXPECT_TRUE(world.wait([&] { return sensor.text("state/status.json").find("\"successor_id\":\"" + sensor.id()) != std::string::npos; })) << sensor.text("state/status.json");
    keys.insert(to_hex(record->list[0].key));
    EXPECT_EQ(sensor.text("identity.json"), identity) << "nothing but id and key is another one";
    EXPECT_EQ(sensor.text("sensor.key"), key);
    EXPECT_TRUE(world.wait([&] { return sensor.text("state/status.json").find("\"worker_starts\":1,") != std::string::npos; })) << "what it watches is not interrupted: " << sensor.text("log");
  }
  EXPECT_EQ(keys.size(), 2u) << "each has a key of its own";
  EXPECT_EQ(shown(id).find("retired")->string(), "two sensors used it");
  for (RealSensor& sensor : sensors) {
    sensor.process.signal(SIGTERM);
    EXPECT_EQ(sensor.process.wait().code, 0) << sensor.text("log");
  }
}

}  // namespace creance::server::testing

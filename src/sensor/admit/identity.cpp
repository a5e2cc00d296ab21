#include "sensor/admit/identity.hpp"

#include "base/json.hpp"
#include "plan/messages.hpp"
#include "plan/policy.hpp"

namespace creance::sensor {

Result<Identity> Identity::read(FileSystem& files, const std::filesystem::path& state) {
  const std::filesystem::path path = state / "identity.json";
  TRY(const Bytes bytes, files.read(path, 65'536));
  auto json = parse_json(bytes);
  if (!json) return fail(json.error().code, "`" + path.string() + "`: " + json.error().detail);
  const JsonField field(*json, path.string());
  Identity identity;
  TRY(identity.sensor_id, field.text_at("sensor_id", 32, 32));
  TRY(identity.tenant, field.text_at("tenant", 1, 64));
  TRY(identity.server, field.text_at("server", 1, 2'048));
  TRY(identity.hostname, field.text_at("hostname", 0, 255));
  TRY(identity.machine_id, field.text_at("machine_id", 32, 32));
  TRY(identity.enrolled, field.time_at("enrolled"));
  TRY(identity.report_interval_ms, field.integer_at("report_interval_ms", 100, 86'400'000));
  TRY(const JsonField tags, field.at("tags"));
  TRY(const auto elements, tags.elements(64));
  for (const JsonField& tag : elements) {
    TRY(std::string text, tag.text(1, 128));
    identity.tags.push_back(std::move(text));
  }
  if (!plan::is_id(identity.sensor_id) || !plan::is_tenant_name(identity.tenant)) return fail(ErrorCode::kInvalid, "`" + path.string() + "`: not an identity that enrolment wrote");
  return identity;
}

Status Identity::write(FileSystem& files, const std::filesystem::path& state) const {
  Json::Array list;
  for (const std::string& tag : tags) list.emplace_back(tag);
  const Json json = Json::object({{"sensor_id", sensor_id}, {"tenant", tenant}, {"tags", Json(std::move(list))}, {"server", server}, {"hostname", hostname}, {"machine_id", machine_id},
                                  {"enrolled", format_time(enrolled)}, {"report_interval_ms", report_interval_ms}});
  return files.write_atomic(state / "identity.json", as_bytes(to_json_pretty(json)), 0600);  // for the processes that are given it
}

}  // namespace creance::sensor

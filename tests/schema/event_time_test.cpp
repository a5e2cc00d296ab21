#include "schema/event_time.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "schema/catalog.hpp"

namespace creance::schema {
namespace {

TEST(EventTime, ReadsTheFormsThatLogsUse) {
  EXPECT_EQ(parse_time("1970-01-01 00:00:00"), 0);
  EXPECT_EQ(parse_time("1970-01-01 00:00:01.5"), 1'500'000);
  EXPECT_EQ(parse_time("2026-11-23T10:00:00.1234567Z"), 1'795'428'000'123'456);
  EXPECT_EQ(parse_time("2026-11-23 10:00:00.123"), 1'795'428'000'123'000);
  EXPECT_EQ(parse_time("2026-11-23T11:30:00+01:30"), 1'795'428'000'000'000);
  EXPECT_EQ(parse_time("2026-11-23T08:00:00-0200"), 1'795'428'000'000'000);
  EXPECT_EQ(parse_time("2026-11-23 10:00:00 UTC"), 1'795'428'000'000'000);
  EXPECT_EQ(parse_time("1795428000"), 1'795'428'000'000'000);
  EXPECT_EQ(parse_time("1795428000.25"), 1'795'428'000'250'000);
  EXPECT_EQ(parse_time("1795428000123"), 1'795'428'000'123'000);
  EXPECT_EQ(parse_time("1795428000123456"), 1'795'428'000'123'456);
  EXPECT_EQ(parse_time("1795428000123456789"), 1'795'428'000'123'456);
  EXPECT_LT(*parse_time("1601-01-01T00:00:00Z"), 0);
}

TEST(EventTime, RefusesTheRest) {
  for (const char* text : {"", "-", "now", "2026-11-23", "2026-13-01 00:00:00", "2026-02-30 00:00:00", "2026-11-23 24:00:00", "2026-11-23 10:00", "2026-11-23 10:00:00.", "2026-11-23 10:00:00+1", "2026-11-23 10:00:00 X",
                           "1600-01-01 00:00:00", "12.", ".5", "1e5", "99999999999999999999", "2026-11-23x10:00:00"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

TEST(EventTime, TypesKnowTheirTime) {
  for (const TemplateType& type : Catalog::embedded().types()) {
    const auto inputs = time_inputs(type);
    const bool has_time = std::ranges::find(type.inputs, InputType::kTime, &InputDefinition::type) != type.inputs.end();
    EXPECT_EQ(!inputs.empty(), has_time) << type.id;
    const auto utc = type.input_index("UtcTime");
    EXPECT_TRUE(!utc || inputs.empty() || inputs.front() == *utc) << type.id;
  }
  const std::vector<uint32_t> inputs{1, 0};
  const std::vector<InputValue> values{InputValue("1795428000"), InputValue("soon")};
  EXPECT_EQ(event_time(inputs, values), 1'795'428'000'000'000);
  EXPECT_EQ(event_time({}, values), std::nullopt);
}

}  // namespace
}  // namespace creance::schema

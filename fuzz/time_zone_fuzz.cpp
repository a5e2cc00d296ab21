// A maintenance window (the first line) and a time zone file (the rest). Must not crash or hang; spans of a zone follow each other, and a window is found only where it is open.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "plan/window.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  using namespace creance::plan;
  using std::chrono::milliseconds;
  const BytesView bytes(data, size);
  const auto line_end = std::ranges::find(bytes, uint8_t{'\n'});
  const auto text = as_text(bytes.first(static_cast<size_t>(line_end - bytes.begin())));
  const auto zone = Zone::parse("Fuzz/Zone", line_end == bytes.end() ? BytesView{} : bytes.subspan(text.size() + 1));
  if (!zone) CHECK(!zone.error().detail.empty());

  constexpr std::array<int64_t, 4> kMoments = {-2'208'988'800'000, 0, 1'790'000'000'000, 7'258'118'400'000};  // years 1900, 1970, 2026, 2200
  for (const int64_t moment : kMoments) {
    if (!zone) break;
    WallTime time{milliseconds(moment)};
    for (int i = 0; i < 64; ++i) {
      const Zone::Span span = zone->at(time);
      CHECK(span.until > time);
      CHECK(std::chrono::abs(span.offset) <= std::chrono::hours(168));
      if (span.until == WallTime::max()) break;
      time = span.until;
    }
  }

  Windows windows;
  if (!add_window(windows, text)) return 0;
  const auto again = Window::parse(windows.front().text());
  CHECK(again.has_value() && *again == windows.front());
  Zones zones;
  zones.emplace(windows.front().zone, zone ? *zone : Zone::utc());
  const std::array lists = {static_cast<const Windows*>(&windows)};
  for (const int64_t moment : kMoments) {
    const WallTime now{milliseconds(moment)};
    const auto opens = next_open(lists, zones, now);
    if (!opens) continue;
    CHECK(*opens >= now);
    CHECK(next_open(lists, zones, *opens) == opens);
  }
  return 0;
}

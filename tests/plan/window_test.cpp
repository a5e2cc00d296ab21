// Time zones and maintenance windows: read strictly, compared with the C library over every zone of this machine, and right at every change of clocks.
#include "plan/window.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <time.h>

#include <filesystem>

#include "base/json.hpp"
#include "base/os/real.hpp"
#include "plan/decide.hpp"
#include "plan/zone_files.hpp"

namespace creance::plan {
namespace {
namespace fs = std::filesystem;

WallTime at(const char* text) { return *parse_time(text); }

class ZoneFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!files_.exists(kZoneFolder)) GTEST_SKIP() << "this machine has no time zones (package tzdata)";
  }
  const Zones& zones(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      auto zone = read_zone(files_, name);
      EXPECT_TRUE(zone) << zone.error().detail;
      if (zone) zones_.emplace(name, std::move(*zone));
    }
    return zones_;
  }
  Windows list(std::initializer_list<const char*> texts) {
    Windows out;
    for (const char* text : texts) {
      const auto added = add_window(out, text);
      EXPECT_TRUE(added) << (added ? "" : added.error().detail);
      if (added) zones({out.back().zone.c_str()});
    }
    return out;
  }
  std::string opens(const Windows& windows, const char* now) {
    const Windows* lists[] = {&windows};
    const auto time = next_open(lists, zones_, at(now));
    return time ? *time == at(now) ? "open" : format_time(*time) : "never";
  }
  os::RealFileSystem files_;
  Zones zones_;
};

// The judge is the C library: every zone, at every hour around each change of the years that matter, and far ahead where only the rule at the end of the file speaks.
TEST_F(ZoneFiles, AgreeWithTheCLibraryEverywhere) {
  size_t compared = 0, count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kZoneFolder)) {
    const std::string name = fs::relative(entry.path(), kZoneFolder).string();
    if (!entry.is_regular_file() || !is_zone_name(name)) continue;
    const auto bytes = files_.read(entry.path(), kZoneBytesMax);
    if (!bytes || !as_text(*bytes).starts_with("TZif")) continue;
    const auto zone = Zone::parse(name, *bytes);
    ASSERT_TRUE(zone) << name << ": " << zone.error().detail;
    ++count;
    ::setenv("TZ", (":" + name).c_str(), 1);
    ::tzset();
    const auto offset = [](time_t time) {
      tm local{};
      ::localtime_r(&time, &local);
      return local.tm_gmtoff;
    };
    for (const char* begin : {"1996-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2037-06-01T00:00:00Z", "2099-12-31T23:00:00Z"}) {
      const WallTime from = at(begin), to = from + std::chrono::days(800);
      for (WallTime time = from; time < to;) {
        const Zone::Span span = zone->at(time);
        const WallTime until = std::min(span.until, to);
        ASSERT_GT(until, time) << name;
        for (const WallTime probe : {time, time + (until - time) / 2, until - std::chrono::seconds(1)}) {
          ASSERT_EQ(span.offset.count(), offset(std::chrono::floor<std::chrono::seconds>(probe).time_since_epoch().count())) << name << " at " << format_time(probe);
          ++compared;
        }
        time = until;
      }
      for (WallTime time = from; time < to; time += std::chrono::hours(30))
        ASSERT_EQ(zone->at(time).offset.count(), offset(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count())) << name << " at " << format_time(time);
    }
  }
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_GT(count, 100u);
  EXPECT_GT(compared, 4 * count);
}

TEST_F(ZoneFiles, DamagedOnesAreRefusedAndNeverWorse) {
  const auto whole = files_.read(fs::path(kZoneFolder) / "Europe/Vienna", kZoneBytesMax);
  ASSERT_TRUE(whole);
  for (size_t size = 0; size < whole->size(); ++size) EXPECT_FALSE(Zone::parse("x", BytesView(*whole).first(size))) << size;
  for (size_t i = 0; i < whole->size(); ++i) {
    Bytes bytes = *whole;
    bytes[i] ^= 0xff;
    const auto zone = Zone::parse("x", bytes);
    for (int year = 0; zone && year < 80; ++year) {
      const WallTime time = at("2020-01-01T00:00:00Z") + std::chrono::days(365 * year);
      EXPECT_GT(zone->at(time).until, time);
    }
  }
  EXPECT_FALSE(Zone::parse("x", as_bytes("no zone at all, but long enough to have a head of forty-four bytes")));
  EXPECT_EQ(read_zone(files_, "Europe/Wien").error().code, ErrorCode::kNotFound);
  for (const char* name : {"", "/etc/passwd", "../../../etc/passwd", "Europe//Vienna", "right/Europe/Vienna", "posix/UTC", "Europe/", "a.b", "a b"}) EXPECT_EQ(read_zone(files_, name).error().code, ErrorCode::kInvalid) << name;
  EXPECT_EQ(read_zone(files_, "tzdata.zi").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(read_zone(files_, "UTC")->at(at("2026-07-01T00:00:00Z")).offset.count(), 0);
}

TEST(WindowText, IsReadStrictlyAndWrittenAgain) {
  for (const auto& [text, written] : {std::pair("Mon-Fri 22:00-04:00 Europe/Vienna", "Mon,Tue,Wed,Thu,Fri 22:00-04:00 Europe/Vienna"), {"daily 00:00-24:00 UTC", "Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:00-24:00 UTC"},
                                      {"Fri-Mon 08:30-08:31 Asia/Kathmandu", "Mon,Fri,Sat,Sun 08:30-08:31 Asia/Kathmandu"}, {" Sun   20:00-00:00  UTC ", "Sun 20:00-24:00 UTC"}, {"Mon,Wed-Thu,Sun 12:00-11:59 Etc/GMT+5", "Mon,Wed,Thu,Sun 12:00-11:59 Etc/GMT+5"}}) {
    const auto window = Window::parse(text);
    ASSERT_TRUE(window) << window.error().detail;
    EXPECT_EQ(window->text(), written);
    EXPECT_EQ(*Window::parse(window->text()), *window);
  }
  for (const auto& [text, what] : {std::pair("", "it needs days, times and a time zone"), {"22:00-04:00 UTC", "it needs days, times and a time zone"}, {"Mon 22:00-04:00 Europe/Vienna please", "more than days"}, {"Mo 22:00-04:00 UTC", "`Mo` are not days"},
                                   {"Mon,Mon 22:00-04:00 UTC", "are not days"}, {"Mon-Wed,Tue 22:00-04:00 UTC", "are not days"}, {"Mon- 22:00-04:00 UTC", "are not days"}, {"Mon,, 22:00-04:00 UTC", "are not days"}, {"Mon 24:00-04:00 UTC", "are not two times"},
                                   {"Mon 22:00-24:01 UTC", "are not two times"}, {"Mon 22:60-23:00 UTC", "are not two times"}, {"Mon 2:00-4:00 UTC", "are not two times"}, {"Mon 22:00 UTC", "are not two times"}, {"Mon 25:00-26:00 UTC", "are not two times"},
                                   {"Mon 22:00-22:00 UTC", "ends when it begins"}, {"Mon 22:00-23:00 ../etc/passwd", "is not the name of a time zone"}}) {
    const auto window = Window::parse(text);
    ASSERT_FALSE(window) << text;
    EXPECT_NE(window.error().detail.find(what), std::string::npos) << window.error().detail;
    EXPECT_NE(window.error().detail.find("write it like"), std::string::npos);
  }
}

TEST(WindowText, ThoseOfOneListDoNotOverlap) {
  Windows list;
  ASSERT_TRUE(add_window(list, "Mon-Fri 22:00-04:00 UTC"));
  EXPECT_TRUE(add_window(list, "Mon-Fri 04:00-05:00 UTC")) << "side by side";
  EXPECT_TRUE(add_window(list, "Sun 22:00-24:00 UTC"));
  EXPECT_TRUE(add_window(list, "Sat 03:00-04:00 Europe/Vienna")) << "of another zone: how they lie changes twice a year";
  for (const char* text : {"Sat 03:59-04:01 UTC", "Sun 20:00-22:01 UTC", "Sun 23:00-06:00 UTC", "Tue 00:00-24:00 UTC", "Mon-Fri 22:00-04:00 UTC"}) {
    const auto added = add_window(list, text);
    ASSERT_FALSE(added) << text;
    EXPECT_NE(added.error().detail.find("it overlaps with `"), std::string::npos) << added.error().detail;
  }
  EXPECT_EQ(list.size(), 4u);
  Windows many;
  for (size_t i = 0; i < kWindowsMax; ++i) ASSERT_TRUE(add_window(many, fmt::format("Mon {:02}:{:02}-{:02}:{:02} UTC", i / 30, i % 30, i / 30, i % 30 + 1)));
  EXPECT_FALSE(add_window(many, "Tue 00:00-01:00 UTC"));
}

TEST_F(ZoneFiles, WindowsOpenByTheClockOnTheWall) {
  const Windows nights = list({"Mon-Fri 22:00-04:00 Europe/Vienna"});
  EXPECT_EQ(opens(nights, "2026-12-01T20:59:59Z"), "2026-12-01T21:00:00Z") << "Tuesday, winter time";
  EXPECT_EQ(opens(nights, "2026-12-01T21:00:00Z"), "open");
  EXPECT_EQ(opens(nights, "2026-12-02T02:59:59Z"), "open") << "over midnight";
  EXPECT_EQ(opens(nights, "2026-12-02T03:00:00Z"), "2026-12-02T21:00:00Z");
  EXPECT_EQ(opens(nights, "2026-07-01T20:00:00Z"), "open") << "summer time";
  EXPECT_EQ(opens(nights, "2026-12-05T02:59:00Z"), "open") << "Saturday morning belongs to Friday";
  EXPECT_EQ(opens(nights, "2026-12-05T03:00:00Z"), "2026-12-07T21:00:00Z") << "over the weekend";
  EXPECT_EQ(opens(nights, "2026-12-07T02:00:00Z"), "2026-12-07T21:00:00Z") << "Monday morning would belong to Sunday";
  const Windows week_end = list({"Sun 23:00-01:00 Asia/Kathmandu"});  // UTC+05:45
  EXPECT_EQ(opens(week_end, "2026-12-01T00:00:00Z"), "2026-12-06T17:15:00Z");
  EXPECT_EQ(opens(week_end, "2026-12-06T19:14:59Z"), "open") << "over the end of the week";
  EXPECT_EQ(opens(week_end, "2026-12-06T19:15:00Z"), "2026-12-13T17:15:00Z");
  const Windows tokyo = list({"daily 03:00-04:00 Asia/Tokyo"});  // no summer time
  EXPECT_EQ(opens(tokyo, "2026-03-29T18:00:00Z"), "open");
  EXPECT_EQ(opens(tokyo, "2026-10-25T19:00:00Z"), "2026-10-26T18:00:00Z");
  const Windows leap = list({"Tue 10:00-11:00 UTC"});
  EXPECT_EQ(opens(leap, "2028-02-29T10:30:00Z"), "open") << "the leap day is a Tuesday";
  EXPECT_EQ(opens(leap, "2028-02-29T11:00:00Z"), "2028-03-07T10:00:00Z");
  const Windows always = list({"daily 00:00-24:00 Pacific/Chatham"});
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(opens(always, format_time(at("2026-01-01T00:00:00Z") + std::chrono::minutes(877) * i).c_str()), "open");
}

TEST_F(ZoneFiles, ClocksThatAreSetGiveAndTakeAsTheWallShows) {
  // Vienna 2026: 29 March 02:00 -> 03:00 (01:00 UTC), 25 October 03:00 -> 02:00 (01:00 UTC).
  const Windows across = list({"daily 01:30-03:30 Europe/Vienna"});
  EXPECT_EQ(opens(across, "2026-03-29T00:29:59Z"), "2026-03-29T00:30:00Z");
  EXPECT_EQ(opens(across, "2026-03-29T01:29:59Z"), "open") << "03:29:59, an hour later";
  EXPECT_EQ(opens(across, "2026-03-29T01:30:00Z"), "2026-03-29T23:30:00Z") << "an hour long, and the next day by summer time";
  EXPECT_EQ(opens(across, "2026-10-24T23:30:00Z"), "open");
  EXPECT_EQ(opens(across, "2026-10-25T02:29:59Z"), "open") << "three hours long";
  EXPECT_EQ(opens(across, "2026-10-25T02:30:00Z"), "2026-10-26T00:30:00Z");
  const Windows skipped = list({"Sun 02:10-02:50 Europe/Vienna"});
  EXPECT_EQ(opens(skipped, "2026-03-28T00:00:00Z"), "2026-04-05T00:10:00Z") << "the wall never shows it on that day";
  EXPECT_EQ(opens(skipped, "2026-10-25T00:49:59Z"), "open");
  EXPECT_EQ(opens(skipped, "2026-10-25T00:50:00Z"), "2026-10-25T01:10:00Z") << "shown twice, open twice";
  EXPECT_EQ(opens(skipped, "2026-10-25T01:49:59Z"), "open");
  EXPECT_EQ(opens(skipped, "2026-10-25T01:50:00Z"), "2026-11-01T01:10:00Z");
  const Windows begins_in_it = list({"daily 02:30-04:00 Europe/Vienna"});
  EXPECT_EQ(opens(begins_in_it, "2026-03-29T00:59:59Z"), "2026-03-29T01:00:00Z") << "at 03:00, where the clock goes on";
  // Half an hour, on the other side of the world: Lord Howe, 5 April 2026, 02:00 -> 01:30.
  const Windows lord_howe = list({"Sun 01:45-02:00 Australia/Lord_Howe"});
  EXPECT_EQ(opens(lord_howe, "2026-04-04T14:44:00Z"), "2026-04-04T14:45:00Z");
  EXPECT_EQ(opens(lord_howe, "2026-04-04T15:00:00Z"), "2026-04-04T15:15:00Z");
}

TEST_F(ZoneFiles, TheSameIsSeenMinuteByMinute) {
  // A second judge: what the wall shows at each minute of three weeks around both changes.
  for (const char* text : {"Mon-Fri 22:00-04:00 Europe/Vienna", "Sun 01:00-03:15 America/New_York", "Sat-Sun 23:50-02:40 Australia/Lord_Howe", "daily 02:05-02:25 Europe/Dublin"}) {
    const Windows windows = list({text});
    const Window& window = windows.front();
    for (const char* begin : {"2026-03-01T00:00:00Z", "2026-10-20T00:00:00Z"}) {
      std::string wrong;
      std::vector<bool> open;
      for (int minute = 0; minute < 35 * 24 * 60; ++minute) {
        const WallTime time = at(begin) + std::chrono::minutes(minute);
        const auto local = time + zones_.at(window.zone).at(time).offset;
        const auto day = std::chrono::floor<std::chrono::days>(local);
        const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
        const auto of_day = std::chrono::duration_cast<std::chrono::minutes>(local - day).count();
        const int64_t end = window.begin_min + window.length_min;
        const bool today = (window.days >> weekday & 1) != 0 && of_day >= window.begin_min && of_day < end;
        const bool yesterday = (window.days >> ((weekday + 6) % 7) & 1) != 0 && of_day + 1440 < end;
        open.push_back(today || yesterday);
      }
      for (int minute = 0; minute < 20 * 24 * 60; minute += 7) {
        int next = minute;
        while (!open[static_cast<size_t>(next)]) ++next;
        const Windows* lists[] = {&windows};
        if (next_open(lists, zones_, at(begin) + std::chrono::minutes(minute)) != at(begin) + std::chrono::minutes(next) && wrong.empty()) wrong = fmt::format("{} from {} + {} min", text, begin, minute);
      }
      EXPECT_EQ(wrong, "");
    }
  }
}

TEST_F(ZoneFiles, SeveralListsMustBeOpenTogether) {
  const Windows tenants = list({"daily 22:00-04:00 Europe/Vienna"}), owners = list({"Sat,Sun 00:00-24:00 Europe/Vienna"}), mornings = list({"daily 08:00-09:00 Europe/Vienna"}), none;
  const auto opens_all = [&](std::vector<const Windows*> lists, const char* now) {
    const auto time = next_open(lists, zones_, at(now));
    return time ? format_time(*time) : "never";
  };
  EXPECT_EQ(opens_all({&tenants, &owners}, "2026-12-01T21:00:00Z"), "2026-12-04T23:00:00Z") << "Saturday, 00:00";
  EXPECT_EQ(opens_all({&owners, &tenants, &none}, "2026-12-05T10:00:00Z"), "2026-12-05T21:00:00Z");
  EXPECT_EQ(opens_all({&tenants, &mornings}, "2026-12-01T21:00:00Z"), "never");
  EXPECT_EQ(opens_all({&none}, "2026-12-01T21:00:00Z"), "2026-12-01T21:00:00Z");
}

// --- in the host's decision

class Windowed : public ZoneFiles {
 protected:
  void SetUp() override {
    ZoneFiles::SetUp();
    next_.name = "r2";
    next_.floor.approved_until = at("2030-01-01T00:00:00Z");
    old_.name = "r1";
    Rollout rollout;
    rollout.release = "r2";
    rollout.release_digest.bytes.fill(2);
    rollout.ids_before = at("2026-01-01T00:00:00Z");
    rollout.state = RolloutState::kComplete;
    plan_.sequence = 1;
    plan_.rollouts = {rollout};
    documents_.plan = &plan_;
    documents_.policy = &policy_;
    documents_.local = &local_;
    documents_.deny = &deny_;
    documents_.zones = &zones_;
    documents_.release = [this](const Digest& digest) { return digest.bytes[0] == 2 ? &next_ : digest.bytes[0] == 1 ? &old_ : nullptr; };
    old_digest_.bytes.fill(1);
    state_.running = old_digest_;
    state_.retained = {old_digest_};
  }
  Decision ask(const char* now) { return decide(documents_, host_, state_, at(now)); }

  Release next_, old_;
  Plan plan_;
  Policy policy_;
  LocalPolicy local_;
  DenyList deny_;
  Documents documents_;
  Host host_{"0123456789abcdef0123456789abcdef", {}, {}, "demo"};
  HostState state_;
  Digest old_digest_;
  static constexpr const char* kOpen = "2026-12-01T22:30:00Z";
  static constexpr const char* kClosed = "2026-12-01T12:00:00Z";
};

TEST_F(Windowed, HoldNewContentAndSayWhenTheNextOpens) {
  policy_.fallback.windows = list({"Mon-Fri 22:00-04:00 Europe/Vienna"});
  const Decision closed = ask(kClosed);
  EXPECT_EQ(closed.action, Action::kStay);
  EXPECT_EQ(closed.reason, Reason::kWindow);
  EXPECT_EQ(closed.detail, "r2: outside the maintenance windows; the next opens at 2026-12-01 22:00 Europe/Vienna (2026-12-01T21:00:00Z)");
  EXPECT_EQ(closed.not_before, at("2026-12-01T21:00:00Z"));
  EXPECT_EQ(ask(kOpen).action, Action::kAnnounce);
  // The owner is only ever stricter: both must be open.
  local_.windows = {list({"daily 23:00-23:30 UTC"})};
  EXPECT_EQ(ask(kOpen).reason, Reason::kLocalWindow);
  EXPECT_EQ(ask(kOpen).not_before, at("2026-12-01T23:00:00Z"));
  EXPECT_EQ(ask("2026-12-01T23:10:00Z").action, Action::kAnnounce);
  EXPECT_EQ(ask(kClosed).not_before, at("2026-12-01T23:00:00Z")) << "when both are";
  policy_.fallback.windows = list({"daily 06:00-07:00 UTC"});
  EXPECT_EQ(ask("2026-12-01T23:10:00Z").reason, Reason::kWindow);
  EXPECT_NE(ask(kOpen).detail.find("not open together"), std::string::npos);
}

TEST_F(Windowed, NeverHoldADenialAHaltOrAReturn) {
  policy_.fallback.windows = list({"Sun 03:00-03:01 UTC"});
  local_.windows = {policy_.fallback.windows};
  Digest older;
  older.bytes.fill(9);
  state_.retained = {old_digest_, older};
  deny_.denied = {{old_digest_, "hurts"}};
  EXPECT_EQ(ask(kClosed).action, Action::kReturn);
  deny_.denied.clear();
  local_.deny = {old_digest_};
  EXPECT_EQ(ask(kClosed).action, Action::kReturn);
  local_.deny.clear();
  for (const RolloutState state : {RolloutState::kHalted, RolloutState::kWithdrawn}) {
    plan_.rollouts[0].state = state;
    state_.running = plan_.rollouts[0].release_digest;
    EXPECT_EQ(ask(kClosed).action, Action::kReturn);
  }
}

TEST_F(Windowed, AreTheLastToBeAsked) {  // docs/reference/sensor.md, "What goes before what"
  policy_.fallback.windows = list({"Sun 03:00-03:01 UTC"});
  EXPECT_EQ(ask(kClosed).reason, Reason::kWindow);
  policy_.fallback.delay = std::chrono::hours(24 * 366);
  EXPECT_EQ(ask(kClosed).reason, Reason::kDelay);
  next_.floor.approved_until = at("2026-01-02T00:00:00Z");
  EXPECT_EQ(ask(kClosed).reason, Reason::kApprovalExpired);
  plan_.rollouts[0].state = RolloutState::kPaused;
  EXPECT_EQ(ask(kClosed).reason, Reason::kRolloutPaused);
  policy_.fallback.pin = "r7";
  EXPECT_EQ(ask(kClosed).reason, Reason::kPinned);
  policy_.fallback.paused = true;
  EXPECT_EQ(ask(kClosed).reason, Reason::kPaused);
  local_.paused = true;
  EXPECT_EQ(ask(kClosed).reason, Reason::kLocalPause);
  deny_.denied = {{old_digest_, "hurts"}};
  EXPECT_EQ(ask(kClosed).reason, Reason::kDenied);
}

TEST_F(Windowed, AGrantServesInItsWindowAlone) {
  policy_.fallback.windows = list({"Mon-Fri 22:00-04:00 Europe/Vienna"});
  state_.boot_epoch = "epoch";
  Grant grant;
  grant.sensor_id = host_.sensor_id;
  grant.boot_epoch = "epoch";
  grant.release_digest = plan_.rollouts[0].release_digest;
  grant.verdict = Verdict::kGo;
  grant.expires = at("2026-12-03T00:00:00Z");
  state_.grant = grant;
  EXPECT_EQ(ask(kOpen).action, Action::kTake);
  EXPECT_EQ(ask(kClosed).action, Action::kStay) << "it came while the window was open, and that is over";
}

TEST_F(Windowed, WithoutARightClockOrAKnownZoneNoneIsOpen) {
  policy_.fallback.windows = list({"daily 00:00-24:00 Europe/Vienna"});
  EXPECT_EQ(ask(kOpen).action, Action::kAnnounce);
  state_.clock_right = false;
  EXPECT_EQ(ask(kOpen).reason, Reason::kWindow);
  EXPECT_NE(ask(kOpen).detail.find("set the clock"), std::string::npos);
  state_.clock_right = true;
  zones_.clear();
  EXPECT_EQ(ask(kOpen).reason, Reason::kWindow);
  EXPECT_NE(ask(kOpen).detail.find("the time zone `Europe/Vienna` is not known on this host"), std::string::npos);
  policy_.fallback.windows.clear();
  state_.clock_right = false;
  EXPECT_EQ(ask(kOpen).action, Action::kAnnounce) << "who has no windows needs no clock for them";
}

TEST(PolicyWindows, AreReadStrictlyAndWritten) {
  const auto parse = [](const std::string& rules) { return Policy::parse(as_bytes(R"({"_type":"policy","tenant":"demo","version":1,"groups":[],"default":{"ring":"general")" + rules + "}}")); };
  const auto policy = parse(R"(,"windows":["Mon-Fri 22:00-04:00 Europe/Vienna","Sat 10:00-12:00 UTC"])");
  ASSERT_TRUE(policy) << policy.error().detail;
  EXPECT_EQ(policy->fallback.windows.size(), 2u);
  EXPECT_EQ(*Policy::parse(policy->to_bytes()), *policy);
  EXPECT_TRUE(parse("")->fallback.windows.empty());
  for (const auto& [rules, what] : {std::pair(R"(,"windows":[])", "default.windows: is empty"), {R"(,"windows":["Mon 22:00-23:00 UTC","Mon 22:30-22:31 UTC"])", "default.windows[1]: `Mon 22:30-22:31 UTC` is no window: it overlaps"},
                                    {R"(,"windows":["whenever"])", "default.windows[0]: `whenever` is no window"}, {R"(,"windows":"Mon")", "default.windows"}}) {
    const auto wrong = parse(rules);
    ASSERT_FALSE(wrong) << rules;
    EXPECT_NE(wrong.error().detail.find(what), std::string::npos) << wrong.error().detail;
  }
}

}  // namespace
}  // namespace creance::plan

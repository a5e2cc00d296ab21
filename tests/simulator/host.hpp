// A whole host in one object and in pretended time: the sensor's own Conductor, Activation, StallJudge, Store, clear_sets and admit's judge over a disk that forgets what was
// not synced, and the server's judge of voices; worker, rehearsal, updater and the rest of the server are pretended. Faults come from a seed. The invariants are checked whenever content is read, and after every step.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "base/digest.hpp"
#include "base/fake/disk.hpp"
#include "plan/cohort.hpp"
#include "sensor/admit/judge.hpp"
#include "sensor/supervise/conductor.hpp"
#include "sensor/supervise/sets.hpp"
#include "server/control/voices.hpp"

namespace creance::sensor::simulated {

using namespace std::chrono_literals;

class PretendedClock final : public Clock {
 public:
  WallTime wall() const override { return wall_; }
  MonotonicTime monotonic() const override { return monotonic_; }
  void pass(milliseconds time) {
    monotonic_ += time;
    wall_ += time;
  }
  void jump(milliseconds by) { wall_ += by; }

 private:
  MonotonicTime monotonic_{1'000'000};
  WallTime wall_{milliseconds(1'790'000'000'000)};
};

enum class Nature : uint8_t { kGood, kCrashes, kHangs, kSpins, kCrashesLate, kFailsRehearsal, kKillsRehearsal, kHangsRehearsal, kDoesNotVerify };
inline constexpr uint32_t kNatures = 9;

struct Content {
  plan::Release document;
  Digest digest;
  Nature nature = Nature::kGood;
  Bytes channel;
  Set set() const { return digest.bytes; }
};

// Everything that is signed, as the server publishes it and as the spool of the host has it.
struct Published {
  plan::Plan plan;
  plan::DenyList deny;
  bool forged = false;  // a mirror's own invention: no signature fits
};

class Host final : private Hands {
 public:
  explicit Host(uint64_t seed) : random_(seed) {
    record_.machine_id = kMachine;
    server_.plan.sequence = 1;
    server_.deny.version = 1;
    for (const char* folder : {"/s/state", "/s/sets", "/s/trusted"}) CHECK(disk_.make_directories(folder).has_value());
    publish(Nature::kGood);
    server_.plan.rollouts[0].state = plan::RolloutState::kComplete;
    boot();
  }

  // --- what a test does with it
  uint64_t below(uint64_t n) { return random_() % n; }
  bool chance(uint64_t one_in) { return below(one_in) == 0; }
  const Activation& machine() const { return conductor_->activation(); }
  fake::Disk& disk() { return disk_; }
  PretendedClock& clock() { return clock_; }
  const Set& running() const { return worker_.loaded; }
  bool up() const { return conductor_.has_value(); }
  uint64_t steps() const { return steps_; }
  uint64_t activations() const { return activations_; }
  uint64_t returns() const { return returns_; }
  uint64_t boots() const { return boots_; }
  size_t refused() const { return hurt_.size(); }
  const std::string& story() const { return story_; }
  Published& server() { return server_; }
  const Content& content(const Set& set) const { return contents_.at(set); }

  void run_for(milliseconds time) {
    const MonotonicTime end = clock_.monotonic() + time;
    while (clock_.monotonic() < end && !testing::Test::HasFatalFailure()) step(end);
  }

  void step(MonotonicTime end) {
    ++steps_;
    if (!conductor_) {  // the machine is off
      clock_.pass(std::min(end, on_at_) - clock_.monotonic());
      if (clock_.monotonic() >= on_at_) boot();
      return;
    }
    MonotonicTime next = std::min(end, conductor_->next_timer());
    if (!due_.empty()) next = std::min(next, due_.begin()->first);
    clock_.pass(std::max(next, clock_.monotonic()) - clock_.monotonic());
    while (conductor_ && !due_.empty() && due_.begin()->first <= clock_.monotonic()) {
      const auto action = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      action();
      if (!disk_.on()) power_loss();
    }
    if (!conductor_) return;
    if (worker_.lives && !worker_.silent && clock_.monotonic() >= worker_.waits_until) conductor_->worker_spoke();
    conductor_->timers();
    if (!disk_.on()) return power_loss();
    check();
  }

  // --- faults
  Set publish(Nature nature) {
    Content made;
    made.nature = nature;
    made.document.name = fmt::format("release-{}", ++releases_);
    made.document.floor.approved_until = clock_.wall() + 24h * 3650;
    made.channel.assign(made.document.name.begin(), made.document.name.end());
    made.document.channels.push_back({"linux.process_creation", sha256({}), "x", sha256(made.channel), static_cast<int64_t>(made.channel.size()), 1, {}});
    made.digest = plan::release_digest(made.document.to_bytes());
    plan::Rollout rollout;
    rollout.release = made.document.name;
    rollout.release_digest = made.digest;
    rollout.ids_before = clock_.wall() - 24h;
    rollout.stages.push_back({plan::Ring::kGeneral, plan::kEveryCohort, plan::kEveryCohort});
    const Set set = made.set();
    contents_.emplace(set, std::move(made));
    server_.plan.rollouts.insert(server_.plan.rollouts.begin(), rollout);
    if (server_.plan.rollouts.size() > 6) server_.plan.rollouts.pop_back();
    ++server_.plan.sequence;
    return set;
  }
  void deny(const Set& set) {
    if (server_.deny.find({set}) == nullptr) server_.deny.denied.push_back({{set}, "hurts"});
    ++server_.deny.version;
  }
  void retry(const Set& set) {
    server_.deny.retry = {Digest{set}};
    ++server_.deny.version;
  }
  void power_loss() {
    remember();
    conductor_.reset();
    due_.clear();
    forget_children();
    disk_.power_loss([this](size_t n) { return chance(2) ? 0 : below(n); });
    const auto marker = ipc::read_kept<ipc::Marker>(disk_, "/s/state/marker.bin", 1).value;
    const auto ladder = ipc::read_kept<ipc::Ladder>(disk_, "/s/state/ladder.bin").value;
    if (marker && marker->arm == Arm::kGo && !(ladder && ladder->count > 0 && ladder->sets[0] == marker->release)) must_refuse_ = marker->release;
    ++boot_;
    on_at_ = clock_.monotonic() + milliseconds(below(120'000));
  }
  void kill_supervisor() {
    remember();
    conductor_.reset();
    due_.clear();
    forget_children();
    on_at_ = clock_.monotonic() + milliseconds(below(5'000));
  }
  void stop(bool reboot) {
    (void)conductor_->stop().has_value();
    if (!disk_.on()) return power_loss();
    kill_supervisor();
    if (reboot) ++boot_;
  }
  void snapshot() { snapshot_ = disk_.image(); }
  void restore() {
    if (!snapshot_) return;
    power_loss();
    disk_ = snapshot_->image();
    must_refuse_.reset();
    became_of_then();
  }
  // A second machine with a copy of this disk, under the same identity, both alive. Both must be found within a few reports, and each goes on under an identity of its own; the story goes on with one
  // of them.
  void clone() {
    if (!conductor_ || record_.boot_epoch.empty()) return;
    fake::Disk copy = disk_.image();
    const std::string other_epoch = draw_id();
    int64_t other_sequence = 0;
    bool found = false;
    for (int i = 0; i < 8 && !found; ++i) {
      found = speak(other_epoch, ++other_sequence, milliseconds(1'000 * i)) == server::Voice::kClone;
      found = found || speak(epoch_, ++sequence_, clock_.monotonic() - booted_at_) == server::Voice::kClone;
    }
    EXPECT_TRUE(found) << "two hosts under one identity are not told apart\n" << story_;
    EXPECT_TRUE(speak(epoch_, ++sequence_, milliseconds(0)) == server::Voice::kRetired);
    EXPECT_TRUE(speak(other_epoch, ++other_sequence, milliseconds(0)) == server::Voice::kRetired);
    ++clones_;
    tell("is a clone: enrols again");
    record_ = {};  // of the new identity, which takes over what the old one refused (came_back_)
    record_.machine_id = kMachine;
    id_ = draw_id();
    epoch_ = draw_id();
    booted_at_ = clock_.monotonic();
    granted_.reset();
    if (chance(2)) return;
    power_loss();
    disk_ = std::move(copy);
    must_refuse_.reset();
    became_of_then();
  }
  void became_of_then() {
    // What its disk of then runs as good is what it has; the server remembers what it was told, and lets it take none of that again.
    std::erase_if(hurt_, [this](const auto& entry) { return !came_back_.contains(entry.first); });
    if (const auto ladder = ipc::read_kept<ipc::Ladder>(disk_, "/s/state/ladder.bin").value)
      for (size_t i = 0; i < ladder->count; ++i) hurt_.erase(ladder->sets[i]);
    if (const auto marker = ipc::read_kept<ipc::Marker>(disk_, "/s/state/marker.bin", 1).value; marker && marker->arm == Arm::kGo) hurt_.erase(marker->release);
  }
  uint64_t clones() const { return clones_; }
  void kill_worker() {
    if (worker_.lives) worker_dies("signal 9", Cause::kKilled);
  }
  // By somebody who ends all of the sensor's children, again and again: the kernel out of memory, a person.
  void kill_children(milliseconds time) {
    for (milliseconds at(0); at < time; at += milliseconds(50))
      later(at, [this] {
        if (!conductor_) return;
        kill_worker();
        if (admit_lives_) {
          admit_lives_ = false;
          conductor_->admit_ended();
        }
      });
  }
  void program_missing(milliseconds time) {  // as while a package is being replaced
    program_missing_until_ = clock_.monotonic() + time;
    kill_worker();
  }
  void stop_worker() {  // SIGSTOP
    worker_.silent = worker_.stopped = true;
  }
  void silence_worker() { worker_.silent = true; }
  void lie() {
    const Set any = random_set();
    switch (below(4)) {
      case 0: conductor_->worker_activated(any); break;
      case 1: conductor_->rehearsal_ended(any, true, Reason::kNone, {}); break;
      case 2: conductor_->worker_refused(any, Reason::kVerifyFailed, "a lie"); break;
      default: conductor_->grant_came(any); break;
    }
  }
  Set random_set() {
    auto it = contents_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(below(contents_.size())));
    return it->first;
  }
  // One of the two copies of a record, or both, while nobody writes; as a disk does it.
  enum class Damage : uint8_t { kBit, kTruncated, kZeroed, kMissing, kUnreadable, kLast = kUnreadable };
  void damage_record(const std::string& name, Damage how, bool file, bool copy) {
    const std::filesystem::path path = "/s/state/" + name;
    for (const auto& [which, wanted] : {std::pair(path, file), std::pair(spare_of(path), copy)}) {
      const auto bytes = wanted ? disk_.read(which, 65'536) : Result<Bytes>(fail(ErrorCode::kNotFound, ""));
      if (!bytes) continue;
      switch (how) {
        case Damage::kBit: disk_.damage(which); break;
        case Damage::kTruncated: disk_.put(which, Bytes(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(bytes->size() / 3))); break;
        case Damage::kZeroed: disk_.put(which, Bytes(bytes->size(), 0)); break;
        case Damage::kMissing: disk_.lose(which); break;
        case Damage::kUnreadable: disk_.make_unreadable(which); break;
      }
    }
  }
  void damage_record_of_then() {  // the machine is off; seldom both
    constexpr const char* kNames[] = {"session.bin", "refusals.bin", "lifted.bin", "ladder.bin", "held-back.bin", "pause.bin", "marker.bin"};
    kill_supervisor();
    const bool both = chance(8);
    const std::string name = kNames[below(std::size(kNames))];
    const auto how = static_cast<Damage>(below(static_cast<uint64_t>(Damage::kLast) + 1));
    tell(fmt::format("{}{} is damaged ({})", name, both ? " and its copy" : "", static_cast<int>(how)));
    const bool copy = both || chance(2);
    damage_record(name, how, both || !copy, copy);
    if (both && name == "marker.bin") must_refuse_.reset();
  }
  const std::vector<std::string>& damages() const { return damages_; }       // as they were told
  const std::map<Set, int64_t>& remembered_by_server() const { return came_back_; }
  void retry_by_owner(const Set& set) {
    ipc::Order order;
    order.what = ipc::Order::What::kRetry;
    order.release = set;
    tell("order: " + conductor_->order(order).text);
    hurt_.erase(set);
  }
  void mend(const Set& set) { contents_.at(set).nature = Nature::kGood; }    // it hurts no more: the host was why
  void starve_loads(milliseconds each) { slow_load_ = each; }                // the worker and the rehearsal get no processor for so long
  ipc::OrderAnswer::What order(ipc::Order::What what) {
    ipc::Order order;
    order.what = what;
    order.release = random_set();
    order.pause_ms = below(3'600'000);
    const bool retries = what == ipc::Order::What::kRetry;
    const OrderOutcome came = conductor_->order(order);
    tell("order: " + came.text);
    if (retries) hurt_.erase(order.release);
    return came.what;
  }
  uint64_t paused_ms() const { return conductor_->pause().remaining_ms; }
  void pause(milliseconds time) {
    ipc::Order order;
    order.pause_ms = static_cast<uint64_t>(time.count());
    tell("order: " + conductor_->order(order).text);
  }
  plan::LocalPolicy& owner() { return owner_; }                              // as policy.yml says it
  const std::vector<WallTime>& activated() const { return activated_; }      // when, by the host's clock
  void network(bool works) { network_ = works; }
  void forge(bool yes) { forging_ = yes; }
  void offer_old_plan(bool yes) { replaying_ = yes; }
  void damage_a_set() {
    const Set set = random_set();
    disk_.damage(folder_of(set) / (chance(2) ? "set.bin" : "0.channel"));
  }
  void holds(uint64_t one_in) { hold_one_in_ = one_in; }  // 0: never
  void children_work(bool yes) { children_work_ = yes; }

 private:
  struct PretendedWorker {
    bool lives = false, silent = false, spinning = false, stopped = false;
    uint64_t generation = 0;
    milliseconds waited{0};
    MonotonicTime waits_until{0}, waits_since{0};
    Set loaded{};
    MonotonicTime since{0};
    Set blamed{};
  };

  static std::filesystem::path folder_of(const Set& set) { return std::filesystem::path("/s/sets") / to_hex(set); }
  void later(milliseconds delay, std::function<void()> action) { due_.emplace(clock_.monotonic() + delay, std::move(action)); }
  void tell(const std::string& text) {
    story_ += fmt::format("{:>10} {}\n", clock_.monotonic().count(), text);
    if (story_.size() > 65'536) story_.erase(0, story_.size() - 32'768);
  }

  void boot() {
    ++boots_;
    tell(fmt::format("starts, boot {}", boot_));
    last_answer_.reset();
    granted_.reset();
    unsent_.clear();
    epoch_ = draw_id();
    sequence_ = 0;
    booted_at_ = clock_.monotonic();
    conductor_.emplace(ConductorSettings{}, "/s/state", disk_, disk_, clock_, static_cast<Hands&>(*this));
    conductor_->start(ipc::BootId(fmt::format("boot-{}", boot_)));
    if (must_refuse_) {
      EXPECT_TRUE(machine().refusals().contains(*must_refuse_)) << "the machine went down in its probation";
      must_refuse_.reset();
    }
    if (machine().refusals_lost()) came_to_mind();
    for (size_t i = 0; i < machine().lifted().count; ++i) unsent_.push_back({EventKind::kRefusalLifted, machine().lifted().list[i], {}});
    for (size_t i = 0; i < machine().refusals().count; ++i) unsent_.push_back({EventKind::kContentRefused, machine().refusals().list[i].release, {}});
    fetch();
    reports();
    if (!disk_.on()) power_loss();
  }
  // What neither this disk nor the server knows any more, nobody can refuse.
  void came_to_mind() {
    std::erase_if(hurt_, [this](const auto& entry) { return !came_back_.contains(entry.first); });
  }
  std::string draw_id() { return fmt::format("{:016x}{:016x}", random_(), random_()); }

  // What the server hears, by its own clock, and the real judge of voices.
  server::Voice speak(const std::string& epoch, int64_t sequence, milliseconds uptime) {
    plan::Report report;
    report.machine_id = kMachine;
    report.boot_epoch = epoch;
    report.sequence = sequence;
    report.uptime_ms = uptime.count();
    const std::string digest = sha256(as_bytes(to_json(report.to_json()))).hex();
    const WallTime now(clock_.monotonic());
    server::Heard heard = server::hear(record_, report, digest, false, now);
    if (heard.voice == server::Voice::kChallenge) heard = server::hear(record_, report, digest, true, now);  // whoever lives answers
    server::remember(record_, report, digest, heard.voice, now);
    return heard.voice;
  }
  void reports() {
    later(milliseconds(20'000 + below(80'000)), [this] { reports(); });
    if (!network_) return;
    const server::Voice voice = speak(epoch_, ++sequence_, clock_.monotonic() - booted_at_);
    EXPECT_TRUE(voice == server::Voice::kNext) << "a host that is alone is taken for two (" << static_cast<int>(voice) << ")\n" << story_;
    for (const Emit& event : unsent_) {
      if (event.kind == EventKind::kContentRefused) came_back_[event.release] = server_.deny.version;
      else came_back_.erase(event.release);
    }
    const std::vector<Emit> sent = std::exchange(unsent_, {});
    for (const Emit& event : sent)
      if (event.kind == EventKind::kRefusalLifted) conductor_->lift_told(event.release);
  }
  void forget_children() {
    worker_ = {.generation = worker_.generation + 1};
    ++rehearsal_generation_;
    admit_lives_ = false;
    announced_ = kNoSet;
  }

  // The updater's turn: what the server has now goes to the spool, or what a mirror makes of it.
  void fetch() {
    later(milliseconds(20'000 + below(40'000)), [this] { fetch(); });
    if (!network_) return;
    if (chance(4)) old_ = spool_;
    spool_ = replaying_ && old_ ? *old_ : server_;
    spool_.forged = forging_;
    conductor_->spool_changed();
  }

  // --- Hands
  Status start_worker(const Set& set) override {
    EXPECT_FALSE(worker_.lives);
    if (!children_work_ && chance(20)) return fail(ErrorCode::kUnavailable, "no memory for another process");
    worker_ = {.lives = true, .generation = worker_.generation + 1, .since = clock_.monotonic()};
    if (clock_.monotonic() < program_missing_until_) {
      later(milliseconds(5), [this, generation = worker_.generation] {
        if (worker_.generation == generation) worker_dies("exit code 127", Cause::kNotStarted);
      });
      return {};
    }
    tell_worker(set);
    return {};
  }
  void end_worker() override { worker_ = {.generation = worker_.generation + 1, .blamed = worker_.loaded}; }
  bool worker_lives() const override { return worker_.lives; }
  void tell_worker(const Set& set) override {
    worker_.waits_since = clock_.monotonic();
    worker_.waits_until = clock_.monotonic() + slow_load_;
    later(slow_load_ + milliseconds(1 + below(800)), [this, set, generation = worker_.generation] {
      if (worker_.generation != generation || worker_.stopped) return;
      if (const std::string wrong = load(set, "worker"); !wrong.empty()) return conductor_->worker_refused(set, Reason::kVerifyFailed, wrong);
      worker_.loaded = set;
      conductor_->worker_activated(set);
      behave(set, generation);
    });
  }
  std::chrono::nanoseconds worker_cpu() override { return worker_.spinning ? std::chrono::nanoseconds(clock_.monotonic() - worker_.since) : std::chrono::nanoseconds(0); }
  bool worker_stopped() override { return worker_.stopped; }
  milliseconds worker_waited() override { return std::min(clock_.monotonic(), worker_.waits_until) - worker_.waits_since; }
  bool rehearsal_stopped() override { return false; }
  milliseconds rehearsal_waited() override { return std::min(clock_.monotonic(), rehearsal_waits_until_) - rehearsal_waits_since_; }
  Set worker_channel() override { return chance(2) || worker_.blamed == kNoSet ? kNoSet : sha256(contents_.at(worker_.blamed).channel).bytes; }
  Status start_rehearsal(const Set& set) override {
    const uint64_t generation = ++rehearsal_generation_;
    rehearsal_waits_since_ = clock_.monotonic();
    rehearsal_waits_until_ = clock_.monotonic() + slow_load_;
    later(slow_load_ + milliseconds(50 + below(3'000)), [this, set, generation] {
      if (rehearsal_generation_ != generation) return;
      const std::string wrong = load(set, "rehearsal");
      const Nature nature = set == kNoSet ? Nature::kGood : contents_.at(set).nature;
      if (nature == Nature::kHangsRehearsal) return;
      if (!wrong.empty()) conductor_->rehearsal_ended(set, false, Reason::kDamaged, wrong);
      else if (nature == Nature::kDoesNotVerify) conductor_->rehearsal_ended(set, false, Reason::kVerifyFailed, "V012");
      else if (nature == Nature::kFailsRehearsal || nature == Nature::kKillsRehearsal) conductor_->rehearsal_ended(set, false, Reason::kNone, "signal 11");
      else conductor_->rehearsal_ended(set, true, Reason::kNone, {});
    });
    return {};
  }
  void end_rehearsal() override { ++rehearsal_generation_; }
  Status ask_admit(const AdmitQuestion& asked) override {
    EXPECT_FALSE(admit_lives_);
    admit_lives_ = true;
    if (!children_work_ && chance(50)) return {};  // it hangs
    later(milliseconds(20 + below(300)), [this, asked, generation = ++admit_generation_] {
      if (!admit_lives_ || admit_generation_ != generation) return;
      const ipc::Admitted answer = admit(asked);
      CHECK(answer.valid());
      admit_lives_ = false;
      if (!disk_.on()) return;
      if (answer.trusted == 1) last_answer_ = spool_;
      conductor_->admit_answered(answer);
      if (conductor_) conductor_->admit_ended();
    });
    return {};
  }
  void end_admit() override { admit_lives_ = false; }
  bool admit_lives() const override { return admit_lives_; }
  void announce(const Set& release, const Set&) override {
    announced_ = release;
    granted_.reset();
    if (release != kNoSet) ask_for_grant(release);
  }
  void report(const Emit& event) override {
    tell(fmt::format("{} {} {}", to_string(event.kind), to_hex(event.release).substr(0, 8), event.detail));
    activations_ += event.kind == EventKind::kActivated;
    if (event.kind == EventKind::kActivated) activated_.push_back(clock_.wall());
    if (event.kind == EventKind::kContentRefused || event.kind == EventKind::kRefusalLifted) unsent_.push_back(event);
    returns_ += event.kind == EventKind::kReturned;
  }
  void note(std::string text) override { tell(text); }
  void damaged(const std::string& what) override {
    tell("damaged: " + what);
    damages_.push_back(what);
  }
  std::vector<Set> sets_there() override {
    std::vector<Set> sets;
    for (const std::string& name : disk_.list("/s/sets").value_or(std::vector<std::string>()))
      if (const Set set = set_of(name); set != kNoSet) sets.push_back(set);
    return sets;
  }
  bool clear_sets(const std::function<bool(const Set&)>& retained) override {
    (void)sensor::clear_sets(disk_, "/s/sets", retained).has_value();
    return true;
  }
  void phase_changed() override { tell(fmt::format("-> {}", to_string(machine().phase()))); }

  void worker_dies(const std::string& how, Cause cause = Cause::kItself) {
    end_worker();
    conductor_->worker_ended(how, Reason::kWorkerCrash, cause);
  }
  // What content does to the worker that runs it live.
  void behave(const Set& set, uint64_t generation) {
    if (set == kNoSet || !conductor_ || machine().refusals().contains(sha256(contents_.at(set).channel).bytes)) return;  // runs without its only channel
    const auto if_it_still_runs = [this, set, generation](const std::function<void()>& act) {
      return [this, set, generation, act] {
        if (worker_.generation == generation && worker_.loaded == set) act();
      };
    };
    switch (contents_.at(set).nature) {
      case Nature::kCrashes: later(milliseconds(1 + below(19'000)), if_it_still_runs([this] { worker_dies("signal 11"); })); break;
      case Nature::kCrashesLate: later(clock_.monotonic() - first_run(set) < 1h ? 1h + milliseconds(below(3'600'000)) : milliseconds(1 + below(9'000)), if_it_still_runs([this] { worker_dies("signal 11"); })); break;
      case Nature::kHangs: later(milliseconds(1 + below(15'000)), if_it_still_runs([this] { worker_.silent = true; })); break;
      case Nature::kSpins: later(milliseconds(1 + below(10'000)), if_it_still_runs([this] { worker_.silent = worker_.spinning = true; })); break;
      default: break;
    }
  }
  MonotonicTime first_run(const Set& set) { return first_runs_.emplace(set, clock_.monotonic()).first->second; }

  void ask_for_grant(const Set& release) {
    later(milliseconds(200 + below(2'000)), [this, release] {
      if (announced_ != release) return;
      if (!network_) return ask_for_grant(release);
      plan::Grant grant;
      grant.sensor_id = id_;
      grant.boot_epoch = epoch_;
      grant.release_digest = {release};
      const auto refused = came_back_.find(release);  // what it refused it is told hold from then on, until a retry that is newer
      const bool hurt = refused != came_back_.end() && !(lifted(release) && server_.deny.version > refused->second);
      if (hurt) grant.reason = "this sensor refused it";
      grant.verdict = hurt || (hold_one_in_ > 0 && chance(hold_one_in_)) ? plan::Verdict::kHold : plan::Verdict::kGo;
      grant.expires = clock_.wall() + 24h * 365;
      granted_ = grant;
      conductor_->grant_came(release);
      ask_for_grant(release);
    });
  }
  bool lifted(const Set& set) const { return std::ranges::find(server_.deny.retry, Digest{set}) != server_.deny.retry.end(); }

  // As creance-sensor-admit, after the signatures: the same judge, the same order of files.
  ipc::Admitted admit(const AdmitQuestion& asked) {
    ipc::Admitted refused;
    const auto because = [&](const std::string& detail) {
      refused.detail.assign(detail);
      return refused;
    };
    if (spool_.forged) return because("signature does not fit");
    if (spool_.deny.version < trusted_deny_) return because("older than what is trusted");
    trusted_deny_ = spool_.deny.version;
    Question question;
    question.boot_epoch = epoch_;
    if (asked.running != kNoSet) question.running = asked.running;
    for (size_t i = 0; i < asked.ladder.count; ++i) question.rungs.push_back(asked.ladder.sets[i]);
    if (asked.held_back) question.held_back = asked.held_back->release;
    if (asked.announced != kNoSet) question.announced = asked.announced;
    question.paused = asked.paused;
    HostMemory memory;
    if (const auto refusals = ipc::read_record<ipc::Refusals>(disk_, "/s/state/refusals.bin")) memory.refusals = *refusals;
    if (const auto seen = ipc::read_record<ipc::PlanSeen>(disk_, "/s/trusted/plan.bin")) memory.plan_seen = seen->sequence;
    if (question.announced && granted_ && granted_->check(id_, epoch_, {*question.announced}, clock_.wall())) memory.grant = granted_;
    plan::Documents documents;
    documents.plan = &spool_.plan;
    documents.deny = &spool_.deny;
    documents.local = &owner_;
    documents.zones = &zones_;
    documents.release = [this](const Digest& digest) -> const plan::Release* {
      const auto found = contents_.find(digest.bytes);
      return found == contents_.end() ? nullptr : &found->second.document;
    };
    Judgement judgement = judge(question, documents, {id_, WallTime{}, {}, "demo"}, memory, clock_.wall());
    if (judgement.answer.plan_sequence > memory.plan_seen)
      if (const auto kept = ipc::write_record(disk_, "/s/trusted/plan.bin", ipc::PlanSeen{judgement.answer.plan_sequence}); !kept) return because(kept.error().detail);
    if (judgement.offers()) {
      if (const auto put = put_set(contents_.at(judgement.decision.release->bytes)); !put) return because(put.error().detail);
      offer_in(judgement, memory);
    }
    return judgement.answer;
  }
  Status put_set(const Content& content) {
    const auto folder = folder_of(content.set());
    if (whole(content.set()).empty()) return {};
    TRY_VOID(disk_.remove(folder / ipc::kSetRecordName));
    TRY_VOID(disk_.make_directories(folder));
    TRY_VOID(disk_.write_atomic(folder / "0.channel", content.channel, 0444));
    ipc::SetRecord record;
    record.release = content.set();
    record.count = 1;
    record.files[0].name.assign("0.channel");
    record.files[0].sha256 = sha256(content.channel).bytes;
    record.files[0].bytes = content.channel.size();
    return disk_.write_atomic(folder / ipc::kSetRecordName, ipc::to_record(record), 0444);
  }
  std::string whole(const Set& set) {
    const auto record = ipc::read_record<ipc::SetRecord>(disk_, folder_of(set) / ipc::kSetRecordName);
    if (!record) return record.error().detail;
    const auto bytes = disk_.read(folder_of(set) / "0.channel", limits::kChannelBytesMax);
    if (!bytes) return bytes.error().detail;
    return sha256(*bytes).bytes == record->files[0].sha256 ? "" : "its bytes are not the ones that were signed";
  }

  // Content is read: the moment for which all of this was built. Returns what is wrong with its files.
  std::string load(const Set& set, const char* by) {
    if (set == kNoSet) return {};
    const std::string name = fmt::format("{} reads {} ({})", by, to_hex(set).substr(0, 8), contents_.contains(set) ? contents_.at(set).document.name : "nobody's");
    EXPECT_TRUE(contents_.contains(set)) << name << ", which nobody signed\n" << story_;
    EXPECT_FALSE(machine().refusals().contains(set)) << name << ", which is refused\n" << story_;
    const auto hurt = hurt_.find(set);
    EXPECT_TRUE(hurt == hurt_.end() || (lifted(set) && server_.deny.version > hurt->second)) << name << ", which was refused once\n" << story_;
    bool good = false;
    for (size_t i = 0; i < machine().ladder().count; ++i) good = good || machine().ladder().sets[i] == set;
    if (!good) {
      const auto marker = ipc::read_record<ipc::Marker>(disk_, "/s/state/marker.bin");
      EXPECT_TRUE(marker && marker->release == set && marker->arm == Arm::kGo && disk_.durable("/s/state/marker.bin")) << name << " without a durable marker\n" << story_;
      EXPECT_TRUE(!last_answer_ || last_answer_->deny.find({set}) == nullptr) << name << ", which is denied\n" << story_;
    }
    return whole(set);
  }

  void remember() {
    if (!conductor_) return;
    for (size_t i = 0; i < machine().refusals().count; ++i) {
      const ipc::Refusal& entry = machine().refusals().list[i];
      // What the disk has not taken yet may be forgotten in a power loss; then the marker is still there.
      if (const auto kept = ipc::read_record<ipc::Refusals>(disk_, "/s/state/refusals.bin"); kept && kept->contains(entry.release) && disk_.durable("/s/state/refusals.bin")) hurt_[entry.release] = std::max<int64_t>(hurt_[entry.release], entry.deny_version);
    }
  }

  void check() {
    const Activation& m = machine();
    remembered_ = remembered_ + 1;
    if (m.refusals().count != refusals_seen_ || remembered_ % 64 == 0) remember();
    refusals_seen_ = m.refusals().count;
    ASSERT_TRUE(m.ladder().valid());
    ASSERT_TRUE(m.refusals().valid());
    for (size_t i = 0; i < m.ladder().count; ++i) ASSERT_FALSE(m.refusals().contains(m.ladder().sets[i])) << "refused content on the ladder\n" << story_;
    ASSERT_FALSE(worker_.loaded != kNoSet && m.phase() != Phase::kReturning /* told to swap */ && m.refusals().contains(worker_.loaded)) << "refused content runs\n" << story_;
  }

  static constexpr const char* kMachine = "0123456789abcdef0123456789abcdef";
  std::mt19937_64 random_;
  PretendedClock clock_;
  fake::Disk disk_;
  std::optional<fake::Disk> snapshot_;
  std::optional<Conductor> conductor_;
  std::multimap<MonotonicTime, std::function<void()>> due_;
  PretendedWorker worker_;
  uint64_t rehearsal_generation_ = 0, admit_generation_ = 0;
  bool admit_lives_ = false, children_work_ = false;
  Set announced_{};
  std::optional<plan::Grant> granted_;
  std::vector<std::string> damages_;
  milliseconds slow_load_{0};
  MonotonicTime rehearsal_waits_since_{0}, rehearsal_waits_until_{0};
  MonotonicTime on_at_{0}, program_missing_until_{0};
  uint64_t boot_ = 1, boots_ = 0, steps_ = 0, activations_ = 0, returns_ = 0, releases_ = 0, remembered_ = 0, hold_one_in_ = 3;
  uint32_t refusals_seen_ = 0;

  std::map<Set, Content> contents_;   // all that was ever signed
  Published server_, spool_;
  plan::LocalPolicy owner_;
  const plan::Zones zones_{{"UTC", plan::Zone::utc()}};
  std::vector<WallTime> activated_;
  std::optional<Published> old_, last_answer_;
  int64_t trusted_deny_ = 0;
  bool network_ = true, forging_ = false, replaying_ = false;
  server::SensorRecord record_;       // as the server has it
  std::string id_ = "0123456789abcdef0123456789abcdef", epoch_;
  int64_t sequence_ = 0;
  MonotonicTime booted_at_{0};
  uint64_t clones_ = 0;
  std::vector<Emit> unsent_;          // what the server does not know yet
  std::map<Set, int64_t> came_back_;  // what the server remembers that this id refused, and the deny list of then
  std::map<Set, int64_t> hurt_;       // refused here, durably; and the deny list that was known then
  std::optional<Set> must_refuse_;
  std::map<Set, MonotonicTime> first_runs_;
  std::string story_;
};

}  // namespace creance::sensor::simulated

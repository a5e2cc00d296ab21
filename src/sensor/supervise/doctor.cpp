#include "sensor/supervise/doctor.hpp"

#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/ipc/records.hpp"
#include "base/os/real.hpp"
#include "sensor/supervise/launcher.hpp"
#include "sensor/supervise/running.hpp"
#include "sensor/supervise/span_text.hpp"

namespace creance::sensor {
namespace {
namespace fs = std::filesystem;

class Examination {
 public:
  Examination(const DoctorOptions& options, FileSystem& files) : options_(options), files_(files) {}

  int run() {
    look();
    if (options_.json) {
      std::string out;
      for (const Finding& finding : findings_) out += fmt::format("{}{{\"verdict\":\"{}\",\"about\":\"{}\",\"text\":{}}}", out.empty() ? "" : ",", finding.verdict, finding.about, json_text(finding.text));
      fmt::print("[{}]\n", out);
    } else {
      for (const Finding& finding : findings_) fmt::print("{:<6} {:<10} {}\n", finding.verdict, finding.about, finding.text);
    }
    return wrong_ > 0 || unseen_ ? 2 : 0;
  }

 private:
  struct Finding {
    const char* verdict;
    const char* about;
    std::string text;
  };
  static std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + "\"";
  }
  void look() {
    if (!files_.exists(options_.state / "state") && !files_.exists(options_.state / "identity.json")) return wrong("folder", fmt::format("`{}` is no sensor's folder, or you may not look into it; creance-sensor enrol makes one", options_.state.string()));
    struct stat info {};
    if (::geteuid() != 0 && ::stat(options_.state.c_str(), &info) == 0 && info.st_uid != ::geteuid()) {
      unseen_ = true;
      note("rights", fmt::format("run this as root: records, content, users and whether a sensor runs are not looked at, since `{}` is another user's", options_.state.string()));
      return host();
    }
    never_started_ = never_started(options_.state, files_);
    enrolment();
    running();
    disk();
    records();
    content();
    users();
    host();
    policy();
  }
  void say(const char* verdict, const char* about, std::string text) { findings_.push_back({verdict, about, std::move(text)}); }
  void ok(const char* about, const std::string& text) { say("ok", about, text); }
  void note(const char* about, const std::string& text) { say("note", about, text); }
  void wrong(const char* about, const std::string& text) {
    ++wrong_;
    say("wrong", about, text);
  }
  template <class T>
  std::optional<T> record(const char* name) {
    const auto kept = ipc::read_kept<T>(files_, options_.state / "state" / name);
    if (!kept.damage.empty() && kept.generation.value_or(0) > 0) note("records", fmt::format("{}: {}; its copy is whole, and the sensor goes on with that", name, kept.damage));
    else if (kept.missing && kept.generation.value_or(0) > 0) note("records", fmt::format("{} is missing; its copy is whole, and the sensor goes on with that", name));
    else if (kept.missing && all_there_) wrong("records", fmt::format("{} and its copy are missing: at its next start the sensor says what follows, and is careful", name));
    else if (!kept.damage.empty()) wrong("records", fmt::format("{}: {}; its copy says nothing either: at its next start the sensor says what follows, and is careful", name, kept.damage));
    return kept.value;
  }

  void enrolment() {
    if (files_.exists(options_.state / "identity.json")) ok("enrolment", "enrolled");
    else note("enrolment", "not enrolled: it can only run with --offline; creance-sensor enrol changes that");
  }
  void running() {
    if (never_started_) return wrong("running", fmt::format("never started: this host is not watched; creance-sensor run --state {} --live starts it", options_.state.string()));
    const auto runs = sensor_runs(options_.state);
    runs_ = runs && *runs;
    if (!runs) wrong("running", runs.error().detail);
    else if (runs_) ok("running", "a sensor runs on this folder");
    else wrong("running", "no sensor runs on this folder: this host is not watched; creance-sensor run starts it");
  }
  void disk() {
    std::error_code ec;
    const fs::space_info space = fs::space(options_.state, ec);
    if (ec) return wrong("disk", fmt::format("`{}`: {}", options_.state.string(), ec.message()));
    constexpr uintmax_t kEnough = 256u << 20;
    const std::string text = fmt::format("{} MiB free where the sensor keeps its state", space.available >> 20);
    if (space.available < kEnough) wrong("disk", text + "; below 256 MiB new content may find no room, and without a durable marker none is activated");
    else ok("disk", text);
    if (files_.exists(options_.state / "state/refusals.bin.spare")) ok("disk", "space is reserved for the sensor's own records: returns and refusals can be written on a full disk");
    else note("disk", "no space is reserved for the sensor's own records yet: it is when the sensor runs and there is room; nothing new is activated before");
    if (::access((options_.state / "state").c_str(), W_OK) != 0) note("disk", "the state is not writable for you (read-only file system, or not the sensor's user)");
  }
  void records() {
    const auto session = record<ipc::Session>("session.bin");
    all_there_ = session && session->kept == 1;
    if (session && (session->refusals_lost == 1 || session->ladder_lost == 1))
      wrong("records", fmt::format("lost: {}{}{}; nothing that is kept runs until content that the server grants has passed its probation; creance-sensor resume --trust-kept lets it run", session->refusals_lost == 1 ? "what this host refused" : "",
                                   session->refusals_lost + session->ladder_lost == 2 ? ", " : "", session->ladder_lost == 1 ? "which content is good" : ""));
    if (const auto marker = record<ipc::Marker>("marker.bin")) note("records", fmt::format("an attempt of {} is under way, or ended with its machine: the next start returns from it", to_hex(marker->release).substr(0, 12)));
    else if (session) ok("records", "no attempt is under way");
    if (session && !runs_ && session->clean_stop == 1) ok("records", "the last stop was a clean one");
    if (session && !runs_ && session->clean_stop == 0) note("records", "the last stop was not a clean one: the sensor was killed, or the machine went down under it; the next start tells the server");
    if (const auto pause = record<ipc::Pause>("pause.bin"); pause && pause->remaining_ms > 0) note("pause", fmt::format("new content is paused for another {}; creance-sensor resume ends it", span_text(pause->remaining_ms)));
    const auto refusals = record<ipc::Refusals>("refusals.bin");
    if (const auto lifted = record<ipc::Lifted>("lifted.bin"); lifted && lifted->count > 0) note("lifted", fmt::format("{} refusals that the owner lifted are not known to the server yet", lifted->count));
    for (size_t i = 0; refusals && i < refusals->count; ++i)
      note("refused", fmt::format("{}: {} ({}); creance-sensor retry lifts it", to_hex(refusals->list[i].release), to_string(refusals->list[i].reason), refusals->list[i].detail.view()));
    if (const auto orders = files_.list(options_.state / "state/orders"); orders) {
      const auto wait = std::ranges::count_if(*orders, [&](const std::string& name) { return name.ends_with(".bin") && ipc::read_record<ipc::Order>(files_, options_.state / "state/orders" / name).has_value(); });
      if (wait > 0) note("orders", fmt::format("{} wait for the sensor to start", wait));
    }
  }
  void content() {
    const auto ladder = record<ipc::Ladder>("ladder.bin");
    if (!ladder || ladder->count == 0) return note("content", "no content has passed its probation here yet");
    for (size_t i = 0; i < ladder->count; ++i) {
      const fs::path folder = options_.state / "sets" / to_hex(ladder->sets[i]);
      const auto set = ipc::read_record<ipc::SetRecord>(files_, folder / ipc::kSetRecordName);
      std::string damage = set ? "" : set.error().detail;
      for (size_t k = 0; set && k < set->count && damage.empty(); ++k) {
        std::error_code ec;
        const fs::path file = folder / std::string(set->files[k].name.view());
        const uintmax_t bytes = fs::file_size(file, ec);
        if (ec || bytes != set->files[k].bytes) damage = fmt::format("`{}` is missing or has another length", file.string());
      }
      const std::string name = fmt::format("{} ({})", ladder->names[i].view(), i == 0 ? "last known good" : "older good one");
      if (damage.empty()) ok("content", name);
      else wrong("content", fmt::format("{}: {}; the sensor goes to the next rung, and fetches it again when the plan still offers it", name, damage));
    }
  }
  // Whose processes would be started from here, and whose the secrets are.
  void users() {
    struct stat info {};
    const fs::path state = options_.state;
    if (::stat(state.c_str(), &info) == 0 && info.st_uid != ::geteuid() && info.st_uid != 0) note("users", fmt::format("`{}` belongs to user {}, who can replace all that the sensor keeps", state.string(), info.st_uid));
    for (const char* name : {"sensor.key", "tenant.key", "identity.json"})
      if (::lstat((state / name).c_str(), &info) == 0 && (info.st_mode & 077) != 0) note("users", fmt::format("`{}` can be read by others than its owner; the sensor's next start as root changes that", (state / name).string()));
    if (::geteuid() != 0) {
      const bool of_root = ::stat((state / "state").c_str(), &info) == 0 && info.st_uid == 0;
      if (!of_root) note("users", "started by this user, all processes of the sensor are one user, which can signal and trace each other: start it as root");
      return;
    }
    const auto passwd = files_.read("/etc/passwd", 4u << 20);
    const auto found = process_users(passwd ? as_text(*passwd) : std::string_view());
    if (!found) return wrong("users", found.error().detail);
    const std::string names = fmt::format("{}", fmt::join(found->names, ", "));
    if (const auto can = os::can_become({found->of[0], found->of[1], found->of[2], found->of[3]}); !can) note("users", fmt::format("this host does not let root start processes as others ({}): all are one user", can.error().detail));
    else if (names.find_first_not_of("0123456789, ") != std::string::npos) ok("users", "each process is a user of its own: " + names);
    else ok("users", fmt::format("each process is a user of its own, by number: {} (system users creance-worker, creance-rehearsal, creance-updater, creance-admit and creance-collect would be taken by name)", names));
  }
  void host() {
    const long landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (landlock < 1) note("host", "this kernel has no Landlock: the sensor's processes are confined by seccomp alone");
    else ok("host", fmt::format("Landlock version {}", landlock));
    if (files_.exists("/sys/fs/cgroup/cgroup.controllers")) ok("host", "cgroup v2: as a service with Delegate=yes the sensor has a group for each process (`limits` in the status says whether it does)");
    else note("host", "no cgroup v2: the sensor's processes are limited by rlimits and the supervisor alone");
    if (files_.exists("/sys/kernel/btf/vmlinux")) ok("host", "kernel types (BTF) for the eBPF collector");
    else note("host", "no kernel types (BTF): no eBPF collector; the process connector is used instead");
  }

  // What the owner's files say is admit's to judge; the sensor keeps its last answer.
  void policy() {
    const fs::path local = options_.state / "local.json";
    if (const auto bytes = files_.read(local, 65'536); !bytes && !is_absent(local)) wrong("policy", bytes.error().detail + "; nothing new is taken while it may say no and cannot be read: let it be read, or remove it (a link that leads nowhere too)");
    if (const auto sight = ipc::read_record<ipc::Sight>(files_, options_.state / "state/sight.bin"); sight && !sight->unread.view().empty())
      return wrong("policy", fmt::format("{}; nothing new is taken until that is mended (admit's last answer{})", sight->unread.view(), runs_ ? "" : ", of before the sensor ended"));
    const auto text = files_.read(options_.policy, 65'536);
    if (!text && is_absent(options_.policy)) {
      if (options_.policy_named) wrong("policy", fmt::format("`{}` is not there: a sensor that is started with this --policy does not start, and one that runs takes nothing new", options_.policy.string()));
      return;
    }
    if (!text) return wrong("policy", text.error().detail + "; nothing new is taken while it may say no and cannot be read: let it be read, or remove it (a link that leads nowhere too)");
    note("policy", fmt::format("`{}` is there; whether it can be read, admit says when it judges next: creance-sensor status", options_.policy.string()));
  }

  const DoctorOptions& options_;
  FileSystem& files_;
  std::vector<Finding> findings_;
  bool never_started_ = false, runs_ = false, all_there_ = false;
  bool unseen_ = false;  // for want of rights
  int wrong_ = 0;
};

}  // namespace

bool never_started(const std::filesystem::path& state, FileSystem& files) {
  return files.exists(state / "identity.json") && !files.exists(state / "state/session.bin") && !files.exists(state / "state/status.txt");
}

int doctor(const DoctorOptions& options, FileSystem& files) { return Examination(options, files).run(); }

}  // namespace creance::sensor

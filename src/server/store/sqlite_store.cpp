#include "server/store/sqlite_store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"

namespace creance::server {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens(hash TEXT PRIMARY KEY, tenant TEXT NOT NULL, tags TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sensors(id TEXT PRIMARY KEY, public_key TEXT NOT NULL, hostname TEXT NOT NULL, machine_id TEXT NOT NULL, platform TEXT NOT NULL, tenant TEXT NOT NULL,
  tags TEXT NOT NULL, enrolled INTEGER NOT NULL, last_report INTEGER, boot_epoch TEXT NOT NULL, boot_id TEXT NOT NULL, past_epochs TEXT NOT NULL, sequence INTEGER NOT NULL,
  state TEXT NOT NULL, running_release TEXT NOT NULL, running_digest TEXT NOT NULL, lkg_digest TEXT NOT NULL, plan_sequence INTEGER NOT NULL, clones INTEGER NOT NULL,
  arm TEXT NOT NULL, arm_digest TEXT NOT NULL, manifest TEXT NOT NULL, held TEXT NOT NULL, counters TEXT NOT NULL,
  vitals TEXT NOT NULL DEFAULT '', paused_until INTEGER, pause_reason TEXT NOT NULL DEFAULT '', recent TEXT NOT NULL DEFAULT '[]', stray TEXT NOT NULL DEFAULT '',
  retired TEXT NOT NULL DEFAULT '', from_sensor TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals(sensor TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, deny_version INTEGER NOT NULL, PRIMARY KEY(sensor, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS successors(old TEXT NOT NULL, machine_id TEXT NOT NULL, epoch TEXT NOT NULL, public_key TEXT NOT NULL, new TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(old, machine_id, epoch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS over_budget(sensor TEXT NOT NULL, release_digest TEXT NOT NULL, rule TEXT NOT NULL, tenant TEXT NOT NULL, internal INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  steps INTEGER NOT NULL, PRIMARY KEY(sensor, release_digest, rule, steps)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS over_budget_by_rule ON over_budget(rule, last);
CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY AUTOINCREMENT, sensor TEXT NOT NULL, kind TEXT NOT NULL, release_digest TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_sensor ON events(sensor, id);
CREATE TABLE IF NOT EXISTS detections(id INTEGER PRIMARY KEY AUTOINCREMENT, sensor TEXT NOT NULL, hostname TEXT NOT NULL, tenant TEXT NOT NULL, body TEXT NOT NULL, received INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rollouts(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, release TEXT NOT NULL, release_digest TEXT NOT NULL, salt TEXT NOT NULL,
  created INTEGER NOT NULL, ids_before INTEGER NOT NULL, state TEXT NOT NULL, stage INTEGER NOT NULL, stage_opened INTEGER, resumes INTEGER NOT NULL, tripwire INTEGER NOT NULL,
  approved INTEGER NOT NULL, content_version_at_halt INTEGER NOT NULL, stages TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spells(rollout TEXT NOT NULL, sensor TEXT NOT NULL, number INTEGER NOT NULL, tenant TEXT NOT NULL, stage INTEGER NOT NULL, generation INTEGER NOT NULL,
  internal INTEGER NOT NULL, arm INTEGER NOT NULL, entered INTEGER NOT NULL, left_at INTEGER, confirmed INTEGER,
  e1 INTEGER, e2 INTEGER, e3 INTEGER, e4 INTEGER, e5 INTEGER, e6 INTEGER, e7 INTEGER, e8 INTEGER, e9 INTEGER, e10 INTEGER, e11 INTEGER, e12 INTEGER, PRIMARY KEY(rollout, sensor, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions(id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, verdict TEXT NOT NULL, words TEXT NOT NULL, record TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_by_rollout ON decisions(rollout, id);
)";
constexpr int kSchemaVersion = 2;
static_assert(gates::kMetrics == 13, "spells has a column for each metric but kAny");
// What a version had not yet, added behind what it has.
constexpr const char* kFromVersion1 = R"(
ALTER TABLE sensors ADD COLUMN vitals TEXT NOT NULL DEFAULT ''; ALTER TABLE sensors ADD COLUMN paused_until INTEGER; ALTER TABLE sensors ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE sensors ADD COLUMN recent TEXT NOT NULL DEFAULT '[]'; ALTER TABLE sensors ADD COLUMN stray TEXT NOT NULL DEFAULT ''; ALTER TABLE sensors ADD COLUMN retired TEXT NOT NULL DEFAULT '';
ALTER TABLE sensors ADD COLUMN from_sensor TEXT NOT NULL DEFAULT '';
ALTER TABLE spells ADD COLUMN e8 INTEGER; ALTER TABLE spells ADD COLUMN e9 INTEGER; ALTER TABLE spells ADD COLUMN e10 INTEGER; ALTER TABLE spells ADD COLUMN e11 INTEGER; ALTER TABLE spells ADD COLUMN e12 INTEGER;
)";

// Version 1 knew what a host must not take again from its stays alone: it came back from it (e3), or would not take it (e7), and nobody has resumed the rollout since.
constexpr const char* kRefusalsOfVersion1 = R"(
INSERT OR REPLACE INTO refusals SELECT s.sensor, r.release_digest, 'as its stays tell', s.entered, 0 FROM spells s JOIN rollouts r ON r.id = s.rollout
  WHERE s.arm=1 AND s.generation = r.resumes AND (coalesce(s.e3,0) >= s.entered OR coalesce(s.e7,0) >= s.entered);
)";

int64_t ms(WallTime time) { return time.time_since_epoch().count(); }
WallTime wall(int64_t value) { return WallTime(std::chrono::milliseconds(value)); }

std::string list_to_text(const std::vector<std::string>& list) {
  Json array = Json::array();
  for (const std::string& item : list) array.push(item);
  return to_json(array);
}

std::vector<std::string> text_to_list(const std::string& text) {
  std::vector<std::string> list;
  if (const auto parsed = parse_json(as_bytes(text)); parsed && parsed->is_array()) {
    for (const Json& item : parsed->elements()) {
      if (item.is_string()) list.push_back(item.string());
    }
  }
  return list;
}

class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql) {
    if (sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle_, nullptr) != SQLITE_OK) sqlite3_finalize(std::exchange(handle_, nullptr));
  }
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  bool ready() const { return handle_ != nullptr; }

  void bind() {}
  template <class First, class... Rest>
  void bind(const First& first, const Rest&... rest) {
    one(first);
    bind(rest...);
  }
  int step() { return sqlite3_step(handle_); }
  void reset() {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
    next_ = 0;
    column_ = 0;
  }
  void start_row() { column_ = 0; }

  std::string text() {
    const int i = column_++;
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, i));
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(handle_, i)));
  }
  int64_t integer() { return sqlite3_column_int64(handle_, column_++); }
  uint32_t small() { return static_cast<uint32_t>(integer()); }
  WallTime time() { return wall(integer()); }
  std::optional<WallTime> maybe_time() {
    if (sqlite3_column_type(handle_, column_) == SQLITE_NULL) {
      ++column_;
      return std::nullopt;
    }
    return time();
  }

 private:
  void one(std::string_view value) { sqlite3_bind_text(handle_, ++next_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT); }
  void one(const std::string& value) { one(std::string_view(value)); }
  void one(int64_t value) { sqlite3_bind_int64(handle_, ++next_, value); }
  void one(uint32_t value) { one(static_cast<int64_t>(value)); }
  void one(bool value) { one(static_cast<int64_t>(value)); }
  void one(WallTime value) { one(ms(value)); }
  void one(const std::optional<WallTime>& value) {
    if (value) one(*value);
    else sqlite3_bind_null(handle_, ++next_);
  }

  sqlite3_stmt* handle_ = nullptr;
  int next_ = 0;
  int column_ = 0;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(sqlite3* db, std::string name, const StoreLimits& limits) : db_(db), name_(std::move(name)), limits_(limits) {}
  ~SqliteStore() override {
    statements_.clear();
    sqlite3_close(db_);
  }

  Status open() {
    sqlite3_busy_timeout(db_, 5'000);
    TRY_VOID(script("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"));
    int64_t version = 0;
    TRY_VOID(query("PRAGMA user_version", [&](Statement& row) { version = row.integer(); }));
    if (version > kSchemaVersion) return fail(ErrorCode::kInvalid, fmt::format("database `{}` is of version {}, this server knows {}: use a newer server", name_, version, kSchemaVersion));
    bool whole = false;
    std::string words;
    TRY_VOID(query("PRAGMA quick_check(1)", [&](Statement& row) { words = row.text(), whole = words == "ok"; }));
    if (!whole) return fail(ErrorCode::kInvalid, fmt::format("database `{}` is damaged ({}): restore it from a backup, or move it away to start with empty records", name_, words));
    const auto from_version_1 = [this]() -> Status {
      TRY_VOID(script(kFromVersion1));
      TRY_VOID(script(kSchema));
      TRY_VOID(script(kRefusalsOfVersion1));
      return script("PRAGMA user_version=2");
    };
    if (version == 1) TRY_VOID(transact(from_version_1));
    TRY_VOID(script(kSchema));
    if (limits_.pages_max > 0) TRY_VOID(script(fmt::format("PRAGMA max_page_count={}", limits_.pages_max).c_str()));
    return script(fmt::format("PRAGMA user_version={}", kSchemaVersion).c_str());
  }

  Status transact(const std::function<Status()>& work) override {
    CHECK(!inside_);
    TRY_VOID(script("BEGIN IMMEDIATE"));
    inside_ = true;
    Status done = work();
    inside_ = false;
    if (done) done = script("COMMIT");
    if (!done) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
  }

  Status add_token(const TokenRecord& t) override {
    return run("INSERT INTO tokens VALUES(?,?,?,?)", t.hash, t.tenant, list_to_text(t.tags), t.expires);
  }
  Result<TokenRecord> use_token(const std::string& hash, WallTime now) override {
    TokenRecord token;
    bool found = false;
    TRY_VOID(query("DELETE FROM tokens WHERE hash=? RETURNING hash,tenant,tags,expires",
                   [&](Statement& row) {
                     token = {row.text(), row.text(), text_to_list(row.text()), row.time()};
                     found = true;
                   },
                   hash));
    if (!found || token.expires <= now) return fail(ErrorCode::kDenied, "this enrolment token is unknown, used or expired; ask the operator for a new one");
    return token;
  }

  Status put_sensor(const SensorRecord& s) override {
    return run("INSERT OR REPLACE INTO sensors VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", s.sensor_id, s.public_key, s.hostname, s.machine_id, s.platform, s.tenant,
               list_to_text(s.tags), s.enrolled, s.last_report, s.boot_epoch, s.boot_id, list_to_text(s.past_epochs), s.sequence, s.state, s.running_release, s.running_digest,
               s.lkg_digest, s.plan_sequence, s.clones, s.arm, s.arm_digest, s.manifest, s.held, s.counters, s.vitals, s.paused_until, s.pause_reason, list_to_text(s.recent), s.stray,
               s.retired, s.from_sensor);
  }
  Result<SensorRecord> sensor(const std::string& id) override {
    return single<SensorRecord>("sensor", "SELECT * FROM sensors WHERE id=?", read_sensor, id);
  }
  Result<std::vector<SensorRecord>> sensors() override { return many<SensorRecord>("SELECT * FROM sensors ORDER BY id", read_sensor); }

  Status put_refusal(const RefusalRecord& r) override { return run("INSERT OR REPLACE INTO refusals VALUES(?,?,?,?,?)", r.sensor_id, r.digest, r.reason, r.at, r.deny_version); }
  Status remove_refusal(const std::string& sensor_id, const std::string& digest) override { return run("DELETE FROM refusals WHERE sensor=? AND digest=?", sensor_id, digest); }
  Result<std::vector<RefusalRecord>> refusals(const std::string& sensor_id) override {
    return many<RefusalRecord>("SELECT sensor,digest,reason,at,deny_version FROM refusals WHERE sensor=? ORDER BY digest",
                               [](Statement& r) { return RefusalRecord{r.text(), r.text(), r.text(), r.time(), r.integer()}; }, sensor_id);
  }
  Status add_successor(const SuccessorRecord& s) override { return run("INSERT INTO successors VALUES(?,?,?,?,?,?)", s.old_id, s.machine_id, s.boot_epoch, s.public_key, s.new_id, s.at); }
  Result<std::vector<SuccessorRecord>> successors(const std::string& old_id) override {
    return many<SuccessorRecord>("SELECT old,machine_id,epoch,public_key,new,at FROM successors WHERE old=? ORDER BY at,new",
                                 [](Statement& r) { return SuccessorRecord{r.text(), r.text(), r.text(), r.text(), r.text(), r.time()}; }, old_id);
  }

  Status put_over_budget(const OverBudgetRecord& r) override { return run("INSERT OR REPLACE INTO over_budget VALUES(?,?,?,?,?,?,?,?)", r.sensor_id, r.release_digest, r.rule_id, r.tenant, r.internal, r.first, r.last, r.steps); }
  Status remove_over_budget(const std::string& sensor_id, const std::string& release_digest, const std::string& rule_id) override {
    return run("DELETE FROM over_budget WHERE sensor=? AND release_digest=? AND rule=?", sensor_id, release_digest, rule_id);
  }
  Result<std::vector<OverBudgetRecord>> over_budget(const std::string& sensor_id) override {
    return many<OverBudgetRecord>("SELECT sensor,release_digest,rule,tenant,internal,first,last,steps FROM over_budget WHERE sensor=? ORDER BY release_digest,rule,steps",
                                  [](Statement& r) { return OverBudgetRecord{r.text(), r.text(), r.text(), r.text(), r.integer() != 0, r.time(), r.time(), r.integer() != 0}; }, sensor_id);
  }
  Result<std::vector<std::string>> over_budget_elsewhere(const std::string& rule_id, const std::string& not_digest, const std::string& tenant, WallTime since) override {
    return many<std::string>("SELECT DISTINCT release_digest FROM over_budget WHERE rule=? AND steps=0 AND release_digest<>? AND release_digest<>'' AND (tenant=? OR internal=1) AND last>=? ORDER BY release_digest",
                             [](Statement& r) { return r.text(); }, rule_id, not_digest, tenant, since);
  }

  Status add_event(const EventRecord& e) override {
    TRY_VOID(run("INSERT INTO events(sensor,kind,release_digest,detail,at) VALUES(?,?,?,?,?)", e.sensor_id, e.kind, e.release_digest, e.detail, e.at));
    return run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", limits_.events_max);
  }
  Result<std::vector<EventRecord>> events(const std::string& sensor_id, uint32_t count_max) override {
    return many<EventRecord>("SELECT id,sensor,kind,release_digest,detail,at FROM events WHERE sensor=? ORDER BY id DESC LIMIT ?",
                             [](Statement& r) { return EventRecord{r.integer(), r.text(), r.text(), r.text(), r.text(), r.time()}; }, sensor_id, count_max);
  }

  Status add_detection(const DetectionRecord& d) override {
    TRY_VOID(run("INSERT INTO detections(sensor,hostname,tenant,body,received) VALUES(?,?,?,?,?)", d.sensor_id, d.hostname, d.tenant, d.body, d.received));
    return run("DELETE FROM detections WHERE id <= (SELECT max(id) FROM detections) - ?", limits_.detections_max);
  }
  Result<std::vector<DetectionRecord>> detections(uint32_t count_max, int64_t before_id) override {
    return many<DetectionRecord>("SELECT id,sensor,hostname,tenant,body,received FROM detections WHERE id < ? ORDER BY id DESC LIMIT ?",
                                 [](Statement& r) { return DetectionRecord{r.integer(), r.text(), r.text(), r.text(), r.text(), r.time()}; },
                                 before_id > 0 ? before_id : INT64_MAX, count_max);
  }
  Result<int64_t> detections_stored() override {
    return single<int64_t>("count", "SELECT count(*) FROM detections", [](Statement& r) { return r.integer(); });
  }

  Status put_rollout(const RolloutRecord& r) override {
    return run("INSERT INTO rollouts(id,release,release_digest,salt,created,ids_before,state,stage,stage_opened,resumes,tripwire,approved,content_version_at_halt,stages,reason) "
               "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET state=excluded.state,stage=excluded.stage,stage_opened=excluded.stage_opened,"
               "resumes=excluded.resumes,tripwire=excluded.tripwire,approved=excluded.approved,content_version_at_halt=excluded.content_version_at_halt,stages=excluded.stages,reason=excluded.reason",
               r.id, r.release, r.release_digest, r.salt, r.created, r.ids_before, r.state, r.stage, r.stage_opened, r.resumes, r.tripwire, r.approved, r.content_version_at_halt,
               r.stages, r.reason);
  }
  Result<RolloutRecord> rollout(const std::string& id) override {
    return single<RolloutRecord>("rollout", "SELECT * FROM rollouts WHERE id=?", read_rollout, id);
  }
  Result<std::vector<RolloutRecord>> rollouts() override { return many<RolloutRecord>("SELECT * FROM rollouts ORDER BY number DESC", read_rollout); }

  Status put_spell(const SpellRecord& s) override {
    const auto& e = s.first_event;
    return run("INSERT OR REPLACE INTO spells VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", s.rollout, s.sensor_id, s.number, s.tenant, s.stage, s.generation, s.internal,
               s.arm == gates::Arm::kGo, s.entered, s.left, s.confirmed, e[1], e[2], e[3], e[4], e[5], e[6], e[7], e[8], e[9], e[10], e[11], e[12]);
  }
  Result<std::vector<SpellRecord>> spells(const std::string& rollout) override {
    return many<SpellRecord>("SELECT * FROM spells WHERE rollout=? ORDER BY sensor, number", read_spell, rollout);
  }
  Result<std::vector<SpellRecord>> spells(const std::string& rollout, const std::string& sensor_id) override {
    return many<SpellRecord>("SELECT * FROM spells WHERE rollout=? AND sensor=? ORDER BY number", read_spell, rollout, sensor_id);
  }
  Result<uint32_t> unknown_outcomes(const std::string& rollout, uint32_t stage, WallTime entered_from, const std::string& tenant) override {
    // e6 is silence: a host that went silent is still open, and keeps its place under the cap
    return single<uint32_t>("count",
                            "SELECT count(*) FROM spells WHERE rollout=?1 AND stage=?2 AND arm=1 AND entered>=?3 AND (?4='' OR tenant=?4) AND left_at IS NULL AND confirmed IS NULL"
                            " AND coalesce(e1,0)<entered AND coalesce(e2,0)<entered AND coalesce(e3,0)<entered AND coalesce(e4,0)<entered AND coalesce(e5,0)<entered AND coalesce(e7,0)<entered",
                            [](Statement& r) { return r.small(); }, rollout, stage, entered_from, tenant);
  }

  Status add_decision(const DecisionRecord& d) override {
    TRY_VOID(run("INSERT INTO decisions(rollout,verdict,words,record,at) VALUES(?,?,?,?,?)", d.rollout, d.verdict, d.words, d.record, d.at));
    return run("DELETE FROM decisions WHERE rollout=?1 AND verdict='keep' AND id <= (SELECT max(id) FROM decisions) - ?2", d.rollout, limits_.decisions_max);
  }
  Result<std::vector<DecisionRecord>> decisions(const std::string& rollout, uint32_t count_max) override {
    return many<DecisionRecord>("SELECT id,rollout,verdict,words,record,at FROM decisions WHERE rollout=? ORDER BY id DESC LIMIT ?",
                                [](Statement& r) { return DecisionRecord{r.integer(), r.text(), r.text(), r.text(), r.text(), r.time()}; }, rollout, count_max);
  }

  Status set(const std::string& key, const std::string& value) override { return run("INSERT OR REPLACE INTO settings VALUES(?,?)", key, value); }
  Result<std::string> get(const std::string& key) override {
    return single<std::string>("setting", "SELECT value FROM settings WHERE key=?", [](Statement& r) { return r.text(); }, key);
  }

 private:
  static SensorRecord read_sensor(Statement& r) {
    SensorRecord s;
    s.sensor_id = r.text(), s.public_key = r.text(), s.hostname = r.text(), s.machine_id = r.text(), s.platform = r.text(), s.tenant = r.text();
    s.tags = text_to_list(r.text());
    s.enrolled = r.time(), s.last_report = r.maybe_time();
    s.boot_epoch = r.text(), s.boot_id = r.text();
    s.past_epochs = text_to_list(r.text());
    s.sequence = r.integer();
    s.state = r.text(), s.running_release = r.text(), s.running_digest = r.text(), s.lkg_digest = r.text();
    s.plan_sequence = r.integer(), s.clones = r.integer();
    s.arm = r.text(), s.arm_digest = r.text(), s.manifest = r.text(), s.held = r.text(), s.counters = r.text();
    s.vitals = r.text(), s.paused_until = r.maybe_time(), s.pause_reason = r.text();
    s.recent = text_to_list(r.text());
    s.stray = r.text(), s.retired = r.text(), s.from_sensor = r.text();
    return s;
  }
  static RolloutRecord read_rollout(Statement& r) {
    RolloutRecord o;
    (void)r.integer();
    o.id = r.text(), o.release = r.text(), o.release_digest = r.text(), o.salt = r.text();
    o.created = r.time(), o.ids_before = r.time();
    o.state = r.text(), o.stage = r.small(), o.stage_opened = r.maybe_time(), o.resumes = r.small();
    o.tripwire = r.integer() != 0, o.approved = r.integer() != 0;
    o.content_version_at_halt = r.integer();
    o.stages = r.text(), o.reason = r.text();
    return o;
  }
  static SpellRecord read_spell(Statement& r) {
    SpellRecord s;
    s.rollout = r.text(), s.sensor_id = r.text(), s.number = r.small(), s.tenant = r.text();
    s.stage = r.small(), s.generation = r.small(), s.internal = r.integer() != 0;
    s.arm = r.integer() != 0 ? gates::Arm::kGo : gates::Arm::kHold;
    s.entered = r.time(), s.left = r.maybe_time(), s.confirmed = r.maybe_time();
    for (size_t m = 1; m < gates::kMetrics; ++m) s.first_event[m] = r.maybe_time();
    return s;
  }

  Error error(int code) const {
    ErrorCode kind = ErrorCode::kIo;
    std::string help;
    switch (code & 0xff) {
      case SQLITE_FULL: kind = ErrorCode::kNoSpace, help = "; free some space, the server goes on by itself"; break;
      case SQLITE_CORRUPT: case SQLITE_NOTADB: kind = ErrorCode::kInvalid, help = "; restore it from a backup, or move it away to start with empty records"; break;
      case SQLITE_CONSTRAINT: kind = ErrorCode::kExists; break;
      case SQLITE_READONLY: case SQLITE_PERM: case SQLITE_CANTOPEN: case SQLITE_AUTH: kind = ErrorCode::kDenied; break;
      case SQLITE_BUSY: case SQLITE_LOCKED: kind = ErrorCode::kUnavailable, help = "; another process uses it"; break;
      default: break;
    }
    return {kind, fmt::format("database `{}`: {}{}", name_, sqlite3_errmsg(db_), help)};
  }
  friend Result<std::unique_ptr<Store>> creance::server::open_sqlite_store(const std::filesystem::path&, const StoreLimits&);

  Status script(const char* sql) {
    if (const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK) return fail(error(code));
    return {};
  }
  template <class Row, class... Values>
  Status query(std::string_view sql, Row&& row, const Values&... values) {
    auto at = std::ranges::find(statements_, sql, [](const auto& s) -> std::string_view { return s.first; });
    if (at == statements_.end()) {
      statements_.emplace_back(std::string(sql), std::make_unique<Statement>(db_, sql));
      at = std::prev(statements_.end());
      if (!at->second->ready()) {
        Error why = error(sqlite3_errcode(db_));
        statements_.pop_back();
        return fail(std::move(why));
      }
    }
    Statement& statement = *at->second;
    statement.bind(values...);
    int code = SQLITE_ROW;
    while ((code = statement.step()) == SQLITE_ROW) {
      statement.start_row();
      row(statement);
    }
    Status done;
    if (code != SQLITE_DONE) done = fail(error(code));
    statement.reset();
    return done;
  }
  template <class... Values>
  Status run(std::string_view sql, const Values&... values) {
    return query(sql, [](Statement&) {}, values...);
  }
  template <class T, class Read, class... Values>
  Result<std::vector<T>> many(std::string_view sql, Read&& read, const Values&... values) {
    std::vector<T> rows;
    TRY_VOID(query(sql, [&](Statement& row) { rows.push_back(read(row)); }, values...));
    return rows;
  }
  template <class T, class Read, class... Values>
  Result<T> single(std::string_view what, std::string_view sql, Read&& read, const Values&... values) {
    TRY(auto rows, (many<T>(sql, read, values...)));
    if (rows.empty()) return fail(ErrorCode::kNotFound, fmt::format("no such {}", what));
    return std::move(rows.front());
  }

  sqlite3* db_;
  std::string name_;
  StoreLimits limits_;
  std::vector<std::pair<std::string, std::unique_ptr<Statement>>> statements_;
  bool inside_ = false;
};

}  // namespace

StoreLimits::StoreLimits() : detections_max(limits::kDetectionsStoredMax), events_max(limits::kSensorEventsStoredMax), decisions_max(limits::kDecisionsStoredMax) {}

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const StoreLimits& limits) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  CHECK(db != nullptr);
  auto store = std::make_unique<SqliteStore>(db, path.string(), limits);
  if (code != SQLITE_OK) return fail(store->error(code));
  TRY_VOID(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace creance::server

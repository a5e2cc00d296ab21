#include "plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/documents.hpp"
#include "plan/release.hpp"

namespace creance::plan {
namespace {
constexpr size_t kPlanBytesMax = 1u << 20;
constexpr std::string_view kStates[] = {"rolling", "complete", "halted", "withdrawn", "paused"};

Result<uint64_t> cohort_at(const JsonField& object, std::string_view name) {
  TRY(const JsonField field, object.at(name));
  TRY(const std::string text, field.text(0, 64));
  const auto value = parse_cohort(text);
  if (!value) return fail(field.error(value.error().detail));
  return *value;
}

Result<Stage> parse_stage(const JsonField& field) {
  Stage stage;
  TRY(stage.ring, ring_at(field, "ring"));
  TRY(stage.go_below, cohort_at(field, "go_below"));
  TRY(stage.enter_below, cohort_at(field, "enter_below"));
  if (stage.go_below > stage.enter_below) return fail(field.error("go_below must not be above enter_below"));
  return stage;
}

Result<Rollout> parse_rollout(const JsonField& field) {
  Rollout rollout;
  TRY(const JsonField name, field.at("release"));
  TRY(rollout.release, name.text(1, 64));
  if (!is_release_name(rollout.release)) return fail(name.error("is not a release name"));
  TRY(rollout.release_digest, detail::digest_at(field, "release_digest"));
  TRY(const std::string salt, detail::id_at(field, "salt"));
  TRY(const Bytes raw, from_hex(salt));
  std::ranges::copy(raw, rollout.salt.begin());
  TRY(const JsonField state, field.at("state"));
  TRY(const std::string state_text, state.text(1, 64));
  const auto parsed = parse_rollout_state(state_text);
  if (!parsed) return fail(state.error(parsed.error().detail));
  rollout.state = *parsed;
  TRY(rollout.ids_before, field.time_at("ids_before"));
  TRY(const JsonField list, field.at("stages"));
  TRY(const auto stages, list.elements(kRings.size()));
  for (const JsonField& entry : stages) {
    TRY(const Stage stage, parse_stage(entry));
    if (rollout.stage(stage.ring) != nullptr) return fail(entry.error("a second stage for the same ring"));
    rollout.stages.push_back(stage);
  }
  return rollout;
}

}  // namespace

std::string_view to_string(RolloutState state) { return kStates[static_cast<size_t>(state)]; }

Result<RolloutState> parse_rollout_state(std::string_view text) {
  const auto it = std::ranges::find(kStates, text);
  if (it == std::end(kStates)) return fail(ErrorCode::kInvalid, "must be one of rolling, complete, halted, withdrawn, paused");
  return static_cast<RolloutState>(it - std::begin(kStates));
}

const Stage* Rollout::stage(Ring ring) const {
  const auto it = std::ranges::find(stages, ring, &Stage::ring);
  return it == stages.end() ? nullptr : &*it;
}

const Rollout* Plan::find(const Digest& digest) const {
  const auto it = std::ranges::find(rollouts, digest, &Rollout::release_digest);
  return it == rollouts.end() ? nullptr : &*it;
}

Result<Plan> Plan::parse(BytesView bytes) {
  TRY(const Json json, detail::read_document(bytes, "plan", kPlanBytesMax));
  const JsonField document(json);
  Plan plan;
  TRY(plan.sequence, document.integer_at("sequence", 1));
  TRY(plan.issued, document.time_at("issued"));
  TRY(const JsonField list, document.at("rollouts"));
  TRY(const auto entries, list.elements(4'096));
  for (const JsonField& entry : entries) {
    TRY(Rollout rollout, parse_rollout(entry));
    if (plan.find(rollout.release_digest) != nullptr) return fail(entry.error("a second rollout of the same release"));
    plan.rollouts.push_back(std::move(rollout));
  }
  return plan;
}

Bytes Plan::to_bytes() const {
  Json list = Json::array();
  for (const Rollout& rollout : rollouts) {
    Json stages = Json::array();
    for (const Stage& stage : rollout.stages) {
      stages.push(Json::object({{"ring", to_string(stage.ring)}, {"go_below", cohort_hex(stage.go_below)}, {"enter_below", cohort_hex(stage.enter_below)}}));
    }
    list.push(Json::object({{"release", rollout.release}, {"release_digest", rollout.release_digest.hex()}, {"salt", to_hex(rollout.salt)}, {"state", to_string(rollout.state)},
                            {"ids_before", format_time(rollout.ids_before)}, {"stages", std::move(stages)}}));
  }
  return detail::write_document(Json::object({{"_type", "plan"}, {"sequence", sequence}, {"issued", format_time(issued)}, {"rollouts", std::move(list)}}));
}

}  // namespace creance::plan

#include "sensor/admit/judge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/forbidden.hpp"

namespace creance::sensor {
namespace {

// A retry lifts what was refused before it was signed: content that hurt again under the same list stays refused.
plan::DenyList with_retries_for(const plan::DenyList& deny, const ipc::Refusals& refusals) {
  plan::DenyList out = deny;
  for (size_t i = 0; i < refusals.count; ++i)
    if (refusals.list[i].deny_version >= static_cast<uint64_t>(deny.version)) std::erase(out.retry, Digest{refusals.list[i].release});
  return out;
}

ipc::Standing standing_of(const plan::Decision& decision) {
  const bool denied = decision.reason == plan::Reason::kDenied || decision.reason == plan::Reason::kLocalDeny;
  return denied ? ipc::Standing::kDenied : ipc::Standing::kReturn;
}

void take_back(const Question& question, const plan::Decision& decision, ipc::Admitted& answer) {
  answer.running_standing = standing_of(decision);
  if (!decision.release) return;  // nowhere to go but down: what is not denied itself stays (D6)
  for (size_t i = 0; i < question.rungs.size() && i < ipc::kRungsMax; ++i) {
    if (decision.release && question.rungs[i] == decision.release->bytes) break;  // this is where to go back to
    answer.rung_standing[i] = std::max(answer.rung_standing[i], answer.running_standing);
  }
}

}  // namespace

Judgement judge(const Question& question, plan::Documents documents, const plan::Host& host, const HostMemory& memory, WallTime now) {
  std::optional<plan::DenyList> deny;
  if (documents.deny != nullptr) documents.deny = &deny.emplace(with_retries_for(*documents.deny, memory.refusals));
  plan::LocalPolicy local;
  if (documents.local != nullptr) local = *documents.local;
  const bool file_pauses = local.paused;
  if (question.paused) {
    local.paused = true;
    documents.local = &local;
  }
  plan::HostState state;
  if (question.running) state.running = Digest{*question.running};
  for (const ipc::Set& rung : question.rungs) state.retained.push_back(Digest{rung});
  for (size_t i = 0; i < memory.refusals.count; ++i) {
    const ipc::Refusal& refusal = memory.refusals.list[i];
    state.refused[Digest{refusal.release}] = fmt::format("{} ({})", to_string(refusal.reason), refusal.detail.view());
  }
  state.plan_sequence = static_cast<int64_t>(memory.plan_seen);
  state.boot_epoch = question.boot_epoch;
  state.clock_right = memory.clock_right;
  if (question.held_back) {
    state.arm_release = Digest{*question.held_back};
    state.arm = plan::Verdict::kHold;
  }
  if (question.announced) state.grant = memory.grant;

  Judgement out;
  out.decision = plan::decide(documents, host, state, now);
  if (question.paused && !file_pauses && out.decision.reason == plan::Reason::kLocalPause) out.decision.detail = "paused on this host by `creance-sensor pause`; `creance-sensor resume` ends it";
  ipc::Admitted& answer = out.answer;
  answer.trusted = 1;
  answer.plan_sequence = documents.plan != nullptr ? static_cast<uint64_t>(documents.plan->sequence) : 0;
  answer.detail.assign(fmt::format("{}: {}", to_string(out.decision.reason), out.decision.detail));
  if (out.decision.not_before) answer.recheck_ms = static_cast<uint64_t>(std::max<int64_t>(1000, (*out.decision.not_before - now).count()));
  if (deny) {
    answer.deny_version = static_cast<uint64_t>(deny->version);
    for (size_t i = 0; i < memory.refusals.count && answer.lifted_count < answer.lifted.size(); ++i)
      if (std::ranges::find(deny->retry, Digest{memory.refusals.list[i].release}) != deny->retry.end()) answer.lifted[answer.lifted_count++] = memory.refusals.list[i].release;
  }
  // What is denied does not wait on the ladder for the day on which the host has to go back, maybe offline.
  for (size_t i = 0; i < question.rungs.size() && i < ipc::kRungsMax; ++i)
    if (plan::forbidden(documents, Digest{question.rungs[i]})) answer.rung_standing[i] = ipc::Standing::kDenied;
  if (out.decision.action == plan::Action::kReturn) take_back(question, out.decision, answer);
  return out;
}

void offer_in(Judgement& judgement, const HostMemory& memory) {
  ipc::Admitted& answer = judgement.answer;
  answer.offer = judgement.decision.release->bytes;
  answer.offer_release.assign(judgement.decision.release_name);
  if (!memory.grant || judgement.decision.action == plan::Action::kAnnounce) return;
  answer.grant = judgement.decision.action == plan::Action::kTake ? ipc::GrantVerdict::kGo : ipc::GrantVerdict::kHold;
  answer.grant_release = answer.offer;
  answer.remembered = answer.grant == ipc::GrantVerdict::kHold && !memory.grant->reason.empty();
}

}  // namespace creance::sensor

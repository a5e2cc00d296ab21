#include "sensor/admit/admit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/digest.hpp"
#include "plan/decide.hpp"
#include "plan/evidence.hpp"
#include "plan/validity.hpp"
#include "plan/zone_files.hpp"
#include "sensor/admit/identity.hpp"
#include "sensor/admit/judge.hpp"
#include "sensor/admit/local_policy.hpp"
#include "trust/client/transports.hpp"
#include "trust/client/updater.hpp"
#include "trust/keys/seal.hpp"
#include "trust/keys/signer.hpp"

namespace creance::sensor {
namespace {

constexpr std::chrono::milliseconds kClockDifference{60'000};  // less is how clocks differ

class Admission {
 public:
  Admission(const Question& question, FileSystem& files, WallTime now)
      : question_(question), files_(files), now_(now), transport_(files, question.state / "spool"), client_(transport_, files, question.state / "trusted/metadata") {}

  const std::string& unread() const { return local_complaint_; }
  uint64_t clock_behind_ms() const { return static_cast<uint64_t>(client_.clock_behind().count()); }
  Result<ipc::Admitted> run() {
    OwnersWish wish = read_owners_wish(files_, question_.local, question_.policy);  // first: what is wrong there is told whatever else is
    local_ = std::move(wish.policy);
    local_complaint_ = std::move(wish.complaint);
    TRY(identity_, Identity::read(files_, question_.state));
    if (question_.sensor_id) identity_.succeed(*question_.sensor_id, question_.enrolled);
    TRY(const Bytes root, files_.read(question_.state / "root.json", limits::kRootBytesMax));
    TRY_VOID(client_.init(root));
    if (const auto fetched = files_.read(question_.state / "spool/metadata/timestamp.json", limits::kTimestampBytesMax); !fetched && fetched.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kUnavailable, "nothing was fetched from the server yet");
    TRY_VOID(client_.refresh(now_, question_.uptime));
    now_ = client_.trusted()->now();  // floor, approval, delays and grants are judged by the same time as expiry
    TRY_VOID(read_documents());
    const HostMemory memory = host_memory();
    const plan::Host host{identity_.sensor_id, identity_.enrolled, identity_.tags, identity_.tenant};
    plan::Documents documents;
    documents.plan = plan_ ? &*plan_ : nullptr;
    documents.policy = policy_ ? &*policy_ : nullptr;
    documents.local = local_ ? &*local_ : nullptr;
    documents.deny = deny_ ? &*deny_ : nullptr;
    plan::Zones zones;  // what cannot be read is missing, and what names it is never open
    if (policy_) (void)plan::read_zones(files_, policy_->rules_for(identity_.tags).windows, zones).has_value();
    for (const plan::Windows& list : local_ ? local_->windows : std::vector<plan::Windows>()) (void)plan::read_zones(files_, list, zones).has_value();
    documents.zones = &zones;
    documents.release = [this](const Digest& digest) { return release(digest); };
    Judgement judgement = judge(question_, documents, host, memory, now_);
    judgement.answer.clock_behind_ms = clock_behind_ms();
    if (judgement.answer.plan_sequence > memory.plan_seen) TRY_VOID(ipc::write_record(files_, question_.state / "trusted/plan.bin", ipc::PlanSeen{judgement.answer.plan_sequence}));
    if (judgement.offers()) {
      TRY_VOID(put_offer(judgement.decision));
      offer_in(judgement, memory);
      if (judgement.answer.grant == ipc::GrantVerdict::kNone && !grant_complaint_.empty()) judgement.answer.detail.assign("grant: " + grant_complaint_);
    }
    if (!local_complaint_.empty()) judgement.answer.detail.assign("nothing new is taken: " + local_complaint_);
    judgement.answer.unread.assign(local_complaint_);
    return judgement.answer;
  }

 private:
  // A signed document: nothing if nobody who may says anything about it; an error if it is named but not (yet) here or wrong.
  Result<std::optional<Bytes>> document(const std::string& path) {
    const auto info = client_.target(path);
    if (!info && info.error().code == ErrorCode::kNotFound) return std::optional<Bytes>();
    if (!info) return fail(info.error());
    TRY(Bytes bytes, client_.download(*info));
    return std::optional<Bytes>(std::move(bytes));
  }

  Status read_documents() {
    TRY(const auto plan, document(std::string(plan::Plan::kPath)));
    if (plan) {
      TRY(plan_, plan::Plan::parse(*plan));
    }
    TRY(const auto policy, document(plan::Policy::path(identity_.tenant)));
    TRY_VOID(follow_policy(policy));
    TRY(const auto deny, document(std::string(plan::DenyList::kPath)));
    if (deny) {
      TRY(deny_, plan::DenyList::parse(*deny));
    }
    return {};
  }

  // The newest policy stays the newest: it is remembered for this tenant, its key and the keys of the `policy` role, so that all begins anew once one of these was replaced (ADR 0098).
  Status follow_policy(const std::optional<Bytes>& bytes) {
    const std::filesystem::path record = question_.state / "trusted/policy.bin";
    auto tenant_key = files_.read(question_.state / "tenant.key", 256);
    if (!tenant_key && tenant_key.error().code == ErrorCode::kNotFound) tenant_key = Bytes();
    std::string speakers = identity_.tenant + "\n" + (tenant_key ? sha256(*tenant_key).hex() : std::string());
    if (const trust::RoleKeys* keys = client_.role_keys("policy")) {
      for (const std::string& id : keys->keyids) speakers += "\n" + id;
    }
    const Digest of = sha256(as_bytes(speakers));
    const auto seen = ipc::read_record<ipc::PolicySeen>(files_, record);
    const int64_t newest = seen && seen->of == of.bytes ? static_cast<int64_t>(seen->version) : 0;
    if (!bytes) {
      if (newest == 0) return {};
      return fail(ErrorCode::kDenied, fmt::format("there is no policy of tenant `{}` any more; this host has seen version {}", identity_.tenant, newest));
    }
    TRY(policy_, read_policy(*bytes));
    if (policy_->version < newest) return fail(ErrorCode::kDenied, fmt::format("the policy of tenant `{}` has version {}; this host has seen version {}", identity_.tenant, policy_->version, newest));
    if (policy_->version > newest) TRY_VOID(ipc::write_record(files_, record, ipc::PolicySeen{of.bytes, static_cast<uint64_t>(policy_->version)}));
    return {};
  }

  // Policies are sealed to their tenant (ADR 0098). One that is not is read only by a host without a key of its tenant: it was enrolled before there were any.
  Result<plan::Policy> read_policy(const Bytes& bytes) {
    const auto text = files_.read(question_.state / "tenant.key", 256);
    if (!trust::is_sealed_document(bytes)) {
      if (text || text.error().code != ErrorCode::kNotFound) return fail(ErrorCode::kDenied, "the policy is not sealed, and this host has a key of its tenant");
      return checked(plan::Policy::parse(bytes), 0);
    }
    if (!text) return fail(ErrorCode::kDenied, fmt::format("the policy is sealed, and this host has no key of its tenant ({}); enrol it again", text.error().detail));
    TRY(const Bytes raw, from_hex(as_text(*text).substr(0, as_text(*text).find('\n'))));
    TRY(const trust::SealKey key, trust::SealKey::from_raw(raw));
    TRY(const trust::Opened opened, trust::open_document_sealed_as(plan::Policy::path(identity_.tenant), bytes, key));
    return checked(plan::Policy::parse(opened.plain), opened.version);
  }
  Result<plan::Policy> checked(Result<plan::Policy> policy, int64_t version) const {
    if (!policy) return policy;
    if (policy->tenant != identity_.tenant) return fail(ErrorCode::kDenied, fmt::format("the policy of tenant `{}` stands where that of `{}` should", policy->tenant, identity_.tenant));
    if (version != 0 && policy->version != version) return fail(ErrorCode::kDenied, fmt::format("the policy says version {}, but was sealed as version {}", policy->version, version));
    return policy;
  }

  HostMemory host_memory() {
    HostMemory memory;
    if (const auto refusals = ipc::read_record<ipc::Refusals>(files_, question_.state / "state/refusals.bin")) memory.refusals = *refusals;
    if (const auto seen = ipc::read_record<ipc::PlanSeen>(files_, question_.state / "trusted/plan.bin")) memory.plan_seen = seen->sequence;
    if (question_.announced) memory.grant = grant();
    memory.clock_right = client_.clock_behind() < kClockDifference;
    return memory;
  }

  std::optional<plan::Grant> grant() {
    const auto bytes = files_.read(question_.state / "spool/grant.json", limits::kHttpBodyBytesMax);
    const trust::RoleKeys* keys = client_.role_keys("rollout");
    if (!bytes || keys == nullptr) return std::nullopt;
    const auto opened = trust::open_document(*bytes, *keys, "grant");
    if (!opened) {
      grant_complaint_ = opened.error().detail;
      return std::nullopt;
    }
    const auto parsed = plan::Grant::parse(*opened);
    if (!parsed) {
      grant_complaint_ = parsed.error().detail;
      return std::nullopt;
    }
    if (const auto fits = parsed->check(identity_.sensor_id, question_.boot_epoch, Digest{*question_.announced}, now_); !fits) {
      grant_complaint_ = fits.error().detail;
      return std::nullopt;
    }
    return *parsed;
  }

  // Signed release documents: from the spool for what the plan names, else the copy that was kept with the set.
  const plan::Release* release(const Digest& digest) {
    if (const auto known = releases_.find(digest); known != releases_.end()) return known->second ? &*known->second : nullptr;
    std::optional<plan::Release>& slot = releases_[digest];
    const plan::Rollout* rollout = plan_ ? plan_->find(digest) : nullptr;
    if (rollout != nullptr) {
      if (auto bytes = document(plan::release_folder(rollout->release) + "/release.json"); bytes && *bytes && plan::release_digest(**bytes) == digest)
        if (auto parsed = plan::Release::parse(**bytes)) {
          documents_[digest] = **bytes;
          slot = std::move(*parsed);
        }
    }
    if (!slot) {
      const auto bytes = files_.read(question_.state / "sets" / digest.hex() / "release.json", limits::kTargetBytesMax);
      if (bytes && plan::release_digest(*bytes) == digest)
        if (auto parsed = plan::Release::parse(*bytes)) slot = std::move(*parsed);
    }
    return slot ? &*slot : nullptr;
  }

  Status put_offer(const plan::Decision& decision) {
    const plan::Release* wanted = release(*decision.release);
    if (wanted == nullptr || !documents_.contains(*decision.release)) return fail(ErrorCode::kUnavailable, "its release document is not in the spool");
    TRY(const trust::Targets* const content, client_.load_role(plan::content_role(wanted->name)));
    TRY_VOID(plan::check_days(content->expires, now_, fmt::format("release `{}` is not taken: its content metadata would be valid", wanted->name)));
    return put_set(*decision.release, *wanted);
  }

  Status put_file(const std::filesystem::path& to, const std::string& target, int64_t length, const Digest& digest) {
    TRY(const auto info, client_.target(target));
    const auto hash = info.file.hashes.find("sha256");
    if (info.file.length != length || hash == info.file.hashes.end() || hash->second != digest.hex())
      return fail(ErrorCode::kDenied, fmt::format("`{}`: the release document and the signed targets differ", target));
    TRY(const Bytes bytes, client_.download(info));
    return files_.write_atomic(to, bytes, 0444);
  }

  // Every channel file (with its cases) named by the signed release, checked against the signed targets, then set.bin: the set exists when that is there.
  Status put_set(const Digest& digest, const plan::Release& wanted) {
    const std::filesystem::path folder = question_.state / "sets" / digest.hex();
    if (wanted.channels.size() > ipc::kChannelsPerSetMax) return fail(ErrorCode::kTooLarge, fmt::format("release `{}` has {} channels, at most {} are taken", wanted.name, wanted.channels.size(), ipc::kChannelsPerSetMax));
    if (whole(folder, digest, wanted)) return {};
    TRY_VOID(files_.remove(folder / ipc::kSetRecordName));  // not whole: what follows is a set again when it is written anew
    if (local_ && local_->require_evidence) {
      TRY(const auto evidence, document(plan::Evidence::path(wanted.name)));
      if (!evidence) return fail(ErrorCode::kDenied, fmt::format("release `{}` has no evidence, and the local file requires it", wanted.name));
      TRY_VOID(plan::Evidence::check(*evidence, wanted));
    }
    ipc::SetRecord record;
    record.release = digest.bytes;
    record.name.assign(wanted.name);
    TRY_VOID(files_.make_directories(folder));
    for (const plan::ChannelRef& channel : wanted.channels) {
      ipc::SetFile& file = record.files[record.count++];
      file.name.assign(fmt::format("{}.{}.channel", channel.type, channel.fingerprint.hex().substr(0, 8)));  // one per fingerprint alive in the fleet
      file.sha256 = channel.sha256.bytes;
      file.fingerprint = channel.fingerprint.bytes;
      file.bytes = static_cast<uint64_t>(channel.length);
      if (!file.valid()) return fail(ErrorCode::kInvalid, fmt::format("release `{}`: no file can be named after the Template Type `{}`", wanted.name, channel.type));
      TRY_VOID(put_file(folder / std::string(file.name.view()), channel.path, channel.length, channel.sha256));
      if (!channel.cases) continue;
      file.cases_sha256 = channel.cases->sha256.bytes;
      file.cases_bytes = static_cast<uint64_t>(channel.cases->length);
      TRY_VOID(put_file(folder / (std::string(file.name.view()) + std::string(ipc::kSetCasesSuffix)), channel.cases->path, channel.cases->length, channel.cases->sha256));
    }
    TRY_VOID(files_.write_atomic(folder / "release.json", documents_.at(digest), 0444));
    return files_.write_atomic(folder / ipc::kSetRecordName, ipc::to_record(record), 0444);
  }

  // Is the set there as it was put? A file that is missing or damaged is fetched again, instead of being held against the release.
  bool whole(const std::filesystem::path& folder, const Digest& digest, const plan::Release& wanted) {
    const auto record = ipc::read_record<ipc::SetRecord>(files_, folder / ipc::kSetRecordName);
    if (!record || record->release != digest.bytes || record->count != wanted.channels.size()) return false;
    for (size_t i = 0; i < record->count; ++i) {
      const ipc::SetFile& file = record->files[i];
      const plan::ChannelRef& channel = wanted.channels[i];
      if (file.sha256 != channel.sha256.bytes || (file.cases_bytes > 0) != channel.cases.has_value()) return false;
      const std::string name(file.name.view());
      const auto is = [&](const std::string& given, const Digest& signed_digest) {
        const auto bytes = files_.read(folder / given, limits::kChannelBytesMax);
        return bytes && sha256(*bytes) == signed_digest;
      };
      if (!is(name, channel.sha256) || (channel.cases && !is(name + std::string(ipc::kSetCasesSuffix), channel.cases->sha256))) return false;
    }
    return true;
  }

  const Question& question_;
  FileSystem& files_;
  WallTime now_;
  trust::DirectoryTransport transport_;
  trust::Client client_;
  Identity identity_;
  std::optional<plan::Plan> plan_;
  std::optional<plan::Policy> policy_;
  std::optional<plan::DenyList> deny_;
  std::optional<plan::LocalPolicy> local_;
  std::map<Digest, std::optional<plan::Release>> releases_;
  std::map<Digest, Bytes> documents_;
  std::string grant_complaint_, local_complaint_;
};

}  // namespace

ipc::Admitted admit(const Question& question, FileSystem& files, WallTime now) {
  Admission admission(question, files, now);
  auto answer = admission.run();
  if (answer) return *answer;
  ipc::Admitted refused;
  refused.clock_behind_ms = admission.clock_behind_ms();
  refused.detail.assign(answer.error().detail);
  refused.unread.assign(admission.unread());
  return refused;
}

}  // namespace creance::sensor

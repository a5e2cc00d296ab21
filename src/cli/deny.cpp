#include "cli/deny.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/content_pack.hpp"
#include "cli/previous_content.hpp"
#include "cli/signing_key.hpp"
#include "plan/policy.hpp"
#include "plan/validity.hpp"
#include "trust/keys/signer.hpp"
#include "trust/repository/builder.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;

struct DenyOptions {
  RemoteOptions remote;
  PreviousOptions previous;
  std::string out, key, passphrase_file, reason, list;
  std::vector<std::string> digests;
  unsigned approve_days = 90;
};

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return exit_code_of(error);
}

Result<std::vector<Digest>> parse_digests(const std::vector<std::string>& texts) {
  std::vector<Digest> digests;
  for (const std::string& text : texts) {
    const auto digest = Digest::parse(text);
    if (!digest) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no digest: 64 hexadecimal digits of a release or of a channel file", printable(text, 100)));
    digests.push_back(*digest);
  }
  return digests;
}

// The list that hosts follow now.
Result<plan::DenyList> current_list(const DenyOptions& options, const std::optional<Bytes>& content) {
  os::RealFileSystem files;
  plan::DenyList none;
  if (!content) return none;
  TRY(const trust::Targets parsed, trust::Targets::parse(*content));
  const auto named = parsed.targets.find(std::string(plan::DenyList::kPath));
  if (named == parsed.targets.end()) return none;
  Bytes bytes;
  if (!options.list.empty()) {
    TRY(bytes, files.read(options.list, 1u << 20));
    TRY_VOID(trust::check_length_and_hashes(bytes, named->second.length, named->second.hashes, options.list));
  } else if (!options.previous.previous.empty()) {
    return fail(ErrorCode::kInvalid, "there is a deny list already: give it with --list (offline), its digest stands in the content metadata");
  } else {
    TRY(bytes, target_of(*content, std::string(plan::DenyList::kPath), options.remote));
  }
  return plan::DenyList::parse(bytes);
}

// All of the list, `+` at what is new in it, and what it no longer says.
void show(const plan::DenyList& before, const plan::DenyList& list, WallTime expires, const Session& session) {
  const auto line = [&](char sign, std::string_view what, const Digest& digest, const std::string& reason) { session.terminal.note(fmt::format("  {} {}  {}  {}", sign, what, digest.hex(), printable(reason, 1'024))); };
  session.terminal.note(fmt::format("deny list, version {}; the content metadata expires {}", list.version, format_time(expires)));
  for (const plan::DenyList::Entry& entry : list.denied) {
    const plan::DenyList::Entry* known = before.find(entry.digest);
    line(known == nullptr ? '+' : known->reason == entry.reason ? ' ' : '~', "denied", entry.digest, entry.reason);
  }
  for (const Digest& digest : list.retry) line(std::ranges::find(before.retry, digest) == before.retry.end() ? '+' : ' ', "retry ", digest, "");
  for (const plan::DenyList::Entry& entry : before.denied) {
    if (list.find(entry.digest) == nullptr) line('-', "denied", entry.digest, entry.reason);
  }
  for (const Digest& digest : before.retry) {
    if (std::ranges::find(list.retry, digest) == list.retry.end()) line('-', "retry ", digest, "");
  }
}

// What one command makes of the list of before: its version is the next one, and it denies or it lets be tried again. Anything else was put there by hand.
Status check_step(const plan::DenyList& before, const plan::DenyList& next, BytesView bytes, const std::string& file, bool deny) {
  if (next.to_bytes() != Bytes(bytes.begin(), bytes.end())) return fail(ErrorCode::kDenied, fmt::format("`{}` has members that are not known here, or another form than this tool writes; nothing was signed", file));
  if (next.version != before.version + 1) return fail(ErrorCode::kDenied, fmt::format("`{}` has version {}, but follows version {}; nothing was signed", file, next.version, before.version));
  const bool lifts = std::ranges::any_of(before.denied, [&](const plan::DenyList::Entry& entry) { return next.find(entry.digest) == nullptr; }) ||
                     std::ranges::any_of(next.retry, [&](const Digest& digest) { return std::ranges::find(before.retry, digest) == before.retry.end(); });
  const bool denies = std::ranges::any_of(next.denied, [&](const plan::DenyList::Entry& entry) { return before.find(entry.digest) == nullptr; });
  if (deny && lifts) return fail(ErrorCode::kDenied, fmt::format("`{}` also lifts a denial or a refusal; nothing was signed. If that is meant, sign with `creance release retry`", file));
  if (!deny && denies) return fail(ErrorCode::kDenied, fmt::format("`{}` also denies; nothing was signed. If that is meant, sign with `creance release deny`", file));
  return {};
}

void change(plan::DenyList& list, const std::vector<Digest>& digests, const std::string& reason, bool deny) {
  ++list.version;
  for (const Digest& digest : digests) {
    std::erase_if(list.denied, [&](const plan::DenyList::Entry& entry) { return entry.digest == digest; });  // a retry lifts a denial too
    std::erase(list.retry, digest);
    if (deny) {
      list.denied.push_back({digest, reason});
    } else {
      list.retry.push_back(digest);
    }
  }
}

// The first person makes and signs the list, the second one looks at it and signs too.
Status sign_list(const DenyOptions& options, const Session& session, bool deny) {
  os::RealFileSystem files;
  const fs::path folder = options.out;
  const bool there = files.exists(folder / kContentFile);
  if (there == !options.digests.empty()) return fail(ErrorCode::kExists, there ? fmt::format("`{}` holds a list already: leave the digests out to add your signature, or choose another folder", options.out) : "name at least one digest");
  TRY(const auto signer, open_signer(files, options.key, options.passphrase_file));
  TRY(const auto previous, previous_content(options.previous, options.remote, signer->public_key(), "content"));
  const auto view = previous ? std::optional<BytesView>(*previous) : std::nullopt;
  const WallTime now = os::RealClock().wall();
  TRY(const plan::DenyList before, current_list(options, previous));
  Bytes signed_bytes;
  if (there) {
    TRY(const Bytes content, files.read(folder / kContentFile, limits::kTargetsBytesMax));
    TRY(const Bytes list_bytes, files.read(folder / kDenyFile, 1u << 20));
    TRY(const plan::DenyList list, plan::DenyList::parse(list_bytes));
    TRY(const trust::Targets parsed, trust::Targets::parse(content));
    // Made again from what is there: nothing else may stand in it.
    TRY(const Json again, trust::next_targets(view, {{std::string(plan::DenyList::kPath), list_bytes, std::nullopt}}, {}, parsed.expires));
    TRY(const Bytes canonical, canonical_json(again));
    if (canonical != parsed.envelope.canonical) return fail(ErrorCode::kDenied, fmt::format("`{}` says something else than this list upon the content metadata of today; nothing was signed", (folder / kContentFile).string()));
    TRY_VOID(plan::check_days(parsed.expires, now, "nothing was signed: content.json would be valid"));
    show(before, list, parsed.expires, session);
    TRY_VOID(check_step(before, list, list_bytes, (folder / kDenyFile).string(), deny));
    TRY(signed_bytes, trust::add_signature(content, *signer));
  } else {
    TRY(const std::vector<Digest> digests, parse_digests(options.digests));
    plan::DenyList list = before;
    change(list, digests, options.reason, deny);
    const WallTime expires = now + std::chrono::hours(24) * options.approve_days;
    show(before, list, expires, session);
    const Bytes list_bytes = list.to_bytes();
    TRY(const Json next, trust::next_targets(view, {{std::string(plan::DenyList::kPath), list_bytes, std::nullopt}}, {}, expires));
    trust::Signer* const signers[] = {signer.get()};
    TRY(signed_bytes, trust::sign_document(next, signers));
    TRY_VOID(files.make_directories(folder));
    TRY_VOID(files.write_atomic(folder / kDenyFile, list_bytes, 0644));
  }
  TRY_VOID(files.write_atomic(folder / kContentFile, signed_bytes, 0644));
  TRY(const trust::Envelope after, trust::Envelope::parse(signed_bytes, limits::kTargetsBytesMax));
  session.terminal.data_line(fmt::format("signed by key {}; {} signature(s) so far; bring it to the server with `creance push {}`", signer->public_key().id().substr(0, 16), after.signatures.size(), options.out));
  return {};
}

}  // namespace

void add_taking_back(CLI::App& release, Session& session) {
  auto* options = session.keep<DenyOptions>();
  for (const auto& [name, about, deny] : {std::tuple{"deny", "Forbid digests on every host, also what is last known good; two persons sign, then push", true},
                                          std::tuple{"retry", "Lift hosts' own refusals of digests, and a denial; two persons sign, then push", false}}) {
    CLI::App* sub = release.add_subcommand(name, about);
    sub->fallthrough();
    sub->add_option("DIGEST", options->digests, "Digest of a release or of a channel file; left out by the second person");
    sub->add_option("--out", options->out, "Folder for deny.json and content.json, between the signers and `creance push`")->required();
    sub->add_option("--key", options->key, "Private key file, or pkcs11:…")->required();
    sub->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key, or is the token's PIN");
    sub->add_option("--list", options->list, "The deny.json of today, where there is no server at hand");
    sub->add_option("--approve-days", options->approve_days, "The content metadata is good for so long")->check(CLI::Range(1u, plan::kSignedDaysMax))->capture_default_str();
    if (deny) sub->add_option("--reason", options->reason, "What hosts report and people read");
    add_previous_options(*sub, options->previous);
    add_remote_options(*sub, options->remote);
    sub->callback([&session, options, deny = deny] {
      session.run = [&session, options, deny] {
        const Status done = sign_list(*options, session, deny);
        return done ? static_cast<int>(kOk) : failed(session, done.error());
      };
    });
  }
}

}  // namespace creance::cli

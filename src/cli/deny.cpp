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

void show(const plan::DenyList& list, const Session& session) {
  session.terminal.note(fmt::format("deny list, version {}", list.version));
  for (const plan::DenyList::Entry& entry : list.denied) session.terminal.note(fmt::format("  denied  {}  {}", entry.digest.hex(), printable(entry.reason, 200)));
  for (const Digest& digest : list.retry) session.terminal.note(fmt::format("  retry   {}", digest.hex()));
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
    show(list, session);
    TRY(signed_bytes, trust::add_signature(content, *signer));
  } else {
    TRY(const std::vector<Digest> digests, parse_digests(options.digests));
    TRY(plan::DenyList list, current_list(options, previous));
    change(list, digests, options.reason, deny);
    show(list, session);
    const Bytes list_bytes = list.to_bytes();
    const WallTime expires = os::RealClock().wall() + std::chrono::hours(24) * options.approve_days;
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
    sub->add_option("--approve-days", options->approve_days, "The content metadata is good for so long")->check(CLI::Range(1u, 3650u))->capture_default_str();
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

// sign and push: from a pack to signed content on the server. Signing never happens on a server: the signer's own tool makes the release again from
// its sources and signs only equal bytes (D6).
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <charconv>

#include "base/digest.hpp"
#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/content_pack.hpp"
#include "cli/previous_content.hpp"
#include "cli/remote.hpp"
#include "cli/rule_files.hpp"
#include "cli/signing_key.hpp"
#include "plan/evidence.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"
#include "plan/validity.hpp"
#include "trust/core/metadata.hpp"
#include "trust/delta/delta.hpp"
#include "trust/keys/signer.hpp"
#include "trust/repository/builder.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

struct SignOptions {
  RemoteOptions remote;
  std::string folder;
  RuleSources sources;
  std::vector<std::string> logs;
  std::string types;
  std::string key;
  std::string passphrase_file;
  PreviousOptions previous;
  std::string since;  // pack folder of the release to compare with, in place of the newest that the previous content names
  std::vector<std::string> not_before;
  unsigned approve_days = 90;
};

constexpr size_t kNotesShownMax = 2'000;

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return exit_code_of(error);
}

// "general:3600", "canary:25:600": ring, the share in per cent that need not wait, seconds from now.
Result<plan::NotBefore> parse_not_before(const std::string& given, WallTime now) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= given.size();) {
    const size_t end = std::min(given.find(':', at), given.size());
    parts.push_back(given.substr(at, end - at));
    at = end + 1;
  }
  const auto number = [](const std::string& text, uint32_t max) -> std::optional<uint32_t> {
    uint32_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc() && end == text.data() + text.size() && value <= max ? std::optional(value) : std::nullopt;
  };
  const auto ring = plan::parse_ring(parts[0]);
  const auto share = parts.size() == 3 ? number(parts[1], 100) : std::optional<uint32_t>(0);
  const auto wait = parts.size() >= 2 ? number(parts.back(), 31'536'000) : std::nullopt;
  if (parts.size() < 2 || parts.size() > 3 || !ring || !share || !wait) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not RING[:SHARE%]:SECONDS with one of the rings internal, canary, early, general, late", given));
  return plan::NotBefore{*ring, *share * 10'000, now + seconds(*wait)};
}

// The signer's own copy of the pack, equal to the folder's byte for byte.
Result<PackFiles> remake(const SignOptions& options, const PackRequest& packed, const schema::Catalog& catalog, const Session& session) {
  if (packed.made_with_logs && options.logs.empty()) return fail(ErrorCode::kInvalid, "the release was made with logs as a sample; give the same files in the same order with --logs; nothing was signed");
  PackRequest request = packed;
  request.sources = options.sources;
  request.logs = options.logs;
  TRY(PackOutcome outcome, make_pack(request, catalog, session.terminal));
  if (outcome.files.empty()) {
    print_diagnostics(outcome.diagnostics, false, session.terminal);
    return fail(ErrorCode::kInvalid, fmt::format("the sources do not make a release ({} cases failed); nothing was signed", outcome.failures.size()));
  }
  os::RealFileSystem files;
  for (const auto& [name, bytes] : outcome.files) {
    TRY(const Bytes there, files.read(fs::path(options.folder) / name, limits::kChannelBytesMax));
    if (there != bytes) return fail(ErrorCode::kDenied, fmt::format("`{}` is not what these sources make (here {}, there {}); nothing was signed", name, sha256(bytes).hex(), sha256(there).hex()));
  }
  return std::move(outcome.files);
}

Result<plan::Release> make_release(const SignOptions& options, const PackRequest& packed, const PackFiles& pack, WallTime now) {
  plan::Release release;
  release.name = packed.release;
  release.created = now;
  release.notes = packed.notes;
  release.category = packed.category;
  release.evidence = sha256(pack.at(kEvidenceFile));
  release.floor.approved_until = now + std::chrono::hours(24) * options.approve_days;
  for (const std::string& given : options.not_before) {
    TRY(const plan::NotBefore entry, parse_not_before(given, now));
    release.floor.not_before.push_back(entry);
  }
  TRY(const Json manifest, parse_json(pack.at(kPackFile)));
  TRY(const JsonField channels, JsonField(manifest).at("channels"));
  TRY(const auto entries, channels.elements());
  for (const JsonField& entry : entries) {
    plan::ChannelRef channel;
    TRY(channel.type, entry.text_at("type"));
    TRY(const std::string fingerprint, entry.text_at("fingerprint"));
    TRY(channel.fingerprint, Digest::parse(fingerprint));
    TRY(const std::string digest, entry.text_at("sha256"));
    TRY(channel.sha256, Digest::parse(digest));
    TRY(channel.length, entry.integer_at("length"));
    TRY(channel.instances, entry.integer_at("instances"));
    channel.path = fmt::format("{}/{}{}", plan::release_folder(packed.release), channel.type, kChannelSuffix);
    TRY(const auto cases, entry.find("cases"));
    if (cases) {
      plan::CasesRef ref;
      ref.path = fmt::format("{}/{}{}", plan::release_folder(packed.release), channel.type, kCasesSuffix);
      TRY(const std::string cases_digest, cases->text_at("sha256"));
      TRY(ref.sha256, Digest::parse(cases_digest));
      TRY(ref.length, cases->integer_at("length"));
      channel.cases = std::move(ref);
    }
    release.channels.push_back(std::move(channel));
  }
  return release;
}

std::vector<trust::TargetFile> target_files(const std::string& release, const PackFiles& pack, const Bytes& document) {
  const std::string folder = plan::release_folder(release);
  std::vector<trust::TargetFile> files{{fmt::format("{}/{}", folder, kReleaseFile), document, std::nullopt}};
  for (const auto& [name, bytes] : pack) {
    if (is_published(name)) files.push_back({fmt::format("{}/{}", folder, name), bytes, std::nullopt});
  }
  return files;
}

// What the second person signs must be what the first one signed, and must name exactly these bytes.
Status check_names_the_files(BytesView metadata, const std::vector<trust::TargetFile>& targets) {
  TRY(const trust::Targets parsed, trust::Targets::parse(metadata));
  for (const trust::TargetFile& file : targets) {
    const auto found = parsed.targets.find(file.path);
    if (found == parsed.targets.end()) return fail(ErrorCode::kDenied, fmt::format("content.json does not name `{}`; nothing was signed", file.path));
    TRY_VOID(trust::check_length_and_hashes(file.bytes, found->second.length, found->second.hashes, file.path));
  }
  return {};
}

// What else the first person's metadata says: nothing but what was there before, and this release. Otherwise one signer alone could put more into it.
Status check_follows(BytesView metadata, const std::optional<Bytes>& previous, const std::string& release, const std::vector<trust::TargetFile>& targets, WallTime now) {
  TRY(const trust::Targets next, trust::Targets::parse(metadata));
  TRY_VOID(plan::check_days(next.expires, now, "nothing was signed: content.json would be valid"));
  trust::Targets before;
  if (previous) {
    TRY(before, trust::Targets::parse(*previous));
  }
  if (next.version != before.version + 1) return fail(ErrorCode::kDenied, fmt::format("content.json has version {}, but what it must follow has version {}; nothing was signed", next.version, before.version));
  const std::string folder = plan::release_folder(release) + "/";
  for (const auto& [path, file] : next.targets) {
    const auto known = before.targets.find(path);
    const bool same = known != before.targets.end() && known->second.length == file.length && known->second.hashes == file.hashes;
    if (!same && !path.starts_with(folder)) return fail(ErrorCode::kDenied, fmt::format("content.json also changes `{}`, which is not part of this release; nothing was signed", path));
  }
  for (const auto& [path, file] : before.targets) {
    if (!next.targets.contains(path)) return fail(ErrorCode::kDenied, fmt::format("content.json drops `{}`; nothing was signed", path));
  }
  if (!next.delegations.empty() || next.succinct) return fail(ErrorCode::kDenied, "content.json delegates to others; nothing was signed");
  // Last, made again from what is here: no other member may stand in it either.
  TRY(const Json again, trust::next_targets(previous ? std::optional<BytesView>(*previous) : std::nullopt, targets, {}, next.expires));
  TRY(const Bytes canonical, canonical_json(again));
  if (canonical != next.envelope.canonical) return fail(ErrorCode::kDenied, "content.json says something that does not follow from this release and what was there before; nothing was signed");
  return {};
}

// What changes for hosts, rule by rule.
void show_difference(const plan::Evidence& before, const std::string& name, const plan::Evidence& after, const Session& session) {
  const plan::EvidenceDifference found = plan::difference(before, after);
  const Terminal& terminal = session.terminal;
  terminal.note(fmt::format("since release {}: {} rules added, {} changed, {} removed, {} as they were", name, found.added.size(), found.changed.size(), found.removed.size(),
                            after.sources.size() - found.added.size() - found.changed.size()));
  const auto list = [&](char sign, Style style, const std::vector<plan::Evidence::Source>& rules) {
    for (const plan::Evidence::Source& rule : rules) terminal.note(terminal.styled(style, fmt::format("  {} {:<13} {}  {}", sign, printable(rule.level, 20), printable(rule.id, 64), printable(rule.title, 120)), false));
  };
  list('+', Style::kGreen, found.added);
  list('~', Style::kYellow, found.changed);
  list('-', Style::kRed, found.removed);
}

Status show_change(const SignOptions& options, const std::optional<Bytes>& previous, const PackRequest& packed, const PackFiles& pack, const Session& session) {
  TRY(const plan::Evidence now, plan::Evidence::parse(pack.at(kEvidenceFile)));
  os::RealFileSystem files;
  if (!options.since.empty()) {
    TRY(const PackRequest last, read_request(options.since));
    TRY(const Bytes bytes, files.read(fs::path(options.since) / kEvidenceFile, limits::kTargetBytesMax));
    TRY(const plan::Evidence before, plan::Evidence::parse(bytes));
    show_difference(before, last.release, now, session);
    return {};
  }
  const auto before = [&]() -> Result<std::optional<std::pair<std::string, plan::Evidence>>> {
    if (!previous) return std::nullopt;
    if (!options.previous.previous.empty()) return fail(ErrorCode::kUnavailable, "there is no server at hand");
    TRY(const auto releases, releases_of(*previous, packed.release, options.remote));
    if (releases.empty()) return std::nullopt;
    TRY(const Bytes bytes, target_of(*previous, plan::Evidence::path(releases[0].name), options.remote));
    TRY(plan::Evidence evidence, plan::Evidence::parse(bytes));
    return std::pair(releases[0].name, std::move(evidence));
  }();
  if (!before) {
    session.terminal.warning(fmt::format("what changed since the last release cannot be shown: {} (give --since FOLDER)", before.error().detail));
  } else if (*before) {
    show_difference((*before)->second, (*before)->first, now, session);
  } else {
    session.terminal.note(fmt::format("the first release: {} rules", now.sources.size()));
  }
  return {};
}

Result<Bytes> release_document(const SignOptions& options, const PackRequest& packed, const PackFiles& pack, WallTime now) {
  os::RealFileSystem files;
  const fs::path path = fs::path(options.folder) / kReleaseFile;
  TRY(const plan::Release made, make_release(options, packed, pack, now));
  if (!files.exists(path)) {
    const Bytes bytes = made.to_bytes();
    TRY_VOID(files.write_atomic(path, bytes, 0644));
    return bytes;
  }
  TRY(Bytes bytes, files.read(path, 1u << 20));
  TRY(const plan::Release there, plan::Release::parse(bytes));
  // The first person chose when it was made and its floor, which are shown; all else follows from the pack.
  plan::Release expected = made;
  expected.created = there.created;
  expected.floor = there.floor;
  if (expected != there) return fail(ErrorCode::kDenied, fmt::format("`{}` does not describe this pack; nothing was signed", path.string()));
  if (there.to_bytes() != bytes) return fail(ErrorCode::kDenied, fmt::format("`{}` has members that are not known here, or another form than this tool writes; nothing was signed", path.string()));
  if (there.created > now + std::chrono::hours(1)) return fail(ErrorCode::kDenied, fmt::format("`{}` says it was made at {}, which is not now; nothing was signed", path.string(), format_time(there.created)));
  TRY_VOID(plan::check_days(there.floor.approved_until, now, "nothing was signed: the release would be approved"));
  for (const plan::NotBefore& entry : there.floor.not_before) TRY_VOID(plan::check_days(entry.time, now, "nothing was signed: a ring would wait"));
  return bytes;
}

Result<Bytes> signed_content(const SignOptions& options, const std::optional<Bytes>& previous, const std::string& release, const std::vector<trust::TargetFile>& targets, trust::Signer& signer, WallTime now) {
  os::RealFileSystem files;
  const fs::path path = fs::path(options.folder) / kContentFile;
  if (files.exists(path)) {  // the second person: adds a signature
    TRY(const Bytes there, files.read(path, limits::kTargetsBytesMax));
    TRY_VOID(check_names_the_files(there, targets));
    TRY_VOID(check_follows(there, previous, release, targets, now));
    return trust::add_signature(there, signer);
  }
  const auto view = previous ? std::optional<BytesView>(*previous) : std::nullopt;
  TRY(const Json next, trust::next_targets(view, targets, {}, now + std::chrono::hours(24) * options.approve_days));
  trust::Signer* const signers[] = {&signer};
  return trust::sign_document(next, signers);
}

void show_what_is_signed(const plan::Release& release, const Session& session) {
  const Terminal& terminal = session.terminal;
  terminal.note(fmt::format("release {}, category {}, made at {}, approved until {}", release.name, release.category, format_time(release.created), format_time(release.floor.approved_until)));
  if (!release.notes.empty()) terminal.note("  notes: " + printable(release.notes, kNotesShownMax));
  if (release.notes.size() > kNotesShownMax) terminal.warning(fmt::format("the notes have {} bytes; see `notes` in {}", release.notes.size(), kReleaseFile));
  for (const plan::ChannelRef& channel : release.channels) terminal.note(fmt::format("  {:<28} {:>4} instances  {}", channel.type, channel.instances, channel.sha256.hex()));
  for (const plan::NotBefore& entry : release.floor.not_before) {
    terminal.note(fmt::format("  ring {}: beyond {} % not before {}", plan::to_string(entry.ring), entry.share / 10'000, format_time(entry.time)));
  }
}

Status sign_pack(const SignOptions& options, const schema::Catalog& catalog, const Session& session) {
  os::RealFileSystem files;
  const WallTime now = os::RealClock().wall();
  TRY(const PackRequest packed, read_request(options.folder));
  TRY(const PackFiles pack, remake(options, packed, catalog, session));
  TRY(const auto key, open_signer(files, options.key, options.passphrase_file));
  TRY(const auto previous, previous_content(options.previous, options.remote, key->public_key(), plan::content_role(packed.release)));
  TRY(const Bytes document, release_document(options, packed, pack, now));
  TRY(const plan::Release release, plan::Release::parse(document));
  show_what_is_signed(release, session);
  TRY_VOID(show_change(options, previous, packed, pack, session));
  TRY(const Bytes content, signed_content(options, previous, packed.release, target_files(packed.release, pack, document), *key, now));
  TRY(const trust::Targets parsed, trust::Targets::parse(content));
  session.terminal.note(fmt::format("content metadata version {}, expires {}", parsed.version, format_time(parsed.expires)));
  TRY_VOID(files.write_atomic(fs::path(options.folder) / kContentFile, content, 0644));
  if (session.json) {
    session.terminal.data_line(to_json(Json::object({{"release", packed.release}, {"release_digest", plan::release_digest(document).hex()}, {"content_version", parsed.version}, {"keyid", key->public_key().id()}, {"signatures", parsed.envelope.signatures.size()}})));
  } else {
    session.terminal.data_line(fmt::format("signed release {} (digest {}) by key {}; {} signature(s) so far", packed.release, plan::release_digest(document).hex(), key->public_key().id().substr(0, 16), parsed.envelope.signatures.size()));
  }
  return {};
}

// What hosts with the newest release before this one fetch in place of whole channel files. Hints, checked by the server and by every host: an error here stops nothing.
Result<nlohmann::ordered_json> deltas_of(const std::string& folder, const std::string& release, const RemoteOptions& options) {
  os::RealFileSystem files;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  TRY(Remote remote, Remote::open(options));
  TRY(const auto published, published_content(remote, plan::content_role(release)));
  if (!published) return list;
  const std::string content(as_text(*published));
  TRY(const auto releases, releases_of(as_bytes(content), release, options));
  for (size_t i = 0; i < releases.size() && i < limits::kDeltaBasesMax; ++i) {
    for (const plan::ChannelRef& old : releases[i].channels) {
      const fs::path file = fs::path(folder) / fs::path(old.path).filename();
      if (!files.exists(file)) continue;
      TRY(const Bytes to, files.read(file, limits::kChannelBytesMax));
      if (sha256(to) == old.sha256) continue;
      TRY(const Bytes from, target_of(as_bytes(content), old.path, options));
      TRY(const Bytes delta, trust::make_delta(from, to));
      if (delta.size() < to.size() / 2) list.push_back({{"path", fmt::format("{}/{}", plan::release_folder(release), file.filename().string())}, {"from", old.sha256.hex()}, {"data", to_base64(delta)}});
    }
  }
  return list;
}

Result<nlohmann::ordered_json> push_pack(const std::string& folder, const RemoteOptions& options, const Terminal& terminal) {
  os::RealFileSystem files;
  TRY(const Bytes content, files.read(fs::path(folder) / kContentFile, limits::kTargetsBytesMax));
  TRY(const auto names, files.list(folder));
  nlohmann::ordered_json targets = nlohmann::ordered_json::array();
  TRY(Remote remote, Remote::open(options));
  if (files.exists(fs::path(folder) / kDenyFile)) {  // made by `creance release deny`
    TRY(const Bytes bytes, files.read(fs::path(folder) / kDenyFile, 1u << 20));
    targets.push_back({{"path", plan::DenyList::kPath}, {"data", to_base64(bytes)}});
    return remote.put("/api/v1/content", {{"metadata", to_base64(content)}, {"targets", targets}});
  }
  TRY(const PackRequest packed, read_request(folder));
  for (const std::string& name : names) {
    if (!is_published(name) && name != kReleaseFile) continue;
    TRY(const Bytes bytes, files.read(fs::path(folder) / name, limits::kChannelBytesMax));
    targets.push_back({{"path", fmt::format("{}/{}", plan::release_folder(packed.release), name)}, {"data", to_base64(bytes)}});
  }
  nlohmann::ordered_json body = {{"metadata", to_base64(content)}, {"targets", targets}};
  if (const std::string_view tenant = plan::tenant_of(packed.release); !tenant.empty()) body["tenant"] = tenant;
  if (const auto deltas = deltas_of(folder, packed.release, options); !deltas) {
    terminal.warning(fmt::format("hosts will fetch whole files: no deltas could be made ({})", deltas.error().detail));
  } else if (!deltas->empty()) {
    body["deltas"] = *deltas;
  }
  return remote.put("/api/v1/content", body);
}

}  // namespace

void add_sign(CLI::App& app, Session& session) {
  auto* options = session.keep<SignOptions>();
  CLI::App* command = add_command(app, session, "sign", "Make the release again from its sources and sign it if every byte is equal",
                                  {"creance sign dist/starter-1 --rules rules/ --key ana.key --passphrase-file ana.pass", "creance sign dist/starter-1 --rules rules/ --key ben.key --root root.json"});
  add_remote_options(*command, options->remote);
  command->add_option("FOLDER", options->folder, "The pack")->required();
  add_rule_options(*command, options->sources);
  command->add_option("--logs", options->logs, "The logs that the pack was made with, in the same order")->take_all();
  command->add_option("--types", options->types, "Folder of Template Types in place of the built-in ones");
  command->add_option("--key", options->key, "Private key file, or pkcs11:token=…;object=…?module-path=…")->required();
  command->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key, or is the token's PIN");
  add_previous_options(*command, options->previous);
  command->add_option("--since", options->since, "Pack folder of the release to compare with, in place of the newest one");
  command->add_option("--not-before", options->not_before, "Floor: RING[:SHARE%]:SECONDS from now, before which nobody (beyond that share) may take it")->take_all();
  command->add_option("--approve-days", options->approve_days, "Floor: approved for this long")->check(CLI::Range(1u, plan::kSignedDaysMax))->capture_default_str();
  command->callback([&session, options] {
    session.run = [&session, options] {
      const auto catalog = load_catalog(options->types, session.terminal);
      if (!catalog) return static_cast<int>(kUsage);
      const auto done = sign_pack(*options, *catalog, session);
      return done ? static_cast<int>(kOk) : failed(session, done.error());
    };
  });
}

void add_push(CLI::App& app, Session& session) {
  auto* remote = session.keep<RemoteOptions>();
  auto* folder = session.keep<std::string>();
  CLI::App* command = add_command(app, session, "push", "Bring signed content to the server; it reaches no host until it is released", {"creance push dist/starter-1"});
  add_remote_options(*command, *remote);
  command->add_option("FOLDER", *folder, "The signed pack, or what `creance release deny` made")->required();
  command->callback([&session, remote, folder] {
    session.run = [&session, remote, folder] {
      const auto answer = push_pack(*folder, *remote, session.terminal);
      if (!answer) return failed(session, answer.error());
      if (session.json) session.terminal.data_line(answer->dump());
      else if (os::RealFileSystem().exists(fs::path(*folder) / kDenyFile)) session.terminal.data_line(fmt::format("`{}` is on the server; hosts follow it at their next refresh", *folder));
      else if (const auto packed = read_request(*folder)) session.terminal.data_line(fmt::format("`{}` is on the server; release it with `creance release {}`", *folder, packed->release));
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace creance::cli

#include "cli/ceremony.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/remote.hpp"
#include "cli/signing_key.hpp"
#include "plan/policy.hpp"
#include "trust/core/trusted_set.hpp"
#include "trust/keys/key_file.hpp"

namespace creance::cli {
namespace {

struct CeremonyOptions {
  RemoteOptions remote;
  std::string file, out, role, key, passphrase_file, by;
  std::vector<std::string> add, remove, others;
  uint32_t threshold = 0;  // 0: as it was
  bool drop = false;
  unsigned days = 365;
};

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return exit_code_of(error);
}

Result<trust::Envelope> read_envelope(const std::string& path) {
  os::RealFileSystem files;
  TRY(const Bytes bytes, files.read(path, limits::kTargetsBytesMax));
  auto envelope = trust::Envelope::parse(bytes, limits::kTargetsBytesMax);
  if (!envelope) return fail(envelope.error().code, fmt::format("`{}`: {}", path, envelope.error().detail));
  return envelope;
}

std::string member_text(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  return found != nullptr && found->is_string() ? found->string() : "";
}

// Root and targets metadata alike: a list of keys, and roles that name them.
struct Roles {
  Json keys = Json::object();
  struct Role {
    std::string name;
    std::vector<std::string> keyids;
    int64_t threshold = 1;
    bool made = false;  // a tenant's role that this change adds
  };
  std::vector<Role> list;

  Role* find(const std::string& name) {
    const auto it = std::ranges::find(list, name, &Role::name);
    return it == list.end() ? nullptr : &*it;
  }
};

Result<Roles> read_roles(const Json& part) {
  const JsonField field(part, "signed");
  Roles roles;
  const auto one = [&](std::string name, const JsonField& value) -> Status {
    Roles::Role role{std::move(name), {}, 1, false};
    TRY(role.threshold, value.integer_at("threshold", 1, 1'000));
    TRY(const JsonField ids, value.at("keyids"));
    TRY(const auto elements, ids.elements(limits::kKeysPerRoleMax));
    for (const JsonField& id : elements) {
      TRY(std::string text, id.text());
      role.keyids.push_back(std::move(text));
    }
    roles.list.push_back(std::move(role));
    return {};
  };
  const std::string type = member_text(part, "_type");
  if (type == "root") {
    TRY(const JsonField keys, field.at("keys"));
    roles.keys = keys.value();
    TRY(const JsonField list, field.at("roles"));
    TRY(const auto members, list.members(64));
    for (const auto& [name, value] : members) TRY_VOID(one(name, value));
    return roles;
  }
  if (type != "targets") return fail(ErrorCode::kInvalid, fmt::format("metadata of the type `{}` names no keys; root and targets do", printable(type, 40)));
  TRY(const auto delegations, field.find("delegations"));
  if (!delegations) return roles;
  TRY(const JsonField keys, delegations->at("keys"));
  roles.keys = keys.value();
  TRY(const JsonField list, delegations->at("roles"));
  TRY(const auto elements, list.elements());
  for (const JsonField& value : elements) {
    TRY(std::string name, value.text_at("name", 1));
    TRY_VOID(one(std::move(name), value));
  }
  return roles;
}

Json role_members(Json entry, const Roles::Role& role) {
  Json ids = Json::array();
  for (const std::string& id : role.keyids) ids.push(id);
  entry.set("keyids", std::move(ids));
  entry.set("threshold", role.threshold);
  return entry;
}

// `part` with these roles and only the keys that they use; every other member stays.
Json with_roles(Json part, const Roles& roles) {
  std::set<std::string> used;
  for (const Roles::Role& role : roles.list) used.insert(role.keyids.begin(), role.keyids.end());
  Json keys = Json::object();
  for (const auto& [id, key] : roles.keys.members()) {
    if (used.contains(id)) keys.set(id, key);
  }
  if (member_text(part, "_type") == "root") {
    Json list = *part.find("roles");
    for (const Roles::Role& role : roles.list) list.set(role.name, role_members(*list.find(role.name), role));
    part.set("keys", std::move(keys));
    part.set("roles", std::move(list));
    return part;
  }
  const Json* there = part.find("delegations");
  Json delegations = there == nullptr ? Json::object({{"keys", Json::object()}, {"roles", Json::array()}}) : *there;
  Json list = Json::array();
  for (const Json& entry : delegations.find("roles")->elements()) {
    const auto role = std::ranges::find(roles.list, member_text(entry, "name"), &Roles::Role::name);
    if (role != roles.list.end()) list.push(role_members(entry, *role));
  }
  for (const Roles::Role& role : roles.list) {
    if (role.made) list.push(role_members(Json::object({{"name", role.name}, {"paths", Json::array({Json(role.name + "/*/*")})}, {"terminating", true}}), role));
  }
  delegations.set("keys", std::move(keys));
  delegations.set("roles", std::move(list));
  part.set("delegations", std::move(delegations));
  return part;
}

// A public key file, or a key id or its beginning among those of the role.
Result<std::string> id_to_remove(const std::string& given, const Roles::Role& role) {
  os::RealFileSystem files;
  std::string id = given;
  if (files.exists(given)) {
    TRY(const trust::PublicKey key, trust::load_public_key(files, given));
    id = key.id();
  }
  std::vector<std::string> found;
  std::ranges::copy_if(role.keyids, std::back_inserter(found), [&](const std::string& known) { return known.starts_with(id); });
  if (found.size() == 1 && id.size() >= 8) return found[0];
  return fail(ErrorCode::kInvalid, fmt::format("`{}` is {} of role `{}`; give a public key file or at least 8 characters of a key id", printable(given, 100), found.empty() ? "no key" : "not the name of exactly one key", role.name));
}

bool is_tenants_role(const std::string& name) { return name.starts_with("content-") && plan::is_tenant_name(name.substr(8)); }

// A tenant's own content (ADR 0099): only its name space, and never one person alone unless that is said.
Status make_tenants_role(const CeremonyOptions& options, Roles& roles) {
  if (options.add.empty() || options.threshold == 0) return fail(ErrorCode::kInvalid, fmt::format("a new role `{}` needs --add and --threshold", options.role));
  roles.list.push_back({options.role, {}, static_cast<int64_t>(options.threshold), true});
  return {};
}

Status change_role(const CeremonyOptions& options, Roles& roles, bool targets) {
  if (options.drop) {
    if (!is_tenants_role(options.role) || std::erase_if(roles.list, [&](const Roles::Role& role) { return role.name == options.role; }) == 0) return fail(ErrorCode::kInvalid, fmt::format("there is no tenant's role `{}` to drop", options.role));
    return {};
  }
  if (targets && is_tenants_role(options.role) && roles.find(options.role) == nullptr) TRY_VOID(make_tenants_role(options, roles));
  Roles::Role* role = roles.find(options.role);
  if (role == nullptr) {
    std::string known;
    for (const Roles::Role& r : roles.list) known += (known.empty() ? "" : ", ") + r.name;
    return fail(ErrorCode::kInvalid, fmt::format("there is no role `{}`; there are: {}", options.role, known));
  }
  os::RealFileSystem files;
  for (const std::string& given : options.remove) {
    TRY(const std::string id, id_to_remove(given, *role));
    std::erase(role->keyids, id);
  }
  std::set<std::string> identities;
  for (const std::string& path : options.add) {
    TRY(const trust::PublicKey key, trust::load_public_key(files, path));
    if (std::ranges::find(role->keyids, key.id()) != role->keyids.end()) return fail(ErrorCode::kExists, fmt::format("`{}` signs for role `{}` already", path, role->name));
    roles.keys.set(key.id(), key.json());
    role->keyids.push_back(key.id());
  }
  if (options.threshold > 0) role->threshold = options.threshold;
  for (const std::string& id : role->keyids) {
    const Json* entry = roles.keys.find(id);
    if (entry == nullptr) continue;
    TRY(const trust::PublicKey key, trust::PublicKey::from_json(JsonField(*entry)));
    if (key.usable()) identities.insert(key.identity());
  }
  if (static_cast<int64_t>(identities.size()) < role->threshold) {
    return fail(ErrorCode::kInvalid, fmt::format("role `{}` would have {} different keys and need {}: nobody could sign for it any more", role->name, identities.size(), role->threshold));
  }
  return {};
}

Status write_out(const std::string& path, const trust::Envelope& envelope) {
  os::RealFileSystem files;
  return files.write_atomic(path, envelope.to_bytes(), 0644);
}

void describe(const trust::Envelope& envelope, const Session& session) {
  const Json& part = envelope.signed_part;
  const Json* version = part.find("version");
  session.terminal.note(fmt::format("{} version {}, expires {}", printable(member_text(part, "_type"), 40), version != nullptr && version->is_integer() ? version->integer() : 0, printable(member_text(part, "expires"), 40)));
  if (const auto roles = read_roles(part)) {
    for (const Roles::Role& role : roles->list) {
      session.terminal.note(fmt::format("  {:<12} {} of {} keys", printable(role.name, 60), role.threshold, role.keyids.size()));
      for (const std::string& id : role.keyids) session.terminal.note(fmt::format("    {}", printable(id, 80)));
    }
  }
  if (const Json* targets = part.find("targets"); targets != nullptr && targets->is_object()) {
    for (const auto& [path, entry] : targets->members()) {
      const Json* hashes = entry.find("hashes");
      session.terminal.note(fmt::format("  {}  sha256 {}", printable(path, 200), hashes == nullptr ? "" : member_text(*hashes, "sha256")));
    }
  }
}

Status change(const CeremonyOptions& options, const Session& session) {
  TRY(trust::Envelope envelope, read_envelope(options.file));
  Json part = envelope.signed_part;
  TRY(Roles roles, read_roles(part));
  if (!options.role.empty()) {
    TRY_VOID(change_role(options, roles, member_text(part, "_type") == "targets"));
  } else if (!options.add.empty() || !options.remove.empty() || options.threshold > 0 || options.drop) {
    return fail(ErrorCode::kInvalid, "--add, --remove, --threshold and --drop need --role");
  }
  part = with_roles(std::move(part), roles);
  TRY(const int64_t version, JsonField(part, "signed").integer_at("version", 1));
  if (!envelope.signatures.empty()) part.set("version", version + 1);  // one that nobody has signed is still being made
  part.set("expires", format_time(os::RealClock().wall() + std::chrono::hours(24) * options.days));
  TRY(const trust::Envelope next, trust::Envelope::of(std::move(part)));
  const Bytes bytes = next.to_bytes();
  if (member_text(next.signed_part, "_type") == "root") {
    TRY([[maybe_unused]] const trust::Root checked, trust::Root::parse(bytes));
  } else {
    TRY([[maybe_unused]] const trust::Targets checked, trust::Targets::parse(bytes));
  }
  TRY_VOID(write_out(options.out, next));
  describe(next, session);
  session.terminal.data_line(fmt::format("`{}` is ready to be signed", options.out));
  return {};
}

Status sign(const CeremonyOptions& options, const Session& session) {
  os::RealFileSystem files;
  TRY(const trust::Envelope before, read_envelope(options.file));
  describe(before, session);
  TRY(const auto signer, open_signer(files, options.key, options.passphrase_file));
  TRY(const Bytes bytes, trust::add_signature(before.to_bytes(), *signer));
  TRY(const trust::Envelope after, trust::Envelope::parse(bytes, limits::kTargetsBytesMax));
  TRY_VOID(write_out(options.out.empty() ? options.file : options.out, after));
  session.terminal.data_line(fmt::format("signed by key {}; {} signature(s) so far", signer->public_key().id().substr(0, 16), after.signatures.size()));
  return {};
}

Status combine(const CeremonyOptions& options, const Session& session) {
  TRY(trust::Envelope all, read_envelope(options.file));
  for (const std::string& path : options.others) {
    TRY(const trust::Envelope other, read_envelope(path));
    if (other.canonical != all.canonical) return fail(ErrorCode::kDenied, fmt::format("`{}` signs something else than `{}`; nothing was written", path, options.file));
    for (const trust::Signature& signature : other.signatures) {
      std::erase_if(all.signatures, [&](const trust::Signature& known) { return known.keyid == signature.keyid; });
      all.signatures.push_back(signature);
    }
  }
  TRY_VOID(write_out(options.out.empty() ? options.file : options.out, all));
  session.terminal.data_line(fmt::format("{} signature(s)", all.signatures.size()));
  return {};
}

// Who must sign `part` according to `by`: for a root, its predecessor's root role and its own; for targets, the root; for a delegated role, the targets that delegate to it.
struct Asked {
  std::string what;
  trust::RoleKeys role;
};
Result<std::vector<Asked>> who_must_sign(const trust::Envelope& document, const std::string& role, const trust::Envelope& by) {
  const Bytes by_bytes = by.to_bytes();
  const std::string type = member_text(document.signed_part, "_type");
  if (member_text(by.signed_part, "_type") == "targets") {
    TRY(const trust::Targets targets, trust::Targets::parse(by_bytes));
    const auto it = std::ranges::find(targets.delegations, role.empty() ? "content" : role, &trust::Delegation::name);
    if (it == targets.delegations.end()) return fail(ErrorCode::kInvalid, fmt::format("no role `{}` is delegated there", role.empty() ? "content" : role));
    return std::vector<Asked>{{"role " + it->name, it->role}};
  }
  TRY(const trust::Root root, trust::Root::parse(by_bytes));
  if (type != "root") {
    const auto it = root.roles.find(type);
    if (it == root.roles.end()) return fail(ErrorCode::kInvalid, fmt::format("a root does not say who signs `{}`", printable(type, 40)));
    return std::vector<Asked>{{"role " + type, it->second}};
  }
  TRY(const trust::Root own, trust::Root::parse(document.to_bytes()));
  return std::vector<Asked>{{"the root before it", root.roles.at("root")}, {"itself", own.roles.at("root")}};
}

Result<bool> status(const CeremonyOptions& options, const Session& session) {
  TRY(const trust::Envelope document, read_envelope(options.file));
  TRY(const trust::Envelope by, read_envelope(options.by));
  TRY(const auto asked, who_must_sign(document, options.role, by));
  bool enough = true;
  Json list = Json::array();
  for (const Asked& one : asked) {
    const uint32_t signed_by = trust::count_valid_signatures(document, one.role);
    enough = enough && signed_by >= one.role.threshold;
    if (session.json) {
      list.push(Json::object({{"by", one.what}, {"signatures", signed_by}, {"threshold", one.role.threshold}}));
    } else {
      session.terminal.data_line(fmt::format("as {} asks: {} of {} signatures", one.what, signed_by, one.role.threshold));
    }
    for (const auto& [id, key] : one.role.keys) {
      const bool has = std::ranges::any_of(document.signatures, [&](const trust::Signature& s) { return s.keyid == id && key.verify(document.canonical, s.sig); });
      if (!session.json) session.terminal.data_line(fmt::format("  {} {}", has ? "signed " : "missing", id.substr(0, 64)));
    }
  }
  if (session.json) session.terminal.data_line(to_json(Json::object({{"enough", enough}, {"asked", std::move(list)}})));
  return enough;
}

Status publish(const CeremonyOptions& options, const Session& session) {
  TRY(const trust::Envelope document, read_envelope(options.file));
  const std::string type = member_text(document.signed_part, "_type");
  if (type != "root" && type != "targets") return fail(ErrorCode::kInvalid, fmt::format("`{}` is neither root nor targets metadata; content is pushed with `creance push`", options.file));
  TRY(Remote remote, Remote::open(options.remote));
  TRY(const auto answer, remote.put("/api/v1/" + type, {{"metadata", to_base64(document.to_bytes())}}));
  session.terminal.data_line(session.json ? answer.dump() : fmt::format("{} version {} is published", type, answer.value("version", int64_t{0})));
  return {};
}

}  // namespace

void add_ceremony(CLI::App& keys, Session& session) {
  auto* options = session.keep<CeremonyOptions>();
  const auto nested = [&](const char* name, const char* about, Status (*run)(const CeremonyOptions&, const Session&)) {
    CLI::App* sub = keys.add_subcommand(name, about);
    sub->fallthrough();
    sub->add_option("FILE", options->file, "Metadata: an envelope of signatures and what they sign")->required();
    if (run != nullptr) {
      sub->callback([&session, options, run] {
        session.run = [&session, options, run] {
          const Status done = run(*options, session);
          return done ? static_cast<int>(kOk) : failed(session, done.error());
        };
      });
    }
    return sub;
  };
  CLI::App* next = nested("change", "The next version of root or targets metadata: keys added, removed, another threshold, a later expiry", change);
  next->add_option("--out", options->out, "File of the next version, not signed yet")->required();
  next->add_option("--role", options->role, "Whose keys: root, targets, snapshot, timestamp in a root; content, rollout, policy in targets, or a tenant's content-<tenant>, which is made if it is not there");
  next->add_option("--add", options->add, "Public key file")->take_all();
  next->add_option("--remove", options->remove, "Public key file, or the beginning of a key id")->take_all();
  next->add_option("--threshold", options->threshold, "How many different keys must sign")->check(CLI::Range(1u, 100u));
  next->add_flag("--drop", options->drop, "Take a tenant's role away: it signs nothing more");
  next->add_option("--days", options->days, "Expires after so many days")->check(CLI::Range(1u, 3650u))->capture_default_str();
  CLI::App* one = nested("sign", "Add one person's signature; shows what is signed, needs no network", sign);
  one->add_option("--key", options->key, "Private key file, or pkcs11:…")->required();
  one->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key, or is the token's PIN");
  one->add_option("--out", options->out, "Another file for the result");
  CLI::App* together = nested("combine", "Bring signatures together that were made elsewhere over the same document", combine);
  together->add_option("OTHER", options->others, "Copies of the document with other signatures")->required();
  together->add_option("--out", options->out, "Another file for the result");
  CLI::App* ask = nested("status", "Who has signed, who is missing; exit code 1 if it is not enough", nullptr);
  ask->add_option("--by", options->by, "Who says so: the root before a new root, the root for targets, the targets for content")->required();
  ask->add_option("--role", options->role, "The delegated role, if --by is targets metadata; content if left out");
  ask->callback([&session, options] {
    session.run = [&session, options] {
      const auto enough = status(*options, session);
      return !enough ? failed(session, enough.error()) : static_cast<int>(*enough ? kOk : kFindings);
    };
  });
  CLI::App* send = nested("publish", "Bring signed root or targets metadata to the server", publish);
  add_remote_options(*send, options->remote);
}

}  // namespace creance::cli

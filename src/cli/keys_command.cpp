// keys: a person's signing key, on that person's machine.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/json.hpp"
#include "base/os/real.hpp"
#include "cli/command.hpp"
#include "cli/passphrase.hpp"
#include "trust/keys/signer.hpp"

namespace creance::cli {
namespace {

struct KeyOptions {
  std::string file;
  std::string passphrase_file;
  bool no_passphrase = false;
};

int failed(const Session& session, const Error& error) {
  session.terminal.error(error.detail);
  return error.code == ErrorCode::kExists || error.code == ErrorCode::kDenied ? kUsage : kUnreadable;
}

void print_key(const Session& session, const trust::PublicKey& key, const std::string& file) {
  if (session.json) {
    Json out = Json::object({{"keyid", key.id()}, {"key", key.json()}, {"file", file}});
    session.terminal.data_line(to_json(out));
  } else {
    session.terminal.data_line(fmt::format("key id  {}\npublic  {}", key.id(), to_json(key.json())));
  }
}

int create(const KeyOptions& options, const Session& session) {
  os::RealFileSystem files;
  if (options.passphrase_file.empty() && !options.no_passphrase) {
    session.terminal.error("a key needs a passphrase: give --passphrase-file FILE, or --no-passphrase for a demonstration");
    return kUsage;
  }
  const std::string public_file = options.file + ".pub";
  if (files.exists(public_file)) {
    session.terminal.error(fmt::format("`{}` is there already; a key is never overwritten", public_file));
    return kUsage;
  }
  const auto passphrase = read_passphrase(files, options.passphrase_file);
  if (!passphrase) return failed(session, passphrase.error());
  const auto key = trust::KeyPair::generate_ed25519();
  if (!key) return failed(session, key.error());
  if (const auto saved = trust::save_key(files, options.file, *key, *passphrase); !saved) return failed(session, saved.error());
  if (const auto saved = trust::save_public_key(files, public_file, key->public_key()); !saved) return failed(session, saved.error());
  session.terminal.note(fmt::format("private key in `{}` (mode 0600), public key in `{}`", options.file, public_file));
  print_key(session, key->public_key(), options.file);
  return kOk;
}

int show(const KeyOptions& options, const Session& session) {
  os::RealFileSystem files;
  if (const auto key = trust::load_public_key(files, options.file)) {
    print_key(session, *key, options.file);
    return kOk;
  }
  const auto passphrase = read_passphrase(files, options.passphrase_file);
  if (!passphrase) return failed(session, passphrase.error());
  const auto key = trust::load_key(files, options.file, *passphrase);
  if (!key) return failed(session, key.error());
  print_key(session, key->public_key(), options.file);
  return kOk;
}

}  // namespace

Result<std::string> read_passphrase(FileSystem& files, const std::string& path) {
  if (path.empty()) return std::string();
  TRY(const Bytes bytes, files.read(path, 4096));
  std::string text(as_text(bytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fail(ErrorCode::kInvalid, fmt::format("the passphrase file `{}` is empty", path));
  return text;
}

void add_keys(CLI::App& app, Session& session) {
  auto* options = session.keep<KeyOptions>();
  CLI::App* command = add_command(app, session, "keys", "Signing keys of persons", {"creance keys create --out ana.key --passphrase-file ana.pass", "creance keys show ana.key.pub"});
  command->require_subcommand(1);
  CLI::App* make = command->add_subcommand("create", "A new Ed25519 key: FILE (private) and FILE.pub");
  make->fallthrough();
  make->add_option("--out", options->file, "File of the private key; must not exist")->required();
  make->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key");
  make->add_flag("--no-passphrase", options->no_passphrase, "Store it unprotected (demonstrations)");
  make->callback([&session, options] { session.run = [&session, options] { return create(*options, session); }; });
  CLI::App* print = command->add_subcommand("show", "Key id and public key of a key file");
  print->fallthrough();
  print->add_option("FILE", options->file, "Private or public key file")->required();
  print->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key");
  print->callback([&session, options] { session.run = [&session, options] { return show(*options, session); }; });
}

}  // namespace creance::cli

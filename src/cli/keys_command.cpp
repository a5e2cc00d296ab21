// keys: a person's signing key, on that person's machine or in that person's token.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/json.hpp"
#include "base/os/real.hpp"
#include "cli/ceremony.hpp"
#include "cli/command.hpp"
#include "cli/signing_key.hpp"
#include "trust/keys/key_file.hpp"
#include "trust/keys/pkcs11.hpp"

namespace creance::cli {
namespace {

struct KeyOptions {
  std::string file;
  std::string type = "ed25519";
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

Result<trust::KeyPair> generate(const std::string& type) {
  if (type == "ecdsa-p256") return trust::KeyPair::generate_ecdsa_p256();
  if (type == "rsa") return trust::KeyPair::generate_rsa();
  return trust::KeyPair::generate_ed25519();
}

// "pkcs11:token=content;object=ana?…" → "ana.pub"
Result<std::string> public_file_of(const std::string& key) {
  if (!trust::is_token_uri(key)) return key + ".pub";
  TRY(const trust::TokenKey token, trust::parse_token_uri(key));
  if (token.object.empty() || token.object.find('/') != std::string::npos) return fail(ErrorCode::kInvalid, "a new key in a token needs a plain name: `object`");
  return token.object + ".pub";
}

Result<trust::PublicKey> make(const KeyOptions& options, FileSystem& files) {
  TRY(const std::string passphrase, read_passphrase(files, options.passphrase_file));
  if (trust::is_token_uri(options.file)) {
    TRY(const trust::TokenKey token, trust::parse_token_uri(options.file));
    if (options.type == "rsa") return fail(ErrorCode::kInvalid, "keys in a token are ed25519 or ecdsa-p256");
    return trust::make_token_key(token, passphrase, options.type == "ed25519" ? trust::Scheme::kEd25519 : trust::Scheme::kEcdsaP256Sha256);
  }
  TRY(const trust::KeyPair key, generate(options.type));
  os::RealRandom random;
  TRY_VOID(trust::save_key(files, options.file, key, passphrase, random));
  return key.public_key();
}

int create(const KeyOptions& options, const Session& session) {
  os::RealFileSystem files;
  const bool in_token = trust::is_token_uri(options.file);
  if (options.passphrase_file.empty() && !options.no_passphrase && !in_token) {
    session.terminal.error("a key needs a passphrase: give --passphrase-file FILE, or --no-passphrase for a demonstration");
    return kUsage;
  }
  const auto public_file = public_file_of(options.file);
  if (!public_file) return failed(session, public_file.error());
  if (files.exists(*public_file)) {
    session.terminal.error(fmt::format("`{}` is there already; a key is never overwritten", *public_file));
    return kUsage;
  }
  const auto key = make(options, files);
  if (!key) return failed(session, key.error());
  if (const auto saved = trust::save_public_key(files, *public_file, *key); !saved) return failed(session, saved.error());
  session.terminal.note(in_token ? fmt::format("private key in the token, public key in `{}`", *public_file) : fmt::format("private key in `{}` (mode 0600), public key in `{}`", options.file, *public_file));
  print_key(session, *key, options.file);
  return kOk;
}

int show(const KeyOptions& options, const Session& session) {
  os::RealFileSystem files;
  if (!trust::is_token_uri(options.file)) {
    if (const auto key = trust::load_public_key(files, options.file)) {
      print_key(session, *key, options.file);
      return kOk;
    }
  }
  const auto signer = open_signer(files, options.file, options.passphrase_file);
  if (!signer) return failed(session, signer.error());
  print_key(session, (*signer)->public_key(), options.file);
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

Result<std::unique_ptr<trust::Signer>> open_signer(FileSystem& files, const std::string& key, const std::string& passphrase_file) {
  TRY(const std::string passphrase, read_passphrase(files, passphrase_file));
  if (trust::is_token_uri(key)) {
    TRY(const trust::TokenKey token, trust::parse_token_uri(key));
    return trust::open_token_key(token, passphrase);
  }
  TRY(trust::KeyPair pair, trust::load_key(files, key, passphrase));
  return std::make_unique<trust::KeyPair>(std::move(pair));
}

void add_keys(CLI::App& app, Session& session) {
  auto* options = session.keep<KeyOptions>();
  CLI::App* command = add_command(app, session, "keys", "Signing keys of persons, and who may sign what",
                                  {"creance keys create --out ana.key --passphrase-file ana.pass", "creance keys show ana.key.pub",
                                   "creance keys change targets.json --out next.json --role content --remove old.key.pub --add new.key.pub",
                                   "creance keys sign next.json --key targets.key --passphrase-file targets.pass", "creance keys status next.json --by root.json",
                                   "creance keys create --out 'pkcs11:token=content;object=ana?module-path=/usr/lib/softhsm/libsofthsm2.so' --passphrase-file pin"});
  command->require_subcommand(1);
  CLI::App* fresh = command->add_subcommand("create", "A new key: FILE (private) and FILE.pub, or inside a token");
  fresh->fallthrough();
  fresh->add_option("--out", options->file, "File of the private key, which must not exist, or pkcs11:token=…;object=…?module-path=…")->required();
  fresh->add_option("--type", options->type, "ed25519, ecdsa-p256 or rsa")->check(CLI::IsMember({"ed25519", "ecdsa-p256", "rsa"}))->capture_default_str();
  fresh->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key, or is the token's PIN");
  fresh->add_flag("--no-passphrase", options->no_passphrase, "Store it unprotected (demonstrations)");
  fresh->callback([&session, options] { session.run = [&session, options] { return create(*options, session); }; });
  CLI::App* print = command->add_subcommand("show", "Key id and public key of a key file or token");
  print->fallthrough();
  print->add_option("FILE", options->file, "Private or public key file, or pkcs11:…")->required();
  print->add_option("--passphrase-file", options->passphrase_file, "File whose first line protects the key, or is the token's PIN");
  print->callback([&session, options] { session.run = [&session, options] { return show(*options, session); }; });
  add_ceremony(*command, session);
}

}  // namespace creance::cli

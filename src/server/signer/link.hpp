// How the server reaches the signer: one request, one answer. Across processes: 4 bytes of length, little-endian, then JSON, over a UNIX stream socket.
// A RemoteSigner is a trust::Signer for one online role. Threads: one at a time.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/plan.hpp"
#include "server/signer/signer_core.hpp"
#include "trust/keys/signer.hpp"

namespace creance::server {

class SignerLink {
 public:
  virtual ~SignerLink() = default;
  virtual Result<Bytes> call(BytesView request) = 0;  // kUnavailable: no answer
};

class LocalLink final : public SignerLink {  // in the same process: tests and `init`
 public:
  explicit LocalLink(SignerCore core) : core_(std::move(core)) {}
  Result<Bytes> call(BytesView request) override { return core_.handle(request); }

 private:
  SignerCore core_;
};

// Starts `program --data <dir> --fd N` and speaks to it; starts it anew if it died (a signer that dies is asked once more, then kUnavailable).
std::unique_ptr<SignerLink> make_process_link(std::filesystem::path program, std::filesystem::path dir);
// A signer that runs by itself, under its own user, and listens on a UNIX socket.
std::unique_ptr<SignerLink> make_socket_link(std::filesystem::path socket);

// The signer's side: answers until the peer closes. `fd` stays the caller's.
void serve_signer(int fd, SignerCore& core);
// Listens on a UNIX socket (mode 0660) and serves one connection after the other until the process ends.
Status listen_signer(const std::filesystem::path& socket, SignerCore& core);

// The four online roles as Signers, and the approval of plans.
class RemoteSigners {
 public:
  static Result<std::unique_ptr<RemoteSigners>> connect(SignerLink& link);
  trust::Signer& role(std::string_view name);  // one of kOnlineRoles, or a bin of policy ("policy-3f")
  // kDenied: the signer's reason.
  // `contents`: the published metadata of "content" and of every "content-<tenant>".
  Status approve_plan(const plan::Plan& plan, const std::map<std::string, Bytes>& contents, const std::vector<Bytes>& releases);
  // A new root or new targets ("root", "targets"): the signer follows it, if it is signed as the one it has asks for, also to a new key of its own; role() then speaks for that one.
  Status renew_trust(const std::string& role, BytesView metadata);

 private:
  explicit RemoteSigners(SignerLink& link) : link_(&link) {}
  Status read_keys();
  SignerLink* link_;
  std::map<std::string, std::unique_ptr<trust::Signer>, std::less<>> roles_;
};

}  // namespace creance::server

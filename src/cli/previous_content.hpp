// The content metadata that a signer's next version follows. It goes on to be signed, so it is believed only with a reason: a trusted root on the signer's machine (then the server's tree is
// read as a host reads it), or this signer's own signature on it. What a server says by itself would otherwise get two persons' signatures.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "cli/remote.hpp"
#include "plan/release.hpp"
#include "trust/core/key.hpp"

namespace creance::cli {

struct PreviousOptions {
  std::string root;      // --root: the root.json that sensors are shipped with, or a later one
  std::string previous;  // --previous: content.json to follow, when there is no server at hand
  bool first = false;    // --first: there is none
};
void add_previous_options(CLI::App& command, PreviousOptions& options);

// Nothing for the very first. kDenied: neither a trusted root nor the key speaks for it.
// `role`: "content", or a tenant's "content-<tenant>".
Result<std::optional<Bytes>> previous_content(const PreviousOptions& options, const RemoteOptions& remote, const trust::PublicKey& signer, const std::string& role);
// What the server says is published, believed by nobody yet. Nothing: not published so far. kNotFound: no such role.
Result<std::optional<Bytes>> published_content(Remote& remote, const std::string& role);

// A target file that verified metadata names, from the server's tree.
Result<Bytes> target_of(BytesView content, const std::string& path, const RemoteOptions& remote);

// The releases that `content` names, apart from `but`, newest first. Needs the server.
Result<std::vector<plan::Release>> releases_of(BytesView content, const std::string& but, const RemoteOptions& remote);

}  // namespace creance::cli

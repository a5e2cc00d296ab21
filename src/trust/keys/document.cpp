#include <fmt/format.h>

#include <algorithm>

#include "trust/keys/signer.hpp"

namespace creance::trust {
namespace {

Status sign_into(Envelope& envelope, Signer& signer) {
  const PublicKey& key = signer.public_key();
  TRY(Bytes sig, signer.sign(envelope.canonical));
  // A signer elsewhere may be wrong; a bad signature must not leave this machine.
  if (!key.verify(envelope.canonical, sig)) return fail(ErrorCode::kInvalid, fmt::format("the signer of key {} gave a signature that does not verify", key.id().substr(0, 12)));
  std::erase_if(envelope.signatures, [&](const Signature& s) { return s.keyid == key.id(); });
  envelope.signatures.push_back({key.id(), std::move(sig)});
  return {};
}

}  // namespace

Result<Bytes> sign_document(const Json& signed_part, std::span<Signer* const> signers) {
  TRY(Envelope envelope, Envelope::of(signed_part));
  for (Signer* signer : signers) TRY_VOID(sign_into(envelope, *signer));
  return envelope.to_bytes();
}

Result<Bytes> add_signature(BytesView bytes, Signer& signer) {
  TRY(Envelope envelope, Envelope::parse(bytes, limits::kTargetsBytesMax));
  TRY_VOID(sign_into(envelope, signer));
  return envelope.to_bytes();
}

Result<Json> open_document(BytesView bytes, const RoleKeys& role, std::string_view what, size_t bytes_max) {
  auto envelope = Envelope::parse(bytes, bytes_max);
  if (!envelope) return fail(envelope.error().code, fmt::format("{}: {}", what, envelope.error().detail));
  TRY_VOID(check_signatures(*envelope, role, what));
  return std::move(envelope->signed_part);
}

}  // namespace creance::trust

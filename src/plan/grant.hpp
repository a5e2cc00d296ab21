// A grant: the server's signed "go" or "hold" to one host for one release. The signed envelope is made and opened by trust (sign_document, open_document) with the keys of the role "rollout".
#pragma once
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace creance::plan {

enum class Verdict : uint8_t { kGo, kHold };
std::string_view to_string(Verdict verdict);  // "go", "hold"

struct Grant {
  std::string sensor_id;
  std::string boot_epoch;
  Digest release_digest;
  Verdict verdict = Verdict::kHold;
  WallTime expires{};
  std::string reason;  // of a hold that is no placebo: why this host gets nothing else; at most 256 bytes
  friend bool operator==(const Grant&, const Grant&) = default;

  // The "signed" part of the envelope.
  static Result<Grant> parse(const Json& signed_part);
  Json to_json() const;
  // For this host, this start of it and this release, and not expired; kDenied or kExpired with what differs.
  Status check(std::string_view sensor, std::string_view epoch, const Digest& release, WallTime now) const;
};

}  // namespace creance::plan

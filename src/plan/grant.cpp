#include "plan/grant.hpp"

#include <fmt/format.h>

#include "plan/documents.hpp"

namespace creance::plan {

std::string_view to_string(Verdict verdict) { return verdict == Verdict::kGo ? "go" : "hold"; }

Result<Grant> Grant::parse(const Json& signed_part) {
  const JsonField document(signed_part, "signed");
  TRY(const std::string type, document.text_at("_type", 1, 64));
  if (type != "grant") return fail(ErrorCode::kInvalid, "signed._type: must be `grant`");
  Grant grant;
  TRY_VOID(detail::read_start(document, grant));
  TRY(grant.release_digest, detail::digest_at(document, "release_digest"));
  TRY(const JsonField verdict, document.at("verdict"));
  TRY(const std::string text, verdict.text(1, 16));
  if (text != "go" && text != "hold") return fail(verdict.error("must be go or hold"));
  grant.verdict = text == "go" ? Verdict::kGo : Verdict::kHold;
  TRY(grant.expires, document.time_at("expires"));
  TRY(const auto reason, document.find("reason"));
  if (reason) {
    TRY(grant.reason, reason->text(0, 256));
  }
  return grant;
}

Json Grant::to_json() const {
  Json json = Json::object({{"_type", "grant"}, {"sensor_id", sensor_id}, {"boot_epoch", boot_epoch}, {"release_digest", release_digest.hex()}, {"verdict", to_string(verdict)},
                            {"expires", format_time(expires)}});
  if (!reason.empty()) json.set("reason", reason);
  return json;
}

Status Grant::check(std::string_view sensor, std::string_view epoch, const Digest& release, WallTime now) const {
  if (sensor_id != sensor) return fail(ErrorCode::kDenied, "the grant is for another sensor");
  if (boot_epoch != epoch) return fail(ErrorCode::kDenied, "the grant is for another start of this sensor");
  if (release_digest != release) return fail(ErrorCode::kDenied, "the grant is for another release");
  if (now >= expires) return fail(ErrorCode::kExpired, fmt::format("the grant expired at {}", format_time(expires)));
  return {};
}

}  // namespace creance::plan

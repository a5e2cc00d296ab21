#include "plan/documents.hpp"

#include <fmt/format.h>

#include "plan/messages.hpp"

namespace creance::plan::detail {

Result<Json> read_document(BytesView bytes, std::string_view type, size_t bytes_max) {
  TRY(Json json, parse_json(bytes, {.bytes_max = bytes_max}));
  const JsonField document(json);
  TRY(const std::string found, document.text_at("_type", 1, 64));
  if (found != type) return fail(ErrorCode::kInvalid, fmt::format("_type: must be `{}`", type));
  return json;
}

Bytes write_document(const Json& json) {
  const std::string text = to_json_sorted(json);
  return Bytes(text.begin(), text.end());
}

Result<Digest> digest_at(const JsonField& object, std::string_view name) {
  TRY(const JsonField field, object.at(name));
  TRY(const std::string text, field.text(0, 128));
  const auto digest = Digest::parse(text);
  if (!digest || digest->hex() != text) return fail(field.error("must be 64 lower-case hexadecimal digits"));
  return *digest;
}

Result<std::optional<Digest>> digest_or_empty_at(const JsonField& object, std::string_view name) {
  TRY(const auto field, object.find(name));
  if (!field || (field->value().is_string() && field->value().string().empty())) return std::optional<Digest>();
  TRY(const Digest digest, digest_at(object, name));
  return std::optional<Digest>(digest);
}

std::string digest_or_empty(const std::optional<Digest>& digest) { return digest ? digest->hex() : ""; }

Result<std::vector<std::string>> texts_at(const JsonField& object, std::string_view name, size_t count_max, size_t bytes_max) {
  std::vector<std::string> out;
  TRY(const auto field, object.find(name));
  if (!field) return out;
  TRY(const auto entries, field->elements(count_max));
  for (const JsonField& entry : entries) {
    TRY(std::string text, entry.text(1, bytes_max));
    out.push_back(std::move(text));
  }
  return out;
}

Result<std::string> id_at(const JsonField& object, std::string_view name) {
  TRY(const JsonField field, object.at(name));
  TRY(std::string text, field.text(0, 128));
  if (!is_id(text)) return fail(field.error("must be 32 lower-case hexadecimal digits"));
  return text;
}

Json texts(const std::vector<std::string>& values) {
  Json list = Json::array();
  for (const std::string& value : values) list.push(value);
  return list;
}

}  // namespace creance::plan::detail

// Small readers that the documents and messages share. Not an interface of this folder.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace creance::plan::detail {

Result<Json> read_document(BytesView bytes, std::string_view type, size_t bytes_max);  // an object whose _type is that
Bytes write_document(const Json& json);                                                // sorted, compact
Result<Digest> digest_at(const JsonField& object, std::string_view name);
Result<std::optional<Digest>> digest_or_empty_at(const JsonField& object, std::string_view name);  // "" or absent: none
std::string digest_or_empty(const std::optional<Digest>& digest);
Result<std::vector<std::string>> texts_at(const JsonField& object, std::string_view name, size_t count_max, size_t bytes_max);  // absent: none
Result<std::string> id_at(const JsonField& object, std::string_view name);  // 32 lower-case hexadecimal digits
// Which sensor, and which of its starts: what everything between a sensor and the server says of itself that one start may not use of another.
template <class Message>
Status read_start(const JsonField& object, Message& out) {
  TRY(out.sensor_id, id_at(object, "sensor_id"));
  TRY(out.boot_epoch, id_at(object, "boot_epoch"));
  return {};
}
Json texts(const std::vector<std::string>& values);

}  // namespace creance::plan::detail

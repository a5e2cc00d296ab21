#include "base/ipc/records.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace creance::ipc::detail {
namespace {

struct Head {
  uint32_t magic = kRecordMagic;
  uint16_t version = kRecordVersion;
  RecordKind kind{};
  uint32_t payload_bytes = 0;
  uint32_t padding = 0;
  uint64_t checksum = 0;  // FNV-1a over the payload: finds damage, not malice; who can write here owns the host
};
static_assert(sizeof(Head) == kHeadBytes);

uint64_t fnv1a(BytesView bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace

bool is_blank(BytesView payload) { return std::ranges::all_of(payload, [](uint8_t byte) { return byte == 0; }); }

Bytes seal(RecordKind kind, BytesView payload) {
  Head head;
  head.kind = kind;
  head.payload_bytes = static_cast<uint32_t>(payload.size());
  head.checksum = fnv1a(payload);
  Bytes file(sizeof head + payload.size());
  std::memcpy(file.data(), &head, sizeof head);
  if (!payload.empty()) std::memcpy(file.data() + sizeof head, payload.data(), payload.size());
  return file;
}

Status open(BytesView file, RecordKind kind, std::span<uint8_t> payload) {
  Head head;
  if (file.size() != sizeof head + payload.size()) return fail(ErrorCode::kInvalid, fmt::format("record of {} bytes where {} belong", file.size(), sizeof head + payload.size()));
  std::memcpy(&head, file.data(), sizeof head);
  if (head.magic != kRecordMagic || head.version != kRecordVersion) return fail(ErrorCode::kInvalid, "not a record of this version");
  if (head.kind != kind || head.payload_bytes != payload.size() || head.padding != 0) return fail(ErrorCode::kInvalid, "a record of another kind");
  const BytesView body = file.subspan(sizeof head);
  if (head.checksum != fnv1a(body)) return fail(ErrorCode::kInvalid, "the record is damaged: its checksum is wrong");
  std::memcpy(payload.data(), body.data(), body.size());
  return {};
}

}  // namespace creance::ipc::detail

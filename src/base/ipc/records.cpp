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
  uint32_t generation = 0;
  uint64_t checksum = 0;  // FNV-1a over the payload, behind the generation if that is not 0: finds damage, not malice; who can write here owns the host
};
static_assert(sizeof(Head) == kHeadBytes);

uint64_t checksum_of(uint32_t generation, BytesView payload) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (uint32_t left = generation; left != 0; left >>= 8) take(static_cast<uint8_t>(left));
  for (const uint8_t byte : payload) take(byte);
  return hash;
}

}  // namespace

bool is_blank(BytesView payload) { return std::ranges::all_of(payload, [](uint8_t byte) { return byte == 0; }); }

Bytes seal(RecordKind kind, BytesView payload, uint32_t generation) {
  Head head;
  head.kind = kind;
  head.payload_bytes = static_cast<uint32_t>(payload.size());
  head.generation = generation;
  head.checksum = checksum_of(generation, payload);
  Bytes file(sizeof head + payload.size());
  std::memcpy(file.data(), &head, sizeof head);
  if (!payload.empty()) std::memcpy(file.data() + sizeof head, payload.data(), payload.size());
  return file;
}

Result<uint32_t> open(BytesView file, RecordKind kind, std::span<uint8_t> payload) {
  Head head;
  if (file.size() != sizeof head + payload.size()) return fail(ErrorCode::kInvalid, fmt::format("record of {} bytes where {} belong", file.size(), sizeof head + payload.size()));
  std::memcpy(&head, file.data(), sizeof head);
  if (head.magic != kRecordMagic || head.version != kRecordVersion) return fail(ErrorCode::kInvalid, "not a record of this version");
  if (head.kind != kind || head.payload_bytes != payload.size()) return fail(ErrorCode::kInvalid, "a record of another kind");
  const BytesView body = file.subspan(sizeof head);
  if (head.checksum != checksum_of(head.generation, body)) return fail(ErrorCode::kInvalid, "the record is damaged: its checksum is wrong");
  std::memcpy(payload.data(), body.data(), body.size());
  return head.generation;
}

}  // namespace creance::ipc::detail

// The outer layout of an EVTX file (Windows event log since Vista): a header, then chunks of one size that can be read apart from each other.
// Sources: [MS-EVEN6] section 2.2 for the binary XML; the file around it is not published, the layout is as libevtx's documentation describes it. All numbers little-endian.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/result.hpp"

namespace creance::events::evtx {

inline constexpr std::string_view kMagic{"ElfFile\0", 8};
inline constexpr std::string_view kChunkMagic{"ElfChnk\0", 8};
inline constexpr std::string_view kRecordMagic{"**\0\0", 4};
inline constexpr size_t kFileHeaderBytes = 128;   // what is used of it; it fills a block
inline constexpr size_t kChunkBytes = 65'536;
inline constexpr size_t kChunkHeaderBytes = 512;  // with the tables of names and templates
inline constexpr size_t kRecordHeadBytes = 24;    // magic, size, number, time
inline constexpr size_t kRecordTailBytes = 4;     // the size again

// CRC-32 as zlib has it. A log that was copied while it was written (kDirty) has sums of an earlier state, and one with kNoSums has none: neither says anything then.
inline constexpr uint32_t kDirty = 0x1;
inline constexpr uint32_t kNoSums = 0x4;
bool file_header_is_sound(std::string_view header);   // kFileHeaderBytes
// Empty: sound. Else which of the chunk's two sums is wrong, in words. `used`: where its events end, within the chunk.
std::string_view chunk_damage(std::string_view chunk, size_t used);

struct FileLayout {
  bool known = false;
  size_t header_block_bytes = 0;
  uint64_t chunks = 0;       // as the header says; a log that was being written may have more
  uint64_t chunks_seen = 0;
  bool sound = true;         // its checksum is right
};

// kInvalid: not an EVTX file, or of a version that we do not know.
Result<FileLayout> read_file_header(std::string_view header);

// Numbers from bytes whose bounds the caller has checked.
template <class T>
T number_at(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace creance::events::evtx

// What the supervisor keeps on disk, and in which order: the marker goes only when everything that must be remembered before has been written. Space for every record is reserved
// before there is anything to record, so that a return and a refusal can be written on a full disk; without that no marker, and so no activation (ADR 0150). Each record is there twice;
// one that is damaged, missing or older than its copy is restored from that, and what both have lost is said to be lost, not taken for empty (ADR 0165). One thread.
// Failure: a store that fails is tried again with retry(), and keeps the marker.
#pragma once
#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "base/seams/reserved_files.hpp"
#include "sensor/supervise/activation.hpp"

namespace creance::sensor {

class Store {
 public:
  Store(FileSystem& files, ReservedFiles& reserved, std::filesystem::path folder);

  // What the last run left. `sets`: that lie on the disk.
  struct Loaded {
    Remembered remembered;
    std::string restored;   // records that were damaged or missing, and are whole again; empty: none
    std::string lost;       // records of which nothing is left
    bool session_lost = false, pause_lost = false;
  };
  Loaded load(std::vector<Set> sets);
  Status reserve();                                 // of every record; what is there already stays. Cheap where nothing is missing
  Status store(const ipc::Marker& marker);          // durable when it returns, and so is all that was to be stored before, and space is reserved for what may follow: else an error
  void store(const ipc::Ladder& ladder) { put(kLadder, ladder); }
  void store(const ipc::Refusals& refusals) { put(kRefusals, refusals); }
  void store(const ipc::HeldBack& held_back) { put(kHeldBack, held_back); }  // of no release: none is
  void store(const ipc::Pause& pause) { put(kPause, pause); }
  void store(const ipc::Lifted& lifted) { put(kLifted, lifted); }
  void clear_marker();
  // Tried again like the others if it fails. `kept` is set here, once all records are there twice; what was lost is overwritten only after this has said so.
  Status store(ipc::Session session);
  void retry();
  bool pending() const;
  const std::string& complaint() const { return complaint_; }  // of the last failed write

 private:
  enum Slot : uint8_t { kSession, kRefusals, kLifted, kLadder, kHeldBack, kPause, kMarker, kSlots };  // in the order in which they are written
  struct Record {
    const char* name = nullptr;
    ipc::RecordKind kind{};
    Bytes payload;                // as it is to be, zeros: blank
    uint32_t generation = 0;      // of the newest write that was tried
    bool dirty = false;           // the disk has not all of it
    bool twice = false;           // and its copy
    bool spare_first = false;     // the only good copy is the spare
  };
  template <class T>
  static Record blank(const char* name) {
    Record record;
    record.name = name;
    record.kind = T::kKind;
    record.payload.assign(sizeof(T), 0);
    return record;
  }
  template <class T>
  void put(Slot slot, const T& value) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    records_[slot].payload.assign(bytes, bytes + sizeof value);
    CHECK(value.valid() || ipc::detail::is_blank(records_[slot].payload));
    records_[slot].dirty = true;
    retry();
  }
  template <class T>
  std::optional<T> take(Slot slot, Loaded& loaded, bool& lost);
  std::filesystem::path path(const char* name) const { return folder_ / name; }
  Status write(Record& record);
  bool all_twice() const;

  FileSystem& files_;
  ReservedFiles& reserved_;
  std::filesystem::path folder_;
  std::array<Record, kSlots> records_;
  bool said_ = false;             // the session on the disk is of this run and says what was lost: records that are not there twice are written again
  bool lossy_ = false;            // something was lost: nothing is written before that was said
  bool kept_ = false;             // the session on the disk says that all are there twice
  std::string complaint_;
};

}  // namespace creance::sensor

// Who this sensor is to the server since it enrolled again: identities that came after the one of enrolment, each an id and a key and nothing else, in one record. So whoever answers in the
// server's place, and an updater that was taken over, can give it another id and no other server, tenant or root of trust; and it goes back to the identity before, down to the one of
// enrolment, when the server does not know the newest. Asks at most once an hour. Not who speaks with the server: that is the updater; the key is drawn here. One thread.
// Failure: what cannot be written has not happened, but that an hour must pass.
#pragma once
#include <filesystem>

#include "base/ipc/records.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"

namespace creance::sensor {

class Successors {
 public:
  Successors(FileSystem& files, const std::filesystem::path& state) : files_(files), path_(state / ipc::kSuccessorsFile) {}

  // What the last run left. A damaged record is no identity; it is said, and an hour passes before another one is asked for.
  Status load(MonotonicTime now);
  const ipc::Successor* current() const { return record_.count == 0 ? nullptr : &record_.list[record_.count - 1]; }  // nullptr: the identity of enrolment
  void pass(MonotonicTime now);  // now and then, so that the hour passes; kept once a minute, for the next run
  uint64_t wait_ms() const { return record_.wait_ms; }  // before it may ask; 0: it may

  Status ask(Random& random);    // an hour begins, and the key of the next identity lies in the record for whoever asks. Only when it may
  Status take(const ipc::SensorId& id, WallTime now);  // the answer: it is in force, durably, or it is not
  // The server answered that it does not know this sensor, or that it does. True: too often in a row; the identity before is in force again, and an hour begins.
  Result<bool> unknown();
  void known() { unknown_ = 0; }

 private:
  Status replace(const ipc::Successors& by);
  FileSystem& files_;
  std::filesystem::path path_;
  ipc::Successors record_;
  MonotonicTime seen_{0}, kept_{0};
  uint32_t unknown_ = 0;
};

}  // namespace creance::sensor

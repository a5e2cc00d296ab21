// Who this sensor is to the server since it enrolled again: identities that came after the one of enrolment, each an id and a key and nothing else, in one record. So whoever answers in the
// server's place, and an updater that was taken over, can give it another id and no other server, tenant or root of trust; and it goes back to the identity before, down to the one of
// enrolment, when the server does not know the newest; what it left it keeps, and tries once more before it asks for another one: who answered need not have been the server. Asks at most once an hour. Not who speaks with the server: that is the updater; the key is drawn here. One thread.
// Failure: what cannot be written has not happened, but that an hour must pass. A record that could not be read is never written over; a damaged one is set aside first.
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

  // What the last run left. A record that is damaged or cannot be read is no identity; it is said, and an hour passes before another one is asked for.
  Status load(MonotonicTime now);
  const ipc::Successor* current() const { return record_.current(); }  // nullptr: the identity of enrolment
  // Now and then, so that the hour passes; kept once a minute, for the next run. True: the record that could not be read was, and another identity is in force by it.
  bool pass(MonotonicTime now);
  uint64_t wait_ms() const { return record_.wait_ms; }  // before it may ask; 0: it may

  Status ask(Random& random);    // an hour begins, and the key of the next identity lies in the record for whoever asks. Only when it may
  Status take(const ipc::SensorId& id, WallTime now);  // the answer: it is in force, durably, or it is not
  void new_epoch() { record_.next_key = {}; }  // this sensor's memory may have been copied: what was drawn before need not be its alone
  // The server answered that it does not know this sensor, or that it does. True: too often in a row; the identity before is in force again, and an hour begins.
  Result<bool> unknown();
  void known(bool wants_nothing);  // false: but it is to enrol again, or the like
  // Those that were left this way, each once: in force again, newest first, and an hour begins.
  bool may_try_again() const { return record_.wait_ms == 0 && record_.struck > record_.tried; }
  Status try_again();

 private:
  Status read();
  Status replace(const ipc::Successors& by);
  FileSystem& files_;
  std::filesystem::path path_;
  ipc::Successors record_;
  MonotonicTime seen_{0}, tried_{0};  // tried: to write or, while it is unread, to read
  uint32_t unknown_ = 0;
  bool unread_ = false;               // what the disk says is not known, and must stay
};

}  // namespace creance::sensor

// Enrolment: a key of this sensor's own, an id drawn by the server, and the root of trust. All or nothing: a folder is enrolled when identity.json is there.
#pragma once
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"
#include "plan/messages.hpp"
#include "base/ipc/messages.hpp"
#include "sensor/admit/identity.hpp"
#include "trust/keys/signer.hpp"

namespace creance::sensor {

struct Enrolment {
  std::filesystem::path state;
  std::string server, token, hostname;
  std::filesystem::path root;  // empty: the server's first root is believed, and its fingerprint is shown
};
// The text tells people what was agreed. kExists: enrolled already.
Result<std::string> enrol(const Enrolment& enrolment, FileSystem& files, Random& random, WallTime now);

Result<plan::Manifest> manifest_in(FileSystem& files, const std::filesystem::path& state);  // what the worker of this build supplies, as it said itself
// The id of the machine that this runs on (machine-id(5)); `otherwise` where it has none.
std::string machine_id(FileSystem& files, const std::string& otherwise);

// For a sensor whose identity is not its alone: another id from the server, for a key that the supervisor drew. Server and tenant stay, and so the tenant's key.
struct EnrolmentAgain {
  std::string boot_epoch, machine_id;  // as this host reports them
  std::string hostname;                // of this host as it calls itself; taken where the machine is another one
  Identity identity;                   // that is given up
  trust::KeyPair& key;                 // of it
  trust::KeyPair& next_key;            // of the other one: the same one each time until there is an answer, so that the server gives the same answer
  plan::Manifest manifest;
};
// The other id. kDenied: the server sees no cause, or the permission was used, or it answers with another tenant; kUnavailable.
Result<ipc::SensorId> enrol_again(const EnrolmentAgain& again);

}  // namespace creance::sensor

// The sensor's only part that speaks with the network. Fetches bytes into the spool (admit judges them again), announces, reports, sends detections. Decides nothing.
// One thread; calls are bounded in time, and what comes meanwhile waits.
#pragma once
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ipc/socket.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "plan/messages.hpp"
#include "sensor/admit/identity.hpp"
#include "sensor/update/api.hpp"
#include "sensor/update/outbox.hpp"
#include "trust/client/http_transport.hpp"
#include "trust/client/transports.hpp"
#include "trust/client/updater.hpp"
#include "trust/delta/delta.hpp"

namespace creance::sensor {

struct UpdaterOptions {
  std::filesystem::path state;
  std::string boot_epoch;
  std::string boot_id;
  int detections = -1;
  std::function<bool()> outdated;  // asked now and then; true: end, to be started again (what this process may read of the host's configuration was replaced)
};

class Updater {
 public:
  Updater(UpdaterOptions options, Identity identity, trust::KeyPair& key, ipc::Socket supervisor, FileSystem& files, const Clock& clock);
  Status start(BytesView root);
  int run();           // until the supervisor is gone, or outdated
  void stop();         // parks what is not sent

 private:
  bool listen();
  void gather();
  void fetch();        // the tree into the spool, if its timestamp has changed
  Status fetch_all();
  Status meanwhile();
  void announce();
  void report(bool last_words = false);  // last_words: no answer waits for another one
  void answered(bool reached, ipc::Wants wants = ipc::Wants::kNothing, bool unknown = false);  // each report, whatever the answer: a silent updater is ended
  void deliver();
  template <class T>
  bool say(const T& message) { return supervisor_.send(message, ipc::Process::kUpdater).has_value(); }
  void complain(const std::string& text);

  UpdaterOptions options_;
  Identity identity_;
  Api api_;
  ipc::Socket supervisor_;
  FileSystem& files_;
  const Clock& clock_;
  trust::HttpTransport http_;
  trust::DeltaTransport deltas_;
  trust::RecordingTransport recorder_;
  trust::Client client_;
  Outbox outbox_;
  std::string timestamp_;                       // the last one that was followed to its end
  std::optional<MonotonicTime> changed_;        // when the tree last did, until superseded files were removed
  std::set<std::string> spooled_;               // targets that lie in the spool
  uint64_t generation_ = 0;
  std::optional<ipc::Announce> announcement_;
  std::optional<ipc::Report> latest_;           // to be reported
  std::deque<plan::SensorEvent> events_;
  std::vector<plan::HeldInstance> held_;
  bool held_changed_ = false;
  std::optional<plan::Manifest> manifest_;      // until it has been reported once
  std::optional<plan::Report> unanswered_;      // a report whose answer did not come: sent again as it is
  size_t unanswered_events_ = 0;
  uint64_t events_taken_ = 0;                   // by the server: the first that were heard; does not grow any more once one was let go
  bool events_let_go_ = false;
  bool unanswered_manifest_ = false, unanswered_held_ = false;
  int64_t sequence_ = 0;
  int refusals_ = 0;                            // of one report after the other, by the server
  std::chrono::milliseconds interval_;
  MonotonicTime fetch_due_{0}, announce_due_{0}, deliver_due_{0}, report_due_{0};
  std::chrono::milliseconds away_{0};           // back-off while the server is away
  std::string last_complaint_;
};

}  // namespace creance::sensor

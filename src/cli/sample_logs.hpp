// Logs on which the compiler counts what rarely holds (compiler::Samples). Of a release they are sources: a signer needs the same files.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "events/records.hpp"
#include "schema/catalog.hpp"

namespace creance::cli {

class SampleLogs {
 public:
  static constexpr size_t kFileBytesMax = 4 * limits::kTargetBytesMax;  // of one file, as it is stored: it is read whole for its digest

  // Any form that a scan reads; of each Type the first limits::kSampleEventsMax events. Lines that are no events are passed over. kNotFound and the like: a file cannot be read to
  // its end; kTooLarge; kInvalid: no file has an event of any Type. No files: an empty sample.
  static Result<SampleLogs> read(const std::vector<std::string>& files, const schema::Catalog& catalog);

  compiler::Samples samples() const;
  const std::vector<std::string>& digests() const { return digests_; }  // SHA-256 of each file, in the order given

 private:
  struct OwnedEvent;
  void add(const events::Record& record, events::Decoder& decoder);

  std::map<const schema::TemplateType*, std::vector<std::shared_ptr<const OwnedEvent>>> events_;
  std::vector<std::string> digests_;
};

}  // namespace creance::cli

// Documents and messages from outside. Must not crash; what is accepted must be written and read again as the same value.
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "plan/decide.hpp"
#include "plan/messages.hpp"

namespace {
using namespace creance;
using namespace creance::plan;

template <class Document>
void check_document(BytesView bytes) {
  const auto first = Document::parse(bytes);
  if (!first) {
    CHECK(!first.error().detail.empty());
    return;
  }
  const auto again = Document::parse(first->to_bytes());
  CHECK(again.has_value() && *again == *first);
}

template <class Message>
void check_message(BytesView bytes) {
  const auto first = Message::parse(bytes);
  if (!first) return;
  const std::string text = to_json(first->to_json());
  const auto again = Message::parse(as_bytes(text));
  CHECK(again.has_value() && again->to_json() == first->to_json());
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const BytesView bytes(data, size);
  check_document<Release>(bytes);
  check_document<Plan>(bytes);
  check_document<Policy>(bytes);
  check_document<DenyList>(bytes);
  (void)LocalPolicy::parse(bytes).has_value();
  check_message<EnrolRequest>(bytes);
  check_message<EnrolAgain>(bytes);
  check_message<EnrolResponse>(bytes);
  check_message<Announce>(bytes);
  check_message<Wait>(bytes);
  check_message<Report>(bytes);
  check_message<ReportResponse>(bytes);
  check_message<Problem>(bytes);
  if (size <= limits::kDetectionBytesMax / 2) check_message<Detection>(bytes);  // written, escapes may make it longer
  if (const auto json = parse_json(bytes)) {
    if (const auto grant = Grant::parse(*json)) CHECK(*Grant::parse(grant->to_json()) == *grant);
  }
  return 0;
}

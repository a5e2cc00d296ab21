// In the steady state nothing is allocated for an event: counted by replacing the global operators of this test program.
#include <gtest/gtest.h>

#include "events/decoder.hpp"
#include "events/evtx_writer.hpp"
#include "events/records.hpp"
#include "events/text_stream.hpp"
#include "support/allocations.hpp"

#ifndef __SANITIZE_ADDRESS__  // AddressSanitizer replaces the same operators; the other presets count

namespace creance::events {
namespace {

TEST(Allocation, NoneForAJsonEventOfAnyForm) {
  const std::string_view forms[] = {
      R"({"Provider_Name":"Microsoft-Windows-Sysmon","EventID":17,"Channel":"Microsoft-Windows-Sysmon/Operational","PipeName":"\\x\u0041","Image":["a","b"],"Threat Name":"t","Extra":{"k":[1,2]}})",
      R"({"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":17,"provider_name":"P","event_data":{"PipeName":"\\x","param1":"a","param2":"b"}},"user":{"domain":"D","name":"u"},"process":{"hash":{"md5":"aa"}}})",
      R"({"Event":{"System":{"Provider":{"#attributes":{"Name":"P"}},"EventID":17,"Channel":"Microsoft-Windows-Sysmon/Operational"},"EventData":{"Data":[{"@Name":"PipeName","#text":"\\x"},"a","b"]}}})",
      R"({"Provider_Name":"Microsoft-Windows-Sysmon","EventID":17,"Channel":"Microsoft-Windows-Sysmon\/Operational","PipeName":"\\x","Threat Name":"t","Extra":null,"Image":"C:\\a.exe"})",
      R"({"Provider_Name":"Microsoft-Windows-Sysmon","EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","PipeName":"\\x","Threat Name":"t","Extra":null,"Image":"C:\\a.exe"})",
      R"({"SourceName":"P","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"EventType":"INFO","Keywords":-9223372036854775808,"PipeName":"\\x"})",
  };
  Decoder decoder(schema::Catalog::embedded());
  size_t decoded = 0;
  const auto round = [&] {
    for (const std::string_view form : forms) decoded += decoder.decode(form)->size();
  };
  for (int i = 0; i < 3; ++i) round();
  const size_t each = decoded / 3;
  EXPECT_GE(each, 6u);
  const uint64_t before = test::allocations;
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(test::allocations, before);
  EXPECT_EQ(decoded, 103 * each);
}

TEST(Allocation, NoneForALineOfABlock) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "{\"a\":1}\n\n";
  BlockSource blocks(std::make_unique<TextStream>(text, 1 << 20));
  Block block;
  ASSERT_TRUE(blocks.next(block).value_or(false));
  RecordReader records;
  Record record;
  const uint64_t before = test::allocations;
  size_t n = 0;
  records.begin(block);
  while (records.next(record)) ++n;
  EXPECT_EQ(test::allocations, before);
  EXPECT_EQ(n, 1000u);
}

}  // namespace
}  // namespace creance::events
#endif

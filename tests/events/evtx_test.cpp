// EVTX files, made by evtx_writer.hpp: whole, with every type of value, damaged at every byte, cut at every length. An independent reader (libevtx) agrees, where it is installed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/limits.hpp"
#include "events/evtx_writer.hpp"
#include "events/records.hpp"
#include "events/text_stream.hpp"

namespace creance::events {
namespace {

using Texts = std::vector<std::string>;

struct Read {
  Texts events;    // "number json"
  Texts problems;  // "number reason"
  Texts sums;      // likewise, of checksums
  std::string error;
};
Read read_file(std::string bytes, size_t piece = 1 << 20) {
  Read out;
  BlockSource blocks(std::make_unique<TextStream>(std::move(bytes), piece, "x.evtx"));
  RecordReader records;
  Block block;
  for (;;) {
    const auto more = blocks.next(block);
    if (!more) out.error = more.error().detail;
    if (!more || !*more) break;
    records.begin(block);
    for (Record record; records.next(record);) (record.problem.empty() ? out.events : record.damaged ? out.sums : out.problems).push_back(std::to_string(record.number) + " " + std::string(record.problem.empty() ? record.json : record.problem));
  }
  return out;
}

EvtxEvent sample(uint64_t record) {
  EvtxEvent e;
  e.provider = "Microsoft-Windows-Sysmon";
  e.provider_guid = "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}";
  e.id = 1;
  e.version = 5;
  e.level = 4;
  e.task = 1;
  e.keywords = 0x8000000000000000;
  e.time = 132'000'000'001'234'567;
  e.record = record;
  e.process = 1912;
  e.thread = 996;
  e.channel = "Microsoft-Windows-Sysmon/Operational";
  e.computer = "WEB1";
  e.user_sid = std::string("\x01\x01", 2) + le(0x0500000000000000, 8).substr(0, 6).replace(0, 6, std::string("\0\0\0\0\0\x05", 6)) + le(18, 4);
  e.data = {{"Image", evtx_string("C:\\a b.exe ")}, {"ProcessId", evtx_u32(4092)}, {"Empty", evtx_string("")}, {"Threat Name", evtx_string("ä\"\n")}};
  return e;
}
void add(EvtxChunk& chunk, const EvtxEvent& e, const std::string& id = "sysmon1") { ASSERT_TRUE(chunk.add(id, evtx_template(e), evtx_values(e), e.time, e.record)); }

const std::string kSystem =
    R"("Provider_Name":"Microsoft-Windows-Sysmon","Provider_Guid":"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}","EventID":1,"Version":5,"Level":4,"Task":1,"Opcode":0,"Keywords":"0x8000000000000000","TimeCreated_SystemTime":"2019-04-17T18:40:00.123456700Z",)";
const std::string kRest = R"("Execution_ProcessID":1912,"Execution_ThreadID":996,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"WEB1","Security_UserID":"S-1-5-18",)";

TEST(Evtx, RecordsBecomeFlatEvents) {
  EvtxChunk first(7), second(9);
  add(first, sample(7));
  add(first, sample(8));  // refers to the template and the names
  add(second, sample(9));
  for (const size_t piece : {1'000, 1 << 20}) {
    const Read got = read_file(evtx_file({first.finish(), second.finish()}, 10), static_cast<size_t>(piece));
    EXPECT_EQ(got.error, "");
    EXPECT_EQ(got.problems, Texts{});
    Texts wanted;
    for (const std::string n : {"7", "8", "9"}) wanted.push_back(n + " {" + kSystem + "\"EventRecordID\":" + n + "," + kRest + R"("Image":"C:\\a b.exe ","ProcessId":"4092","Empty":"","ThreatName":"ä\"\n"})");
    EXPECT_EQ(got.events, wanted);
  }
}

TEST(Evtx, EveryTypeOfValueIsRenderedAsWindowsDoes) {
  const std::vector<std::pair<EvtxValue, std::string>> all = {
      {{0x03, le(0xff, 1)}, "-1"}, {{0x04, le(0xff, 1)}, "255"}, {{0x05, le(0xfffe, 2)}, "-2"}, {{0x06, le(65535, 2)}, "65535"}, {{0x07, le(0xffffffff, 4)}, "-1"}, {{0x08, le(0xffffffff, 4)}, "4294967295"},
      {{0x09, le(~0ull, 8)}, "-1"}, {{0x0a, le(~0ull, 8)}, "18446744073709551615"}, {{0x0b, le(0x3fc00000, 4)}, "1.5"}, {{0x0c, le(0x3ff8000000000000, 8)}, "1.5"}, {{0x0d, le(1, 4)}, "true"}, {{0x0d, le(0, 4)}, "false"},
      {{0x0e, "\x01\xab"}, "01AB"}, {{0x0f, std::string("\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16)}, "{00112233-4455-6677-8899-AABBCCDDEEFF}"}, {{0x10, le(0x1f, 4)}, "0x1f"}, {{0x10, le(0x1f, 8)}, "0x1f"},
      {{0x11, le(132'000'000'001'234'567, 8)}, "2019-04-17T18:40:00.123456700Z"}, {{0x12, le(2020, 2) + le(2, 2) + le(6, 2) + le(29, 2) + le(1, 2) + le(2, 2) + le(3, 2) + le(4, 2)}, "2020-02-29T01:02:03.004Z"},
      {{0x13, std::string("\x01\x02\0\0\0\0\0\x05", 8) + le(32, 4) + le(544, 4)}, "S-1-5-32-544"}, {evtx_hex32(0x1010), "0x1010"}, {evtx_hex64(0x3e7), "0x3e7"}, {{0x01, utf16("a") + le(0xd800, 2) + utf16("b\U0001F600") + le(0, 2)}, "a\xEF\xBF\xBD" "b\U0001F600"},
      {{0x02, std::string("an\xe4si\0", 6)}, "anäsi"}, {{0x00, ""}, ""},
  };
  EvtxEvent e = sample(1);
  e.data.clear();
  for (size_t i = 0; i < all.size(); ++i) e.data.emplace_back("D" + std::to_string(i), all[i].first);
  EvtxChunk chunk(1);
  add(chunk, e);
  const Read got = read_file(evtx_file({chunk.finish()}, 2));
  ASSERT_EQ(got.events.size(), 1u) << (got.problems.empty() ? "" : got.problems[0]);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_NE(got.events[0].find("\"D" + std::to_string(i) + "\":\"" + all[i].second + "\""), std::string::npos) << i << " " << got.events[0];
}

TEST(Evtx, DataWithoutNamesAndListsAreOneFieldALineEach) {
  EvtxEvent e = sample(1);
  e.data = {{"", evtx_string("one")}, {"", evtx_string("")}, {"", evtx_u32(3)}, {"Level", evtx_string("mine")}};
  EvtxChunk chunk(1);
  add(chunk, e, "a");
  e.record = 2;
  e.data = {{"", {0x81, utf16("x") + le(0, 2) + utf16("y") + le(0, 2)}}, {"Ids", {0x88, le(1, 4) + le(2, 4)}}};
  add(chunk, e, "b");
  const Read got = read_file(evtx_file({chunk.finish()}, 3));
  ASSERT_EQ(got.events.size(), 2u) << (got.problems.empty() ? "" : got.problems[0]);
  EXPECT_TRUE(got.events[0].ends_with(R"("EventData_Level":"mine","Data":"one\n\n3"})")) << got.events[0];
  EXPECT_TRUE(got.events[1].ends_with(R"("Ids":"1\n2","Data":"x\ny"})")) << got.events[1];
}

TEST(Evtx, UserDataGivesItsLeavesAndWhatDependsOnNothingIsLeftOut) {
  using Element = EvtxChunk::Element;
  Element root = evtx_template(sample(1));
  Element kept{.name = "Kept"}, gone{.name = "Gone"}, outer{.name = "Outer", .attributes = {{"xmlns", std::string("urn:x")}}}, user{.name = "UserData"};
  kept.value = 13;
  gone.value = 15;
  gone.dependency = 15;
  Element inside{.name = "Inside"};  // of the part that is left out
  inside.text = "never seen";
  Element gone_with{.name = "GoneWith", .children = {inside}};
  gone_with.dependency = 15;
  Element value{.name = "Holder"};
  value.value = 14;
  outer.children = {kept, gone, gone_with, value};
  user.children = {outer};
  root.children[1] = user;
  std::vector<EvtxValue> values = evtx_values(sample(1));
  values.resize(13);
  EvtxChunk chunk(1);
  std::vector<EvtxValue> plain = values;
  plain.insert(plain.end(), {evtx_string("k"), evtx_string("h"), evtx_none()});
  ASSERT_TRUE(chunk.add("user", root, plain));
  Element deep{.name = "Kept"};  // a name that the chunk has
  deep.text = "from a value";
  values.insert(values.end(), {evtx_string("k"), {0x21, chunk.nested(deep)}, evtx_none()});
  ASSERT_TRUE(chunk.add("user", root, values));
  const Read got = read_file(evtx_file({chunk.finish()}, 3));
  EXPECT_EQ(got.problems, Texts{});
  ASSERT_EQ(got.events.size(), 2u);
  EXPECT_TRUE(got.events[0].ends_with(R"("Security_UserID":"S-1-5-18","Kept":"k","Holder":"h"})")) << got.events[0];
  EXPECT_TRUE(got.events[1].ends_with(R"("Security_UserID":"S-1-5-18","Kept":"k","Kept":"from a value"})")) << got.events[1];
}

TEST(Evtx, FreeAndDamagedChunksDoNotStopTheOthers) {
  EvtxChunk first(1), third(3);
  add(first, sample(1));
  add(third, sample(3));
  std::string bad = first.finish();
  bad[0] = 'X';
  const Read got = read_file(evtx_file({first.finish(), bad, std::string(65'536, '\0'), third.finish()}, 4));
  EXPECT_EQ(got.events.size(), 2u);
  EXPECT_EQ(got.problems, (Texts{"1 chunk 2 is damaged: it does not begin as a chunk does"}));
  EXPECT_EQ(got.error, "");
}

TEST(Evtx, ADamagedRecordCostsItselfAlone) {
  EvtxChunk chunk(1);
  for (uint64_t n = 1; n <= 3; ++n) add(chunk, sample(n));
  std::string bytes = chunk.finish();
  const size_t second = bytes.find(std::string("**\0\0", 4), 520);
  std::string no_token = bytes;
  no_token[second + 24] = '\x3f';
  Read got = read_file(evtx_file({no_token}, 4));
  EXPECT_EQ(got.events.size(), 2u);
  EXPECT_EQ(got.problems, (Texts{"2 the record is damaged: it has a token that binary XML does not know"}));
  std::string no_size = bytes;
  no_size[second + 6] = '\x7f';
  got = read_file(evtx_file({no_size}, 4));
  EXPECT_EQ(got.events.size(), 2u);
  ASSERT_EQ(got.problems.size(), 1u);
  EXPECT_TRUE(got.problems[0].starts_with("2 the record is damaged or cut off")) << got.problems[0];
  std::string no_magic = bytes;
  no_magic[second] = '\0';
  got = read_file(evtx_file({no_magic}, 4));
  EXPECT_EQ(got.events.size(), 2u);
  ASSERT_EQ(got.problems.size(), 1u);
}

TEST(Evtx, WrongChecksumsAreToldAndTheEventsRead) {
  EvtxChunk chunk(1);
  add(chunk, sample(1));
  const std::string whole = evtx_file({chunk.finish()}, 2);
  EXPECT_EQ(read_file(whole).sums, Texts{});
  const auto with = [&](std::initializer_list<size_t> places) {
    std::string out = whole;
    for (const size_t at : places) out[at] = static_cast<char>(out[at] ^ 1);
    const Read got = read_file(out);
    EXPECT_EQ(got.events.size(), 1u);
    EXPECT_EQ(got.problems, Texts{});
    return got.sums;
  };
  const size_t in_chunk = 4096;
  EXPECT_EQ(with({8}), Texts{"0 the checksum of the file's header is wrong: it was damaged or changed"});
  EXPECT_EQ(with({in_chunk + 130}), Texts{"1 the checksum of the header of chunk 1 is wrong: it was damaged or changed; what can be read of it is judged"});
  EXPECT_EQ(with({in_chunk + 512 + 16}), Texts{"1 the checksum of the events of chunk 1 is wrong: it was damaged or changed; what can be read of it is judged"}) << "the time that a record was written";
  EXPECT_EQ(with({120, 8}), Texts{}) << "copied while it was written";
  EXPECT_EQ(with({in_chunk + 120, in_chunk + 130}), Texts{});
}

TEST(Evtx, CutFilesSaySo) {
  EvtxChunk first(1), second(2);
  add(first, sample(1));
  add(second, sample(2));
  const std::string whole = evtx_file({first.finish(), second.finish()}, 3);
  EXPECT_EQ(read_file(whole.substr(0, 8)).error, "`x.evtx` cannot be read after chunk 0: it is shorter than the header of an EVTX file");
  EXPECT_EQ(read_file(whole.substr(0, 4096 + 65'536)).error, "`x.evtx` cannot be read after chunk 1: its header names 2 chunks; fetch or copy the file again");
  const Read got = read_file(whole.substr(0, 4096 + 65'536 + 30'000));
  EXPECT_EQ(got.events.size(), 2u) << "all of its records are there";
  EXPECT_EQ(got.error, "`x.evtx` cannot be read after chunk 2: its last chunk is cut off; fetch or copy the file again");
  const Read less = read_file(whole.substr(0, 4096 + 65'536 + 700));
  EXPECT_EQ(less.events.size(), 1u);
  EXPECT_EQ(less.problems.size(), 2u) << "that the chunk is cut off, and which record";
  std::string version = whole;
  version[38] = 9;
  EXPECT_NE(read_file(version).error.find("version 9.1 is not known"), std::string::npos);
}

TEST(Evtx, CutAtAnyByteAndDamagedAtAnyByteIsNeverACrash) {
  EvtxEvent e = sample(1);
  e.data.resize(2);
  e.data.emplace_back("", EvtxValue{0x81, utf16("x") + le(0, 2)});
  EvtxChunk chunk(1);
  add(chunk, e);
  e.record = 2;
  add(chunk, e);
  const std::string whole = evtx_file({chunk.finish()}, 3);
  const size_t used = 4096 + 2200;
#ifdef CREANCE_DCHECK
  constexpr size_t kStep = 11;
#else
  constexpr size_t kStep = 1;
#endif
  for (size_t n = 0; n < used; n += n < 128 || n > 4096 ? kStep : 512) (void)read_file(whole.substr(0, n));
  for (size_t n = 4096; n < used; n += kStep) {
    for (const char flip : {'\x01', '\x40', '\xff'}) {
      std::string damaged = whole.substr(0, 4096 + 65'536);
      damaged[n] = static_cast<char>(damaged[n] ^ flip);
      const Read got = read_file(damaged);
      EXPECT_LE(got.events.size() + got.problems.size(), 20u);
    }
  }
}

// A template that names itself in its own definition, and one whose values multiply: both end soon.
TEST(Evtx, TemplatesThatMultiplyAreStopped) {
  EvtxChunk::Element root = evtx_template(sample(1));
  EvtxChunk::Element big{.name = "EventData"};
  for (int i = 0; i < 1'500; ++i) {
    EvtxChunk::Element each{.name = "Data"};
    each.value = 13;
    big.children.push_back(each);
  }
  root.children[1] = big;
  std::vector<EvtxValue> values = evtx_values(sample(1));
  values.resize(13);
  values.push_back(evtx_string(std::string(10'000, 'x')));
  EvtxChunk chunk(1);
  ASSERT_TRUE(chunk.add("big", root, values));
  const Read got = read_file(evtx_file({chunk.finish()}, 2));
  EXPECT_EQ(got.problems, (Texts{"1 the record is damaged: it unpacks to more than an event may have"}));
  // The definition's first element is overwritten by an instance of the definition itself.
  EvtxChunk self(1);
  add(self, sample(1));
  std::string bytes = self.finish();
  const size_t instance = 512 + 24 + 4;  // record head, fragment header
  const size_t definition = instance + 10 + 24;
  bytes.replace(definition + 4, 10, bytes.substr(instance, 10));
  const Read loop = read_file(evtx_file({bytes}, 2));
  EXPECT_EQ(loop.events.size(), 0u);
  EXPECT_EQ(loop.problems.size(), 1u);
}

// libevtx, through its program, finds the same records and values in what the writer makes: so the writer makes what Windows' readers read, and not only what ours does.
TEST(Evtx, AnIndependentReaderAgrees) {
  if (::access("/usr/bin/evtxexport", X_OK) != 0) GTEST_SKIP() << "evtxexport (libevtx-utils) is not installed";
  EvtxChunk chunk(1);
  add(chunk, sample(1));
  add(chunk, sample(2));
  const auto path = std::filesystem::path(testing::TempDir()) / ("creance_sample_" + std::to_string(::getpid()) + ".evtx");
  std::ofstream(path, std::ios::binary) << evtx_file({chunk.finish()}, 3);
  FILE* pipe = ::popen(("/usr/bin/evtxexport -f xml '" + path.string() + "' 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string out;
  for (int c; (c = std::fgetc(pipe)) != EOF;) out.push_back(static_cast<char>(c));
  ::pclose(pipe);
  std::filesystem::remove(path);
  for (const char* wanted : {"<EventRecordID>1</EventRecordID>", "<EventRecordID>2</EventRecordID>", "<Data Name=\"Image\">C:\\a b.exe </Data>", "<Data Name=\"ProcessId\">4092</Data>", "<Channel>Microsoft-Windows-Sysmon/Operational</Channel>",
                             "Guid=\"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}\"", "UserID=\"S-1-5-18\"", "ProcessID=\"1912\""}) {
    EXPECT_NE(out.find(wanted), std::string::npos) << wanted << "\n" << out;
  }
}

}  // namespace
}  // namespace creance::events

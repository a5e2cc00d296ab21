// From bytes to events, whatever the form of the file: JSON lines, lists and documents, audit records, syslog; packed or not, whole or cut.
#include "events/records.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/limits.hpp"
#include "events/text_stream.hpp"

namespace creance::events {
namespace {

struct Read {
  std::vector<std::string> events;    // "number json"
  std::vector<std::string> problems;  // "number reason"
  std::string error;
  uint64_t lines = 0;
  Format format = Format::kAuto;
};

Read read_all(std::unique_ptr<TextStream> stream, Format format = Format::kAuto) {
  Read out;
  BlockSource blocks(std::move(stream), format);
  RecordReader records;
  Block block;
  for (;;) {
    const auto more = blocks.next(block);
    if (!more) {
      out.error = more.error().detail;
      const auto after = blocks.next(block);
      EXPECT_FALSE(after.value_or(true)) << "after an error the source is at its end: " << out.error << "; " << (after ? block.bytes : after.error().detail);
      break;
    }
    if (!*more) break;
    out.format = block.format;
    out.lines += block.lines;
    records.begin(block);
    for (Record record; records.next(record);) {
      const std::string number = std::to_string(record.number) + " ";
      if (record.problem.empty()) out.events.push_back(number + std::string(record.json));
      else out.problems.push_back(number + std::string(record.problem));
    }
  }
  return out;
}
Read read_text(std::string text, size_t piece = 1 << 20, Format format = Format::kAuto, std::string name = "test") { return read_all(std::make_unique<TextStream>(std::move(text), piece, std::move(name)), format); }

using Texts = std::vector<std::string>;

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Records, JsonLinesAreGivenAsTheyStand) {
  for (const size_t piece : {1, 3, 1000}) {
    const Read got = read_text("\xEF\xBB\xBF\n{\"a\":1}\r\n\n  \nnonsense\n{ \"b\" : 2 }", piece);
    EXPECT_EQ(got.events, (Texts{"2 {\"a\":1}", "5 nonsense", "6 { \"b\" : 2 }"})) << "what is no JSON is the decoder's to refuse";
    EXPECT_EQ(got.lines, 6u);
    EXPECT_EQ(got.format, Format::kJson);
  }
}

TEST(Records, AListOfEventsIsCutIntoThem) {
  const std::string text = "[\n  {\"a\": \"x\\\"]},{\", \"n\": {\"m\": [1, 2]}},\n  {\n    \"b\": 2\n  }\n, 7, \"word\"\n,{\"c\":3}]\n";
  for (const size_t piece : {1, 2, 5, 1000}) {
    const Read got = read_text(text, piece);
    EXPECT_EQ(got.events, (Texts{R"(2 {"a": "x\"]},{", "n": {"m": [1, 2]}})", R"(3 { "b": 2 })", "6 7", R"(6 "word")", R"(7 {"c":3})"})) << piece;
    EXPECT_EQ(got.lines, 7u);
    EXPECT_EQ(got.error, "");
  }
  EXPECT_EQ(read_text("[]").events, Texts{});
  EXPECT_EQ(read_text("[]").lines, 1u) << "a last line without an end is a line";
  EXPECT_EQ(read_text("[{}\n]").lines, 2u);
  EXPECT_EQ(read_text("[{\"a\":1}]").events, Texts{"1 {\"a\":1}"});
}

TEST(Records, DocumentsOfManyLinesAreOneEventEach) {
  const std::string text = "Record 1\n{\n  \"a\": {\n    \"b\": [\n      1\n    ]\n  }\n}\nRecord 2\n{\n\"c\": \"}\"\n}\n";
  for (const size_t piece : {1, 4, 1000}) {
    const Read got = read_text(text, piece);
    EXPECT_EQ(got.events, (Texts{R"(2 { "a": { "b": [ 1 ] } })", R"(10 { "c": "}" })"}));
    EXPECT_EQ(got.lines, 12u);
  }
}

TEST(Records, ABrokenFirstLineDoesNotMakeADocumentOfJsonLines) {
  for (const std::string first : {"{", "[1]", "{ ", "[[", "[{}]", "[]"}) {
    const Read got = read_text(first + "\n{\"a\":\n{\"b\":2}\n");
    ASSERT_FALSE(got.events.empty()) << first;
    EXPECT_EQ(got.events.back(), "3 {\"b\":2}") << first;
    EXPECT_EQ(got.lines, 3u) << first;
  }
}

TEST(Records, ObjectsOneBehindTheOtherOnALineAreSeveralEvents) {
  for (const size_t piece : {1, 7, 1000}) {
    EXPECT_EQ(read_text(R"({"a":"}{\\"}{"b":[{}]} {"c":3})", piece).events, (Texts{R"(1 {"a":"}{\\"})", R"(1 {"b":[{}]})", R"(1 {"c":3})"}));
    EXPECT_EQ(read_text("{\"a\":1}{\"b\":2}\n{\"c\":3}\n", piece).events, (Texts{R"(1 {"a":1})", R"(1 {"b":2})", R"(2 {"c":3})"}));
    EXPECT_EQ(read_text("\x1E{\"a\":1}\n\x1E{\"b\":2}\n", piece).events, (Texts{R"(1 {"a":1})", R"(2 {"b":2})"})) << "a JSON text sequence";
    EXPECT_EQ(read_text("\x1E{\"a\":1}\n\x1E\n\x1E\x1E{\"b\":2}\n\x1E", piece).events, (Texts{R"(1 {"a":1})", R"(3 {"b":2})"})) << "separators around nothing enclose no text";
  }
}

TEST(Records, TextInUtf16IsRead) {
  const std::string text = "{\"a\":\"\xC3\xA4\xF0\x9F\x98\x80\"}\r\n{\"b\":2}\r\n";
  const auto utf16 = [](bool big, bool mark) {
    std::u16string units = u"{\"a\":\"\u00e4\U0001F600\"}\r\n{\"b\":2}\r\n";
    if (mark) units.insert(0, 1, u'\uFEFF');
    std::string out;
    for (const char16_t unit : units) {
      const char low = static_cast<char>(unit & 0xff), high = static_cast<char>(unit >> 8);
      out += big ? std::string{high, low} : std::string{low, high};
    }
    return out;
  };
  for (const bool big : {false, true}) {
    for (const bool mark : {false, true}) {
      for (const size_t piece : {1, 2, 3, 1000}) {
        const Read got = read_text(utf16(big, mark), piece);
        EXPECT_EQ(got.events, (Texts{"1 {\"a\":\"\xC3\xA4\xF0\x9F\x98\x80\"}", "2 {\"b\":2}"})) << big << mark << piece;
        EXPECT_EQ(got.lines, 2u);
      }
    }
  }
  EXPECT_EQ(read_text(gzip(utf16(false, true))).events.size(), 2u);
  EXPECT_EQ(read_text(std::string("\xFF\xFE{\0\x00\xD8}\0\x3D\xD8", 10)).events, (Texts{"1 {\xEF\xBF\xBD}\xEF\xBF\xBD"})) << "halves of pairs";
  EXPECT_EQ(read_text(std::string("\xFF\xFE{\0}\0x", 7)).events, (Texts{"1 {}\xEF\xBF\xBD"})) << "half a unit";
}

TEST(Records, FilesOfOtherKindsAreNamed) {
  const auto error = [](const std::string& bytes) { return read_text(bytes).error; };
  EXPECT_EQ(error(gzip(gzip("{}\n"))), "`test` cannot be read before its first line: what is unpacked of it is gzip data again; unpack it once");
  EXPECT_NE(error("PK\x03\x04\x14......").find("ZIP archive"), std::string::npos);
  EXPECT_NE(error("LPKSHHRH........").find("journalctl"), std::string::npos);
  EXPECT_NE(error("<Event xmlns='x'><System/></Event>\n").find("it is XML"), std::string::npos);
  EXPECT_NE(error(std::string("\xFF\xFE<\0E\0v\0e\0n\0t\0 \0x\0", 18)).find("it is XML"), std::string::npos);
}

TEST(Records, AnUnfinishedListIsAnErrorAndItsEventsAreRead) {
  const Read got = read_text("[{\"a\":1},\n{\"b\":");
  EXPECT_EQ(got.events, (Texts{"1 {\"a\":1}", "2 {\"b\":"})) << "the decoder says that it has no end";
  EXPECT_EQ(got.error, "`test` cannot be read after line 2: its list of events has no end; fetch or copy the file again");
}

TEST(Records, AStringWithoutAnEndCostsOneEvent) {
  const Read got = read_text("[\n{\"a\": \"no end},\n{\"x\":1}},\n{\"b\":2}\n]");
  ASSERT_FALSE(got.events.empty());
  EXPECT_EQ(got.events.back(), "4 {\"b\":2}");
  EXPECT_NE(got.events[0].find('\x01'), std::string::npos) << "a byte that no JSON string may hold stands where the line ended";
}

TEST(Records, AListElementThatIsTooLongIsPassedOver) {
  const Read got = read_text("[{\"a\":\"" + std::string(limits::kEventLineBytesMax, 'x') + "\"},\n{\"b\":2}]");
  EXPECT_EQ(got.problems, (Texts{"1 longer than 16777216 bytes"}));
  EXPECT_EQ(got.events, (Texts{"2 {\"b\":2}"}));
}

TEST(Records, GzipIsUnpackedByItsMagicBytesSeveralMembersToo) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += "{\"n\":" + std::to_string(i) + "}\n";
  const std::string packed = gzip(text) + gzip("{\"last\":1}\n") + std::string(20, '\0');
  for (const size_t piece : {7, 1 << 20}) {
    const Read got = read_text(packed, static_cast<size_t>(piece), Format::kAuto, "named.txt");
    EXPECT_EQ(got.error, "");
    ASSERT_EQ(got.events.size(), 30'001u);
    EXPECT_EQ(got.events.back(), "30001 {\"last\":1}");
  }
}

TEST(Records, GzipCutOrDamagedIsAnErrorAndWhatCameBeforeIsRead) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "{\"n\":" + std::to_string(i * 7919 % 100'003) + "}\n";
  const std::string whole = gzip(text);
  const Read cut = read_text(whole.substr(0, whole.size() / 2), 4096, Format::kAuto, "x.gz");
  EXPECT_GT(cut.events.size(), 1000u);
  EXPECT_EQ(cut.error, "`x.gz` cannot be read after line " + std::to_string(cut.events.size()) + ": the gzip data is cut off; fetch or copy the file again");
  std::string damaged = whole;
  damaged[whole.size() - 6] = static_cast<char>(damaged[whole.size() - 6] ^ 1);  // of the check sum
  EXPECT_NE(read_text(damaged).error.find("the gzip data is damaged"), std::string::npos);
  const std::string small = gzip("{}\n{}\n");
  for (size_t n = 0; n < small.size(); ++n) EXPECT_NE(read_text(small.substr(0, n), 5, Format::kAuto, "x.gz").error, "") << n;
  EXPECT_NE(read_text("{}\n", 100, Format::kAuto, "x.gz").error.find("named .gz"), std::string::npos);
}

TEST(Records, APipeIsReadAsItComes) {
  auto stream = std::make_unique<TextStream>("{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n", 8);
  stream->be_a_pipe();
  TextStream* pipe = stream.get();
  BlockSource blocks(std::move(stream));
  Block block;
  ASSERT_TRUE(blocks.next(block).value_or(false));
  EXPECT_EQ(block.bytes, "{\"a\":1}\n");
  EXPECT_EQ(pipe->given(), 8u) << "nothing is waited for that is not needed";
  EXPECT_EQ(blocks.bytes_total(), std::nullopt);
}

// Audit records: made here, in the forms that auditd and ausearch write.
TEST(Records, AuditRecordsBecomeFlatEvents) {
  const Read got = read_text(
      "type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=0 comm=\"cat\" exe=\"/usr/bin/cat\" key=(null)\x1d" "ARCH=x86_64 SYSCALL=execve UID=\"root\"\n"
      "type=EXECVE msg=audit(1364481363.243:24287): argc=3 a0=\"sh\" a1=\"-c\" a2=6563686F20226869 a3[0]=6162 a3[1]=6364\n"
      "----\n"
      "type=PROCTITLE msg=audit(1364481363.243:24287): proctitle=7368002D63006563686F\n"
      "node=web1 type=USER_CMD msg=audit(1364481364.007:9): pid=7 uid=0 msg='cwd=\"/root\" cmd=6C73202D6C terminal=pts/0 res=success'\n"
      "type=SOCKADDR msg=audit(1.000:1): saddr=020001BBC0A80002000000000000000\n"
      "type=SOCKADDR msg=audit(1.000:1): saddr=020001BBC0A800020000000000000000\n"
      "type=AVC msg=audit(1.5:2): avc:  denied  { read } for  pid=8 comm=\"a b\" path=\"/x\"\n"
      "no record\n");
  EXPECT_EQ(got.format, Format::kAuditd);
  const std::string head = R"({"_channel":"auditd","_provider":)";
  EXPECT_EQ(got.events, (Texts{
                            "1 " + head + R"~("SYSCALL","type":"SYSCALL","time":"2013-03-28T14:36:03.243Z","serial":"24287","msg":"audit(1364481363.243:24287)","arch":"c000003e","syscall":"59","success":"yes","exit":"0","a0":"55d0","a1":"0","comm":"cat","exe":"/usr/bin/cat","key":"(null)","ARCH":"x86_64","SYSCALL":"execve","UID":"root"})~",
                            "2 " + head + R"~("EXECVE","type":"EXECVE","time":"2013-03-28T14:36:03.243Z","serial":"24287","msg":"audit(1364481363.243:24287)","argc":"3","a0":"sh","a1":"-c","a2":"echo \"hi","a3":"abcd"})~",
                            "4 " + head + R"~("PROCTITLE","type":"PROCTITLE","time":"2013-03-28T14:36:03.243Z","serial":"24287","msg":"audit(1364481363.243:24287)","proctitle":"sh -c echo"})~",
                            "5 " + head + R"("USER_CMD","type":"USER_CMD","time":"2013-03-28T14:36:04.007Z","serial":"9","node":"web1","msg":"cwd=\"/root\" cmd=6C73202D6C terminal=pts/0 res=success","pid":"7","uid":"0","cwd":"/root","cmd":"ls -l","terminal":"pts/0","res":"success"})",
                            "6 " + head + R"~("SOCKADDR","type":"SOCKADDR","time":"1970-01-01T00:00:01.000Z","serial":"1","msg":"audit(1.000:1)","saddr":"020001BBC0A80002000000000000000"})~",
                            "7 " + head + R"~("SOCKADDR","type":"SOCKADDR","time":"1970-01-01T00:00:01.000Z","serial":"1","msg":"audit(1.000:1)","saddr":"020001BBC0A800020000000000000000","saddr_fam":"inet","laddr":"192.168.0.2","lport":"443"})~",
                            "8 " + head + R"~("AVC","type":"AVC","time":"1970-01-01T00:00:01.005Z","serial":"2","msg":"audit(1.5:2)","seresult":"denied","seperms":"read","pid":"8","comm":"a b","path":"/x","words":"avc:  denied  { read } for"})~",
                        }));
  EXPECT_EQ(got.problems, (Texts{"9 not an audit record: it does not begin with `type=… msg=audit(…)`"}));
}

TEST(Records, AusearchInterpretedIsReadToo) {
  const Read got = read_text("----\ntype=PROCTITLE msg=audit(03/28/13 14:36:03.243:24287) : proctitle=cat /etc/ssh/sshd config \ntype=CWD msg=audit(03/28/13 14:36:03.243:24287) : cwd=/home/a b \ntype=PATH msg=audit(03/28/13 14:36:03.243:24287) : item=0 name=/etc/my file inode=4 \n");
  const std::string head = R"({"_channel":"auditd","_provider":)";
  const std::string time = R"~("time":"03/28/13 14:36:03.243","serial":"24287","msg":"audit(03/28/13 14:36:03.243:24287)",)~";
  EXPECT_EQ(got.events, (Texts{"2 " + head + R"("PROCTITLE","type":"PROCTITLE",)" + time + R"("proctitle":"cat /etc/ssh/sshd config"})", "3 " + head + R"("CWD","type":"CWD",)" + time + R"("cwd":"/home/a b"})",
                               "4 " + head + R"("PATH","type":"PATH",)" + time + R"("item":"0","name":"/etc/my file","inode":"4"})"}));
}

// What an audit record holds behind `msg`, as JSON.
std::string record(const std::string& body, const std::string& type = "X") {
  const Read got = read_text("type=" + type + " msg=audit(1.5:2)" + body + "\n", 1 << 20, Format::kAuditd);
  if (got.events.size() != 1) return got.problems.empty() ? "nothing" : got.problems[0];
  const std::string& json = got.events[0];
  const std::string head = R"~("serial":"2",)~";
  return json.substr(json.find(head) + head.size());
}
const std::string kAudit = R"~("msg":"audit(1.5:2)")~";

TEST(Records, WordsOfAuditRecordsOutsideOfFields) {
  EXPECT_EQ(record(": avc:  granted  { read write } for  pid=1", "AVC"), kAudit + R"(,"seresult":"granted","seperms":"read,write","pid":"1","words":"avc:  granted  { read write } for"})");
  EXPECT_EQ(record(": avc:  denied  { read", "AVC"), kAudit + R"(,"seresult":"denied","seperms":"read","words":"avc:  denied  { read"})") << "cut";
  EXPECT_EQ(record(" : avc:  denied  { read } for  pid=1 comm=my cat", "AVC"), kAudit + R"(,"seresult":"denied","seperms":"read","pid":"1","comm":"my cat","words":"avc:  denied  { read } for"})") << "ausearch -i";
  EXPECT_EQ(record(": pid=1 msg='avc:  denied  { send_msg } for msgtype=error exe=\"/x y\"'", "USER_AVC"),
            R"("msg":"avc:  denied  { send_msg } for msgtype=error exe=\"/x y\"","pid":"1","seresult":"denied","seperms":"send_msg","msgtype":"error","exe":"/x y"})");
  EXPECT_EQ(record(": avc:  received policyload notice (seqno=2)"), kAudit + R"(,"seqno":"2","words":"avc:  received policyload notice"})");
  EXPECT_EQ(record(": nugget start, ver=2.8, format=raw res=success, nugget pid=7"), kAudit + R"(,"ver":"2.8","format":"raw","res":"success","pid":"7","words":"nugget start, nugget"})");
  EXPECT_EQ(record(": state=initialized nugget here"), kAudit + R"(,"state":"initialized","words":"nugget here"})");
  EXPECT_EQ(record(": nugget", "UNKNOWN[1337]"), kAudit + R"(,"words":"nugget"})");
  EXPECT_EQ(record(": a.b=\"x y\" \xC3\xA9=1 =2 (z) pid=1"), kAudit + R"~(,"pid":"1","words":"a.b=\"x y\" é=1 =2 (z)"})~");
  EXPECT_EQ(record(": a=\"x\"tail b=1"), kAudit + R"(,"a":"x","b":"1","words":"tail"})");
  EXPECT_EQ(record(": pid=1\x1dUID=\"root\" tail"), kAudit + R"(,"pid":"1","UID":"root","words":"tail"})");
}

TEST(Records, AuditRecordsThatWereCut) {
  EXPECT_EQ(record(": a=1 comm=\"ba"), kAudit + R"(,"a":"1","comm":"ba"})");
  EXPECT_EQ(record(": a=1 msg='op=x acct=\"ro"), R"("msg":"op=x acct=\"ro","a":"1","op":"x","acct":"ro"})") << "its fields once";
  EXPECT_EQ(record(": a=1 b="), kAudit + R"(,"a":"1","b":""})");
  EXPECT_EQ(record(": SADDR={ saddr_fam=inet laddr=1."), kAudit + R"(,"SADDR":"{ saddr_fam=inet laddr=1.","saddr_fam":"inet","laddr":"1."})");
  EXPECT_EQ(record(": argc=2 a0=\"x\" a1_len=4 a1[0]=61 a1[1]=6", "EXECVE"), kAudit + R"(,"argc":"2","a0":"x","a1_len":"4","a1":"a6"})");
  EXPECT_EQ(record(":"), kAudit + "}");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "a={ ";
  EXPECT_NE(record(": " + deep), "nothing");
}

TEST(Records, AuditSaddrInWordsIsAValueToo) {
  EXPECT_EQ(record(": saddr=020001BBC0A800020000000000000000\x1dSADDR={ saddr_fam=inet laddr=192.168.0.2 lport=443 }", "SOCKADDR"),
            kAudit + R"(,"saddr":"020001BBC0A800020000000000000000","saddr_fam":"inet","laddr":"192.168.0.2","lport":"443","SADDR":"{ saddr_fam=inet laddr=192.168.0.2 lport=443 }"})");
  EXPECT_EQ(record(" : saddr={ saddr_fam=local path=/run/a b } x=1", "SOCKADDR"), kAudit + R"(,"saddr":"{ saddr_fam=local path=/run/a b }","saddr_fam":"local","path":"/run/a b","x":"1"})");
}

TEST(Records, AuditValuesAsTheyWereWritten) {
  EXPECT_EQ(record(" : argc=3 a0=ls a1=22 a2=--color=auto x=y", "EXECVE"), kAudit + R"(,"argc":"3","a0":"ls","a1":"22","a2":"--color=auto x=y"})") << "ausearch -i: nothing is hexadecimal any more, arguments hold what they like";
  EXPECT_EQ(record(" : proctitle=env A=1 ls --color=auto ", "PROCTITLE"), kAudit + R"(,"proctitle":"env A=1 ls --color=auto"})");
  EXPECT_EQ(record(" : comm=AB name=/a  b  inode=4 "), kAudit + R"(,"comm":"AB","name":"/a  b","inode":"4"})");
  EXPECT_EQ(record(": key=610162 tty=(none)"), kAudit + R"~(,"key":["a","b"],"tty":"(none)"})~");
  EXPECT_EQ(record(": msg='a=(none) b=unknown(7) (hostname=h, addr=?, res=success)'"), R"~("msg":"a=(none) b=unknown(7) (hostname=h, addr=?, res=success)","a":"(none)","b":"unknown(7)","hostname":"h","addr":"?","res":"success"})~");
  EXPECT_EQ(record(": name='a b' id=1 msg=\"hello there\""), R"("msg":"hello there","name":"a b","id":"1"})");
  EXPECT_EQ(record(": a=1\r"), kAudit + R"(,"a":"1"})");
}

TEST(Records, AnAuditMessageDoesNotSayWhatItsRecordIs) {
  EXPECT_EQ(record(": msg='_channel=Security _type=t Channel=System eventid=1 pid=1'"), R"("msg":"_channel=Security _type=t Channel=System eventid=1 pid=1","pid":"1"})");
  EXPECT_EQ(record(": _provider=a SourceName=b"), kAudit + R"(,"words":"_provider=a SourceName=b"})");
  const Read got = read_text("type=X msg=audit(1.5:2): type=EXECVE serial=9\n");
  ASSERT_EQ(got.events.size(), 1u);
  EXPECT_EQ(got.events[0], R"~(1 {"type":"EXECVE","serial":"9","_channel":"auditd","_provider":"X","type":"X","time":"1970-01-01T00:00:01.005Z","serial":"2","msg":"audit(1.5:2)"})~") << "the last of equal names wins";
}

TEST(Records, AuditSocketAddresses) {
  const auto address = [](const std::string& hex) {
    const Read got = read_text("type=SOCKADDR msg=audit(1.0:1): saddr=" + hex + "\n");
    return got.events.empty() ? std::string() : got.events[0].substr(got.events[0].find(hex) + hex.size() + 1);
  };
  EXPECT_EQ(address("01002F72756E2F7800"), R"(,"saddr_fam":"local","path":"/run/x"})");
  EXPECT_EQ(address("0100006162"), R"(,"saddr_fam":"local","path":"@ab"})");
  EXPECT_EQ(address("0A0001BB0000000020010DB800000000000000000000000100000000"), R"(,"saddr_fam":"inet6","laddr":"2001:db8::1","lport":"443"})");
  EXPECT_EQ(address("0200"), "}");
}

TEST(Records, SyslogLinesOfAllThreeKinds) {
  const Read got = read_text(
      "Mar  8 04:05:06 web1 sshd[77]: Failed password for root\n"
      "<38>Mar 18 2024 04:05:06 web1 su: (to root) x\n"
      "2024-03-08T04:05:06.123456+01:00 web1 CRON[9]: (root) CMD (true)\n"
      "<165>1 2003-10-11T22:14:15.003Z web1 app 42 ID47 [ex@1 iut=\"3\" note=\"a\\\"b\\]\"][x@2 k=\"v\"] \xEF\xBB\xBFtext here\n"
      "<13>1 - - - - - - bare\n"
      "Mar  8 04:05:06 last message repeated 2 times\n"
      "no head at all\n");
  EXPECT_EQ(got.format, Format::kSyslog);
  EXPECT_EQ(got.events, (Texts{
                            R"(1 {"_channel":"syslog","_provider":"sshd","time":"Mar  8 04:05:06","host":"web1","program":"sshd","pid":"77","message":"Failed password for root"})",
                            R"(2 {"_channel":"syslog","_provider":"su","facility":"auth","severity":"info","priority":38,"time":"Mar 18 2024 04:05:06","host":"web1","program":"su","message":"(to root) x"})",
                            R"~(3 {"_channel":"syslog","_provider":"CRON","time":"2024-03-08T04:05:06.123456+01:00","host":"web1","program":"CRON","pid":"9","message":"(root) CMD (true)"})~",
                            R"(4 {"_channel":"syslog","_provider":"app","facility":"local4","severity":"notice","priority":165,"time":"2003-10-11T22:14:15.003Z","host":"web1","program":"app","pid":"42","msgid":"ID47","iut":"3","note":"a\"b]","k":"v","message":"text here"})",
                            R"(5 {"_channel":"syslog","facility":"user","severity":"notice","priority":13,"message":"bare"})",
                            R"(6 {"_channel":"syslog","time":"Mar  8 04:05:06","message":"last message repeated 2 times"})",
                            R"(7 {"_channel":"syslog","message":"no head at all"})",
                        }));
}

TEST(Records, AnAuditRecordInsideSyslogIsAnAuditRecord) {
  const Read got = read_text("Mar  8 04:05:06 web1 audispd: node=web1 type=EXECVE msg=audit(1364481363.243:1): argc=1 a0=\"id\"\n");
  ASSERT_EQ(got.events.size(), 1u);
  EXPECT_EQ(got.events[0], R"~(1 {"_channel":"auditd","_provider":"EXECVE","type":"EXECVE","time":"2013-03-28T14:36:03.243Z","serial":"1","node":"web1","msg":"audit(1364481363.243:1)","argc":"1","a0":"id"})~");
}

TEST(Records, TheFormatCanBeGiven) {
  EXPECT_EQ(read_text("{\"a\":1}\n", 100, Format::kSyslog).events, (Texts{R"(1 {"_channel":"syslog","message":"{\"a\":1}"})"}));
  EXPECT_EQ(read_text("{\"a\":1}\n", 100, Format::kAuditd).problems.size(), 1u);
  EXPECT_EQ(read_text("Mar  8 04:05:06 web1 x: y\n", 100, Format::kJson).events, (Texts{"1 Mar  8 04:05:06 web1 x: y"}));
  for (const Format format : {Format::kAuto, Format::kJson, Format::kEvtx, Format::kAuditd, Format::kSyslog}) EXPECT_EQ(format_from(to_string(format)), format);
  EXPECT_EQ(format_from("xml"), std::nullopt);
}

TEST(Records, BytesThatAreNoTextStayHarmless) {
  const Read got = read_text("Mar  8 04:05:06 web1 x: a\xff\x01\"\\b\n");
  EXPECT_EQ(got.events, (Texts{R"(1 {"_channel":"syslog","_provider":"x","time":"Mar  8 04:05:06","host":"web1","program":"x","message":"a)" "\xEF\xBF\xBD" R"(\u0001\"\\b"})"}));
}

// Linear: each of these would take minutes if some step went back to the begin for each character.
TEST(Records, HostileLinesCostTheirLengthOnly) {
  const auto repeat = [](std::string_view text, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += text;
    return out;
  };
  const size_t big = 4u << 20;
  for (const std::string_view each : {"=\"", "a='", "a= ", "[", "\"", "{", "a[0]=41 ", "'"}) {
    (void)read_text("type=EXECVE msg=audit(1.0:1): " + repeat(each, big));
    (void)read_text("type=EXECVE msg=audit(1.0:1) : " + repeat(each, big));
    (void)read_text("<13>1 - - - - - [" + repeat(each, big));
    (void)read_text("[" + repeat(each, big));
  }
}

}  // namespace
}  // namespace creance::events

// Deltas between channel files: hints that carry no trust.
#include "trust/delta/delta.hpp"

#include <random>

#include "base/digest.hpp"
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

Bytes noise(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
  return out;
}

TEST(Delta, LeadsFromOneFileToTheOther) {
  const Bytes from = noise(300'000, 1);
  Bytes to = from;
  to.insert(to.begin() + 1'000, {1, 2, 3});
  to.erase(to.begin() + 200'000, to.begin() + 200'100);
  const Bytes delta = *make_delta(from, to);
  EXPECT_LT(delta.size(), 1'000u);
  EXPECT_EQ(*apply_delta(from, delta, to.size()), to);
  EXPECT_EQ(*apply_delta({}, *make_delta({}, to), to.size()), to);
  EXPECT_EQ(*apply_delta(from, *make_delta(from, {}), 0), Bytes{});
}

TEST(Delta, HostileOnesEndAtTheCapAndNeverCrash) {
  const Bytes from = noise(10'000, 1);
  const Bytes bomb = *make_delta({}, Bytes(50u << 20, 0));
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(apply_delta(from, bomb, 10'000).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(apply_delta(from, {}, 10'000).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(apply_delta(from, noise(1'000, 2), 10'000).error().code, ErrorCode::kInvalid);
  Bytes to = from;
  to[5'000] ^= 1;
  const Bytes good = *make_delta(from, to);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int bit : {1, 16, 128}) {
      Bytes bent = good;
      bent[i] = static_cast<uint8_t>(bent[i] ^ bit);
      const auto made = apply_delta(from, bent, to.size());
      EXPECT_TRUE(!made || made->size() <= to.size());
    }
    (void)apply_delta(from, BytesView(good).first(i), to.size()).has_value();
  }
  const auto other = apply_delta(noise(10'000, 3), good, to.size());
  EXPECT_TRUE(!other || *other != to);
}

// A host that has release r1 of a channel; r2 is published, with or without a delta.
struct Fleet : ::testing::Test {
  Tree t;
  Bytes old_file = noise(200'000, 1), new_file = old_file;
  fake::MemoryFileSystem& host = t.host;
  DeltaTransport deltas{t.transport, host, "/mirror"};
  RecordingTransport recorder{deltas, host, "/mirror"};
  Client client{recorder, host, "/updater"};
  void SetUp() override {
    new_file[100'000] ^= 1;
    ASSERT_TRUE(client.init(*t.client.stored("root")));
    ASSERT_TRUE(t.publish_content({{"content/r1/windows.x.channel", old_file, std::nullopt}}));
    ASSERT_TRUE(client.refresh(t.now));
    ASSERT_EQ(*client.download(*client.target("content/r1/windows.x.channel")), old_file);
    ASSERT_TRUE(t.publish_content({{"content/r1/windows.x.channel", old_file, std::nullopt}, {"content/r2/windows.x.channel", new_file, std::nullopt}}));
    t.transport.requests.clear();
  }
  std::string delta() const { return delta_path(sha256(old_file).hex(), sha256(new_file).hex()); }
  std::string whole() const { return "targets/content/r2/" + sha256(new_file).hex() + ".windows.x.channel"; }
  Bytes fetch() {
    EXPECT_TRUE(client.refresh(t.now));
    t.transport.requests.clear();
    const auto bytes = client.download(*client.target("content/r2/windows.x.channel"));
    EXPECT_TRUE(bytes) << bytes.error().detail;
    return bytes.value_or(Bytes{});
  }
};

TEST_F(Fleet, FetchesWhatChanged) {
  ASSERT_TRUE(t.repository.put_delta(sha256(old_file).hex(), sha256(new_file).hex(), *make_delta(old_file, new_file)));
  EXPECT_EQ(fetch(), new_file);
  EXPECT_EQ(t.transport.requests.back(), delta());
  EXPECT_EQ(deltas.applied(), 1u);
  // the mirror holds the whole file: admit, which has no network, reads it there
  EXPECT_EQ(*host.read(std::filesystem::path("/mirror") / whole(), 1u << 20), new_file);
}

TEST_F(Fleet, FetchesTheWholeFileWithoutADelta) {
  EXPECT_EQ(fetch(), new_file);
  EXPECT_EQ(std::vector<std::string>(t.transport.requests.end() - 2, t.transport.requests.end()), (std::vector<std::string>{delta(), whole()}));
}

TEST_F(Fleet, AWrongDeltaDoesNoHarm) {
  for (const Bytes& wrong : {*make_delta(old_file, noise(200'000, 9)), noise(500, 4), Bytes{}, *make_delta({}, Bytes(20u << 20, 0))}) {
    t.transport.instead[delta()] = wrong;
    ASSERT_TRUE(host.remove_tree("/mirror/targets/content/r2"));
    EXPECT_EQ(fetch(), new_file);
    EXPECT_EQ(t.transport.requests.back(), whole());
    EXPECT_EQ(deltas.applied(), 0u);
  }
}

TEST_F(Fleet, ADamagedOlderFileIsNotBuiltUpon) {
  ASSERT_TRUE(t.repository.put_delta(sha256(old_file).hex(), sha256(new_file).hex(), *make_delta(old_file, new_file)));
  const std::string old_path = "/mirror/targets/content/r1/" + sha256(old_file).hex() + ".windows.x.channel";
  ASSERT_TRUE(host.write_atomic(old_path, bytes("damaged"), 0644));
  EXPECT_EQ(fetch(), new_file);
  EXPECT_EQ(t.transport.requests.back(), whole());
}

TEST_F(Fleet, ACutWhileFetchingTheDeltaIsAnErrorOfTheFetch) {
  t.transport.instead[delta()] = fail(ErrorCode::kUnavailable, "cut");
  t.transport.instead[whole()] = fail(ErrorCode::kUnavailable, "cut");
  ASSERT_TRUE(client.refresh(t.now));
  EXPECT_EQ(client.download(*client.target("content/r2/windows.x.channel")).error().code, ErrorCode::kUnavailable);
}

TEST_F(Fleet, DeltasGoWithTheFilesThatTheyLeadTo) {
  ASSERT_TRUE(t.repository.put_delta(sha256(old_file).hex(), sha256(new_file).hex(), *make_delta(old_file, new_file)));
  ASSERT_TRUE(t.repository.put_delta(sha256(old_file).hex(), std::string(64, 'a'), bytes("leads nowhere")));
  ASSERT_TRUE(t.repository.collect_garbage(1));
  EXPECT_TRUE(t.server.exists("/tree/" + delta()));
  EXPECT_FALSE(t.server.exists("/tree/" + delta_path(sha256(old_file).hex(), std::string(64, 'a'))));
}

}  // namespace
}  // namespace creance::trust::testing

// Content is made ready in one thread while events run through the content before it in another, and handed over between two events: every event is evaluated once, by one or the other.
#include <atomic>
#include <mutex>
#include <thread>

#include "interpreter/fixture.hpp"

namespace creance::test {
namespace {

struct Content {
  channel::VerifiedChannel channel;
  interpreter::Scratch scratch;
};
std::unique_ptr<Content> make_ready(const schema::TemplateType& type, const Bytes& bytes) {
  auto verified = channel::VerifiedChannel::verify(bytes, {type.fingerprint, static_cast<uint32_t>(type.inputs.size())});
  EXPECT_TRUE(verified);
  interpreter::Scratch scratch(*verified);
  return std::make_unique<Content>(std::move(*verified), std::move(scratch));
}

}  // namespace

TEST(Swap, BetweenTwoEventsLosesNoneAndMixesNothing) {
  const schema::TemplateType type = type_of({"A", "B"});
  // The first has one rule and the second two: an event of number n matches one rule or two, and the second's second rule matches only every third event.
  const std::string first = rule_yaml("sel:\n  A|contains: event\ncondition: sel", 1);
  const std::string second = first + "---\n" + rule_yaml("sel:\n  B|endswith: third\ncondition: sel", 2);
  Diagnostics diagnostics;
  const Bytes bytes[] = {compile_rules(type, parse_rules(first), diagnostics), compile_rules(type, parse_rules(second), diagnostics)};
  ASSERT_TRUE(diagnostics.empty());

  std::mutex mutex;
  std::unique_ptr<Content> next;  // made ready, not taken yet
  std::atomic<bool> done{false};
  std::jthread maker([&] {
    for (size_t n = 1; !done; ++n) {
      std::unique_ptr<Content> made = make_ready(type, bytes[n % 2]);
      while (made != nullptr && !done) {
        {
          const std::lock_guard lock(mutex);
          if (next == nullptr) next = std::move(made);
        }
        std::this_thread::yield();
      }
    }
  });

  std::unique_ptr<Content> content = make_ready(type, bytes[0]);
  size_t swaps = 0, events = 0, by_first = 0, by_second = 0;
  while (swaps < 40) {
    {
      const std::lock_guard lock(mutex);
      if (next != nullptr) {
        content = std::move(next);
        ++swaps;
      }
    }
    for (size_t n = 0; n < 7; ++n, ++events) {
      const std::string a = "Event " + std::to_string(events);
      const bool is_third = events % 3 == 0;
      const std::vector<schema::InputValue> values{schema::InputValue(a), schema::InputValue(is_third ? "the Third" : "other")};
      const size_t matches = interpreter::evaluate(content->channel, {values, {}, {}}, content->scratch).matches.size();
      const bool has_two = content->channel.instance_count() == 2;
      ASSERT_EQ(matches, has_two && is_third ? 2u : 1u);
      ++(has_two ? by_second : by_first);
    }
  }
  done = true;
  maker.join();
  EXPECT_EQ(by_first + by_second, events);
  EXPECT_GT(by_first, 0u);
  EXPECT_GT(by_second, 0u);
}

}  // namespace creance::test

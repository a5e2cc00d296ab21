#include "guarantees.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/check.hpp"
#include "channel/hostile_fields.hpp"
#include "interpreter/interpreter.hpp"

namespace creance::bench {
void compare_hostile(const channel::VerifiedChannel& channel, const schema::TemplateType& type, const std::vector<const OwnedEvent*>& usual) {
  interpreter::Scratch scratch(channel);
  uint64_t steps = 0, bytes = 0;
  const auto run = [&](const schema::Inputs& inputs) {
    const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
    const interpreter::EventSize size = interpreter::measure(inputs);
    steps += outcome.steps;
    bytes += size.bytes;
    CHECK(outcome.steps <= channel.cost_bound() && outcome.steps <= channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes);
    return outcome.matches.size();
  };
  const double begin = cpu_seconds();
  for (const OwnedEvent* event : usual) (void)run(event->inputs());
  const double usual_ns = (cpu_seconds() - begin) * 1e9 / static_cast<double>(bytes);
  const double usual_steps = static_cast<double>(steps) / static_cast<double>(bytes);
  fmt::print("\nevents made to hurt {}, 64 KiB in each input that has literals; an ordinary event takes {:.2f} ns and {:.3f} steps a byte\n", type.id, usual_ns, usual_steps);
  for (const test::HostileKind& kind : test::kHostileKinds) {
    const test::HostileFields hostile(channel, kind);
    steps = bytes = 0;
    double best = 1e9;
    size_t matches = 0;
    for (int round = 0; round < 3; ++round) {
      const double start = cpu_seconds();
      matches = run({hostile.values, {}, {}});
      best = std::min(best, cpu_seconds() - start);
    }
    const double per_byte = best * 1e9 / (static_cast<double>(bytes) / 3);
    fmt::print("  {:<56} {:>9.2f} ms {:>7.2f} ns a byte ({:>5.2f} of an ordinary one) {:>7.3f} steps a byte ({:>5.2f}) {:>5} matches; bound used {:.1e}\n", kind.name, best * 1e3, per_byte, per_byte / usual_ns,
               static_cast<double>(steps) / static_cast<double>(bytes), static_cast<double>(steps) / static_cast<double>(bytes) / usual_steps, matches, static_cast<double>(steps) / 3 / static_cast<double>(channel.cost_bound()));
  }
}

namespace {

struct Content {
  struct Loaded {
    channel::VerifiedChannel channel;
    interpreter::Scratch scratch;
  };
  std::map<const schema::TemplateType*, Loaded> loaded;
};

std::unique_ptr<Content> make_ready(std::span<const compiler::BuiltChannel> channels) {
  auto content = std::make_unique<Content>();
  for (const compiler::BuiltChannel& built : channels) {
    auto verified = channel::VerifiedChannel::verify(built.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
    CHECK(verified.has_value());
    interpreter::Scratch scratch(*verified);
    content->loaded.emplace(built.type, Content::Loaded{std::move(*verified), std::move(scratch)});
  }
  return content;
}

void report(std::string_view what, std::vector<double>& latencies, uint64_t swaps, uint64_t matches) {
  std::ranges::sort(latencies);
  const auto at = [&](double share) { return latencies[static_cast<size_t>(share * static_cast<double>(latencies.size() - 1))] * 1e6; };
  fmt::print("  {:<34} {:>8} events {:>9} matches {:>5} swaps; an event takes {:.2f} µs in the middle, {:.1f} µs of 99.99 %, {:.1f} µs at most\n", what, latencies.size(), matches, swaps, at(0.5), at(0.9999), at(1));
}

}  // namespace

void swap_under_load(std::span<const compiler::BuiltChannel> channels, const std::vector<const OwnedEvent*>& events) {
  fmt::print("\nswap under load, {} channels\n", channels.size());
  constexpr uint64_t kSwaps = 100;
  const size_t passes = std::max<size_t>(1, 100'000 / std::max<size_t>(events.size(), 1));
  std::vector<double> latencies;
  latencies.reserve(passes * events.size());
  for (const int way : {0, 1, 2}) {  // no swap; made ready beside; made ready in the same thread
    std::atomic<Content*> next{nullptr};   // made ready, not taken yet
    std::atomic<Content*> spent{nullptr};  // to be destroyed where it was made
    std::atomic<bool> done{false};
    std::jthread maker;
    if (way == 1) {
      maker = std::jthread([&] {
        while (!done) {
          delete spent.exchange(nullptr);
          if (next.load() == nullptr) next = make_ready(channels).release();
          else std::this_thread::yield();
        }
      });
    }
    std::unique_ptr<Content> content = make_ready(channels);
    latencies.clear();
    uint64_t swaps = 0, matches = 0;
    const size_t swap_every = passes * events.size() / kSwaps;
    for (size_t n = 0; n < passes * events.size(); ++n) {
      const OwnedEvent& event = *events[n % events.size()];
      const double begin = cpu_seconds();
      if (way == 1 && spent.load(std::memory_order_relaxed) == nullptr) {
        if (Content* const taken = next.exchange(nullptr)) {
          spent = content.release();
          content.reset(taken);
          ++swaps;
        }
      } else if (way == 2 && n % swap_every == swap_every - 1) {
        content = make_ready(channels);
        ++swaps;
      }
      if (const auto found = content->loaded.find(event.type); found != content->loaded.end()) matches += interpreter::evaluate(found->second.channel, event.inputs(), found->second.scratch).matches.size();
      latencies.push_back(cpu_seconds() - begin);
    }
    done = true;
    if (maker.joinable()) maker.join();
    delete next.exchange(nullptr);
    delete spent.exchange(nullptr);
    report(way == 0 ? "no swap" : way == 1 ? "made ready in another thread" : "made ready in the event's thread", latencies, swaps, matches);
  }
}

}  // namespace creance::bench

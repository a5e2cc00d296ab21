// Events made to hurt one channel, out of the channel itself: its literals and what nearly is one, prefixes, one gram over and over, long runs, texts that walk its regular
// expressions, values at and past the limits, thousands of further values. Deterministic for a seed. Reads the layout as it is: only for channels that the verifier accepted.
#pragma once
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "channel/utf8.hpp"
#include "channel/verified_channel.hpp"
#include "schema/inputs.hpp"

namespace creance::test {

struct HostileEvent {
  std::vector<schema::InputValue> values;
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;
  std::vector<std::unique_ptr<std::string>> texts;  // what the views point to
  schema::Inputs inputs() const { return {values, further, others}; }
};

class HostileEvents {
 public:
  HostileEvents(const channel::VerifiedChannel& channel, uint64_t seed) : l_(channel.layout()), random_(seed) {
    for (const channel::PredicateRecord& p : l_.predicates) add_text_of(p);
    for (const char* text : {"", "a", "5", "-1e3", "7.5", "10.1.2.3", "fe80::1", "2026-11-27T22:28:59.123+01:00", "2027-01-01 00:00", "/", "é", "\xff", "Ⱥ", "\n"}) texts_.emplace_back(text);
  }

  // `bytes`: about how long the long texts are (cut by the interpreter above limits::kInputBytesMax).
  HostileEvent make(size_t bytes) {
    HostileEvent event;
    const auto text = [&](size_t size) {
      event.texts.push_back(std::make_unique<std::string>(text_of(size)));
      return std::string_view(*event.texts.back());
    };
    for (uint32_t i = 0; i < l_.header->input_count; ++i) {
      const size_t state = below(12);
      event.values.push_back(state == 0 ? schema::InputValue() : state == 1 && below(4) == 0 ? schema::InputValue::unavailable() : schema::InputValue(text(state < 7 ? bytes : 64)));
    }
    if (below(3) == 0 && l_.header->input_count > 0) {
      const size_t count = below(4) == 0 ? std::min<size_t>(bytes, limits::kFurtherValuesMax + 2) : below(6);
      for (size_t i = 0; i < count; ++i) event.further.push_back({static_cast<uint32_t>(below(l_.header->input_count)), i < 64 ? text(16) : event.further[below(64)].text});
    }
    if (below(3) == 0) {
      const size_t count = below(4) == 0 ? std::min<size_t>(bytes, limits::kFurtherValuesMax + 2) : below(6);
      for (size_t i = 0; i < count; ++i) event.others.push_back(i < 64 ? text(below(8) == 0 ? bytes : 16) : event.others[below(64)]);
    }
    return event;
  }

 private:
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }

  void add_text_of(const channel::PredicateRecord& p) {
    using enum channel::PredicateKind;
    if (p.kind >= kEquals && p.kind <= kContains) texts_.emplace_back(l_.texts.substr(p.operand.first, p.operand.count));
    if (p.kind == kRegex) {
      for (int i = 0; i < 3; ++i) texts_.push_back(walk(l_.regexes[p.operand.first]));
    }
    if (p.kind == kGlob) {
      std::string all;
      for (const channel::GlobToken& token : l_.glob_tokens.subspan(p.operand.first, p.operand.count)) {
        if (token.kind == channel::GlobKind::kText) all += l_.texts.substr(token.text.offset, token.text.size), texts_.emplace_back(l_.texts.substr(token.text.offset, token.text.size));
        else all += token.kind == channel::GlobKind::kDash ? "/" : token.kind == channel::GlobKind::kAnyOne ? "é" : "";
      }
      texts_.push_back(std::move(all));
    }
  }

  // A text that keeps a program busy: characters that it asks for, until it ends or 200 steps are over.
  std::string walk(const channel::RegexRecord& regex) {
    std::string out;
    uint32_t at = 0;
    for (int step = 0; step < 200; ++step) {
      const channel::InstructionRecord& i = l_.instructions[regex.first_instruction + at];
      char bytes[4];
      const auto put = [&](uint32_t rune) { out.append(bytes, channel::encode(rune, bytes)); };
      switch (i.kind) {
        case channel::InstructionKind::kMatch: return out;
        case channel::InstructionKind::kRune: put(i.operand); break;
        case channel::InstructionKind::kClass: put(member(l_.classes[i.operand])); break;
        case channel::InstructionKind::kAny:
        case channel::InstructionKind::kAnyNotNewline: put('x'); break;
        case channel::InstructionKind::kSplit:
        case channel::InstructionKind::kAssert: break;
      }
      at = i.kind == channel::InstructionKind::kSplit && below(2) == 0 ? i.operand : i.out;
    }
    return out;
  }
  uint32_t member(const channel::ClassRecord& set) {
    if (set.ranges.count > 0 && below(2) == 0) return l_.ranges[set.ranges.first + below(set.ranges.count)].low;
    for (uint32_t tries = 0, rune = static_cast<uint32_t>(below(128)); tries < 128; ++tries, rune = (rune + 1) % 128) {
      if ((set.ascii[rune / 64] >> (rune % 64) & 1) != 0) return rune;
    }
    return set.ranges.count > 0 ? l_.ranges[set.ranges.first].low : 'x';
  }

  // One piece: a text, or what nearly is one.
  std::string piece() {
    std::string text = texts_[below(texts_.size())];
    if (text.empty()) return text;
    switch (below(9)) {
      case 0: text.back() = static_cast<char>(text.back() ^ 1); break;
      case 1: text.pop_back(); break;
      case 2: text.erase(0, 1); break;
      case 3: text = text.substr(0, 1 + below(text.size())); break;
      case 4: text = text.substr(below(text.size()), 4); break;
      case 5:
        for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        break;
      case 6: text[below(text.size())] = static_cast<char>(random_()); break;
      default: break;
    }
    return text;
  }

  std::string text_of(size_t bytes) {
    const size_t size = below(8) == 0 ? bytes + below(64) : 1 + below(bytes);
    std::string out;
    if (below(5) == 0) return texts_[below(texts_.size())];
    if (below(2) == 0) {  // one piece over and over, then a whole one
      const std::string one = piece() + (below(3) == 0 ? piece() : "");
      while (!one.empty() && out.size() < size) out += one;
    } else {
      for (int i = 0; i < 4'096 && out.size() < size; ++i) out += piece();
    }
    return out.substr(0, size) + (below(2) == 0 ? texts_[below(texts_.size())] : "");
  }

  const channel::Layout& l_;
  std::mt19937_64 random_;
  std::vector<std::string> texts_;
};

}  // namespace creance::test

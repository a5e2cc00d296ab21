// Texts of 64 KiB made to hurt one input of a channel, out of the channel itself: near matches, one gram over and over, whole literals, what regular expressions ask for. For the test of the
// cost per byte and for the benchmark. Deterministic. Reads the layout as it is: only for channels that the verifier accepted.
#pragma once
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "channel/utf8.hpp"
#include "channel/verified_channel.hpp"
#include "schema/inputs.hpp"

namespace creance::test {

using channel::PredicateKind;
inline constexpr size_t kFieldBytes = 65'536;

inline std::string repeated_to(std::string_view piece, size_t bytes) {
  std::string out;
  while (!piece.empty() && out.size() + piece.size() <= bytes) out += piece;
  return out;
}

inline std::vector<std::string> literals_of(const channel::Layout& l, uint32_t input, PredicateKind first, PredicateKind last) {
  std::vector<std::string> out;
  for (const channel::PredicateRecord& p : l.predicates) {
    if (p.input == input && p.kind >= first && p.kind <= last && p.operand.count > 0) out.emplace_back(l.texts.substr(p.operand.first, p.operand.count));
  }
  return out;
}

// What a program asks for, until it ends.
inline std::string walk(const channel::Layout& l, const channel::RegexRecord& regex, std::mt19937& random) {
  std::string out;
  for (uint32_t at = 0, step = 0; step < 60; ++step) {
    const channel::InstructionRecord& i = l.instructions[regex.first_instruction + at];
    char bytes[4];
    if (i.kind == channel::InstructionKind::kMatch) break;
    if (i.kind == channel::InstructionKind::kRune) out.append(bytes, channel::encode(i.operand, bytes));
    if (i.kind == channel::InstructionKind::kAny || i.kind == channel::InstructionKind::kAnyNotNewline) out += 'x';
    if (i.kind == channel::InstructionKind::kClass) {
      const auto& ascii = l.classes[i.operand].ascii;
      uint32_t rune = 32;
      while (rune < 127 && (ascii[rune / 64] >> (rune % 64) & 1) == 0) ++rune;
      out += static_cast<char>(rune);
    }
    at = i.kind == channel::InstructionKind::kSplit && random() % 2 == 0 ? i.operand : i.out;
  }
  return out;
}

struct HostileKind {
  std::string name;
  std::string (*make)(const channel::Layout&, uint32_t input, std::mt19937&);
};
inline const HostileKind kHostileKinds[] = {
    {"one letter", [](const channel::Layout&, uint32_t, std::mt19937&) { return std::string(kFieldBytes, 'a'); }},
    {"letters at random", [](const channel::Layout&, uint32_t, std::mt19937& random) {
       std::string out;
       while (out.size() < kFieldBytes) out += static_cast<char>('a' + random() % 26);
       return out;
     }},
    {"near matches, each literal's last byte changed", [](const channel::Layout& l, uint32_t input, std::mt19937&) {
       std::string all;
       for (std::string& text : literals_of(l, input, PredicateKind::kEquals, PredicateKind::kContains)) text.back() = static_cast<char>(text.back() ^ 1), all += text;
       return repeated_to(all, std::max(kFieldBytes, all.size())).substr(0, kFieldBytes);
     }},
    {"the shortest inner literal over and over, less its end", [](const channel::Layout& l, uint32_t input, std::mt19937&) {
       auto texts = literals_of(l, input, PredicateKind::kContains, PredicateKind::kContains);
       std::erase_if(texts, [](const std::string& text) { return text.size() < 7; });
       if (texts.empty()) return std::string();
       std::ranges::sort(texts, {}, &std::string::size);
       return repeated_to(std::string_view(texts[0]).substr(0, texts[0].size() - 1), kFieldBytes);
     }},
    {"one gram of four over and over", [](const channel::Layout& l, uint32_t input, std::mt19937&) {
       std::map<std::string, size_t> grams;
       for (const std::string& text : literals_of(l, input, PredicateKind::kContains, PredicateKind::kContains)) ++grams[text.substr(0, 4)];
       if (grams.empty()) return std::string();
       return repeated_to(std::ranges::max_element(grams, {}, [](const auto& each) { return each.second; })->first, kFieldBytes);
     }},
    {"every inner literal, whole", [](const channel::Layout& l, uint32_t input, std::mt19937&) {
       std::string all;
       for (const std::string& text : literals_of(l, input, PredicateKind::kContains, PredicateKind::kContains)) all += text;
       return repeated_to(all, std::max(kFieldBytes, all.size())).substr(0, kFieldBytes);
     }},
    {"what regular expressions ask for", [](const channel::Layout& l, uint32_t input, std::mt19937& random) {
       std::string all;
       for (const channel::PredicateRecord& p : l.predicates) {
         if (p.input == input && p.kind == PredicateKind::kRegex) all += walk(l, l.regexes[p.operand.first], random);
       }
       return all.empty() ? all : repeated_to(all, std::max(kFieldBytes, all.size())).substr(0, kFieldBytes);
     }},
    {"every inner literal once, then one regular expression's", [](const channel::Layout& l, uint32_t input, std::mt19937& random) {
       std::string all;
       for (const std::string& text : literals_of(l, input, PredicateKind::kContains, PredicateKind::kContains)) all += text;
       std::string longest;
       for (const channel::PredicateRecord& p : l.predicates) {
         if (p.input != input || p.kind != PredicateKind::kRegex) continue;
         if (std::string text = walk(l, l.regexes[p.operand.first], random); text.size() > longest.size()) longest = std::move(text);
       }
       if (longest.empty()) return std::string();
       return (all + repeated_to(longest.substr(0, longest.size() - 1), kFieldBytes)).substr(0, kFieldBytes);
     }},
};


// Every input that has literals holds such a text.
struct HostileFields {
  std::vector<std::string> texts;
  std::vector<schema::InputValue> values;
  HostileFields(const channel::VerifiedChannel& channel, const HostileKind& kind) : texts(channel.input_count()), values(channel.input_count()) {
    std::mt19937 random(5);
    for (uint32_t i = 0; i < values.size(); ++i) {
      if (literals_of(channel.layout(), i, PredicateKind::kEquals, PredicateKind::kRegex).empty()) continue;
      texts[i] = kind.make(channel.layout(), i, random);
      if (!texts[i].empty()) values[i] = schema::InputValue(texts[i]);
    }
  }
};

}  // namespace creance::test

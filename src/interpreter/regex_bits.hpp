// A program of at most 64 states as bit sets: what a position can reach, and which states take which character. Made from the file when a Scratch is made; nothing new is believed: it says what the
// program says. Larger programs, and broken ones, have none and are run state by state (regex_run.cpp).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "channel/format.hpp"

namespace creance::interpreter {

// States are the instructions that take a character, assert something, or match; numbered in the order of the program.
struct RegexBits {
  uint64_t start = 0;                        // reached from the first instruction, up to assertions
  uint64_t asserts = 0;                      // states that assert
  uint64_t match = 0;                        // states that match
  uint32_t states = 0;
  // ASCII characters that can stand behind the first one of a match (an ASCII one itself), where a match has at least two; all of them where it can have fewer or asserts something there.
  std::array<uint64_t, 2> second{};
  // What every match begins with, at most these many ASCII characters.
  std::array<char, 16> prefix{};
  uint32_t prefix_size = 0;
  std::array<uint64_t, 128> takes{};         // by ASCII character: states that take it
  // What is reached behind a state: the state itself and the one that follows it by two masks, for all states at once; what else there is, state by state.
  uint64_t loops = 0;                        // states that lead to themselves
  uint64_t steps_on = 0;                     // states that lead to the next one
  uint64_t leads_elsewhere = 0;              // states with others
  std::array<uint64_t, 64> next{};           // by state: all that is reached
  std::array<uint32_t, 64> instruction{};    // by state: its place in the program
};

// Nothing: more than 64 states, or a reference outside its table.
std::unique_ptr<RegexBits> make_regex_bits(const channel::Layout& layout, const channel::RegexRecord& regex);

}  // namespace creance::interpreter

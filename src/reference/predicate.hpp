// What one line of a rule means: field, modifiers and values as a question to an event. Slow and obvious; nothing is shared between lines.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "reference/pattern.hpp"
#include "schema/inputs.hpp"
#include "schema/type.hpp"
#include "sigma/rule.hpp"

namespace re2 {
class RE2;
}

namespace creance::reference {

struct Network {
  int family = 0;  // AF_INET, AF_INET6
  std::string address;
  size_t bits = 0;
};

// One value of a line, after its modifiers.
struct Test {
  enum class Kind { kAbsent, kPresent, kPattern, kRegex, kNetwork, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kEqual, kField };
  Kind kind = Kind::kPattern;
  std::vector<Pattern> patterns;          // kPattern: any of them
  std::shared_ptr<const re2::RE2> regex;  // kRegex
  Network network;                        // kNetwork
  double number = 0;                      // kLess …
  std::string digits;                     // kLess …: the number, if it is whole and has at most 64 bits (see whole_digits); else empty
  std::optional<sigma::Modifier> part;    // kLess … kEqual: of a time, this part of it; kEqual has one always
  uint32_t other = 0;                     // kField: the other input
  bool before = false;                    // kField: anything may stand before, behind it
  bool behind = false;
};

class Predicate {
 public:
  static Result<Predicate> make(const sigma::Item& item, const schema::TemplateType& type);

  bool holds(const schema::Inputs& inputs) const;
  bool is_keyword() const { return !input_; }
  const std::vector<uint32_t>& reads() const { return reads_; }  // inputs

 private:
  bool holds(const Test& test, const schema::Inputs& inputs) const;
  bool holds_for(const Test& test, std::string_view value, const schema::Inputs& inputs) const;

  std::optional<uint32_t> input_;  // nothing: keywords
  std::vector<uint32_t> reads_;
  std::vector<Test> tests_;        // one for each value
  bool all_ = false;
  bool cased_ = false;
  bool negated_ = false;
};

}  // namespace creance::reference

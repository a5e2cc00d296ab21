// The second judge (D5): evaluates one parsed rule over one event, slowly and obviously, straight from the Sigma specification 2.1.0. Not for production:
// it shares nothing with compiler, channel and interpreter beyond the parsed rule, so that a bug in those shows as a disagreement.
//
// Meaning where the specification leaves room (the same list is in src/reference/README.md): whole-field comparison without case by Unicode simple case folding;
// `null` = absent; a predicate holds if it holds for any value of its input; numbers and booleans compare as text; an instance that reads an unavailable input never
// matches; values longer than limits::kInputBytesMax are cut to it.
//
// Immutable after make; any number of threads. The rule is copied, the Type of the binding must outlive the Judge.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "schema/inputs.hpp"
#include "sigma/binder.hpp"
#include "sigma/rule.hpp"

namespace creance::reference {

class Judge {
 public:
  // binding.type must not be null; binding.logsource may be (no restrictions). kUnsupported: modifiers that are refused (expand) or make no sense together.
  // kInvalid: a value that its modifier cannot take (a bad regular expression, network, number), or a field that the Type does not have.
  static Result<Judge> make(const sigma::Rule& rule, const sigma::Binding& binding);
  Judge(Judge&&) noexcept;
  Judge& operator=(Judge&&) noexcept;
  ~Judge();

  bool matches(const schema::Inputs& inputs) const;

  // What `matches` depends on: these inputs alone (ascending), with all their values. Nothing: every value of the event (keywords).
  std::optional<std::vector<uint32_t>> reads() const;

 private:
  struct Compiled;
  explicit Judge(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace creance::reference

#include "compiler/rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>

#include "channel/address.hpp"
#include "channel/fold.hpp"

namespace creance::compiler {
namespace {

using channel::GlobKind;
using channel::PredicateKind;
using sigma::Modifier;
using sigma::ValueKind;

enum class Mode { kText, kRegex, kCidr, kExists, kFieldRef, kCompare, kTimePart };
enum class Shape { kWhole, kContains, kStartsWith, kEndsWith };

// What an item's modifiers ask for, texts apart.
struct Plan {
  Mode mode = Mode::kText;
  Shape shape = Shape::kWhole;
  PredicateKind comparison = PredicateKind::kLess;
  std::optional<channel::TimePart> time_part;  // what of a time is compared, with kCompare or for equality
  bool all = false;
  bool negated = false;
  bool cased = false;
  RegexFlags regex;
  std::vector<Modifier> transforms;  // of texts, in the order written
};

class RuleCompiler {
 public:
  RuleCompiler(const schema::TemplateType& type, const BoundRule& bound, Diagnostics& diagnostics) : type_(type), bound_(bound), rule_(*bound.rule), diagnostics_(diagnostics) {}

  std::optional<CompiledRule> run() {
    std::vector<uint32_t> selections;
    for (const sigma::Selection& selection : rule_.selections) {
      origin_ = selection.origin;
      selections.push_back(compile_selection(selection));
    }
    origin_.clear();
    const uint32_t condition = compile_condition(selections);
    const uint32_t root = with_restrictions(condition);
    if (refused_) return std::nullopt;
    out_.root = root;
    return std::move(out_);
  }

 private:
  // ---- diagnostics
  uint32_t refuse(Span span, std::string_view code, std::string message, std::string help) {
    refused_ = true;
    if (!origin_.empty()) message += fmt::format(" (put into the rule `{}`)", printable(rule_.title));
    diagnostics_.push_back({origin_.empty() ? rule_.file : origin_, span, Severity::kError, std::string(code), std::move(message), std::move(help)});
    return add_or({});
  }

  // ---- expressions
  uint32_t add(Expression expression) {
    out_.expressions.push_back(std::move(expression));
    return static_cast<uint32_t>(out_.expressions.size() - 1);
  }
  uint32_t leaf(PredicateSpec spec) {
    out_.predicates.push_back(std::move(spec));
    return add({ExpressionKind::kLeaf, static_cast<uint32_t>(out_.predicates.size() - 1), {}});
  }
  uint32_t join(ExpressionKind kind, std::vector<uint32_t> children) { return children.size() == 1 ? children[0] : add({kind, 0, std::move(children)}); }
  uint32_t add_and(std::vector<uint32_t> children) { return join(ExpressionKind::kAnd, std::move(children)); }
  uint32_t add_or(std::vector<uint32_t> children) { return join(ExpressionKind::kOr, std::move(children)); }
  uint32_t add_not(uint32_t child) { return add({ExpressionKind::kNot, 0, {child}}); }

  // ---- condition
  uint32_t compile_condition(const std::vector<uint32_t>& selections) {
    std::vector<uint32_t> done;
    for (const sigma::ConditionNode& node : rule_.condition) {
      if (node.kind == sigma::NodeKind::kSelection) {
        if (node.selection >= selections.size()) return refuse(rule_.span, "C012", "the condition names a selection that is not there", "check the rule's condition");
        done.push_back(selections[node.selection]);
        continue;
      }
      std::vector<uint32_t> children;
      for (const uint32_t child : node.children) {
        if (child >= done.size()) return refuse(rule_.span, "C012", "the condition is not in order", "check the rule's condition");
        children.push_back(done[child]);
      }
      const bool is_not = node.kind == sigma::NodeKind::kNot;
      if (children.empty() || (is_not && children.size() != 1)) return refuse(rule_.span, "C012", "a part of the condition is empty", "check the rule's condition");
      if (is_not) done.push_back(add_not(children[0]));
      else done.push_back(node.kind == sigma::NodeKind::kAnd ? add_and(std::move(children)) : add_or(std::move(children)));
    }
    if (done.empty()) return refuse(rule_.span, "C012", "the rule has no condition", "write a condition that names at least one selection");
    return done.back();
  }

  uint32_t with_restrictions(uint32_t condition) {
    std::vector<uint32_t> parts;
    if (bound_.logsource != nullptr) {
      for (const schema::Restriction& restriction : bound_.logsource->when) {
        const auto input = type_.input_index(restriction.input);
        if (!input) return refuse(rule_.logsource_span, "C002", fmt::format("the log source is restricted by `{}`, which {} does not have", restriction.input, type_.id), "correct the Template Type");
        std::vector<uint32_t> values;
        for (const std::string& value : restriction.values) values.push_back(literal(PredicateKind::kEquals, *input, value, false));
        parts.push_back(add_or(std::move(values)));
      }
    }
    parts.push_back(condition);
    return add_and(std::move(parts));
  }

  uint32_t compile_selection(const sigma::Selection& selection) {
    std::vector<uint32_t> alternatives;
    for (const sigma::Alternative& alternative : selection.alternatives) {
      std::vector<uint32_t> items;
      for (const sigma::Item& item : alternative.items) items.push_back(compile_item(item));
      if (items.empty()) return refuse(selection.span, "C012", fmt::format("the selection `{}` is empty", selection.name), "give it a field or a keyword");
      alternatives.push_back(add_and(std::move(items)));
    }
    if (alternatives.empty()) return refuse(selection.span, "C012", fmt::format("the selection `{}` is empty", selection.name), "give it a field or a keyword");
    return add_or(std::move(alternatives));
  }

  // ---- items
  uint32_t compile_item(const sigma::Item& item) {
    uint32_t input = channel::kEveryValue;
    if (!item.is_keyword()) {
      const auto found = type_.input_index(item.field);
      if (!found) return refuse(item.span, "C002", fmt::format("`{}` is not an input of {}", item.field, type_.id), "see the Type's reference page for its inputs");
      input = *found;
    }
    const std::optional<Plan> plan = plan_of(item);
    if (!plan) return add_or({});
    std::vector<uint32_t> values;
    for (const sigma::Value& value : item.values) values.push_back(compile_value(item, *plan, input, value));
    const uint32_t holds = plan->all ? add_and(std::move(values)) : add_or(std::move(values));
    return plan->negated ? add_not(holds) : holds;
  }

  static bool is_transform(Modifier m) {
    return m == Modifier::kBase64 || m == Modifier::kBase64Offset || m == Modifier::kUtf16 || m == Modifier::kUtf16Le || m == Modifier::kUtf16Be || m == Modifier::kWide || m == Modifier::kWindash ||
           m == Modifier::kContains || m == Modifier::kStartsWith || m == Modifier::kEndsWith;
  }

  // What a line does with its values: at most one of these.
  static bool is_mode(Modifier m) {
    return m == Modifier::kRegex || m == Modifier::kCidr || m == Modifier::kExists || m == Modifier::kFieldRef || m == Modifier::kLess || m == Modifier::kLessOrEqual || m == Modifier::kGreater || m == Modifier::kGreaterOrEqual;
  }

  static std::optional<channel::TimePart> time_part_of(Modifier m) {
    switch (m) {
      case Modifier::kMinute: return channel::TimePart::kMinute;
      case Modifier::kHour: return channel::TimePart::kHour;
      case Modifier::kDay: return channel::TimePart::kDay;
      case Modifier::kWeek: return channel::TimePart::kWeek;
      case Modifier::kMonth: return channel::TimePart::kMonth;
      case Modifier::kYear: return channel::TimePart::kYear;
      default: return std::nullopt;
    }
  }

  std::optional<Plan> no_plan(const sigma::Item& item, std::string_view code, std::string message, std::string help) {
    refuse(item.span, code, std::move(message), std::move(help));
    return std::nullopt;
  }

  std::optional<Plan> plan_of(const sigma::Item& item) {
    Plan plan;
    int modes = 0;
    for (const Modifier m : item.modifiers) {
      modes += is_mode(m) ? 1 : 0;
      if (is_transform(m)) {
        plan.transforms.push_back(m);
        if (m == Modifier::kContains) plan.shape = Shape::kContains;
        if (m == Modifier::kStartsWith) plan.shape = Shape::kStartsWith;
        if (m == Modifier::kEndsWith) plan.shape = Shape::kEndsWith;
        continue;
      }
      if (const auto part = time_part_of(m)) {
        if (plan.time_part) modes = 2;  // two parts are as wrong as two modes
        plan.time_part = *part;
        continue;
      }
      switch (m) {
        case Modifier::kAll: plan.all = true; break;
        case Modifier::kExact: break;
        case Modifier::kNotEqual: plan.negated = true; break;  // of the line as a whole: an absent field is different, too
        case Modifier::kCased: plan.cased = true; break;
        case Modifier::kRegex: plan.mode = Mode::kRegex; break;
        case Modifier::kRegexIgnoreCase: plan.regex.ignore_case = true; break;
        case Modifier::kRegexMultiLine: plan.regex.multi_line = true; break;
        case Modifier::kRegexDotAll: plan.regex.dot_all = true; break;
        case Modifier::kCidr: plan.mode = Mode::kCidr; break;
        case Modifier::kExists: plan.mode = Mode::kExists; break;
        case Modifier::kFieldRef: plan.mode = Mode::kFieldRef; break;
        case Modifier::kLess: plan.mode = Mode::kCompare, plan.comparison = PredicateKind::kLess; break;
        case Modifier::kLessOrEqual: plan.mode = Mode::kCompare, plan.comparison = PredicateKind::kLessOrEqual; break;
        case Modifier::kGreater: plan.mode = Mode::kCompare, plan.comparison = PredicateKind::kGreater; break;
        case Modifier::kGreaterOrEqual: plan.mode = Mode::kCompare, plan.comparison = PredicateKind::kGreaterOrEqual; break;
        case Modifier::kExpand: return no_plan(item, "C008", "a placeholder (`expand`) was left in the parsed rule", "give the rules to sigma::resolve first, which puts the values of placeholders into them");
        default: return no_plan(item, "C003", fmt::format("the modifier `{}` is not supported", sigma::to_string(m)), "write the line without it");
      }
    }
    if (plan.time_part && plan.mode == Mode::kText) plan.mode = Mode::kTimePart;
    return checked(item, plan, modes);
  }

  std::optional<Plan> checked(const sigma::Item& item, const Plan& plan, int modes) {
    const bool texts_allowed = plan.mode == Mode::kText;
    const auto only_shapes = [](Modifier m) { return m == Modifier::kContains || m == Modifier::kStartsWith || m == Modifier::kEndsWith; };
    const auto is_shape = std::ranges::count_if(plan.transforms, only_shapes);
    const bool transforms_fit = texts_allowed || plan.transforms.empty() || (plan.mode == Mode::kFieldRef && static_cast<size_t>(is_shape) == plan.transforms.size());
    const bool cased_fits = !plan.cased || texts_allowed || plan.mode == Mode::kFieldRef;
    const bool keyword_fits = !item.is_keyword() || plan.mode == Mode::kRegex || (texts_allowed && plan.shape != Shape::kStartsWith && plan.shape != Shape::kEndsWith);
    const bool part_fits = !plan.time_part || plan.mode == Mode::kTimePart || plan.mode == Mode::kCompare;
    if (modes > 1 || is_shape > 1 || !part_fits || !transforms_fit || !cased_fits || !keyword_fits) {
      std::string chain;
      for (const Modifier m : item.modifiers) chain += fmt::format("|{}", sigma::to_string(m));
      return no_plan(item, "C003", fmt::format("the modifiers `{}` do not go together{}", chain, item.is_keyword() ? " for a keyword" : ""), "use one of `contains`, `startswith`, `endswith`, `re`, `cidr`, `exists`, `fieldref` or a comparison");
    }
    return plan;
  }

  uint32_t compile_value(const sigma::Item& item, const Plan& plan, uint32_t input, const sigma::Value& value) {
    if (value.text.size() > limits::kPatternBytesMax) {
      return refuse(value.span, "C013", fmt::format("a value has {} bytes, at most {} are allowed", value.text.size(), limits::kPatternBytesMax), "shorten the value");
    }
    if (value.kind == ValueKind::kNull) return compile_null(item, plan, input, value);
    switch (plan.mode) {
      case Mode::kText: return compile_text(item, plan, input, value);
      case Mode::kRegex: return compile_regex_value(plan, input, value);
      case Mode::kCidr: return compile_cidr(input, value);
      case Mode::kExists: return compile_exists(input, value);
      case Mode::kFieldRef: return compile_field_ref(plan, input, value);
      case Mode::kCompare: return plan.time_part ? compile_time_part(plan, input, value) : compile_comparison(plan, input, value);
      case Mode::kTimePart: return compile_time_part(plan, input, value);
    }
    return add_or({});
  }

  uint32_t present(uint32_t input) { return leaf({.kind = PredicateKind::kPresent, .input = input}); }

  uint32_t compile_null(const sigma::Item& item, const Plan& plan, uint32_t input, const sigma::Value& value) {
    if (item.is_keyword() || plan.mode != Mode::kText || !plan.transforms.empty()) {
      return refuse(value.span, "C004", "null goes with no modifier and is no keyword", "write `field: null` for an absent field, `field: ''` for an empty one");
    }
    return add_not(present(input));
  }

  // ---- texts
  uint32_t literal(PredicateKind kind, uint32_t input, std::string_view text, bool cased) {
    if (text.empty() && kind != PredicateKind::kEquals) return present(input);
    const uint32_t folded = leaf({.kind = kind, .input = input, .text = channel::fold(text)});
    if (!cased) return folded;
    // The folded form is cheaper to look for and follows from the other.
    return add_and({folded, leaf({.kind = kind, .cased = true, .input = input, .text = std::string(text)})});
  }

  uint32_t glob(uint32_t input, const Pattern& pattern, bool cased) {
    std::vector<uint32_t> parts;
    // Its longest texts follow from the pattern, and are found by the index or soon looked for.
    constexpr size_t kTextsAsked = 3;
    std::vector<size_t> texts;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i].kind == GlobKind::kText) texts.push_back(i);
    }
    std::ranges::stable_sort(texts, std::greater<>(), [&](size_t i) { return pattern[i].text.size(); });
    if (texts.size() > kTextsAsked) texts.resize(kTextsAsked);
    for (const size_t i : texts) {
      const PredicateKind kind = i == 0 ? PredicateKind::kStartsWith : i + 1 == pattern.size() ? PredicateKind::kEndsWith : PredicateKind::kContains;
      if (i == texts[0] || pattern[i].text.size() > 1) parts.push_back(literal(kind, input, pattern[i].text, false));
    }
    PredicateSpec spec{.kind = PredicateKind::kGlob, .cased = cased, .input = input, .glob = pattern};
    for (Token& token : spec.glob) {
      if (!cased) token.text = channel::fold(token.text);
    }
    parts.push_back(leaf(std::move(spec)));
    return add_and(std::move(parts));
  }

  uint32_t compile_pattern(uint32_t input, const Pattern& pattern, bool cased) {
    const auto is = [&](size_t i, GlobKind kind) { return pattern[i].kind == kind; };
    const size_t n = pattern.size();
    if (n == 0) return literal(PredicateKind::kEquals, input, "", cased);
    if (n == 1 && is(0, GlobKind::kText)) return literal(PredicateKind::kEquals, input, pattern[0].text, cased);
    if (n == 1 && is(0, GlobKind::kAnyRun)) return present(input);
    if (n == 2 && is(0, GlobKind::kText) && is(1, GlobKind::kAnyRun)) return literal(PredicateKind::kStartsWith, input, pattern[0].text, cased);
    if (n == 2 && is(0, GlobKind::kAnyRun) && is(1, GlobKind::kText)) return literal(PredicateKind::kEndsWith, input, pattern[1].text, cased);
    if (n == 3 && is(0, GlobKind::kAnyRun) && is(1, GlobKind::kText) && is(2, GlobKind::kAnyRun)) return literal(PredicateKind::kContains, input, pattern[1].text, cased);
    return glob(input, pattern, cased);
  }

  static bool encodes(Modifier m) { return is_transform(m) && m != Modifier::kContains && m != Modifier::kStartsWith && m != Modifier::kEndsWith && m != Modifier::kWindash; }

  bool spell_out_dashes(const sigma::Value& value, std::vector<Pattern>& forms) {
    std::vector<Pattern> spelled;
    for (const Pattern& form : forms) {
      std::vector<Pattern> some = expand_dashes(form);
      spelled.insert(spelled.end(), some.begin(), some.end());
      if (some.empty() || spelled.size() > limits::kDashFormsMax) {
        refuse(value.span, "C004", fmt::format("a value has too many dashes for `windash` before an encoding: more than {} forms", limits::kDashFormsMax), "split the value, or leave `windash` away");
        return false;
      }
    }
    forms = std::move(spelled);
    return true;
  }

  // Applies one modifier to every form that a value has so far. Nothing: refused.
  bool transform(Modifier m, const sigma::Value& value, std::vector<Pattern>& forms) {
    std::vector<Pattern> next;
    if (encodes(m) && !spell_out_dashes(value, forms)) return false;
    for (const Pattern& form : forms) {
      switch (m) {
        case Modifier::kContains: next.push_back(wrap(form, true, true)); break;
        case Modifier::kStartsWith: next.push_back(wrap(form, false, true)); break;
        case Modifier::kEndsWith: next.push_back(wrap(form, true, false)); break;
        case Modifier::kWindash: next.push_back(windash(form)); break;
        case Modifier::kWide:
        case Modifier::kUtf16Le: next.push_back(encode_utf16(form, Encoding::kUtf16Le)); break;
        case Modifier::kUtf16Be: next.push_back(encode_utf16(form, Encoding::kUtf16Be)); break;
        case Modifier::kUtf16: next.push_back(encode_utf16(form, Encoding::kUtf16WithMark)); break;
        default: {
          auto encoded = base64(form, m == Modifier::kBase64Offset);
          if (!encoded) {
            refuse(value.span, "C004", fmt::format("`{}` cannot be applied: {}", sigma::to_string(m), encoded.error()), "check the order of the modifiers and the value");
            return false;
          }
          next.insert(next.end(), encoded->begin(), encoded->end());
        }
      }
    }
    forms = std::move(next);
    return true;
  }

  uint32_t compile_text(const sigma::Item& item, const Plan& plan, uint32_t input, const sigma::Value& value) {
    std::vector<Pattern> forms;
    if (value.kind == ValueKind::kString) forms.push_back(parse_pattern(value.text));
    else forms.push_back(tidy({{GlobKind::kText, value.text}}));
    for (const Modifier m : plan.transforms) {
      if (!transform(m, value, forms)) return add_or({});
    }
    std::vector<uint32_t> alternatives;
    for (const Pattern& form : forms) {
      const Pattern wrapped = item.is_keyword() ? wrap(form, true, true) : form;
      for (const Pattern& one : expand_single_dash(wrapped)) alternatives.push_back(compile_pattern(input, one, plan.cased));
    }
    return add_or(std::move(alternatives));
  }

  // ---- the other modes
  uint32_t compile_regex_value(const Plan& plan, uint32_t input, const sigma::Value& value) {
    auto program = compile_regex(value.text, plan.regex);
    if (!program) {
      const RegexProblem& problem = program.error();
      if (problem.too_large) return refuse(value.span, "C006", fmt::format("the regular expression is too large: {}", problem.message), "use smaller counts, or `contains` instead");
      return refuse(value.span, "C005", fmt::format("the regular expression is not supported at byte {}: {}", problem.position + 1, problem.message), "the syntax is RE2's; see docs/reference/channel-format.md");
    }
    std::vector<uint32_t> parts;
    for (const auto& list : program->required) {
      std::vector<uint32_t> wanted;
      for (const std::string& text : list) wanted.push_back(leaf({.kind = PredicateKind::kContains, .input = input, .text = text}));
      parts.push_back(add_or(std::move(wanted)));
    }
    PredicateSpec spec{.kind = PredicateKind::kRegex, .input = input};
    spec.text = fmt::format("{}{}{} {}", plan.regex.ignore_case ? "i" : "", plan.regex.multi_line ? "m" : "", plan.regex.dot_all ? "s" : "", value.text);
    spec.regex = std::make_shared<RegexProgram>(std::move(*program));
    parts.push_back(leaf(std::move(spec)));
    return add_and(std::move(parts));
  }

  uint32_t compile_cidr(uint32_t input, const sigma::Value& value) {
    const std::string_view text = value.text;
    const size_t slash = text.find('/');
    auto address = channel::parse_address(text.substr(0, slash));
    const auto invalid = [&] { return refuse(value.span, "C007", fmt::format("`{}` is not an address range", printable(text)), "write it as 192.0.2.0/24 or 2001:db8::/32"); };
    if (!address) return invalid();
    uint32_t bits = address->family == 4 ? 32 : 128;
    if (slash != std::string_view::npos) {
      const std::string_view length = text.substr(slash + 1);
      uint32_t given = 0;
      const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), given);
      if (error != std::errc() || end != length.data() + length.size() || given > bits) return invalid();
      bits = given;
    }
    for (uint32_t bit = bits; bit < 128; ++bit) address->bytes[bit / 8] &= static_cast<uint8_t>(~(0x80u >> (bit % 8)));
    return leaf({.kind = PredicateKind::kCidr, .input = input, .other = address->family << 8 | bits, .text = std::string(as_text(address->bytes))});
  }

  static std::string printable(std::string_view text) {
    std::string out(text.substr(0, 80));
    std::ranges::replace_if(out, [](char c) { return static_cast<uint8_t>(c) < ' ' || c == 0x7f; }, '.');
    return out;
  }

  uint32_t compile_exists(uint32_t input, const sigma::Value& value) {
    const std::string text = channel::fold(value.text);
    const bool yes = text == "true" || text == "yes" || text == "on";
    const bool no = text == "false" || text == "no" || text == "off";
    if (!yes && !no) return refuse(value.span, "C004", "`exists` needs true or false", "write `field|exists: true`");
    const uint32_t there = present(input);
    return yes ? there : add_not(there);
  }

  uint32_t compile_field_ref(const Plan& plan, uint32_t input, const sigma::Value& value) {
    const auto other = type_.input_index(value.text);
    if (!other) return refuse(value.span, "C010", fmt::format("`{}` is not an input of {}", printable(value.text), type_.id), "`fieldref` takes the name of another field of the same event");
    PredicateKind kind = PredicateKind::kFieldEquals;
    if (plan.shape == Shape::kStartsWith) kind = PredicateKind::kFieldStartsWith;
    if (plan.shape == Shape::kEndsWith) kind = PredicateKind::kFieldEndsWith;
    if (plan.shape == Shape::kContains) kind = PredicateKind::kFieldContains;
    return leaf({.kind = kind, .cased = plan.cased, .input = input, .other = *other});
  }

  uint32_t compile_comparison(const Plan& plan, uint32_t input, const sigma::Value& value) {
    double number = 0;
    const char* const end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    if (error != std::errc() || stop != end || value.text.empty() || !std::isfinite(number)) {
      return refuse(value.span, "C004", fmt::format("`{}` is not a number", printable(value.text)), "comparisons need a decimal number");
    }
    int64_t whole = 0;
    const auto [whole_stop, whole_error] = std::from_chars(value.text.data(), end, whole);
    if (whole_error == std::errc() && whole_stop == end) {
      return leaf({.kind = plan.comparison, .input = input, .other = static_cast<uint32_t>(channel::NumberForm::kWhole), .number = static_cast<uint64_t>(whole)});
    }
    return leaf({.kind = plan.comparison, .input = input, .number = std::bit_cast<uint64_t>(number)});
  }

  uint32_t compile_time_part(const Plan& plan, uint32_t input, const sigma::Value& value) {
    uint32_t number = 0;
    const char* const end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    if (error != std::errc() || stop != end || value.text.size() > 4 || number > channel::kTimeNumberMax) {
      return refuse(value.span, "C004", fmt::format("`{}` is no number that a part of a time can be", printable(value.text)), "write a whole number, for example `hour: 22`");
    }
    auto test = channel::NumberTest::kEqual;
    if (plan.mode == Mode::kCompare) {
      test = plan.comparison == PredicateKind::kLess          ? channel::NumberTest::kLess
             : plan.comparison == PredicateKind::kLessOrEqual ? channel::NumberTest::kLessOrEqual
             : plan.comparison == PredicateKind::kGreater     ? channel::NumberTest::kGreater
                                                              : channel::NumberTest::kGreaterOrEqual;
    }
    return leaf({.kind = PredicateKind::kTimePart, .input = input, .other = static_cast<uint32_t>(*plan.time_part) << 8 | static_cast<uint32_t>(test), .number = number});
  }

  const schema::TemplateType& type_;
  const BoundRule& bound_;
  const sigma::Rule& rule_;
  Diagnostics& diagnostics_;
  std::string origin_;  // file of the selection that is being compiled, where it is not the rule's
  CompiledRule out_;
  bool refused_ = false;
};

}  // namespace

std::string PredicateSpec::key() const {
  std::string out = fmt::format("{} {} {} {} {} ", static_cast<int>(kind), cased, input, other, number);
  for (const Token& token : glob) out += fmt::format("{}:{}:{}", static_cast<uint32_t>(token.kind), token.text.size(), token.text);
  return out + text;
}

std::optional<CompiledRule> compile_rule(const schema::TemplateType& type, const BoundRule& bound, Diagnostics& diagnostics) { return RuleCompiler(type, bound, diagnostics).run(); }

}  // namespace creance::compiler

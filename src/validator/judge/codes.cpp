#include "validator/judge/codes.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace creance::validator {
namespace {
constexpr std::array kCodes{
    JudgeCode{"J001", Severity::kError, "A cases file is not readable YAML.", "correct the YAML; keys occur once, aliases are not taken"},
    JudgeCode{"J002", Severity::kError, "A key of a cases file is missing or has the wrong kind of value.", "a document has `rule` and `cases`; a case has `name`, `match` (true or false) and a flat `event`"},
    JudgeCode{"J003", Severity::kError, "A key of a cases file does not exist.", "a case takes name, match, event, type and unavailable; one of a correlation name, hits, events and type"},
    JudgeCode{"J004", Severity::kError, "A cases file names a rule that is not in the rule file beside it.", "correct the id; `x.cases.yml` belongs to `x.yml`"},
    JudgeCode{"J005", Severity::kWarning, "A rule has no cases.", "write two events that it must match and two that it must not into the file `<rule>.cases.yml` beside it"},
    JudgeCode{"J006", Severity::kError, "Two cases of one rule have the same name.", "rename one of them"},
    JudgeCode{"J007", Severity::kWarning, "A rule has fewer than two cases of a kind.", "write at least two events that must match and two that must not"},
    JudgeCode{"J008", Severity::kNote, "No case gives a value to an input that the rule reads.", "add a case in which the event has this field"},
    JudgeCode{"J009", Severity::kError, "A case names an unavailable input that the Template Type does not have.", "name an input of the Type"},
    JudgeCode{"J010", Severity::kError, "A rule has cases but cannot be judged.", "see the diagnostics of the rule"},
    JudgeCode{"J011", Severity::kError, "A cases file cannot be read.", "check the file and its permissions"},
    JudgeCode{"J012", Severity::kError, "A rule with cases has no id.", "give the rule an id; cases name their rule by it"},
    JudgeCode{"J013", Severity::kError, "The reference evaluator refuses a rule that the compiler takes.", "report this: the two judges must take the same rules"},
    JudgeCode{"J014", Severity::kError, "A case of a rule is a sequence, or one of a correlation is none.", "a rule's case has `event` and `match`, a correlation's `events` and `hits`"},
    JudgeCode{"J015", Severity::kError, "A cases file has no case.", "write at least one case, or remove the file"},
    JudgeCode{"J016", Severity::kWarning, "A cases file has no rule file beside it.", "name it after its rule file: `x.cases.yml` belongs to `x.yml`"},
};
}  // namespace

std::span<const JudgeCode> judge_codes() { return kCodes; }

Diagnostic judge_diagnostic(std::string_view code, const std::string& file, Span span, std::string message, std::string help) {
  const auto info = std::ranges::find(kCodes, code, &JudgeCode::code);
  CHECK(info != kCodes.end());
  return {file, span, info->severity, std::string(code), std::move(message), help.empty() ? std::string(info->help) : std::move(help)};
}

}  // namespace creance::validator

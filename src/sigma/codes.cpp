#include "sigma/codes.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::sigma {
namespace {
constexpr Severity kError = Severity::kError;
constexpr Severity kWarning = Severity::kWarning;
constexpr Severity kNote = Severity::kNote;

constexpr std::array kCodes{
    // --- the file and its YAML
    CodeInfo{"S001", kError, "The file is larger than a rule may be.", "split the file, or move long value lists into several rules"},
    CodeInfo{"S002", kError, "The file is not UTF-8 text.", "save the file as UTF-8 without control characters"},
    CodeInfo{"S003", kError, "A tab stands where YAML wants spaces.", "indent with spaces"},
    CodeInfo{"S004", kError, "The text is not valid YAML.", "check indentation, quotes and brackets at and just before this place"},
    CodeInfo{"S005", kError, "The document is nested too deeply.", "no Sigma rule needs this; flatten the document"},
    CodeInfo{"S006", kError, "The document has too many nodes, or its aliases expand to too many.", "split the rule; write repeated parts once"},
    CodeInfo{"S007", kError, "A key occurs twice in one map.", "remove one of them or join their values in a list; YAML tools silently keep only one"},
    CodeInfo{"S008", kError, "A key is not plain text.", "write the key as one word, followed by a colon; a bracket that is never closed reads as a key, too"},
    CodeInfo{"S009", kError, "A YAML tag has no meaning here.", "remove the tag (`!…`); quote a value to make it text"},
    CodeInfo{"S010", kError, "An alias refers to the node that it stands in.", "write the value out"},
    CodeInfo{"S011", kError, "A merge key (`<<`) is not part of YAML 1.2.", "write the entries out"},
    CodeInfo{"S012", kError, "The file has no document.", "write a rule with title, logsource and detection"},
    CodeInfo{"S013", kError, "A document is not a map.", "a rule is a map of keys such as title, logsource and detection"},
    CodeInfo{"S014", kError, "The legacy multi-part form (`action:`) is not Sigma 2.", "write each rule as a document of its own, or use a correlation rule"},
    // --- the rule's keys
    CodeInfo{"S020", kError, "A required key is missing or empty.", "a rule needs title, logsource and detection with a condition"},
    CodeInfo{"S021", kError, "A key has the wrong kind of value.", "see the Sigma specification for the kind that this key takes"},
    CodeInfo{"S022", kWarning, "A key is not part of the Sigma specification.", "custom keys are allowed and ignored; check that this one is meant"},
    CodeInfo{"S023", kWarning, "A key is almost one of the Sigma specification.", "correct the spelling; as written, the key is ignored"},
    CodeInfo{"S024", kError, "The level is none of the five.", "use informational, low, medium, high or critical"},
    CodeInfo{"S025", kError, "The status is none of the five.", "use stable, test, experimental, deprecated or unsupported"},
    CodeInfo{"S026", kWarning, "A date is not written as YYYY-MM-DD, or does not exist.", "write dates as 2026-11-23"},
    CodeInfo{"S027", kWarning, "The id is not a UUID.", "use a random UUID (version 4), for example from `uuidgen`"},
    CodeInfo{"S028", kWarning, "The rule has no id.", "give it a random UUID (version 4), for example from `uuidgen`; detections are recorded under it"},
    CodeInfo{"S029", kWarning, "A text is longer than the specification allows.", "shorten it"},
    CodeInfo{"S030", kWarning, "A tag is not of the form `namespace.name`.", "use lower-case letters, digits, `_`, `-`, and a dot after the namespace: attack.t1055"},
    CodeInfo{"S031", kWarning, "An optional key has no value.", "give it a value or remove it"},
    CodeInfo{"S032", kError, "The log source names neither product, category nor service.", "name at least one, for example `category: process_creation`"},
    CodeInfo{"S033", kWarning, "A key of the log source is not part of the specification.", "only product, category and service choose the log source; the rest is ignored"},
    CodeInfo{"S034", kWarning, "A name of the log source is not in lower case.", "write it in lower case; it is compared so"},
    CodeInfo{"S035", kWarning, "An entry of `related` is incomplete or unknown.", "an entry has an id (UUID) and a type: correlation, derived, obsolete, merged, renamed or similar"},
    CodeInfo{"S036", kError, "Two rules of one file have the same id.", "give each rule an id of its own"},
    CodeInfo{"S037", kError, "No mapping knows the taxonomy of the rule.", "give a pipeline with a mapping for this taxonomy, or use the names of the Sigma taxonomy and remove the key"},
    CodeInfo{"S038", kWarning, "A text is written as a number or truth value.", "quote it; it is taken as it is written, but other tools take it as something else or refuse it"},
    CodeInfo{"S039", kWarning, "A level or status is not in lower case.", "write it in lower case; it is read so"},
    // --- detection
    CodeInfo{"S041", kError, "The detection has no search identifier.", "add at least one map or list of values and name it in the condition"},
    CodeInfo{"S042", kError, "A search identifier is neither a map, a list nor a text, or its name is too long.", "write `name:` and below it a map of fields, or a list of keywords"},
    CodeInfo{"S043", kError, "A list or map is empty.", "add an entry or remove the key; an empty one would match nothing or everything"},
    CodeInfo{"S045", kError, "A value is not a scalar.", "a field takes one value or a plain list of values"},
    CodeInfo{"S046", kError, "A modifier does not exist.", "see the Sigma modifiers: contains, startswith, endswith, all, re, cidr, …"},
    CodeInfo{"S047", kError, "Modifiers do not go together.", "remove one of them"},
    CodeInfo{"S048", kError, "A value does not fit its modifier.", "change the value or the modifier"},
    CodeInfo{"S049", kError, "A placeholder (`expand`) has no values.", "give its values with `--placeholders FILE`, or in a pipeline; the file is a map of names and values"},
    CodeInfo{"S050", kWarning, "`all` with a single value has no effect.", "remove `all`, or add the other values"},
    CodeInfo{"S051", kError, "The rule has too many values.", "long indicator lists do not belong into a rule; split it"},
    CodeInfo{"S053", kError, "A field has no name.", "write the field before the modifiers; keywords are a plain list or use `'|all':`"},
    CodeInfo{"S054", kError, "A keyword is null.", "quote it to search for the word, or remove it"},
    CodeInfo{"S055", kWarning, "`base64offset` without `contains` can hardly match.", "add `contains` after it"},
    CodeInfo{"S056", kWarning, "An empty text matches every value with this modifier.", "remove the empty text"},
    CodeInfo{"S057", kWarning, "A plain value is a number in another base to YAML.", "quote it to compare the text as written"},
    CodeInfo{"S058", kWarning, "A search identifier is a text instead of a list.", "write it as a list, `name: [text]`; it is taken as its one keyword"},
    // --- condition
    CodeInfo{"S060", kError, "The condition is not well formed.", "a condition joins search identifiers with and, or, not, parentheses, `1 of name*` and `all of name*`"},
    CodeInfo{"S061", kError, "The condition names a search identifier that does not exist.", "name one of the detection's search identifiers"},
    CodeInfo{"S062", kError, "A pattern of the condition matches no search identifier.", "correct the pattern or add a search identifier that it matches"},
    CodeInfo{"S063", kWarning, "A search identifier is not used by the condition.", "use it in the condition or remove it"},
    CodeInfo{"S064", kError, "The condition is nested too deeply or too large.", "simplify it; `1 of name*` replaces long chains"},
    CodeInfo{"S065", kError, "The old aggregation form (`| count()`, `| near`, …) is not Sigma 2.", "write a correlation rule (event_count, value_count, temporal) instead"},
    CodeInfo{"S068", kWarning, "`timeframe` has no effect.", "remove it: it belongs to the old aggregation form; a correlation rule has `timespan` instead"},
    CodeInfo{"S070", kError, "A search identifier has the name of a condition's word.", "rename it; and, or, not, of, them, all, any and 1 have a meaning of their own"},
    // --- correlations
    CodeInfo{"S100", kError, "A correlation lacks a part that its type needs.", "a correlation has type, rules, timespan and, unless it is temporal, a condition; the value types also need `field` in the condition"},
    CodeInfo{"S101", kError, "A part of a correlation has the wrong kind of value.", "see the Sigma correlation specification for the kind that this key takes"},
    CodeInfo{"S102", kError, "A key of a correlation does not exist.", "a correlation takes type, rules, group-by, timespan, condition, aliases and generate"},
    CodeInfo{"S103", kError, "The type of a correlation does not exist.", "use event_count, value_count, temporal, temporal_ordered, value_sum, value_max, value_min, value_avg, value_percentile or value_median"},
    CodeInfo{"S104", kError, "A timespan is not a number and a unit.", "write a whole number and s, m, h, d, w, M or y, for example `10m`; no longer than ten years"},
    CodeInfo{"S105", kError, "A threshold is not a number, or no number can satisfy the condition.", "write plain decimal numbers; a range has one lower and one upper bound, as in `gt: 100` and `lte: 200`"},
    CodeInfo{"S106", kError, "The condition in words of a correlation is not well formed.", "join the names of the rules with and, or, not and parentheses"},
    CodeInfo{"S107", kError, "A part of the condition does not fit the type of the correlation.", "only temporal types take a condition in words, only the value types take `field`, only value_percentile takes `percentile`"},
    CodeInfo{"S108", kWarning, "A correlation has no `group-by`: all events are one group.", "name the fields whose values belong together, for example the host or the user"},
    CodeInfo{"S109", kError, "An alias names a rule that the correlation does not.", "aliases map to fields of the rules that stand in `rules`, by the names that they have there"},
    CodeInfo{"S110", kError, "A name occurs twice in a list of a correlation.", "remove one of them"},
    CodeInfo{"S111", kWarning, "An alias is not used.", "name it in `group-by` or in the condition's `field`, or remove it"},
    CodeInfo{"S112", kError, "An alias that is used has no field for one of the rules.", "give the alias a field for every rule of the correlation"},
    CodeInfo{"S113", kError, "A rule of the correlation does not occur in its condition.", "use it in the condition, or remove it from `rules`"},
    CodeInfo{"S114", kWarning, "The condition holds with the first event already.", "each event will be a hit; raise the lower bound if that is not meant"},
    CodeInfo{"S115", kError, "A correlation has too many rules, fields or aliases.", "split it; correlations can refer to each other"},
    CodeInfo{"S116", kWarning, "The unit of a timespan is not in the specification.", "other tools may refuse it; use s, m, h or d"},
    CodeInfo{"S117", kError, "A document is both a rule and a correlation.", "write the rule as a document of its own and name it in `rules`"},
    CodeInfo{"S120", kError, "A correlation names a rule that does not exist.", "name a rule or correlation by its id or `name`; it must be among the files given, and free of errors"},
    CodeInfo{"S121", kError, "A correlation names a rule by a name that several have.", "refer to it by its id, or give each its own name"},
    CodeInfo{"S122", kError, "Correlations refer to each other in a circle.", "remove one of the references"},
    CodeInfo{"S123", kError, "A correlation refers to one that cannot be used.", "correct the other one first"},
    // --- filters, pipelines, placeholders
    CodeInfo{"S140", kError, "A filter lacks a part, or is no map.", "a filter has `rules`, at least one selection and a condition"},
    CodeInfo{"S141", kError, "The `rules` of a filter are no list of ids and names.", "list ids or names of rules, each once, or write `rules: any`"},
    CodeInfo{"S142", kWarning, "A filter names a rule that is not there.", "name a rule by its id or `name`; it must be among the files given, and free of errors"},
    CodeInfo{"S143", kWarning, "A filter names a rule of another log source; it is not applied to it.", "each part of the filter's log source must be that of the rule"},
    CodeInfo{"S144", kWarning, "A filter for any rule finds none of its log source.", "correct the log source, or remove the filter"},
    CodeInfo{"S145", kError, "A filter names a correlation.", "name the rules that the correlation refers to; filters look at events"},
    CodeInfo{"S146", kWarning, "A filter keeps what it describes instead of leaving it out.", "its condition must hold beside the rule's: write `condition: not selection` to leave out what the selection describes"},
    CodeInfo{"S147", kError, "A filter names a rule by a name that several have.", "refer to it by its id, or give each its own name"},
    CodeInfo{"S148", kError, "A key of a pipeline does not exist.", "a pipeline has include, placeholders and mappings; a mapping logsource, taxonomy, to, fields and add"},
    CodeInfo{"S149", kError, "A part of a pipeline has the wrong kind of value.", "see the how-to on rules for the form of a pipeline"},
    CodeInfo{"S150", kError, "A file that a pipeline includes cannot be taken.", "name files in the same folder or below it; no file may include itself, over others either"},
    CodeInfo{"S151", kError, "A placeholder has values in two places.", "keep one of them"},
    CodeInfo{"S152", kWarning, "A value with `expand` has no placeholder.", "write `%name%`, or remove the modifier"},
    CodeInfo{"S153", kError, "A mapping is for no rules, or changes nothing.", "give it a `logsource` or a `taxonomy`, and at least one of `to`, `fields` and `add`"},
    CodeInfo{"S099", kNote, "The file has more diagnostics than are shown.", "correct the first ones and run again"},
    // --- against the Template Types
    CodeInfo{"S201", kError, "No Template Type answers the log source.", "see the list of Template Types in the reference; the rule cannot run on any sensor of this build"},
    CodeInfo{"S202", kError, "A field is no input of the Template Type.", "use an input of the Type; see its reference page"},
    CodeInfo{"S203", kNote, "Template Types answer the log source but lack a field; the rule runs over the others.", "nothing to do if this is meant; otherwise name the log source more exactly"},
};
}  // namespace

std::span<const CodeInfo> codes() { return kCodes; }

const CodeInfo& code_info(std::string_view code) {
  const auto found = std::ranges::find(kCodes, code, &CodeInfo::code);
  CHECK(found != kCodes.end());
  return *found;
}

void Reporter::report(std::string_view code, Span span, std::string message, std::string help) {
  const CodeInfo& info = code_info(code);
  if (info.severity == kError) ++errors_;
  if (is_full()) return;
  if (++reports_ == limits::kDiagnosticsPerFileMax) {
    const CodeInfo& more = code_info("S099");
    out_->push_back({file_, span, more.severity, std::string(more.code), "there are more diagnostics from here on", std::string(more.help)});
    return;
  }
  out_->push_back({file_, span, info.severity, std::string(code), std::move(message), help.empty() ? std::string(info.help) : std::move(help)});
}

bool Reporter::is_full() const { return reports_ >= limits::kDiagnosticsPerFileMax; }

std::string quote(std::string_view text) {
  std::string shown = printable(text);
  std::ranges::replace(shown, '`', '\'');
  return "`" + shown + "`";
}

}  // namespace creance::sigma

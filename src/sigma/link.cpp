// Names of rules -> rules, over all files; circles refused.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "sigma/correlation.hpp"
#include "sigma/rule_index.hpp"

namespace creance::sigma {
namespace {

class Linker {
 public:
  Linker(std::span<const Correlation> correlations, std::span<const Rule> rules, Diagnostics& diagnostics) : correlations_(correlations), diagnostics_(diagnostics), index_(rules, correlations) {}

  std::vector<LinkedCorrelation> run() {
    std::vector<std::vector<Target>> targets(correlations_.size());
    good_.assign(correlations_.size(), true);
    for (uint32_t i = 0; i < correlations_.size(); ++i) {
      if (correlations_[i].refused) {
        good_[i] = false;
        continue;
      }
      for (const Name& name : correlations_[i].rules) {
        const auto target = resolve(correlations_[i], name);
        if (!target) good_[i] = false;
        else if (target->is_correlation && target->index == i) report("S122", i, name.span, fmt::format("the correlation refers to itself by {}", quote(name.text)));
        if (target) targets[i].push_back(*target);
      }
    }
    return order(targets);
  }

 private:
  void report(std::string_view code, uint32_t correlation, Span span, std::string message, std::string help = "") {
    good_[correlation] = false;
    const CodeInfo& info = code_info(code);
    diagnostics_.push_back({correlations_[correlation].file, span, info.severity, std::string(code), std::move(message), help.empty() ? std::string(info.help) : std::move(help)});
  }

  std::optional<Target> resolve(const Correlation& from, const Name& name) {
    const auto at = static_cast<uint32_t>(&from - correlations_.data());
    const std::vector<Target> found = index_.find(name.text, from.file);
    if (found.size() == 1) return found.front();
    if (found.empty()) {
      const auto like = nearest(name.text, index_.names());
      report("S120", at, name.span, fmt::format("there is no rule {}", quote(name.text)), like ? fmt::format("did you mean {}?", quote(*like)) : "");
      return std::nullopt;
    }
    const Metadata& first = index_.what(found[0]);
    const Metadata& second = index_.what(found[1]);
    report("S121", at, name.span, fmt::format("{} rules have the name {}, as in {}:{} and {}:{}", found.size(), quote(name.text), first.file, first.span.line, second.file, second.span.line));
    return std::nullopt;
  }

  // Kahn's algorithm; what is never free of references stands in a circle or behind one.
  std::vector<LinkedCorrelation> order(std::vector<std::vector<Target>>& targets) {
    std::vector<LinkedCorrelation> out;
    std::vector<bool> done(correlations_.size(), false);
    const auto waits_for = [&](uint32_t i) -> const Target* {
      const auto found = std::ranges::find_if(targets[i], [&](const Target& t) { return t.is_correlation && !done[t.index]; });
      return found == targets[i].end() ? nullptr : &*found;
    };
    for (bool progress = true; progress;) {
      progress = false;
      for (uint32_t i = 0; i < correlations_.size(); ++i) {
        if (done[i] || (good_[i] && waits_for(i) != nullptr)) continue;
        done[i] = progress = true;
        const auto refused = std::ranges::find_if(targets[i], [&](const Target& t) { return t.is_correlation && !good_[t.index]; });
        if (good_[i] && refused != targets[i].end()) {
          report("S123", i, correlations_[i].correlation_span, fmt::format("the correlation {} that it refers to cannot be used", quote(correlations_[refused->index].title)));
        }
        if (good_[i]) out.push_back({i, std::move(targets[i])});
      }
    }
    for (uint32_t i = 0; i < correlations_.size(); ++i) {
      if (done[i]) continue;
      const Target* next = waits_for(i);
      report("S122", i, correlations_[i].correlation_span, fmt::format("the correlation and {} wait for each other", quote(correlations_[next->index].title)));
    }
    return out;
  }

  std::span<const Correlation> correlations_;
  Diagnostics& diagnostics_;
  RuleIndex index_;
  std::vector<bool> good_;
};

}  // namespace

std::vector<LinkedCorrelation> link(std::span<const Correlation> correlations, std::span<const Rule> rules, Diagnostics& diagnostics) {
  return Linker(correlations, rules, diagnostics).run();
}

std::vector<std::vector<Target>> references(std::span<const Correlation> correlations, std::span<const Rule> rules) {
  const RuleIndex index(rules, correlations);
  std::vector<std::vector<Target>> out(correlations.size());
  for (uint32_t i = 0; i < correlations.size(); ++i) {
    for (const Name& name : correlations[i].rules) std::ranges::copy(index.find(name.text, correlations[i].file), std::back_inserter(out[i]));
  }
  return out;
}

}  // namespace creance::sigma

#include "rivals.hpp"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>
#include <simdjson.h>
#ifdef CREANCE_WITH_HS
#include <hs/hs.h>
#endif

#include <cstdlib>

#include "base/diagnostic.hpp"
#include "reference/judge.hpp"
#include "sigma/binder.hpp"

namespace creance::bench {
namespace {

// Distinct patterns by Type and input.
using Patterns = std::map<std::pair<const schema::TemplateType*, uint32_t>, std::vector<std::string>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/-").find(c) != std::string_view::npos) out += '\\';
    if (c == '\n' || c == '\r' || c == '\0') out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out;
}

Patterns patterns_of(const Channels& channels) {
  Patterns out;
  for (const auto& [type, channel] : channels) {
    const channel::Layout& l = channel->layout();
    for (const channel::PredicateRecord& p : l.predicates) {
      using enum channel::PredicateKind;
      if (p.kind < kEquals || p.kind > kContains || p.input == channel::kEveryValue || p.operand.count == 0) continue;
      const std::string text = escaped(l.texts.substr(p.operand.first, p.operand.count));
      out[{type, p.input}].push_back((p.kind == kEquals || p.kind == kStartsWith ? "^" : "") + text + (p.kind == kEquals || p.kind == kEndsWith ? "$" : ""));
    }
  }
  return out;
}

template <class Database, class Test>
uint64_t over_values(const std::map<std::pair<const schema::TemplateType*, uint32_t>, Database>& databases, const OwnedEvent& event, Test test) {
  uint64_t hits = 0;
  for (uint32_t i = 0; i < event.values.size(); ++i) {
    if (!event.values[i].has_value()) continue;
    const auto found = databases.find({event.type, i});
    if (found != databases.end()) hits += test(found->second, event.values[i].text());
  }
  return hits;
}

}  // namespace

Rival re2_set_over_literals(const Channels& channels) {
  auto sets = std::make_shared<std::map<std::pair<const schema::TemplateType*, uint32_t>, std::unique_ptr<RE2::Set>>>();
  RE2::Options options;
  options.set_case_sensitive(false);
  options.set_max_mem(512 << 20);
  for (const auto& [place, patterns] : patterns_of(channels)) {
    auto set = std::make_unique<RE2::Set>(options, RE2::UNANCHORED);
    for (const std::string& pattern : patterns) set->Add(pattern, nullptr);
    if (!set->Compile()) std::exit(1);
    sets->emplace(place, std::move(set));
  }
  return [sets](const OwnedEvent& event) {
    static std::vector<int> hits;
    return over_values(*sets, event, [](const std::unique_ptr<RE2::Set>& set, std::string_view text) {
      hits.clear();
      set->Match(re2::StringPiece(text.data(), text.size()), &hits);
      return hits.size();
    });
  };
}

Rival hyperscan_over_literals([[maybe_unused]] const Channels& channels) {
#ifdef CREANCE_WITH_HS
  auto databases = std::make_shared<std::map<std::pair<const schema::TemplateType*, uint32_t>, hs_database_t*>>();
  hs_scratch_t* scratch = nullptr;
  for (const auto& [place, patterns] : patterns_of(channels)) {
    std::vector<const char*> texts;
    std::vector<unsigned> flags(patterns.size(), HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY);
    std::vector<unsigned> ids;
    for (const std::string& pattern : patterns) {
      texts.push_back(pattern.c_str());
      ids.push_back(static_cast<unsigned>(ids.size()));
    }
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()), HS_MODE_BLOCK, nullptr, &database, &error) != HS_SUCCESS) {
      fmt::print(stderr, "hyperscan: {}\n", error->message);
      return {};
    }
    if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) return {};
    databases->emplace(place, database);
  }
  return [databases, scratch](const OwnedEvent& event) {
    return over_values(*databases, event, [scratch](hs_database_t* database, std::string_view text) {
      uint64_t hits = 0;
      hs_scan(
          database, text.data(), static_cast<unsigned>(text.size()), 0, scratch,
          [](unsigned, unsigned long long, unsigned long long, unsigned, void* count) {
            ++*static_cast<uint64_t*>(count);
            return 0;
          },
          &hits);
      return hits;
    });
  };
#else
  return {};
#endif
}

Rival rule_by_rule(std::span<const sigma::Rule> rules) {
  auto judges = std::make_shared<std::map<const schema::TemplateType*, std::vector<reference::Judge>>>();
  for (const sigma::Rule& rule : rules) {
    Diagnostics ignored;
    for (const sigma::Binding& binding : sigma::bind(rule, schema::Catalog::embedded(), ignored)) {
      if (auto judge = reference::Judge::make(rule, binding)) (*judges)[binding.type].push_back(std::move(*judge));
    }
  }
  return [judges](const OwnedEvent& event) {
    uint64_t matches = 0;
    const auto found = judges->find(event.type);
    if (found == judges->end()) return matches;
    for (const reference::Judge& judge : found->second) matches += judge.matches(event.inputs()) ? 1 : 0;
    return matches;
  };
}

Rival parse_alone() {
  struct State {
    simdjson::ondemand::parser parser;
    simdjson::padded_string padded;
  };
  auto state = std::make_shared<State>();
  auto buffer = std::make_shared<std::string>();
  return [state, buffer](const OwnedEvent& event) {
    buffer->assign(event.line);
    buffer->reserve(buffer->size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document;
    uint64_t bytes = 0;
    if (state->parser.iterate(simdjson::padded_string_view(buffer->data(), buffer->size(), buffer->capacity())).get(document) != simdjson::SUCCESS) return bytes;
    simdjson::ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) return bytes;
    for (auto field : object) {
      std::string_view raw;
      if (field.error() == simdjson::SUCCESS && field.value().raw_json_token().get(raw) == simdjson::SUCCESS) bytes += raw.size();
    }
    return bytes;
  };
}

}  // namespace creance::bench

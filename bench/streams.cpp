#include "streams.hpp"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "events/decoder.hpp"
#include "events/records.hpp"
#include "sigma/parser.hpp"

namespace creance::bench {
namespace {

// `change(input, text)` gives the text to keep; input is the number of inputs for further and other values.
template <class Change>
OwnedEvent own(const schema::TemplateType* type, const schema::Inputs& in, Change change) {
  OwnedEvent out{.type = type};
  std::vector<std::string> texts;
  for (size_t i = 0; i < in.values.size(); ++i) texts.push_back(in.values[i].has_value() ? change(i, in.values[i].text()) : std::string());
  for (const auto& further : in.further) texts.push_back(change(further.input, further.text));
  for (const auto& other : in.others) texts.push_back(std::string(other));
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  out.text = std::make_unique<std::string>();
  out.text->reserve(bytes);
  size_t next = 0;
  const auto keep = [&] {
    const size_t at = out.text->size();
    *out.text += texts[next++];
    return std::string_view(*out.text).substr(at);
  };
  for (const auto& value : in.values) {
    const std::string_view kept = keep();
    out.values.push_back(value.has_value() ? schema::InputValue(kept) : value);
  }
  for (const auto& further : in.further) out.further.push_back({further.input, keep()});
  for (size_t i = 0; i < in.others.size(); ++i) out.others.push_back(keep());
  return out;
}

constexpr const char* kProcess = "windows.process_creation";
constexpr const char* kPipe = "windows.pipe_created";

}  // namespace

Events read_events(const std::vector<std::string>& files) {
  Events out;
  std::map<std::string, size_t> seen;
  events::Decoder decoder(schema::Catalog::embedded());
  for (const std::string& file : files) {
    auto source = events::BlockSource::open(file, events::Format::kJson);
    if (!source) {
      fmt::print(stderr, "{}: {}\n", file, source.error().detail);
      std::exit(2);
    }
    events::Block block;
    events::RecordReader records;
    while (source->next(block).value_or(false)) {
      records.begin(block);
      for (events::Record record; records.next(record);) {
        ++out.lines;
        const auto decoded = decoder.decode(record.json);
        if (!decoded) continue;
        for (const auto& one : *decoded) {
          OwnedEvent event = own(one.type, one.inputs, [](size_t, std::string_view text) { return std::string(text); });
          event.line = record.json;
          if (seen[one.type->id]++ % 5 == 0) out.sample.push_back(std::move(event));
          else out.measured[one.type->id].push_back(std::move(event));
        }
      }
    }
  }
  return out;
}

std::vector<const OwnedEvent*> stream(const Events& events, const std::string& mix, size_t most, const std::set<const schema::TemplateType*>& types) {
  std::vector<const OwnedEvent*> out;
  std::mt19937 random(1);
  const auto take = [&](const std::string& id, size_t count) {
    const auto found = events.measured.find(id);
    if (found == events.measured.end()) return;
    std::vector<const OwnedEvent*> all;
    for (const OwnedEvent& event : found->second) all.push_back(&event);
    std::shuffle(all.begin(), all.end(), random);
    out.insert(out.end(), all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(count, all.size())));
  };
  if (mix == "process" || mix == "pipe") {
    take(mix == "process" ? kProcess : kPipe, most);
  } else if (mix == "mixed") {
    const auto is_meant = [&](const std::string& id, const std::vector<OwnedEvent>& list) { return id != kProcess && !list.empty() && types.contains(list[0].type); };
    size_t others = 0;
    for (const auto& [id, list] : events.measured) others += is_meant(id, list) ? 1 : 0;
    for (const auto& [id, list] : events.measured) {
      if (is_meant(id, list)) take(id, others == 0 ? 0 : most * 8 / 10 / others);
    }
    take(kProcess, std::max<size_t>(1, out.size() / 4));
  } else {
    for (const auto& [id, list] : events.measured) take(id, list.size());
  }
  std::shuffle(out.begin(), out.end(), random);
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<OwnedEvent> side_by_side(const std::vector<const OwnedEvent*>& events) {
  std::vector<OwnedEvent> out;
  for (const OwnedEvent* event : events) {
    out.push_back(own(event->type, event->inputs(), [](size_t, std::string_view text) { return std::string(text); }));
    out.back().line = event->line;
  }
  return out;
}

std::vector<OwnedEvent> salted(const std::vector<const OwnedEvent*>& events) {
  std::vector<OwnedEvent> out;
  std::mt19937_64 random(3);
  for (const OwnedEvent* event : events) {
    out.push_back(own(event->type, event->inputs(), [&](size_t input, std::string_view text) {
      const std::string salt = fmt::format("{:08x}", static_cast<uint32_t>(random()));
      const bool is_command = input < event->type->inputs.size() && event->type->inputs[input].name.ends_with("CommandLine");
      const size_t part = text.rfind('\\');
      if (text.size() < 6) return std::string(text);  // numbers, flags, levels
      if (is_command || part == std::string_view::npos) return fmt::format("{} {}", text, salt);
      return fmt::format("{}\\{}{}", text.substr(0, part), salt, text.substr(part));
    }));
  }
  return out;
}

std::vector<sigma::Rule> read_rules(const std::vector<std::string>& folders) {
  std::vector<std::filesystem::path> files;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".yml") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<sigma::Rule> rules;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string yaml{std::istreambuf_iterator<char>(in), {}};
    for (sigma::Rule& rule : sigma::parse(yaml, file.string()).rules) rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<sigma::Rule> multiplied(const std::vector<sigma::Rule>& rules, size_t times) {
  std::vector<sigma::Rule> out = rules;
  std::mt19937 random(4);
  for (size_t n = 1; n < times; ++n) {
    for (sigma::Rule rule : rules) {
      rule.id += fmt::format("-{}", n);
      for (auto& selection : rule.selections) {
        for (auto& alternative : selection.alternatives) {
          for (auto& item : alternative.items) {
            const bool text = std::ranges::all_of(item.modifiers, [](sigma::Modifier m) { return m == sigma::Modifier::kContains || m == sigma::Modifier::kStartsWith || m == sigma::Modifier::kEndsWith || m == sigma::Modifier::kAll; });
            for (auto& value : item.values) {
              if (!text || value.kind != sigma::ValueKind::kString || value.text.size() < 3) continue;
              for (char& c : value.text) {  // another word of the same shape
                if (c >= 'a' && c <= 'z' && random() % 3 == 0) c = static_cast<char>('a' + random() % 26);
              }
            }
          }
        }
      }
      out.push_back(std::move(rule));
    }
  }
  return out;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  size_t size = 0;
  size_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace creance::bench

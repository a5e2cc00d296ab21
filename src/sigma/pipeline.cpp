#include "sigma/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "sigma/detection.hpp"

namespace creance::sigma {
namespace {

namespace fs = std::filesystem;

// One file, without what it includes.
class FileReader {
 public:
  FileReader(const YamlDocument& document, const std::string& file, Pipeline& out, Reporter& reporter) : document_(document), file_(file), out_(out), reporter_(reporter) {}

  std::vector<Name> read_pipeline() {
    static constexpr std::array<std::string_view, 3> kKeys{"include", "placeholders", "mappings"};
    each(document_.root(), "a pipeline", kKeys, [&](const YamlNode& key, const YamlNode& value) {
      if (key.text == "include") list(key, value, [&](const YamlNode& node) { include(node); });
      else if (key.text == "placeholders") placeholders(value);
      else list(key, value, [&](const YamlNode& node) { mapping(node); });
    });
    return std::move(includes_);
  }

  void placeholders(const YamlNode& map) {
    if (map.kind != YamlKind::kMap) return wrong(map, "placeholders are a map of names and values");
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) placeholder(document_.at(map.children[i]), document_.at(map.children[i + 1]));
  }

 private:
  void wrong(const YamlNode& node, std::string message) { reporter_.report("S149", node.span, std::move(message)); }

  template <class Use>
  void each(const YamlNode& map, std::string_view what, std::span<const std::string_view> keys, const Use& use) {
    if (map.kind != YamlKind::kMap) return wrong(map, fmt::format("{} is a map", what));
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const YamlNode& key = document_.at(map.children[i]);
      if (std::ranges::find(keys, key.text) != keys.end()) {
        use(key, document_.at(map.children[i + 1]));
        continue;
      }
      const auto like = nearest(key.text, keys);
      reporter_.report("S148", key.span, fmt::format("{} has no key {}", what, quote(key.text)), like ? fmt::format("did you mean `{}`?", *like) : "");
    }
  }

  template <class Use>
  void list(const YamlNode& key, const YamlNode& value, const Use& use) {
    if (value.kind != YamlKind::kSequence) return wrong(key, fmt::format("`{}` is a list", key.text));
    for (const uint32_t child : value.children) use(document_.at(child));
  }

  bool is_text(const YamlNode& node) const { return node.kind == YamlKind::kScalar && node.type != ValueKind::kNull && !node.text.empty(); }

  void include(const YamlNode& node) {
    if (is_text(node)) includes_.push_back({node.text, node.span});
    else wrong(node, "`include` holds names of files");
  }

  void placeholder(const YamlNode& key, const YamlNode& value) {
    if (key.text.empty() || !std::ranges::all_of(key.text, is_placeholder_character)) return wrong(key, fmt::format("{} is no name of a placeholder: use letters, digits, `_`, `-` and `.`", quote(key.text)));
    Placeholder placeholder{{}, file_, key.span};
    const auto add = [&](const YamlNode& node) {
      if (node.kind != YamlKind::kScalar || node.type == ValueKind::kNull) return wrong(node, fmt::format("a value of the placeholder {} is neither text nor number", quote(key.text)));
      placeholder.values.push_back({node.type, node.text, node.span});
    };
    if (value.kind == YamlKind::kSequence) {
      for (const uint32_t child : value.children) add(document_.at(child));
    } else {
      add(value);
    }
    if (placeholder.values.empty()) return wrong(key, fmt::format("the placeholder {} has no values", quote(key.text)));
    const auto [known, is_new] = out_.placeholders.emplace(key.text, std::move(placeholder));
    if (!is_new) reporter_.report("S151", key.span, fmt::format("the placeholder {} has values already, in {}:{}", quote(key.text), known->second.file, known->second.span.line));
  }

  void mapping(const YamlNode& map) {
    static constexpr std::array<std::string_view, 5> kKeys{"logsource", "taxonomy", "to", "fields", "add"};
    Mapping mapping;
    mapping.file = file_;
    mapping.span = map.span;
    const uint32_t errors = reporter_.errors();
    each(map, "a mapping", kKeys, [&](const YamlNode& key, const YamlNode& value) {
      if (key.text == "logsource") mapping.logsource = log_source(value);
      else if (key.text == "to") mapping.to = log_source(value);
      else if (key.text == "taxonomy") is_text(value) ? (void)(mapping.taxonomy = value.text == "sigma" ? "" : value.text) : wrong(value, "`taxonomy` is a name");
      else if (key.text == "fields") fields(value, mapping);
      else if (value.kind == YamlKind::kMap && !value.children.empty()) mapping.add = read_items(document_, value, reporter_);
      else wrong(value, "`add` is a map of fields and values");
    });
    if (reporter_.errors() != errors) return;
    if (mapping.logsource == schema::LogSource{} && mapping.taxonomy.empty()) {
      return reporter_.report("S153", map.span, "the mapping says neither for which log source nor for which taxonomy it is");
    }
    if (!mapping.to && mapping.fields.empty() && mapping.add.empty()) return reporter_.report("S153", map.span, "the mapping changes nothing");
    out_.mappings.push_back(std::move(mapping));
  }

  schema::LogSource log_source(const YamlNode& map) {
    static constexpr std::array<std::string_view, 3> kKeys{"product", "category", "service"};
    schema::LogSource out;
    each(map, "a log source", kKeys, [&](const YamlNode& key, const YamlNode& value) {
      if (!is_text(value)) return wrong(value, fmt::format("`{}` is a name", key.text));
      (key.text == "product" ? out.product : key.text == "category" ? out.category : out.service) = to_ascii_lower(value.text);
    });
    return out;
  }

  void fields(const YamlNode& map, Mapping& out) {
    if (map.kind != YamlKind::kMap) return wrong(map, "`fields` is a map of names");
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const YamlNode& from = document_.at(map.children[i]);
      const YamlNode& to = document_.at(map.children[i + 1]);
      if (!is_text(to) || from.text.empty()) wrong(to, fmt::format("the field {} is mapped to something that is no name", quote(from.text)));
      else out.fields.emplace_back(to_ascii_lower(from.text), to.text);
    }
  }

  const YamlDocument& document_;
  const std::string& file_;
  Pipeline& out_;
  Reporter& reporter_;
  std::vector<Name> includes_;
};

// Files in the order in which their parts count: what a file includes stands before it. An explicit stack; a circle is a file that is still open.
class Loader {
 public:
  Loader(FileSystem& files, Diagnostics& diagnostics) : files_(files), diagnostics_(diagnostics) {}

  Status load(const std::string& path) {
    TRY_VOID(open(path));
    while (!open_.empty()) {
      Open& top = open_.back();
      if (top.next < top.includes.size()) {
        include(top.includes[top.next++]);
        continue;
      }
      std::ranges::move(top.own.mappings, std::back_inserter(out_.mappings));
      open_.pop_back();
    }
    return {};
  }

  Status load_placeholders(const std::string& path) {
    return with_document(path, [&](const YamlDocument& document, Reporter& reporter) { FileReader(document, path, out_, reporter).placeholders(document.root()); });
  }

  Pipeline take() { return std::move(out_); }

 private:
  struct Open {
    std::string path;
    std::vector<Name> includes;
    size_t next = 0;
    Pipeline own;
  };

  template <class Use>
  Status with_document(const std::string& path, const Use& use) {
    TRY(const Bytes bytes, files_.read(path, limits::kRuleFileBytesMax));
    out_.files.push_back(path);
    Reporter reporter(path, diagnostics_);
    const YamlOutcome read = read_yaml(as_text(bytes), reporter);
    if (!read.complete) return {};
    if (read.documents.size() != 1 || read.documents.front().is_blank()) {
      reporter.report("S149", {1, 1}, "the file must hold one document");
      return {};
    }
    use(read.documents.front(), reporter);
    return {};
  }

  Status open(const std::string& path) {
    seen_.insert(fs::path(path).lexically_normal().string());
    Open next{path, {}, 0, {}};
    TRY_VOID(with_document(path, [&](const YamlDocument& document, Reporter& reporter) {
      next.own.placeholders.swap(out_.placeholders);  // so that two values for one placeholder are seen
      next.includes = FileReader(document, path, next.own, reporter).read_pipeline();
      next.own.placeholders.swap(out_.placeholders);
    }));
    open_.push_back(std::move(next));
    return {};
  }

  void include(const Name& name) {
    Reporter reporter(open_.back().path, diagnostics_);
    const fs::path wanted(name.text);
    if (wanted.is_absolute() || std::ranges::find(wanted, fs::path("..")) != wanted.end()) {
      return reporter.report("S150", name.span, fmt::format("{} lies outside the folder of this file", quote(name.text)));
    }
    const std::string path = (fs::path(open_.back().path).parent_path() / wanted).lexically_normal().string();
    const auto is_open = [&](const Open& each) { return fs::path(each.path).lexically_normal().string() == path; };
    if (std::ranges::any_of(open_, is_open)) return reporter.report("S150", name.span, fmt::format("{} includes this file in turn", quote(name.text)));
    if (seen_.contains(path)) return;  // by two ways: it counts once
    if (open_.size() >= limits::kPipelineDepthMax || seen_.size() >= limits::kPipelineFilesMax) {
      return reporter.report("S150", name.span, fmt::format("files include each other over more than {} levels, or more than {} of them", limits::kPipelineDepthMax, limits::kPipelineFilesMax));
    }
    if (const auto opened = open(path); !opened) reporter.report("S150", name.span, fmt::format("{} cannot be read: {}", quote(name.text), opened.error().detail));
  }

  FileSystem& files_;
  Diagnostics& diagnostics_;
  Pipeline out_;
  std::vector<Open> open_;
  std::set<std::string> seen_;
};

}  // namespace

Result<Pipeline> read_pipeline(const PipelineFiles& paths, FileSystem& files, Diagnostics& diagnostics) {
  Loader loader(files, diagnostics);
  for (const std::string& path : paths.pipelines) TRY_VOID(loader.load(path));
  for (const std::string& path : paths.placeholders) TRY_VOID(loader.load_placeholders(path));
  return loader.take();
}

}  // namespace creance::sigma

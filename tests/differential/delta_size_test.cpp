// What a host fetches when a release changes a few rules: the deltas of its channel files (ADR 0093), measured on public rules where they are, and on generated ones everywhere.
#include <gtest/gtest.h>
#include <fmt/format.h>

#include <random>

#include "compiler/build.hpp"
#include "schema/catalog.hpp"
#include "shared_data.hpp"
#include "sigma/parser.hpp"
#include "trust/delta/delta.hpp"

namespace creance::differential {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

Texts public_rules() {
  Texts texts;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(shared_data::folder() / "rules")) {
    if (entry.path().extension() == ".yml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    std::ifstream in(file);
    texts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return texts;
}

std::string generated_rule(std::mt19937& random, int n) {
  const auto word = [&] {
    std::string text;
    for (size_t i = 0, length = 4 + random() % 9; i < length; ++i) text += static_cast<char>('a' + random() % 26);
    return text;
  };
  std::string values;
  for (size_t i = 0, count = 1 + random() % 12; i < count; ++i) values += fmt::format("            - '\\{}.exe'\n", word());
  const char* kinds[] = {"process_creation", "image_load", "file_event"};
  const char* fields[] = {"Image", "ImageLoaded", "TargetFilename"};
  const size_t kind = random() % 3;
  return fmt::format("title: Rule {} {}\nid: {:08x}-0000-4000-8000-{:012x}\nstatus: test\ndescription: generated {} {}\nauthor: a\ndate: 2026-01-01\nlogsource: {{product: windows, category: {}}}\ndetection:\n"
                     "    selection:\n        {}|endswith:\n{}    filter:\n        Image|contains: '\\{}\\'\n    condition: selection and not filter\nlevel: {}\n",
                     n, word(), n, n, word(), word(), kinds[kind], fields[kind], values, word(), random() % 2 == 0 ? "high" : "low");
}

std::map<std::string, Bytes> channels_of(const Texts& texts) {
  const schema::Catalog& catalog = schema::Catalog::embedded();
  std::vector<sigma::Rule> rules;
  for (const std::string& text : texts) {
    auto parsed = sigma::parse(text, "r.yml");
    for (sigma::Rule& rule : parsed.rules) rules.push_back(std::move(rule));
  }
  Diagnostics diagnostics;
  auto built = compiler::build(rules, catalog, diagnostics);
  EXPECT_TRUE(built) << built.error().detail;
  std::map<std::string, Bytes> out;
  if (!built) return out;
  for (auto& channel : built->channels) out[channel.type->id] = std::move(channel.bytes);
  return out;
}

// One value of every hundredth rule gets two letters more.
void change_one_percent(Texts& texts, std::mt19937& random) {
  for (size_t done = 0, tries = 0; done < std::max<size_t>(1, texts.size() / 100) && tries < 10'000; ++tries) {
    std::string& text = texts[random() % texts.size()];
    const size_t detection = text.find("detection:");
    const size_t open = detection == std::string::npos ? detection : text.find('\'', detection);
    const size_t close = open == std::string::npos ? open : text.find('\'', open + 1);
    if (close == std::string::npos || close - open < 5 || text.substr(open, close - open).find('\n') != std::string::npos) continue;
    text.insert(close, "zq");
    ++done;
  }
}

struct Sizes {
  size_t whole = 0, deltas = 0;
};
Sizes compare(const std::map<std::string, Bytes>& before, const std::map<std::string, Bytes>& after) {
  Sizes sizes;
  for (const auto& [type, to] : after) {
    sizes.whole += to.size();
    const auto from = before.find(type);
    if (from == before.end()) {
      sizes.deltas += to.size();
    } else if (from->second != to) {
      const Bytes delta = *trust::make_delta(from->second, to);
      EXPECT_EQ(*trust::apply_delta(from->second, delta, to.size()), to);
      sizes.deltas += delta.size();
    }
  }
  return sizes;
}

void expect_small(Texts texts, const char* what) {
  std::mt19937 random(7);
  const auto before = channels_of(texts);
  change_one_percent(texts, random);
  const Sizes changed = compare(before, channels_of(texts));
  const auto changed_channels = channels_of(texts);
  for (size_t i = 0; i < std::max<size_t>(1, texts.size() / 200); ++i) texts.erase(texts.begin() + static_cast<ptrdiff_t>(random() % texts.size()));  // half a per cent goes
  const Sizes removed = compare(changed_channels, channels_of(texts));
  for (const auto& [name, sizes] : {std::pair{"1 % of the rules changed", changed}, {"0.5 % removed", removed}}) {
    std::printf("%s, %s: channel files %zu bytes, deltas %zu (%.1f %%)\n", what, name, sizes.whole, sizes.deltas, 100.0 * static_cast<double>(sizes.deltas) / static_cast<double>(sizes.whole));
    EXPECT_GT(sizes.deltas, 0u) << name;
    EXPECT_LT(sizes.deltas * 100, sizes.whole * 15) << name;
  }
}

TEST(DeltaSize, OfGeneratedRulesIsBelowFifteenPerCent) {
  std::mt19937 random(1);
  Texts texts;
  for (int n = 0; n < 1'000; ++n) texts.push_back(generated_rule(random, n));
  expect_small(std::move(texts), "generated rules");
}

TEST(DeltaSize, OfPublicRulesIsBelowFifteenPerCent) {
  SKIP_WITHOUT_SHARED_DATA();
  expect_small(public_rules(), "public rules");
}

}  // namespace
}  // namespace creance::differential

// Writes unicode_groups.inc: general categories and scripts of every character, from ICU's data. By hand, when the Unicode version changes:
//   g++ -std=c++20 make_unicode_groups.cpp -licuuc -o make_unicode_groups && ./make_unicode_groups > unicode_groups.inc
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

template <class NameOf>
void write(const char* what, NameOf name_of) {
  std::map<std::string, size_t> index;
  std::vector<std::string> names;
  std::vector<std::pair<UChar32, size_t>> runs;
  for (UChar32 c = 0; c <= UCHAR_MAX_VALUE; ++c) {
    const std::string name = name_of(c);
    const auto [at, is_new] = index.emplace(name, names.size());
    if (is_new) names.push_back(name);
    if (runs.empty() || runs.back().second != at->second) runs.emplace_back(c, at->second);
  }
  std::printf("constexpr std::string_view k%sNames[] = {", what);
  for (size_t i = 0; i < names.size(); ++i) std::printf("%s\"%s\"", i == 0 ? "" : ", ", names[i].c_str());
  std::printf("};\nconstexpr GroupRun k%sRuns[] = {", what);
  for (size_t i = 0; i < runs.size(); ++i) std::printf("%s{%#x, %zu},", i % 12 == 0 ? "\n    " : " ", static_cast<unsigned>(runs[i].first), runs[i].second);
  std::printf("\n};\n");
}

}  // namespace

int main() {
  std::printf("// Made by make_unicode_groups.cpp from Unicode %s: names, then runs as first character and index of the name.\n", U_UNICODE_VERSION);
  write("Category", [](UChar32 c) { return u_getPropertyValueName(UCHAR_GENERAL_CATEGORY, u_charType(c), U_SHORT_PROPERTY_NAME); });
  write("Script", [](UChar32 c) {
    UErrorCode error = U_ZERO_ERROR;
    return uscript_getName(uscript_getScript(c, &error));
  });
}

// init: a new content repository that checks, tests and packs from the first minute.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>

#include "base/json.hpp"
#include "base/os/real.hpp"
#include "base/random_uuid.hpp"
#include "cli/command.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRule = R"(title: Named Pipe Of An Example Tool
id: {id}
status: experimental
description: |
    Example to start from: finds a named pipe by the beginning of its name. Replace name, description and cases by your own.
author: Your Name
date: 2026-01-01
tags:
    - attack.execution
logsource:
    product: windows
    category: pipe_created
detection:
    selection:
        PipeName|startswith: '\example_'
    filter_known:
        Image|endswith: '\example-installer.exe'
    condition: selection and not filter_known
falsepositives:
    - Software of the same name
level: medium
)";

constexpr std::string_view kCases = R"(# Cases of the rule beside this file: events that it must match, and events that it must not.
rule: {id}
cases:
  - name: a pipe of the tool
    match: true
    event: {{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, Image: 'C:\Temp\tool.exe', PipeName: '\example_42'}}
  - name: a pipe of the tool, by a process without a name
    match: true
    event: {{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, PipeName: '\EXAMPLE_1'}}
  - name: the installer
    match: false
    event: {{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, Image: 'C:\Temp\example-installer.exe', PipeName: '\example_42'}}
  - name: another pipe
    match: false
    event: {{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, Image: 'C:\Temp\tool.exe', PipeName: '\lsass'}}
)";

constexpr std::string_view kReadme = R"(# Detection content

    creance check --rules rules/                          # would every rule run?
    creance test --rules rules/                           # do the cases hold, by both judges?
    creance scan --rules rules/ --events sysmon.jsonl     # what do they find in your logs?
    creance pack --rules rules/ --release my-content-1    # a release, reproducible byte for byte
    creance sign dist/my-content-1 --rules rules/ --key me.key
    creance push dist/my-content-1
    creance release my-content-1
)";

constexpr std::string_view kIgnore = "dist/\n*.key\n";

int init(const std::string& folder, const Session& session) {
  os::RealFileSystem files;
  os::RealRandom random;
  const std::string id = random_uuid(random);
  const fs::path root(folder);
  const std::array<std::pair<fs::path, std::string>, 4> wanted{{
      {root / "rules/windows/pipe_created/example.yml", fmt::format(fmt::runtime(kRule), fmt::arg("id", id))},
      {root / "rules/windows/pipe_created/example.cases.yml", fmt::format(fmt::runtime(kCases), fmt::arg("id", id))},
      {root / "README.md", std::string(kReadme)},
      {root / ".gitignore", std::string(kIgnore)},
  }};
  for (const auto& [path, text] : wanted) {
    if (!files.exists(path)) continue;
    session.terminal.error(fmt::format("`{}` is there already; nothing was written", path.string()));
    return kUsage;
  }
  std::vector<fs::path> made, folders;
  for (const auto& [path, text] : wanted) {
    for (fs::path above = path.parent_path(); !above.empty() && !files.exists(above); above = above.parent_path()) folders.push_back(above);
    auto done = files.make_directories(path.parent_path());
    if (done) done = files.write_atomic(path, as_bytes(text), 0644);
    if (!done) {
      for (const fs::path& written : made) (void)files.remove(written);
      std::ranges::sort(folders, std::greater());  // the deepest first
      std::error_code ignored;
      for (const fs::path& folder_made : folders) fs::remove(folder_made, ignored);
      session.terminal.error(done.error().detail + "; nothing was left behind");
      return kUnreadable;
    }
    made.push_back(path);
  }
  for (const fs::path& path : made) {
    session.terminal.data_line(session.json ? to_json(Json::object({{"made", path.generic_string()}})) : path.string());
  }
  session.terminal.note(fmt::format("next: cd {} && creance test --rules rules/", folder));
  return kOk;
}

}  // namespace

void add_init(CLI::App& app, Session& session) {
  auto* folder = session.keep<std::string>(".");
  CLI::App* command = add_command(app, session, "init", "Make a content repository with an example rule and its cases", {"creance init my-content"});
  command->add_option("FOLDER", *folder, "Where")->capture_default_str();
  command->callback([&session, folder] { session.run = [&session, folder] { return init(*folder, session); }; });
}

}  // namespace creance::cli

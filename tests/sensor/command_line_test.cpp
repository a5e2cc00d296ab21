// The command line of creance-sensor: strict, each command with its own options, and its help, completion and manual page made from the same table.
#include "sensor/supervise/command_line.hpp"

#include <gtest/gtest.h>

namespace creance::sensor {
namespace {

std::string wrong(const std::vector<std::string>& arguments) {
  const auto line = parse_command_line(arguments);
  return line ? "" : line.error().detail;
}

TEST(SensorCommandLine, ValuesStandBehindTheirOptionOrBehindAnEqualsSign) {
  const auto line = parse_command_line({"run", "--state=/s", "--live", "--rate", "7", "--rule-steps=9", "--policy=a=b"});
  ASSERT_TRUE(line) << line.error().detail;
  EXPECT_EQ(line->state, "/s");
  EXPECT_TRUE(line->live);
  EXPECT_EQ(line->rate, 7u);
  EXPECT_EQ(line->rule_steps, 9u);
  EXPECT_EQ(line->policy, "a=b");
  EXPECT_EQ(line->probation_ms, 20'000u);
}

TEST(SensorCommandLine, WhatIsWrongIsSaidWithWhatIsKnown) {
  EXPECT_TRUE(wrong({}).starts_with("a command is missing: enrol, run"));
  EXPECT_TRUE(wrong({"stats"}).starts_with("`stats` is no command; these are: enrol, run")) << "before a missing --state: " << wrong({"stats"});
  EXPECT_EQ(wrong({"status", "--loop", "--state", "/s"}), "`--loop` is no option of status; these are: --state, --worker, --fields, --json, --help");
  EXPECT_EQ(wrong({"status", "x"}), "`x` is no option of status; these are: --state, --worker, --fields, --json, --help");
  EXPECT_EQ(wrong({"status"}), "status needs --state DIR");
  EXPECT_EQ(wrong({"retry", "--state", "/s"}), "retry needs --digest HEX");
  EXPECT_EQ(wrong({"run", "--state"}), "the value of --state is missing (DIR)");
  EXPECT_EQ(wrong({"run", "--state", "/s", "--live=yes"}), "--live takes no value");
  for (const char* number : {"", "1x", "-1", "4294967296"}) EXPECT_EQ(wrong({"run", "--state", "/s", "--rate", number}), std::string("--rate: `") + number + "` is not a number");
  EXPECT_NE(wrong({"run", "--state", "/s", "--rule-steps", "3221225473"}), "");
  EXPECT_EQ(wrong({"completion", "tcsh"}), "completion needs bash, zsh or fish");
  EXPECT_EQ(wrong({"completion"}), "completion needs bash, zsh or fish");
}

TEST(SensorCommandLine, HelpOfEachCommandHasItsOptionsAnExampleAndExitCodes) {
  const std::string all = help_text("");
  const std::string page = man_page("1.2.3"), bash = completion_text("bash"), fish = completion_text("fish");
  for (const std::string name : {"enrol", "run", "status", "why", "doctor", "pause", "resume", "return", "retry", "completion", "man"}) {
    const auto asked = parse_command_line({name, "--help"});
    ASSERT_TRUE(asked) << "although --state is missing";
    EXPECT_TRUE(asked->help);
    const std::string text = help_text(name);
    EXPECT_TRUE(text.starts_with("creance-sensor " + name)) << text;
    EXPECT_NE(text.find("\nExample:\n  "), std::string::npos) << text;
    EXPECT_NE(text.find("\nExit codes: 0 "), std::string::npos) << text;
    EXPECT_NE(all.find("\n  creance-sensor " + name), std::string::npos);
    EXPECT_NE(page.find("\n.SS creance\\-sensor " + name), std::string::npos);
    EXPECT_NE(bash.find("\n    '/" + name + "') words='"), std::string::npos);
    EXPECT_NE(fish.find("_at ''\" -f -a " + name + " -d '"), std::string::npos);
  }
  EXPECT_NE(help_text("pause").find("--for SPAN"), std::string::npos);
  EXPECT_EQ(help_text("pause").find("--live"), std::string::npos);
  EXPECT_NE(bash.find("    '/resume') words='--state --trust-kept --reason --help'"), std::string::npos) << bash;
  EXPECT_TRUE(completion_text("zsh").starts_with("#compdef creance-sensor\n"));
  EXPECT_NE(fish.find("_at '/enrol'\" -l root -d 'the root of trust (else the server\\'s first one"), std::string::npos) << "quotes are kept: " << fish;
}

}  // namespace
}  // namespace creance::sensor

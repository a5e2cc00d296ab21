// `creance release withdraw | deny | retry`: taking content back. Withdraw is the operator's (online `rollout` key, only what is rolling out); deny and retry are the content signers'
// (a threshold of personal keys, any digest, also what is last known good).
#pragma once
#include "cli/command.hpp"

namespace creance::cli {
void add_taking_back(CLI::App& release, Session& session);
}  // namespace creance::cli

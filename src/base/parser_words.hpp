// What a CLI11 parser takes, as completion.hpp wants it: so that a script never disagrees with its program. In the library `creance_parser_words`.
#pragma once
#include <vector>

#include "base/completion.hpp"

namespace CLI {
class App;
}

namespace creance::completion {

// An argument SHELL may be bash, zsh or fish. Options of a parent stand at its children too where they fall through.
std::vector<Command> words_of(const CLI::App& program);

}  // namespace creance::completion

// The key ceremony on the command line: who may sign what (root and targets metadata), changed in steps that can be done on machines without a network.
//     keys change FILE --out NEXT …   the next version, not signed yet      keys sign FILE --key K      one person's signature, anywhere
//     keys combine FILE OTHER…        signatures that were made elsewhere   keys status FILE --by PREV  who has signed, and is it enough?
//     keys publish FILE               to the server
#pragma once
#include "cli/command.hpp"

namespace creance::cli {
void add_ceremony(CLI::App& keys, Session& session);
}  // namespace creance::cli

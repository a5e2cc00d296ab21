// The inside of a Ruleset: verified channels and which instance is which rule. For scan.cpp only.
#pragma once
#include <vector>

#include "base/bytes.hpp"
#include "channel/verified_channel.hpp"
#include "scan/scan.hpp"

namespace creance::scan {

struct LoadedChannel {
  const schema::TemplateType* type = nullptr;
  Bytes bytes;                       // `channel` views into it
  channel::VerifiedChannel channel;
  std::vector<uint32_t> rules;       // instance -> index into State::rules
  bool reads_every_value = false;    // some instance has keywords
};

struct Ruleset::State {
  const schema::Catalog* catalog = nullptr;
  std::vector<sigma::Rule> rules;
  std::vector<const sigma::Rule*> running;
  std::vector<const sigma::Rule*> refused;
  std::vector<LoadedChannel> channels;
  std::vector<int32_t> channel_of_type;  // by position of the Type in the catalog; -1: none

  const LoadedChannel* channel_for(const schema::TemplateType& type) const;
};

}  // namespace creance::scan

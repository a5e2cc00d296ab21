// The inside of a Ruleset: verified channels and which instance is which rule. For scan.cpp only.
#pragma once
#include <vector>

#include "base/bytes.hpp"
#include "channel/verified_channel.hpp"
#include "channel/verified_correlations.hpp"
#include "scan/scan.hpp"

namespace creance::scan {

struct LoadedChannel {
  const schema::TemplateType* type = nullptr;
  Bytes bytes;                       // `channel` views into it
  channel::VerifiedChannel channel;
  std::vector<uint32_t> rules;       // instance -> index into State::rules
  bool reads_every_value = false;    // some instance has keywords
  // What correlations want of this Type's events; empty where they want none.
  std::vector<uint32_t> sources;     // instance -> source, or kNoSource
  std::vector<uint32_t> wanted;      // inputs, ascending
  std::vector<uint32_t> times;       // inputs that say when
  uint32_t observed_type = 0;        // of the correlation file
};
inline constexpr uint32_t kNoSource = 0xffffffff;

struct LoadedCorrelations {
  Bytes bytes;                       // `file` views into it
  channel::VerifiedCorrelations file;
  std::vector<uint32_t> correlations;  // of the file -> index into State::correlations
};

struct Ruleset::State {
  const schema::Catalog* catalog = nullptr;
  std::vector<sigma::Rule> rules;
  std::vector<const sigma::Rule*> running;
  std::vector<const sigma::Rule*> refused;
  std::vector<sigma::Correlation> correlations;
  std::vector<const sigma::Correlation*> running_correlations;
  std::vector<bool> silent;              // rules that report nothing by themselves
  std::vector<LoadedChannel> channels;
  std::optional<LoadedCorrelations> correlated;
  std::vector<int32_t> channel_of_type;  // by position of the Type in the catalog; -1: none

  const LoadedChannel* channel_for(const schema::TemplateType& type) const;
};

}  // namespace creance::scan

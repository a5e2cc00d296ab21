// What Winlogbeat's modules make of the values of Windows events, undone: value by value. Pure functions of text; nested.cpp says where. What cannot be undone: docs/reference/events.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace creance::events {

// How a value was written before a module wrote it.
enum class Spelling : uint8_t {
  kAsItIs,
  kHexadecimal,    // `500` was `0x1f4` (process ids of the Security log)
  kIsOutbound,     // `egress`, `outbound` was `true`; `ingress`, `inbound` was `false`
  kIsIpv6,         // `ipv6` was `true`, `ipv4` was `false`
  kDnsStatus,      // `DNS_ERROR_RCODE_NAME_ERROR` was `9003`
  kRegistryData,   // see registry_details()
};

// Room for what is no longer than a few numbers.
using SmallText = std::array<char, 40>;

// Nothing: it is none of the words that the module writes, so the event has no such field. The answer is `text`, a literal or in `room`.
std::optional<std::string_view> respelled(Spelling spelling, std::string_view text, SmallText& room);

// Sysmon's text for a value of the registry: a number of a DWORD is `DWORD (0x00000004)`, of a QWORD `QWORD (0x00000000-0x00000004)`; all else is as it is.
std::string_view registry_details(std::string_view type, std::string_view text, SmallText& room);

// The text of PowerShell's event 4103, in English: what stands before `Context:`, and what between it and `User Data:`. Nothing: it has no such line.
struct PipelineText {
  std::string_view payload, context;
};
std::optional<PipelineText> pipeline_text(std::string_view message);

// What stands behind `label` up to the end of its line; empty: no such label.
std::string_view labelled(std::string_view message, std::string_view label);

// Events of the Security log by whose account the module takes for `user` or `group`: the one that asked (`Subject…`), the one that logs on (`Target…`); the one that is changed is `user.target`, or `group`.
inline constexpr std::string_view kSubjectEvents =
    "1102 4648 4657 4662 4670 4672 4673 4674 4688 4689 4697 4698 4699 4700 4701 4702 4706 4707 4713 4716 4717 4718 4719 4720 4722 4723 4724 4725 4726 4727 4728 4729 4730 4731 4732 4733 4734 4735 4737 4738 4739 4740 4741 4742 4743 "
    "4744 4745 4746 4747 4748 4749 4750 4751 4752 4753 4754 4755 4756 4757 4758 4759 4760 4761 4762 4763 4764 4767 4781 4797 4798 4799 4817 4904 4905 4907 4912 5136 5140 5145 5379 5380 5381 5382";
inline constexpr std::string_view kLogonEvents = "4624 4625 4634 4647 4768 4769 4770 4771 4776 4964";
inline constexpr std::string_view kTargetEvents = "4670 4720 4722 4723 4724 4725 4726 4738 4740 4767 4797 4798 4817 4907";
inline constexpr std::string_view kGroupEvents =
    "4727 4728 4729 4730 4731 4732 4733 4734 4735 4737 4744 4745 4746 4747 4748 4749 4750 4751 4752 4753 4754 4755 4756 4757 4758 4759 4760 4761 4762 4763 4764 4799";

// Whether `ids`, separated by blanks, has `id`.
bool lists_id(std::string_view ids, std::string_view id);

}  // namespace creance::events

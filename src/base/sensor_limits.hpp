// Limits of the sensor's processes alone, as limits.hpp has those of everybody: apart, so that a change to one of them builds the sensor and nothing else. Same rules.
#pragma once
#include <cstdint>

namespace creance::limits {

inline constexpr uint64_t kPauseMsMax = 366ull * 24 * 3600 * 1000;  // of a local pause; above: not a pause but a sensor that is switched off
inline constexpr uint32_t kOrdersMax = 64;                          // of the host's owner, waiting; more are left for later
inline constexpr uint32_t kInstanceBytesPerMinuteMax = 4u << 20;    // of detections of one instance; above, it is suspended until the next minute

inline constexpr uint64_t kProcessMemoryBytesMax = 512u << 20;      // resident, of each of the supervisor's children; above, it is ended, with that reason
inline constexpr uint64_t kInstanceStepsPerMinuteMax = 3ull << 30;  // steps of one instance; above, it is not evaluated until the next minute: some 5 % of a processor
inline constexpr uint64_t kRehearsalDetectionBytesMax = 1u << 20;   // of all detections over this host's own recent events; above: 4 KiB or more for each event that comes
inline constexpr size_t kStormRulesMax = 256;                       // rules that stormed, counted by themselves; above, together

inline constexpr uint64_t kEnrolAgainEveryMs = 3'600'000;            // between two requests for another identity, whatever the server says; below: a server that lies has identities made without end
inline constexpr int64_t kEnrolAgainMsMax = 60'000;                  // of one such request; above, it hangs and is ended
inline constexpr size_t kSuccessorsKeptMax = 4;                      // identities that came after the one of enrolment, to go back to; above, the oldest leaves
inline constexpr uint32_t kUnknownAnswersMax = 3;                    // of the server, one after the other, that it does not know the newest of them; then the sensor goes back to the one before

inline constexpr size_t kRefusalsRememberedMax = 256;                // of one sensor, by the server; above, the oldest leave (a host itself remembers 64)
inline constexpr size_t kOverBudgetRememberedMax = 256;              // rules of one sensor that went over their budget, by content, by the server; above: counted as without a rule's name
inline constexpr size_t kSuccessorsMax = 1'024;                     // sensors that leave one identity without a token: copies of one machine image; above: somebody plays with a stolen key

}  // namespace creance::limits

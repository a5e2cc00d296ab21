// Every limit of the project, unit in the name. Configuration may lower one, never raise or remove it; zero means zero.
// Each is tested at the limit and one past it. Keep grouped by folder.
#pragma once
#include <cstddef>
#include <cstdint>

namespace creance::limits {

// --- control documents (rules, types, plans)
inline constexpr size_t kRuleFileBytesMax = 16u << 20;       // above: nobody reviews it; holds a list of 100,000 SHA-256 digests; a parse of it needs some 100 MiB
inline constexpr uint32_t kYamlDepthMax = 64;                // above: no Sigma rule; protects every walk over the document
inline constexpr uint32_t kYamlNodesMax = 2'000'000;         // above: a bomb; also bounds what aliases may expand to
inline constexpr uint32_t kConditionDepthMax = 128;          // above: nobody can read the condition
inline constexpr uint32_t kConditionNodesMax = 65'536;       // above: the worst-case cost of one instance is out of budget
inline constexpr uint32_t kValuesPerRuleMax = 262'144;       // above: belongs into an indicator list, not a rule
inline constexpr size_t kYamlExpandedBytesMax = 64u << 20;   // above: a bomb of aliases to long scalars
inline constexpr uint32_t kPipelineDepthMax = 8;             // pipeline files that include each other; above: nobody finds what counts
inline constexpr uint32_t kPipelineFilesMax = 64;            // as many of them in all
inline constexpr size_t kRuleIdBytesMax = 96;                // a UUID has 36; it must fit into every message between the sensor's processes
inline constexpr size_t kSelectionNameBytesMax = 256;        // above: nobody names it in a condition; bounds pattern matching
inline constexpr uint64_t kConditionPatternWorkMax = 16u << 20;  // bytes of names that `1 of x*` patterns are compared with; above: no reader follows
inline constexpr uint32_t kDiagnosticsPerFileMax = 1'000;    // above: said once that there are more; also bounds the search for nearest names
inline constexpr uint32_t kCorrelationRulesMax = 32;         // of one correlation; above: the sets of rules no longer fit one word
inline constexpr uint32_t kCorrelationFieldsMax = 16;        // in `group-by`, and as many in the condition
inline constexpr int64_t kTimespanSecondsMax = 315'569'520;  // ten years; above: no state lives that long

// --- Template Types
inline constexpr uint32_t kInputsPerTypeMax = 1'024;         // above: the per-event array (16 bytes an input) takes more than half of L1
static_assert(kInputsPerTypeMax < 65'536);                   // field tables count inputs in 16 bits
inline constexpr size_t kTypeFileBytesMax = 1u << 20;

// --- channel files
inline constexpr size_t kChannelBytesMax = 64u << 20;        // above: mapping it on every host is no longer cheap
inline constexpr uint32_t kInstancesPerChannelMax = 65'536;
inline constexpr uint32_t kRegexStatesMax = 8'192;           // above: one event's regex work leaves the budget
inline constexpr uint32_t kRegexRepeatMax = 1'000;           // counted repeats, as RE2: above, the states multiply
inline constexpr uint32_t kRegexDepthMax = 256;              // nested groups
inline constexpr size_t kDashFormsMax = 3'125;              // forms of one value under `windash` and an encoding: five for each dash; above: too large for what it finds
inline constexpr uint32_t kPatternBytesMax = 65'536;         // one value of a rule, after its modifiers
inline constexpr size_t kInputBytesMax = 65'536;             // a longer value is cut for matching, and counted
inline constexpr size_t kFurtherBytesMax = 65'536;           // further values and other values of one event together; the rest is left out, and counted
inline constexpr uint32_t kFurtherValuesMax = 4'096;         // as many of them
inline constexpr uint32_t kFaultsPerEventMax = 64;           // faults listed for one event
inline constexpr uint32_t kInstanceNodesMax = 1u << 20;      // decisions of one instance, selections repeated where the condition repeats them
inline constexpr uint64_t kInstanceStepsMax = 1ull << 34;    // worst-case steps of one instance over the largest event
// Worst-case steps of one rule while its texts are looked for one by one. Above, they are looked up together in the index, also where they wake nothing: its cost follows the length of
// a value and not the number of texts.
inline constexpr uint64_t kScannedStepsMax = 1ull << 30;
static_assert(kScannedStepsMax < kInstanceStepsMax);
inline constexpr uint64_t kChannelStepsMax = 1ull << 38;     // worst-case steps of one channel over the largest event
inline constexpr uint32_t kSampleEventsMax = 4'096;          // sample events counted for one channel; more would not choose better
inline constexpr size_t kSampleValueBytesMax = 1'024;        // of one value in a sample

// --- correlations
inline constexpr uint64_t kCorrelationStateBytes = 8u << 20;      // what the compiler declares; only what is used becomes resident
inline constexpr uint64_t kCorrelationStateBytesMin = 16u << 10;
inline constexpr uint64_t kCorrelationStateBytesMax = 64u << 20;  // above: a sensor's memory is not its own any more
inline constexpr uint32_t kCorrelationEntriesMax = 16'384;        // events of one group; above, its oldest leaves. Also the largest count that a condition can ask for
inline constexpr uint32_t kCorrelationTermsMax = 64;              // ways in which a condition in words can hold
inline constexpr uint64_t kCorrelationStepsMax = 1ull << 40;      // worst-case steps of one event over all correlations

// --- events
inline constexpr size_t kEventLineBytesMax = 16u << 20;      // above: the line is reported and skipped; also the most that all values of one event may have together
inline constexpr uint32_t kEventDepthMax = 64;               // nested objects and lists of one event
inline constexpr uint32_t kRoutesRememberedMax = 4'096;      // combinations of channel, provider and event id; above: the memory starts anew
inline constexpr uint32_t kEvtxTokensMax = 16'384;           // of one EVTX record, templates filled in; a record has 64 KiB
inline constexpr size_t kEvtxEventBytesMax = 1u << 20;       // names and values of one EVTX record as text; above: templates that multiply
inline constexpr uint32_t kEvtxNameUnitsMax = 1'024;         // UTF-16 units of one name in it
inline constexpr uint32_t kEvtxFillingsMax = 65'536;         // values of one record, those of nested templates too
inline constexpr uint32_t kEvtxTemplatesDeepMax = 8;         // templates inside values of templates
inline constexpr size_t kFormatLookBytesMax = 1u << 20;      // bytes of the first line that are looked at to tell a format; above: it is told by what is there

// --- scan
inline constexpr size_t kScanBatchBytes = 1u << 20;          // one thread's piece of work; above: order is kept by more waiting
inline constexpr unsigned kScanThreadsMax = 64;
inline constexpr size_t kEventFilesMax = 1'000'000;          // files of one scan found in folders; above: a mistake in the folder's name

inline constexpr size_t kFileNameBytesMax = 255;             // one name in a folder; Linux's file systems hold no longer one

// --- TUF metadata before authentication (bytes; The Update Framework, section 5)
inline constexpr size_t kRootBytesMax = 512'000;
inline constexpr size_t kTimestampBytesMax = 16'384;
inline constexpr size_t kSnapshotBytesMax = 2'000'000;
inline constexpr size_t kTargetsBytesMax = 5'000'000;
inline constexpr uint32_t kJsonDepthMax = 32;
inline constexpr uint32_t kJsonNodesMax = 500'000;           // above: a bomb; 5 MB of metadata have fewer values
inline constexpr size_t kTargetBytesMax = 64u << 20;         // one target file; no channel file may be larger
inline constexpr uint32_t kSignaturesMax = 256;              // above: a flood of signatures, each costs a verification
inline constexpr uint32_t kKeysPerRoleMax = 256;
inline constexpr uint32_t kRootRotationsMax = 256;           // root files followed in one refresh
inline constexpr uint32_t kDelegationsMax = 64;              // roles visited for one target
inline constexpr uint32_t kDeltaBasesMax = 3;                // older versions of one file that a delta is made or asked for from
inline constexpr uint32_t kKeyFileMemoryKibMax = 1u << 20;   // Argon2id of one key file; above: opening it would need more than 1 GiB
inline constexpr uint32_t kKeyFilePassesMax = 64;            // above: opening it takes minutes
inline constexpr uint32_t kKeyFileLanesMax = 64;

// --- messages between processes and machines
inline constexpr size_t kHttpBodyBytesMax = 1u << 20;        // requests to the server
inline constexpr size_t kDetectionBytesMax = 16'384;         // one detection record, on its way to the server

// --- server
inline constexpr size_t kHttpHeaderBytesMax = 16'384;        // above: not one of ours
inline constexpr size_t kHttpConnectionsMax = 4'096;         // above: the next one is closed at once; below the usual limit of open files
inline constexpr size_t kContentPushBytesMax = 128u << 20;   // signed content in one request, base64 included
inline constexpr uint32_t kDetectionsStoredMax = 200'000;    // the oldest go; an archive is another part's business
inline constexpr uint32_t kSensorEventsStoredMax = 200'000;  // likewise
inline constexpr uint32_t kDecisionsStoredMax = 10'000;      // a rollout; the oldest that changed nothing go
inline constexpr uint32_t kStagesMax = 32;                   // of one rollout
inline constexpr uint32_t kRolloutsInPlanMax = 32;           // newest first; older finished ones leave the plan
inline constexpr uint32_t kTokensPerCallMax = 10'000;
inline constexpr uint32_t kTagsMax = 64;                     // of one sensor
inline constexpr size_t kSignerMessageBytesMax = 8u << 20;   // between server and signer; content metadata has 5 MB at most

// --- sensor
inline constexpr uint32_t kRecentEventsMax = 256;            // kept for rehearsals; more would not say more about one host
inline constexpr size_t kRecentEventBytesMax = 4'096;        // a larger event is not kept for rehearsals
inline constexpr size_t kDetectionInputBytesMax = 1'024;     // of one input's value in a detection; the rest is cut, and said so
inline constexpr uint32_t kDetectionBytesPerSecondMax = 262'144;  // above: counted and summarised, so that a storm fills no disk and no network
inline constexpr uint32_t kRehearsalEventsMax = 512;         // of one Type that a release carries of its cases; more would not say more, and every host runs them
inline constexpr size_t kRehearsalBytesMax = 262'144;        // likewise
inline constexpr uint32_t kHitsPerMinuteMax = 6'000;         // of one instance; above, it is suspended until the next minute
inline constexpr uint32_t kHeldReportedMax = 512;            // held instances named to the server; above, only their number
inline constexpr size_t kDetectionSpoolBytesMax = 16u << 20; // on disk while the server is away; then the oldest are counted as lost

}  // namespace creance::limits

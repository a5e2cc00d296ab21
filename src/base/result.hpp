// Errors as values for outside faults (bytes, disk, network, peers). Not for content verdicts (diagnostic.hpp), not for our own bugs (check.hpp).
// A class and not an alias of std::expected, so that a dropped result is a compiler warning under g++ 12.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace creance {

// A new code only where a caller acts differently on it.
enum class ErrorCode : uint8_t {
  kInvalid,      // the bytes or the value are not what they must be
  kNotFound,     // no such file, target, record
  kTooLarge,     // a limit of base/limits.hpp was passed
  kUnavailable,  // peer not there, time-out, interrupted: the same call may succeed later
  kDenied,       // permission, signature, policy, stale or replayed
  kExpired,      // was right, but its time is over
  kNoSpace,      // disk full or quota
  kExists,       // already there, in use
  kUnsupported,  // this machine or build cannot do it
  kIo,           // any other failure of the operating system
};
std::string_view to_string(ErrorCode code);

// detail: one line, what and where and what to do; bounded, no secrets, no newlines.
struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string detail;
  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

using Status = Result<void>;

// Use: return fail(ErrorCode::kInvalid, fmt::format("..."));
inline std::unexpected<Error> fail(ErrorCode code, std::string detail) { return std::unexpected<Error>(Error{code, std::move(detail)}); }
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace creance

#define CREANCE_CONCAT_(a, b) a##b
#define CREANCE_CONCAT(a, b) CREANCE_CONCAT_(a, b)
// TRY(const auto root, trusted.update_root(bytes));  binds the value or returns the error of a Result
#define TRY(declaration, expression)                                                             \
  auto CREANCE_CONCAT(try_result_, __LINE__) = (expression);                                     \
  if (!CREANCE_CONCAT(try_result_, __LINE__)) return ::creance::fail(std::move(CREANCE_CONCAT(try_result_, __LINE__).error())); \
  declaration = std::move(*CREANCE_CONCAT(try_result_, __LINE__))
// TRY_VOID(file.sync());  returns the error of a Status
#define TRY_VOID(expression) \
  if (auto try_status_ = (expression); !try_status_) return ::creance::fail(std::move(try_status_.error()))

// Compiled by two tests of tests/schema/CMakeLists.txt; never linked.
#include "generated/types.hpp"

creance::schema::types::LinuxFifoCreated collect() {
  const creance::schema::InputValue text{"x"};
  return {
      .Path = text,
#ifndef LEAVE_ONE_OUT
      .Mode = text,
#endif
      .Computer = text, .UtcTime = text, .ProcessId = text, .Image = text, .CommandLine = text, .CurrentDirectory = text, .User = text, .UserId = text,
      .ParentProcessId = text, .ParentImage = text, .ParentCommandLine = text};
}

// The interpreter allocates nothing for an event: counted by replacing the global operators of this test program.
#include "interpreter/fixture.hpp"
#include "support/allocations.hpp"

#ifndef __SANITIZE_ADDRESS__  // AddressSanitizer replaces the same operators; the other presets count

namespace creance::test {

TEST(Evaluate, AllocatesNothing) {
  const std::string detection =
      "sel:\n  A|contains:\n    - power\n    - sh\n    - 'a*b?c'\n  B|re|i: '(a|b)+c.*d{2,3}'\nfilter:\n  A|endswith: exe\n  C|cidr: 10.0.0.0/8\nkw:\n  - ä*x\nlt:\n  B|fieldref|contains: C\n  C|lt: 5\n"
      "condition: 1 of sel* or (kw and not filter) or lt";
  Loaded loaded = load(detection);
  const std::vector<schema::InputValue> values{schema::InputValue("POWERSHELL äÄx"), schema::InputValue("abbac dd d ddd"), schema::InputValue("10.1.2.3")};
  const std::vector<schema::FurtherValue> further{{0, "second ÄÄ x"}};
  const std::vector<std::string_view> others{"Other Ä x"};
  interpreter::Scratch scratch(loaded.channel());
  const uint64_t before = allocations;
  size_t found = 0;
  for (int i = 0; i < 100; ++i) found += interpreter::evaluate(loaded.channel(), {values, further, others}, scratch).matches.size();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(found, 100u);
}

}  // namespace creance::test
#endif

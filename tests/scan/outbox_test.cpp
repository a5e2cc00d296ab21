// The outbox: order whatever the order of arrival, and pieces kept back for the file that all others wait for.
#include "scan/outbox.hpp"

#include <gtest/gtest.h>

#include <string>

namespace creance::scan {
namespace {

struct Piece {
  size_t file = 0;
  uint64_t sequence = 0;
  bool last = false;
};
struct Work {
  Piece piece;
};

struct OutboxTest : testing::Test {
  Outbox<Work> outbox{2};  // eight pieces
  std::string reported;

  void submit(std::unique_ptr<Work> work, size_t file, uint64_t sequence, bool last = false) {
    work->piece = {file, sequence, last};
    outbox.submit(std::move(work), [&](const Work& done) { reported += std::to_string(done.piece.file) + "." + std::to_string(done.piece.sequence) + " "; });
  }
};

TEST_F(OutboxTest, ReportsInTheOrderOfFilesAndPieces) {
  auto a = outbox.take().work, b = outbox.take().work, c = outbox.take().work, d = outbox.take().work;
  submit(std::move(d), 1, 0, true);
  submit(std::move(c), 0, 2, true);
  submit(std::move(b), 0, 1);
  EXPECT_EQ(reported, "");
  submit(std::move(a), 0, 0);
  EXPECT_EQ(reported, "0.0 0.1 0.2 1.0 ");
  submit(outbox.take().work, 2, 0);
  EXPECT_EQ(reported, "0.0 0.1 0.2 1.0 2.0 ");
}

TEST_F(OutboxTest, KeepsAPieceForEachThreadForTheFirstFile) {
  std::vector<std::unique_ptr<Work>> taken;
  size_t ahead = 0;
  for (int i = 0; i < 8; ++i) {
    auto [work, may_look_ahead] = outbox.take();
    ahead += may_look_ahead;
    taken.push_back(std::move(work));
  }
  EXPECT_EQ(ahead, 6u) << "the last two are for the file that the others wait for";
  for (uint64_t i = 0; i < 6; ++i) submit(std::move(taken[i]), 1, i);  // pieces of a later file fill the box
  EXPECT_EQ(reported, "");
  submit(std::move(taken[6]), 0, 0, true);
  EXPECT_EQ(reported, "0.0 1.0 1.1 1.2 1.3 1.4 1.5 ");
  EXPECT_TRUE(outbox.take().may_look_ahead);
}

}  // namespace
}  // namespace creance::scan

// SPDX-License-Identifier: BSL-1.0
//
// An embedder that has to end something of its own before the scheduler can end.
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

namespace coronet::end_helper_tests {
namespace {

class guest final : public resident {
public:
    void cancel_all() noexcept override { ++asked; }
    int asked = 0;
};

/// Lets the guest go in the third round.
class third_time final : public work {
public:
    third_time(scheduler& ends, guest& left) : ends_(ends), left_(left) {}
    void run() noexcept override {
        ++rounds;
        always_asked_before = always_asked_before && left_.asked == rounds;
        if (rounds == 3) ends_.dismiss(left_);
    }
    int rounds = 0;
    bool always_asked_before = true;

private:
    scheduler& ends_;
    guest& left_;
};

TEST(end_helper, runs_in_each_round_of_the_end_after_all_else_was_asked_to_end) {
    scheduler loop;
    guest left;
    third_time helper(loop, left);
    loop.admit(left);
    loop.set_end_helper(&helper);
    loop.run_once(time_point::min());
    EXPECT_EQ(helper.rounds, 0);
    loop.shutdown();
    EXPECT_EQ(helper.rounds, 3);
    EXPECT_TRUE(helper.always_asked_before);
}

} // namespace
} // namespace coronet::end_helper_tests

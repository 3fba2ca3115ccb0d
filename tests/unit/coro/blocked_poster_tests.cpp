// SPDX-License-Identifier: BSL-1.0
//
// A post to a sleeping scheduler travels as a message in the poster's ring. If the poster then
// blocks instead of entering its ring, stopping the sleeper must wake it all the same.
#include "lib/call.hpp"
#include "lib/run_until.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

namespace coronet::blocked_poster_tests {
namespace {

using namespace std::chrono_literals;

class counting final : public work {
public:
    void run() noexcept override { ++runs; }
    int runs = 0;
};

task<bool> post_then_block(counting* item) {
    runtime_options one;
    one.threads = 1;
    runtime other{one};
    // Its scheduler has nothing to do and sleeps; a wake-up too many does no harm to this test.
    const auto slept = co_await sleep_for(50ms);
    const bool taken = slept && other.at(0).post(*item);
    other.stop();
    // This thread blocks: the message above is still in its ring.
    std::thread{[&] { EXPECT_TRUE(other.join()); }}.join();
    co_return taken;
}

/// The control word may be read by any thread.
bool is_asleep(const scheduler& loop) {
    return loop.report().find("sleeping") != std::string::npos;
}

TEST(runtime, ends_although_a_message_to_it_was_never_submitted) {
    counting item;
    EXPECT_TRUE(run(post_then_block(&item)));
    EXPECT_EQ(item.runs, 1);
}

// One scheduler has posted to a sleeper and computes on: its message is not on its way. An item
// from a thread without a ring must not wait for that.
TEST(wake_ups, L3_an_item_does_not_wait_for_a_message_that_has_not_left) {
    runtime_options two;
    two.threads = 2;
    runtime both{two};
    scheduler& sleeper = both.at(0);
    std::promise<void> first_ran;
    std::promise<void> second_ran;
    testing::call first{[&] { first_ran.set_value(); }};
    testing::call second{[&] { second_ran.set_value(); }};
    std::promise<void> posted;
    std::promise<void> go_on;
    testing::call computing{[&] {
        EXPECT_TRUE(sleeper.post(first));
        posted.set_value();
        go_on.get_future().wait();
    }};
    EXPECT_TRUE(testing::wait_until([&] { return is_asleep(sleeper); }));
    EXPECT_TRUE(both.at(1).post(computing));
    posted.get_future().wait();
    EXPECT_TRUE(sleeper.post(second));
    EXPECT_EQ(second_ran.get_future().wait_for(5s), std::future_status::ready);
    EXPECT_EQ(first_ran.get_future().wait_for(5s), std::future_status::ready);
    go_on.set_value();
    both.stop();
    EXPECT_TRUE(both.join()); // before what its threads work on
}

} // namespace
} // namespace coronet::blocked_poster_tests

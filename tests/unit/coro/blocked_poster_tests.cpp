// SPDX-License-Identifier: BSL-1.0
//
// A post to a sleeping scheduler travels as a message in the poster's ring. If the poster then
// blocks instead of entering its ring, stopping the sleeper must wake it all the same.
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace coronet {
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

TEST(runtime, ends_although_a_message_to_it_was_never_submitted) {
    counting item;
    EXPECT_TRUE(run(post_then_block(&item)));
    EXPECT_EQ(item.runs, 1);
}

} // namespace
} // namespace coronet

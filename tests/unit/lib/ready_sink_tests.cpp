// SPDX-License-Identifier: BSL-1.0
//
// An embedder that takes ready work, and gives that up again.
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace coronet::ready_sink_tests {
namespace {

using namespace std::chrono_literals;

class keeping final : public ready_sink {
public:
    void push(work& item) noexcept override { items.push_back(&item); }
    std::vector<work*> items;
};
class counting final : public work {
public:
    void run() noexcept override { ++runs; }
    int runs = 0;
};

TEST(ready_sink, takes_what_was_ready_before_it_was_set) {
    scheduler loop;
    counting item;
    keeping sink;
    loop.ready(item);
    loop.set_ready_sink(&sink);
    EXPECT_EQ(loop.run_once(clock::now()), 1u);
    ASSERT_EQ(sink.items.size(), 1u);
    EXPECT_EQ(item.runs, 0);
    loop.set_ready_sink(nullptr);
}

TEST(ready_sink, leaves_a_loop_that_waits_again_when_it_is_taken_away) {
    scheduler loop;
    counting item;
    keeping sink;
    loop.set_ready_sink(&sink);
    loop.ready(item);
    loop.set_ready_sink(nullptr);
    const time_point before = clock::now();
    EXPECT_EQ(loop.run_once(before + 20ms), 0u);
    EXPECT_GE(clock::now(), before + 20ms);
}

TEST(ready_sink, is_gone_when_the_scheduler_ends) {
    counting item;
    keeping sink;
    {
        scheduler loop;
        loop.set_ready_sink(&sink);
        ASSERT_TRUE(loop.post(item));
        loop.shutdown();
    }
    EXPECT_EQ(item.runs, 1);
    EXPECT_TRUE(sink.items.empty());
}

} // namespace
} // namespace coronet::ready_sink_tests

// SPDX-License-Identifier: BSL-1.0
//
// The scheduler on the kernel's ring: how it is woken, and how it ends.
#include "kernel_filter.hpp"
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

namespace ring_scheduler_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

// ---- posting and waking ----

TEST(scheduler_on_a_ring, runs_each_posted_item_once) {
    scheduler loop;
    post_from_threads(loop);
}

TEST(scheduler_on_a_ring, is_woken_for_each_item_when_it_sleeps_in_between) {
    scheduler loop;
    running thread{loop};
    for (int round = 0; round < 2'000; ++round)
        on(loop, [] {});
}

/// Where the kernel knows no messages, the eventfd does it.
TEST(scheduler_on_a_ring, is_woken_by_an_eventfd_where_the_kernel_knows_no_messages) {
    const auto rounds = [] {
        constexpr std::uint32_t send_msg_ring = 31;
        if (!make_kernel_answer(SYS_io_uring_register, EINVAL, send_msg_ring)) ::_exit(2);
        scheduler loop;
        running thread{loop};
        for (int round = 0; round < 500; ++round)
            on(loop, [] {});
        thread.stop();
        ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    };
    EXPECT_EXIT(rounds(), ::testing::ExitedWithCode(0), "");
}

TEST(scheduler_on_a_ring, plays_ping_pong_with_another) {
    constexpr int exchanges = 10'000;
    scheduler a, b;
    std::promise<void> over;
    int count = 0;
    std::unique_ptr<call> ping, pong;
    ping = std::make_unique<call>([&] {
        if (++count == exchanges)
            over.set_value();
        else
            EXPECT_TRUE(b.post(*pong));
    });
    pong = std::make_unique<call>([&] { EXPECT_TRUE(a.post(*ping)); });
    running thread_a{a}, thread_b{b};
    ASSERT_TRUE(a.post(*ping));
    ASSERT_EQ(over.get_future().wait_for(patience), std::future_status::ready);
    thread_a.stop();
    thread_b.stop();
}

// An embedder may not run its next turn for a long time: what the last one posted has left by then.
TEST(scheduler_on_a_ring, wakes_another_before_run_once_returns) {
    scheduler embedded, other;
    running thread{other};
    for (int round = 0; round < 200; ++round) {
        std::promise<void> ran;
        call arrived{[&] { ran.set_value(); }};
        call poster{[&] { EXPECT_TRUE(other.post(arrived)); }};
        embedded.ready(poster);
        embedded.run_once(time_point::min());
        ASSERT_EQ(ran.get_future().wait_for(patience), std::future_status::ready);
    }
}

TEST(scheduler_on_a_ring, returns_from_run_once_when_it_is_woken) {
    scheduler loop;
    for (int round = 0; round < 200; ++round) {
        const time_point begin = clock::now();
        std::thread other{[&] { loop.wake(); }};
        loop.run_once(begin + patience);
        other.join();
        ASSERT_LT(clock::now() - begin, patience / 2);
        loop.run_once(time_point::min()); // the wake-up may have come twice
    }
}

TEST(scheduler_on_a_ring, returns_from_run_once_at_the_deadline_and_not_before) {
    scheduler loop;
    empty_pipe quiet;
    char byte;
    sample_operation op = read_of(quiet, byte);
    loop.start(op);
    const time_point deadline = clock::now() + 50ms;
    while (clock::now() < deadline) // an early return is allowed, but not as a rule
        loop.run_once(deadline);
    EXPECT_LE(loop.stats().turns, 5U);
    EXPECT_FALSE(op.ended());
    op.cancel();
    run_until(loop, [&] { return op.ended(); });
}

TEST(scheduler_on_a_ring, calls_timers_in_order_and_never_early) {
    scheduler loop;
    call_timers_in_order(loop);
}

// ---- stopping ----

TEST(scheduler_on_a_ring, is_stopped_from_another_thread_while_it_sleeps) {
    for (int round = 0; round < 100; ++round) {
        scheduler loop;
        running thread{loop}; // whose end stops it, anywhere between start and sleep
        if (round % 2 == 0) on(loop, [] {});
    }
}

TEST(scheduler_on_a_ring, is_stopped_from_inside) {
    scheduler loop;
    std::thread thread{[&] { loop.run(); }};
    on(loop, [&] { loop.stop(); });
    thread.join();
}

std::atomic<scheduler*> stopped_by_signal{nullptr};
void stop_it(int) {
    const int kept = errno;
    stopped_by_signal.load()->stop();
    errno = kept;
}

TEST(scheduler_on_a_ring, is_stopped_from_a_signal_handler_on_its_own_thread) {
    struct sigaction action {};
    action.sa_handler = &stop_it;
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    for (int round = 0; round < 100; ++round) {
        scheduler loop;
        stopped_by_signal = &loop;
        std::thread thread{[&] { loop.run(); }};
        if (round % 2 == 0) on(loop, [] {}); // asleep, or on its way to
        ::pthread_kill(thread.native_handle(), SIGUSR1);
        thread.join();
    }
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST(scheduler_on_a_ring, L12_refuses_items_once_it_has_ended_and_runs_all_others) {
    for (int round = 0; round < 50; ++round) {
        scheduler loop;
        std::atomic<int> runs{0}, accepted{0};
        std::deque<call> items;
        for (int i = 0; i < 2'000; ++i)
            items.emplace_back([&] { runs.fetch_add(1); });
        std::thread poster;
        {
            running thread{loop};
            poster = std::thread{[&] {
                for (call& each : items) {
                    while (&each == &items[items.size() / 2] && !loop.stop_requested())
                        std::this_thread::yield(); // the second half meets the end
                    if (loop.post(each)) accepted.fetch_add(1);
                }
            }};
            EXPECT_TRUE(wait_until([&] { return runs.load() > round * 10; }));
        }
        poster.join();
        ASSERT_EQ(runs.load(), accepted.load());
        ASSERT_FALSE(loop.post(items.front()));
    }
}

TEST(scheduler_on_a_ring, ends_what_waits_in_the_kernel_before_it_ends) {
    constexpr int count = 200;
    std::vector<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    for (std::size_t i = 0; i < count; ++i)
        reads.push_back(read_of(pipes[i], bytes[i]));
    scheduler loop;
    for (auto& each : reads)
        loop.start(each);
    loop.run_once(time_point::min());
    pipes[3].write(); // one of them may still succeed
    loop.shutdown();
    EXPECT_EQ(loop.in_flight_count(), 0U);
    for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(reads[i].ended_count, 1);
        ASSERT_TRUE(i == 3 || reads[i].end() == -ECANCELED) << i;
    }
}

std::ptrdiff_t entries_of(const char* folder) {
    const std::filesystem::directory_iterator entries{folder};
    return std::distance(begin(entries), end(entries));
}

TEST(scheduler_on_a_ring, leaves_no_descriptor_and_no_thread_behind_200_times) {
    const auto once = [] {
        empty_pipe quiet;
        char byte;
        sample_operation read = read_of(quiet, byte);
        scheduler loop;
        running thread{loop};
        on(loop, [&] { loop.start(read); });
        thread.stop();
        ASSERT_EQ(read.end(), -ECANCELED);
    };
    once(); // what is made once for good
    const auto descriptors = entries_of("/proc/self/fd");
    const auto threads = entries_of("/proc/self/task");
    for (int round = 0; round < 200; ++round)
        once();
    EXPECT_EQ(entries_of("/proc/self/fd"), descriptors);
    EXPECT_TRUE(wait_until([&] { return entries_of("/proc/self/task") <= threads; }));
}

TEST(scheduler_on_a_ring, cancels_what_blocks_a_kernel_worker) {
    cancel_what_blocks_a_worker({});
}

} // namespace
} // namespace ring_scheduler_tests

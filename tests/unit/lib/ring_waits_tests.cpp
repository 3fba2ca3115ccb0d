// SPDX-License-Identifier: BSL-1.0
//
// How a ring waits: for completions to gather, with network devices polled first, and not at all
// when there is nothing to wait for.
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

namespace ring_waits_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::driver_choice;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

scheduler_options on_a_ring() {
    scheduler_options options;
    options.driver = driver_choice::io_uring;
    return options;
}

class turns {
public:
    explicit turns(const scheduler_options& options) : loop(options) {
        loop.run_once(time_point::min()); // sets up what is done once
    }
    /// How long one turn takes in which `count` operations begin that end at once.
    coronet::duration with_nops(std::size_t count) {
        std::deque<sample_operation> nops(count);
        for (auto& each : nops)
            loop.start(each);
        const time_point begin = clock::now();
        loop.run_once(time_point::max());
        const auto length = clock::now() - begin;
        run_until(loop, [&] {
            return std::ranges::all_of(nops, [](const auto& each) { return each.ended(); });
        });
        return length;
    }
    scheduler loop;
};

// ---- min_wait ----

/// The kernel that runs the tests need not know it.
bool kernel_can_gather() {
    io_uring probe{};
    if (::io_uring_queue_init(2, &probe, 0) < 0) return false;
    const bool known = (probe.features & (1U << 15)) != 0;
    ::io_uring_queue_exit(&probe);
    return known;
}

class min_wait : public ::testing::Test {
protected:
    void SetUp() override {
        if (!kernel_can_gather()) GTEST_SKIP() << "Linux 6.12 or newer is needed";
    }
    scheduler_options options = on_a_ring();
};

TEST_F(min_wait, goes_on_for_a_while_when_there_is_a_completion) {
    options.min_wait = 60ms;
    EXPECT_GE(turns{options}.with_nops(1), 60ms);
}

TEST_F(min_wait, is_over_when_there_are_as_many_completions_as_a_turn_runs) {
    options.min_wait = 1s;
    options.run_budget = 4;
    EXPECT_LT(turns{options}.with_nops(4), 700ms);
}

TEST_F(min_wait, does_not_delay_what_comes_when_it_is_over) {
    options.min_wait = 1ms;
    turns seen{options};
    const auto enters = seen.loop.stats().enters;
    seen.loop.run_once(clock::now() + 100ms);
    EXPECT_EQ(seen.loop.stats().enters, enters + 1); // one sleep, not one a millisecond
}

TEST_F(min_wait, lets_a_loop_without_a_time_limit_sleep_until_it_is_woken) {
    options.min_wait = 1ms;
    turns seen{options};
    const auto enters = seen.loop.stats().enters;
    bool woken = false;
    call item{[&] { woken = true; }};
    std::thread other{[&] {
        std::this_thread::sleep_for(50ms); // time for a loop that does not sleep to show itself
        EXPECT_TRUE(seen.loop.post(item));
    }};
    while (!woken)
        seen.loop.run_once(time_point::max());
    other.join();
    EXPECT_LE(seen.loop.stats().enters, enters + 2);
}

TEST_F(min_wait, does_not_delay_timers) {
    options.min_wait = 1s;
    turns seen{options};
    bool rung = false;
    coronet::testing::alarm soon{[&] { rung = true; }};
    seen.loop.arm(soon, 20ms);
    const time_point begin = clock::now();
    while (!rung)
        seen.loop.run_once(time_point::max());
    EXPECT_GE(clock::now() - begin, 20ms);
    EXPECT_LT(clock::now() - begin, 700ms);
}

TEST_F(min_wait, is_not_for_turns_that_do_not_wait) {
    options.min_wait = 1s;
    turns seen{options};
    call more{[] {}};
    seen.loop.ready(more);
    const time_point begin = clock::now();
    seen.loop.run_once(time_point::max());
    EXPECT_LT(clock::now() - begin, 700ms);
}

TEST(ring_waits, refuse_times_that_make_no_sense) {
    for (const std::chrono::microseconds wrong : {-1us, 1'000'001us}) {
        scheduler_options options;
        options.min_wait = wrong;
        EXPECT_THROW(scheduler{options}, std::system_error);
        options.min_wait = 0us;
        options.napi = wrong;
        EXPECT_THROW(scheduler{options}, std::system_error);
    }
}

TEST(ring_waits, are_as_usual_on_the_epoll_driver_whatever_the_options_say) {
    scheduler_options options;
    options.driver = driver_choice::epoll;
    options.min_wait = 1s;
    options.napi = 100us;
    EXPECT_LT(turns{options}.with_nops(1), 700ms);
}

// ---- NAPI ----

/// What the kernel says about the rings of this process.
std::string registered_polling() {
    std::string text;
    for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        if (std::filesystem::read_symlink(each, gone) != "anon_inode:[io_uring]") continue;
        std::ifstream info{"/proc/self/fdinfo/" + each.path().filename().string()};
        for (std::string line; std::getline(info, line);)
            if (line.find("NAPI") == 0 || line.find("napi") == 0) text += line + '\n';
    }
    return text;
}

TEST(ring_waits, poll_devices_only_if_asked_for) {
    scheduler plain{on_a_ring()};
    const std::string without = registered_polling();
    if (without.empty()) GTEST_SKIP() << "the kernel does not tell (6.9)";
    EXPECT_NE(without.find("disabled"), std::string::npos) << without;
}

TEST(ring_waits, poll_devices_for_as_long_as_asked_for) {
    scheduler_options options = on_a_ring();
    options.napi = 123us;
    scheduler loop{options};
    const std::string registered = registered_polling();
    if (registered.empty()) GTEST_SKIP() << "the kernel does not tell (6.9)";
    EXPECT_NE(registered.find("napi_busy_poll_dt:\t123"), std::string::npos) << registered;
    sample_operation nop;
    loop.start(nop);
    run_until(loop, [&] { return nop.ended(); });
}

// ---- what costs nothing ----

TEST(ring_waits, are_none_where_something_is_ready_and_nothing_to_submit) {
    turns seen{on_a_ring()};
    const auto enters = seen.loop.stats().enters;
    int runs = 0;
    call item{[&] { ++runs; }};
    for (int turn = 0; turn < 100; ++turn) {
        seen.loop.ready(item);
        seen.loop.run_once(time_point::max());
    }
    EXPECT_EQ(runs, 100);
    EXPECT_EQ(seen.loop.stats().enters, enters);
}

TEST(ring_waits, submit_all_of_a_turn_at_once) {
    turns seen{on_a_ring()};
    const auto before = seen.loop.stats();
    for (int turn = 0; turn < 100; ++turn)
        seen.with_nops(10);
    const auto after = seen.loop.stats();
    EXPECT_EQ(after.operations - before.operations, 1000U);
    EXPECT_LE(after.enters - before.enters, 100U);
}

} // namespace
} // namespace ring_waits_tests

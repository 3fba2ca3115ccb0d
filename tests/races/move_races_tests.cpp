// SPDX-License-Identifier: BSL-1.0
//
// Property: a task that moves between schedulers, is stopped at any instant and whose schedulers
// may end meanwhile ends exactly once, at home.
#include "rival.hpp"
#include "support/rounds.hpp"
#include "support/spin.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct arena {
    runtime others{[] {
        runtime_options options;
        options.threads = 2;
        return options;
    }()};
    std::unique_ptr<inplace_stop_source> source;
    std::atomic<int> ends{0};
    int moved_all = 0;
};

task<bool> wander(arena* at, int steps) {
    bool all = true;
    for (int i = 0; all && i < steps; ++i) {
        const auto went = co_await schedule_on(at->others.at(static_cast<std::size_t>(i % 2)));
        const auto done = co_await async::nop();
        all = went && done;
    }
    ++at->ends;
    co_return all;
}

task<void> stops_against_moves(arena* at, int rounds) {
    const scheduler* home = scheduler::current();
    rival stopper{[at](int round) {
        spin(round * 13 % 5'000);
        at->source->request_stop();
    }};
    for (int round = 0; round < rounds; ++round) {
        at->source = std::make_unique<inplace_stop_source>();
        stopper.go();
        const bool all = co_await with_stop(at->source->get_token(), wander(at, 6));
        if (all) ++at->moved_all;
        if (scheduler::current() != home) throw std::logic_error("resumed away from home");
        stopper.wait();
    }
}

TEST(moving_task, against_a_stop_ends_once_and_at_home) {
    const int rounds = test::rounds(2'000, 60'000);
    arena at;
    run(stops_against_moves(&at, rounds));
    EXPECT_EQ(at.ends, rounds);
    RecordProperty("moved_all", at.moved_all);
}

task<void> wander_until_refused(arena* at) {
    for (;;) {
        const bool all = co_await wander(at, 6);
        if (!all) co_return;
    }
}

TEST(moving_task, against_the_end_of_its_schedulers_ends_once_and_at_home) {
    const int rounds = test::rounds(200, 5'000);
    for (int round = 0; round < rounds; ++round) {
        arena at;
        std::thread stopper{[&at, round] {
            spin(round * 37 % 5'000);
            at.others.stop();
        }};
        run(wander_until_refused(&at));
        stopper.join();
    }
}

} // namespace
} // namespace coronet

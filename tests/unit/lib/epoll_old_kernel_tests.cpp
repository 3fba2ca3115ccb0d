// SPDX-License-Identifier: BSL-1.0
//
// The epoll driver where calls are missing that newer kernels have: each in a process of its own,
// with a filter in front of the kernel.
#include "kernel_filter.hpp"
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <vector>

#include <poll.h>

namespace epoll_old_kernel_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

void without(long system_call, int error, const std::function<void(scheduler&)>& body) {
    if (!make_kernel_answer(system_call, error)) ::_exit(2);
    scheduler_options options;
    options.driver = coronet::driver_choice::epoll;
    {
        scheduler loop{options};
        body(loop);
    }
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}
const auto fine = ::testing::ExitedWithCode(0);

/// Before Linux 5.11 a timer in the set ends the wait.
TEST(epoll_on_an_old_kernel, keeps_its_deadlines) {
    const auto body = [](scheduler& loop) {
        call_timers_in_order(loop);

        const time_point deadline = clock::now() + 50ms;
        const auto turns = loop.stats().turns;
        while (clock::now() < deadline)
            loop.run_once(deadline);
        EXPECT_LE(loop.stats().turns - turns, 5U);
    };
    EXPECT_EXIT(without(SYS_epoll_pwait2, ENOSYS, body), fine, "");
}

TEST(epoll_on_an_old_kernel, is_woken) {
    const auto body = [](scheduler& loop) {
        running thread{loop};
        for (int round = 0; round < 500; ++round)
            on(loop, [] {});
    };
    EXPECT_EXIT(without(SYS_epoll_pwait2, ENOSYS, body), fine, "");
}

/// Before Linux 6.4 a read of a pipe cannot be asked not to wait: a worker does it, when there is
/// something to be read.
TEST(epoll_on_an_old_kernel, reads_pipes_that_block) {
    const auto body = [](scheduler& loop) {
        const empty_pipe source;
        char byte = 0;
        for (int round = 0; round < 20; ++round) {
            auto op = read_of(source, byte);
            loop.start(op);
            loop.run_once(time_point::min());
            EXPECT_FALSE(op.ended());
            source.write();
            run_until(loop, [&] { return op.ended(); });
            EXPECT_EQ(op.results, std::vector{1});
        }
        EXPECT_GE(loop.stats().workers.created, 1U);
    };
    EXPECT_EXIT(without(SYS_preadv2, EOPNOTSUPP, body), fine, "");
}

/// Another has taken what poll(2) saw: only a worker waits, and it can be cancelled.
TEST(epoll_on_an_old_kernel, cancels_a_read_that_a_worker_waits_in) {
    const auto body = [](scheduler& loop) {
        const empty_pipe source;
        char byte = 0;
        auto first = read_of(source, byte);
        auto second = read_of(source, byte);
        loop.start(first);
        loop.start(second);
        loop.run_once(time_point::min());
        source.write();
        run_until(loop, [&] { return first.ended() || second.ended(); });
        auto& other = first.ended() ? second : first;
        EXPECT_FALSE(other.ended());
        other.cancel();
        run_until(loop, [&] { return other.ended(); });
        EXPECT_EQ(other.results, std::vector{-ECANCELED});
    };
    EXPECT_EXIT(without(SYS_preadv2, EOPNOTSUPP, body), fine, "");
}

} // namespace
} // namespace epoll_old_kernel_tests

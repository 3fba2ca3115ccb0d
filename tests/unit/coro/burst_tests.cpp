// SPDX-License-Identifier: BSL-1.0
//
// Many more operations at once than the queues have room for: none of them sees an error.
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <poll.h>

namespace coronet::burst_tests {
namespace {

using namespace std::chrono_literals;
using test::pipe_pair;

struct tally {
    int done = 0;
    int cancelled = 0;
    int failed = 0;

    void note(std::error_code error) {
        ++(!error ? done : error == std::errc::operation_canceled ? cancelled : failed);
    }
};

task<void> round_trip(tally* seen) {
    const auto done = co_await async::nop();
    seen->note(done.error());
}
task<void> wait_for_input(int fd, tally* seen) {
    const auto came = co_await async::poll(fd, POLLIN);
    seen->note(came.error());
}

task<void> start_round_trips(scope children, int count, tally* seen) {
    for (int i = 0; i < count; ++i)
        children.spawn(round_trip, seen);
    co_return;
}
task<void> start_waits(scope children, int count, const pipe_pair* pipe, tally* seen) {
    for (int i = 0; i < count; ++i)
        children.spawn(wait_for_input, pipe->reader.get(), seen);
    const auto slept = co_await sleep_for(20ms); // all are in flight: none has ended
    slept.value();
    if (seen->done + seen->cancelled + seen->failed > 0) throw std::logic_error("ended early");
    if (::write(pipe->writer.get(), "x", 1) != 1) throw std::logic_error("write");
}
task<void> start_waits_for_nothing(scope children, int count, const pipe_pair* pipe, tally* seen) {
    for (int i = 0; i < count; ++i)
        children.spawn(wait_for_input, pipe->reader.get(), seen);
    const auto slept = co_await sleep_for(20ms);
    slept.value();
    children.request_stop();
}

template <class... Parameters, class... Arguments>
task<void> in_scope(task<void> (*body)(scope, Parameters...), Arguments... arguments) {
    co_await with_scope(body, arguments...);
}

class burst : public ::testing::TestWithParam<bool> {
protected:
    static run_options options() {
        run_options small;
        small.scheduler.queue_depth = 64;
        if (GetParam()) small.scheduler.sqpoll = sqpoll_options{};
        return small;
    }
    pipe_pair pipe;
    tally seen;
};

TEST_P(burst, of_ten_times_the_queue_completes) {
    run(in_scope(start_round_trips, 640, &seen), options());
    EXPECT_EQ(seen.done, 640);
}

TEST_P(burst, of_ten_thousand_operations_completes) {
    run(in_scope(start_round_trips, 10'000, &seen), options());
    EXPECT_EQ(seen.done, 10'000);
}

TEST_P(burst, of_waits_ends_when_what_they_wait_for_comes) {
    run(in_scope(start_waits, 640, &pipe, &seen), options());
    EXPECT_EQ(seen.done, 640);
}

TEST_P(burst, of_ten_thousand_waits_ends_when_what_they_wait_for_comes) {
    run(in_scope(start_waits, 10'000, &pipe, &seen), options());
    EXPECT_EQ(seen.done, 10'000);
}

TEST_P(burst, of_ten_thousand_waits_is_cancelled) {
    run(in_scope(start_waits_for_nothing, 10'000, &pipe, &seen), options());
    EXPECT_EQ(seen.cancelled, 10'000);
}

std::string ring_name(const ::testing::TestParamInfo<bool>& kind) {
    return kind.param ? "sqpoll" : "plain";
}
INSTANTIATE_TEST_SUITE_P(rings, burst, ::testing::Bool(), ring_name);

} // namespace
} // namespace coronet::burst_tests

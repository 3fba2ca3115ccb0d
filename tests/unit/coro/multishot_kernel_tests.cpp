// SPDX-License-Identifier: BSL-1.0
//
// Streams of results from one request, on the kernel.
#include "support/open_files.hpp"
#include "waiting_kinds.hpp"

#include <coronet/coro/multishot.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <vector>

#include <poll.h>

namespace coronet::multishot_kernel_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

task<int> accept_some(listening_socket* listener, int count) {
    auto stream = async::accept_multishot(listener->fd.get());
    std::vector<unique_fd> clients;
    std::vector<unique_fd> accepted;
    for (int i = 0; i < count; ++i)
        clients.push_back(listener->client());
    while (static_cast<int>(accepted.size()) < count) {
        auto next = co_await stream.next();
        if (!next) break;
        accepted.push_back(std::move(*next));
    }
    co_await stream.close();
    co_return static_cast<int>(accepted.size());
}

TEST(multishot_accept, takes_connections_by_one_request) {
    listening_socket listener{64};
    const auto before = open_file_count();
    EXPECT_EQ(run(accept_some(&listener, 50)), 50);
    EXPECT_EQ(open_file_count(), before);
}

task<bool> connected_after_close(listening_socket* listener) {
    auto stream = async::accept_multishot(listener->fd.get());
    const auto nothing = co_await with_timeout(1ms, stream.next());
    co_await stream.close();
    const auto client = listener->client();
    const auto slept = co_await sleep_for(5ms); // for a request that were still there
    pollfd waiting{listener->fd.get(), POLLIN, 0};
    co_return nothing.error() == std::errc::timed_out&& slept&& ::poll(&waiting, 1, 1000) == 1;
}

TEST(multishot_accept, F6_leaves_a_connection_in_the_backlog_when_it_was_cancelled_before) {
    listening_socket listener;
    EXPECT_TRUE(run(connected_after_close(&listener)));
}

task<void> leave_it_open(listening_socket* listener) {
    auto stream = async::accept_multishot(listener->fd.get());
    const auto nothing = co_await with_timeout(1ms, stream.next());
    static_cast<void>(nothing);
}

TEST(multishot_accept, that_is_abandoned_ends_with_its_scheduler) {
    listening_socket listener;
    run(leave_it_open(&listener));
    const auto before = open_file_count();
    const auto client = listener.client();
    EXPECT_EQ(open_file_count(), before + 1) << "somebody has accepted it";
}

task<unsigned> polled_twice(pipe_pair* pipe) {
    auto events = async::poll_multishot(pipe->reader.get(), POLLIN);
    unsigned seen = 0;
    for (int i = 0; i < 2; ++i) {
        pipe_input::fill_one(pipe->writer.get());
        const auto next = co_await with_timeout(5s, events.next());
        if (!next || !(*next & POLLIN)) break;
        if (drain(pipe->reader.get()) == 1) ++seen;
    }
    co_await events.close();
    const auto after = co_await events.next();
    co_return after ? 0 : seen;
}

TEST(multishot_poll, reports_each_time_that_there_is_something) {
    pipe_pair pipe;
    EXPECT_EQ(run(polled_twice(&pipe)), 2u);
}

task<std::error_code> next_while_draining(listening_socket* listener) {
    auto stream = async::accept_multishot(listener->fd.get());
    scheduler::current()->stop();
    const auto first = co_await stream.next();
    const auto second = co_await stream.next();
    co_await stream.close();
    co_return first.error() == second.error() ? first.error() : std::error_code{};
}

TEST(multishot_accept, ends_when_its_scheduler_is_stopped) {
    listening_socket listener;
    EXPECT_EQ(run(next_while_draining(&listener)), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::multishot_kernel_tests

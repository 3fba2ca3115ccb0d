// SPDX-License-Identifier: BSL-1.0
//
// A context in a forked child: with notify_fork() both processes go on, without it the child is
// told.
#include "native_pair.hpp"
#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"
#include "which_asio.hpp"

#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/error.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/detail/socket_requests.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/stream_file.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/use_coro.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <system_error>

namespace coronet::asiox::loop_fork_tests {
namespace {

using namespace std::chrono_literals;
using test::tcp;

/// A timer and an accept, both waiting in the ring.
struct waiting {
    explicit waiting(net::io_context& context)
        : timer{context, 50ms}, listening{context, test::any_port()} {
        timer.async_wait([this](error_code error) { expired = !error; });
        listening.async_accept([this](error_code error, const tcp::socket&) { came = !error; });
        context.poll();
    }
    net::steady_timer timer;
    tcp::acceptor listening;
    bool expired = false;
    bool came = false;
};

TEST(asio_fork, AN12_the_timer_of_both_processes_expires_and_the_parent_accepts) {
    io_context context;
    waiting both{context};
    const auto server = both.listening.local_endpoint();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        both.listening.close(); // there it is the parent's
        context.run();
        return both.expired && !both.came ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    tcp::socket connecting{context};
    connecting.connect(server);
    EXPECT_EQ(context.run(), 2u);
    EXPECT_TRUE(both.expired);
    EXPECT_TRUE(both.came);
}

TEST(asio_fork, AN12_a_child_can_go_on_working_with_its_own_sockets) {
    io_context context;
    context.poll();
    context.restart();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        waiting own{context};
        tcp::socket connecting{context};
        connecting.connect(own.listening.local_endpoint());
        context.run();
        return own.expired && own.came ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
}

TEST(asio_fork, AN12_a_child_that_was_not_told_so_is_told_by_run) {
    io_context context;
    waiting both{context};
    const int child = coronet::test::in_a_child([&] {
        try {
            context.run();
        } catch (const std::system_error& thrown) {
            return thrown.code() == errc::stopped ? 0 : 1;
        }
        return 2;
    });
    EXPECT_EQ(child, 0);
    both.listening.close();
    EXPECT_EQ(context.run(), 2u);
    EXPECT_TRUE(both.expired);
}

TEST(asio_fork, AN12_a_child_that_only_leaves_can_destroy_its_context) {
    auto context = std::make_unique<io_context>();
    auto both = std::make_unique<waiting>(*context);
    const int child = coronet::test::in_a_child([&] {
        both.reset();
        context.reset();
        return 0;
    });
    EXPECT_EQ(child, 0);
    both->listening.close();
    EXPECT_EQ(context->run(), 2u);
}

TEST(asio_fork, AN12_what_was_cancelled_before_is_so_in_the_child) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    error_code told;
    pair.one.async_read_some(net::buffer(bytes), [&told](error_code error, std::size_t) {
        told = error;
    });
    context.poll();
    pair.one.cancel();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        context.run_for(10s);
        return told == net::error::operation_aborted ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    context.run_for(10s);
    EXPECT_EQ(told, net::error::operation_aborted);
}

/// Forks with notify_fork; both processes run. Result: what `child_says` gives in the child.
template <class ChildSays>
int run_in_both(io_context& context, ChildSays child_says) {
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        context.run_for(10s);
        return child_says();
    });
    context.notify_fork(net::io_context::fork_parent);
    context.run_for(10s);
    return child;
}

TEST(asio_fork, AN12_what_was_sent_before_is_sent_once) {
    io_context context;
    test::native_pair pair{context};
    std::size_t sent = 0;
    pair.one.async_send(net::buffer("hello", 5), [&](error_code, std::size_t n) { sent = n; });
    EXPECT_EQ(run_in_both(context, [&] { return sent == 5 ? 0 : 1; }), 0);
    EXPECT_EQ(sent, 5u);
    EXPECT_EQ(pair.other.available(), 5u);
}

TEST(asio_fork, AN12_what_was_written_to_a_file_before_is_written_once) {
    const coronet::test::temporary_directory folder;
    io_context context;
    stream_file file{
        context, folder.path() + "/written", stream_file::create | stream_file::read_write};
    std::size_t written = 0;
    file.async_write_some(net::buffer("hello", 5), [&](error_code, std::size_t n) { written = n; });
    EXPECT_EQ(run_in_both(context, [&] { return written == 5 ? 0 : 1; }), 0);
    EXPECT_EQ(written, 5u);
    EXPECT_EQ(file.size(), 5u);
}

TEST(asio_fork, AN12_both_are_told_that_a_connect_of_before_succeeded) {
    io_context context;
    tcp::acceptor listening{context, test::any_port()};
    asiox::tcp::socket connecting{context, tcp::v4()};
    error_code told = net::error::would_block;
    connecting.async_connect(listening.local_endpoint(), [&](error_code error) { told = error; });
    EXPECT_EQ(run_in_both(context, [&] { return told ? 1 : 0; }), 0);
    EXPECT_FALSE(told) << told.message();
}

TEST(asio_fork, AN12_a_connect_of_both_processes_succeeds_in_the_one_that_comes_second) {
    const tcp::endpoint to;
    detail::connect_request<tcp::endpoint> connects{-1, to};
    connects.begun_after(1);
    EXPECT_EQ(connects.ended_after(1, -EISCONN), -EISCONN); // it was connected before
    EXPECT_EQ(connects.ended_after(2, -EISCONN), 0);
    EXPECT_EQ(connects.ended_after(2, -ECONNREFUSED), -ECONNREFUSED);
}

/// `from` and `into` live until it is over.
task<void> receives(asiox::tcp::socket* from, char* into) {
    co_await from->async_receive(net::buffer(into, 1), use_coro);
}

/// One of them is in flight, and the other one waits for its turn.
task<void> receives_twice(asiox::tcp::socket* from, std::array<char, 2>* into) {
    co_await when_all(receives(from, &into->front()), receives(from, &into->back()));
}

TEST(asio_fork, AN12_a_child_takes_nothing_that_tasks_of_the_parent_wait_for) {
    io_context context{1};
    test::native_pair pair{context};
    std::array<char, 2> got{};
    async_run(context, receives_twice(&pair.one, &got), net::detached);
    context.poll();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        context.run_for(10s);                                 // nothing is left to do
        return context.ring().in_flight_count() <= 1 ? 0 : 1; // the epoll set may be polled
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    pair.other.send(net::buffer("ab", 2));
    context.run_for(10s);
    EXPECT_EQ(got, (std::array<char, 2>{'a', 'b'}));
}

task<void> nap() {
    auto slept = co_await sleep_for(50ms);
    static_cast<void>(slept);
}

TEST(asio_fork, AN12_run_of_a_child_does_not_wait_for_tasks_of_the_parent) {
    io_context context{1};
    bool over = false;
    async_run(context, nap(), [&](const std::exception_ptr&) { over = true; });
    context.poll();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        bool posted = false;
        net::post(context, [&posted] { posted = true; }); // the loop has not been stopped
        context.run();
        return posted && !over ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    EXPECT_EQ(context.run(), 1u);
    EXPECT_TRUE(over);
}

} // namespace
} // namespace coronet::asiox::loop_fork_tests

// SPDX-License-Identifier: BSL-1.0
//
// A context in a forked child: with notify_fork() both processes go on, without it the child is
// told.
#include "native_pair.hpp"
#include "support/child_process.hpp"
#include "which_asio.hpp"

#include <coronet/error.hpp>
#include <coronet/net/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
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

} // namespace
} // namespace coronet::asiox::loop_fork_tests

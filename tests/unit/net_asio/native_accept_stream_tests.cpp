// SPDX-License-Identifier: BSL-1.0
//
// One request for all connections of an acceptor, as operations of Asio's.
#include "native_pair.hpp"
#include "support/child_process.hpp"
#include "support/open_files.hpp"
#include "support/temporary_directory.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/accept_stream.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/local.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

namespace coronet::asiox::native_accept_stream_tests {
namespace {

using namespace std::chrono_literals;

class asio_accept_stream : public ::testing::Test {
protected:
    io_context context{1};
    asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor, test::any_port()};
    accept_stream<asiox::tcp::protocol> connections{listening};
    std::list<asiox::tcp::socket> peers;
    std::vector<asiox::tcp::socket> accepted;
    std::vector<error_code> errors;

    void connect(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            peers.emplace_back(executor).connect(listening.local_endpoint());
    }
    void accept(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            connections.async_accept([this](error_code error, asiox::tcp::socket peer) {
                error ? errors.push_back(error) : accepted.push_back(std::move(peer));
            });
    }
    /// The ring has some turns, whatever waits for it.
    void look() {
        const auto work = net::make_work_guard(context);
        context.restart();
        context.run_for(20ms);
    }
};

TEST_F(asio_accept_stream, AN9_gives_all_connections_that_are_queued) {
    constexpr int count = 300;
    listening.listen(count);
    connect(count);
    accept(count);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), std::size_t{count});
    for (auto& each : accepted)
        EXPECT_TRUE(::fcntl(each.native_handle(), F_GETFD) & FD_CLOEXEC);
}

using asio_accept_stream_on_a_ring = asio_accept_stream;

TEST_F(asio_accept_stream_on_a_ring, has_one_request_for_all) {
    accept(100);
    look();
    const auto before = context.ring().stats().operations;
    connect(100);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), 100u);
    EXPECT_EQ(context.ring().stats().operations, before);
}

TEST_F(asio_accept_stream, gives_connections_that_can_be_used) {
    accept(1);
    connect(1);
    test::run_to_the_end(context);
    ASSERT_EQ(accepted.size(), 1u);
    EXPECT_EQ(accepted[0].remote_endpoint(), peers.front().local_endpoint());
    net::write(peers.front(), net::buffer("hello", 5));
    std::array<char, 5> bytes{};
    std::size_t count = 0;
    net::async_read(accepted[0], net::buffer(bytes), [&](error_code, std::size_t n) { count = n; });
    test::run_to_the_end(context);
    EXPECT_EQ(count, 5u);
}

TEST_F(asio_accept_stream, AN9_keeps_connections_when_nobody_asks_but_not_without_end) {
    constexpr std::size_t count = 200;
    listening.listen(count);
    accept(1);
    connect(1);
    test::run_to_the_end(context);
    const auto before = coronet::test::open_file_count();
    for (std::size_t i = 0; i < count; i += 10) {
        connect(10);
        look();
    }
    const auto kept = coronet::test::open_file_count() - before - count;
    EXPECT_LT(kept, 150u);
    accept(count);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), count + 1);
}

TEST_F(asio_accept_stream, AN2_a_slot_ends_its_operation_and_no_other) {
    net::cancellation_signal signal;
    std::optional<error_code> first;
    connections.async_accept(net::bind_cancellation_slot(
        signal.slot(), [&](error_code error, const asiox::tcp::socket&) { first = error; }
    ));
    accept(1);
    look();
    signal.emit(net::cancellation_type::total);
    look();
    EXPECT_EQ(first, net::error::operation_aborted);
    EXPECT_TRUE(errors.empty());
    connect(1);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), 1u);
}

TEST_F(asio_accept_stream, AN3_close_of_its_acceptor_ends_it) {
    accept(3);
    look();
    listening.close();
    test::run_to_the_end(context);
    ASSERT_EQ(errors.size(), 3u);
    for (const auto& each : errors)
        EXPECT_EQ(each, net::error::operation_aborted);
    accept(1);
    test::run_to_the_end(context);
    EXPECT_EQ(errors.back(), net::error::bad_descriptor);
}

TEST_F(asio_accept_stream, gives_what_it_has_kept_after_its_acceptor_was_closed) {
    accept(1);
    connect(2);
    look();
    listening.close();
    accept(2);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), 2u);
    EXPECT_EQ(errors, std::vector<error_code>{net::error::bad_descriptor});
}

TEST_F(asio_accept_stream, cancel_ends_all_that_wait_and_no_connection_is_lost) {
    accept(2);
    look();
    connections.cancel();
    test::run_to_the_end(context);
    EXPECT_EQ(errors.size(), 2u);
    connect(1);
    look();
    accept(1);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), 1u);
}

TEST_F(asio_accept_stream, that_is_destroyed_closes_what_it_has_kept_and_leaves_the_acceptor) {
    {
        accept_stream dropped{listening};
        dropped.async_accept([](error_code, const asiox::tcp::socket&) {});
        connect(2);
        look();
    }
    error_code error;
    std::array<char, 1> byte{};
    peers.back().read_some(net::buffer(byte), error);
    EXPECT_EQ(error, net::error::eof);
    look();
    connect(1);
    bool came = false;
    listening.async_accept([&](error_code failed, const asiox::tcp::socket&) { came = !failed; });
    test::run_to_the_end(context);
    EXPECT_TRUE(came);
}

TEST_F(asio_accept_stream, AN9_tells_that_descriptors_are_short_and_goes_on) {
    connect(1);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 3; // all that are open are above
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    accept(1);
    test::run_to_the_end(context);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(errors, std::vector<error_code>{net::error::no_descriptors});
    accept(1);
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), 1u);
}

TEST_F(asio_accept_stream, AN11_is_destroyed_with_its_context) {
    auto held = std::make_shared<int>();
    {
        io_context own{1};
        asiox::tcp::acceptor mine{asiox::executor{own.get_executor()}, test::any_port()};
        accept_stream here{mine};
        here.async_accept([held](error_code, const asiox::tcp::socket&) { ADD_FAILURE(); });
        own.run_for(20ms);
    }
    EXPECT_EQ(held.use_count(), 1);
}

TEST_F(asio_accept_stream, AN12_goes_on_in_a_forked_child) {
    accept(1);
    look();
    std::array<int, 2> closed{};
    ASSERT_EQ(::pipe(closed.data()), 0);
    context.notify_fork(net::io_context::fork_prepare);
    const pid_t child = coronet::test::begin_child([&] {
        context.notify_fork(net::io_context::fork_child);
        ::close(closed[1]);
        char byte = 0;
        static_cast<void>(::read(closed[0], &byte, 1)); // the parent's would take the connection
        connect(1);
        test::run_to_the_end(context);
        return accepted.size() == 1 ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    listening.close();
    test::run_to_the_end(context);
    EXPECT_EQ(errors, std::vector<error_code>{net::error::operation_aborted});
    ::close(closed[1]);
    EXPECT_EQ(coronet::test::end_of_child(child), 0);
    ::close(closed[0]);
}

TEST(asio_accept_stream_local, is_of_local_acceptors_too) {
    const coronet::test::temporary_directory folder;
    io_context context{1};
    asiox::executor executor{context.get_executor()};
    const local_stream::endpoint address{folder.path() + "/socket"};
    local_stream::acceptor listening{executor, address};
    accept_stream connections{listening};
    bool came = false;
    connections.async_accept([&](error_code error, const local_stream::socket& peer) {
        came = !error && peer.is_open();
    });
    local_stream::socket peer{executor};
    peer.connect(address);
    test::run_to_the_end(context);
    EXPECT_TRUE(came);
}

} // namespace
} // namespace coronet::asiox::native_accept_stream_tests

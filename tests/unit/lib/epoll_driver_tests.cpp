// SPDX-License-Identifier: BSL-1.0
//
// The epoll driver: what it does that nobody sees from outside. That its results are those of
// io_uring is in same_results_tests.cpp; all else is tested with the other suites, which run on it
// as well.
#include "ring_loop.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <deque>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace epoll_driver_tests {
namespace {

using namespace coronet::testing;
using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;
using coronet::unique_fd;

scheduler_options on_epoll() {
    scheduler_options options;
    options.driver = coronet::driver_choice::epoll;
    return options;
}

sample_operation read_of(int fd, char& byte) {
    return sample_operation{
        [fd, &byte](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, fd, &byte, 1, 0); }};
}

void turn(scheduler& loop) {
    loop.run_once(time_point::min());
}

/// A read that waits on `fd`, and ends when `source` is written to. It is then registered.
void wait_once(scheduler& loop, const empty_pipe& source) {
    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    turn(loop);
    ASSERT_FALSE(op.ended());
    source.write();
    run_until(loop, [&] { return op.ended(); });
    ASSERT_EQ(op.results, std::vector{1});
}

// ---- descriptors whose number means another file by now ----

TEST(epoll_driver, knows_at_once_that_the_library_has_closed_a_descriptor) {
    scheduler loop{on_epoll()};
    empty_pipe source;
    wait_once(loop, source);
    const int number = source.out.get();
    source.out.reset();
    source = {};
    ASSERT_EQ(source.out.get(), number);

    char byte = 0;
    auto op = read_of(number, byte);
    loop.start(op);
    turn(loop);
    source.write();
    turn(loop);
    EXPECT_TRUE(op.ended());
    run_until(loop, [&] { return op.ended(); });
}

TEST(epoll_driver, finds_out_that_somebody_else_has_closed_a_descriptor) {
    scheduler loop{on_epoll()};
    empty_pipe source;
    wait_once(loop, source);
    const empty_pipe other;
    ASSERT_GE(::dup2(other.out.get(), source.out.get()), 0); // closes it, and nobody sees

    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    turn(loop);
    other.write();
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{1});
}

/// So it does when there is always something else to do.
TEST(epoll_driver, finds_out_in_a_busy_loop_that_somebody_else_has_closed_a_descriptor) {
    scheduler loop{on_epoll()};
    empty_pipe source;
    wait_once(loop, source);
    const empty_pipe other;
    ASSERT_GE(::dup2(other.out.get(), source.out.get()), 0);

    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    other.write();
    int turns = 0;
    for (; turns < 1'000 && !op.ended(); ++turns) {
        sample_operation nop;
        loop.start(nop);
        turn(loop);
        ASSERT_TRUE(nop.ended());
    }
    EXPECT_TRUE(op.ended()) << "after " << turns << " turns";
    if (!op.ended()) op.cancel();
    run_until(loop, [&] { return op.ended(); });
}

TEST(epoll_driver, goes_on_with_a_file_that_has_another_descriptor) {
    scheduler loop{on_epoll()};
    empty_pipe source;
    wait_once(loop, source);
    const unique_fd copy{::dup(source.out.get())}; // keeps the registration alive
    const int number = source.out.get();
    source.out.reset();
    empty_pipe other;
    ASSERT_EQ(other.out.get(), number);

    char bytes[2]{};
    auto of_copy = read_of(copy.get(), bytes[0]);
    auto of_other = read_of(number, bytes[1]);
    loop.start(of_copy);
    loop.start(of_other);
    turn(loop);
    source.write();
    run_until(loop, [&] { return of_copy.ended(); });
    EXPECT_FALSE(of_other.ended());
    other.write();
    run_until(loop, [&] { return of_other.ended(); });
    EXPECT_EQ(of_copy.results, std::vector{1});
    EXPECT_EQ(of_other.results, std::vector{1});
}

TEST(epoll_driver, ends_what_waits_on_a_descriptor_that_it_closes) {
    scheduler loop{on_epoll()};
    empty_pipe source;
    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    sample_operation close{
        [&](io_uring_sqe& sqe) { io_uring_prep_close(&sqe, source.out.release()); }};
    loop.start(op);
    turn(loop);
    loop.start(close);
    run_until(loop, [&] { return close.ended(); });
    EXPECT_EQ(op.results, std::vector{-EBADF});
    EXPECT_EQ(close.results, std::vector{0});
}

// ---- cancelling ----

TEST(epoll_driver, finds_a_request_that_waits_and_cancels_it) {
    scheduler loop{on_epoll()};
    const empty_pipe source;
    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    turn(loop);
    op.cancel();
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{-ECANCELED});
    EXPECT_EQ(loop.stats().cancels_sent, 1U);
    EXPECT_EQ(loop.stats().cancels_not_found, 0U);
}

TEST(epoll_driver, F7_finds_a_request_of_the_same_batch) {
    scheduler loop{on_epoll()};
    const empty_pipe source;
    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    op.cancel();
    turn(loop);
    turn(loop);
    EXPECT_EQ(op.results, std::vector{-ECANCELED});
    EXPECT_EQ(loop.stats().cancels_not_found, 0U);
}

TEST(epoll_driver, C5_a_request_that_has_succeeded_is_not_found) {
    scheduler loop{on_epoll()};
    const empty_pipe source;
    source.write();
    char byte = 0;
    auto op = read_of(source.out.get(), byte);
    loop.start(op);
    op.cancel();
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{1});
    EXPECT_EQ(loop.stats().cancels_not_found, 1U);
}

TEST(epoll_driver, answers_that_a_worker_is_at_it) {
    scheduler loop{on_epoll()};
    cancel_an_open_that_waits(loop);
}

// ---- many at once ----

TEST(epoll_driver, serves_readers_of_one_descriptor_in_their_order) {
    scheduler loop{on_epoll()};
    const empty_pipe source;
    std::array<char, 8> bytes{};
    std::deque<sample_operation> reads;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        reads.push_back(read_of(source.out.get(), bytes[i]));
        reads.back().at_end = [&order, i] { order.push_back(i); };
    }
    for (auto& each : reads)
        loop.start(each);
    turn(loop);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        source.write();
    run_until(loop, [&] { return order.size() == bytes.size(); });
    EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

unique_fd listening() {
    unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(fd.get(), 512), 0);
    return fd;
}
std::vector<unique_fd> connections_to(const unique_fd& listener, std::size_t count) {
    sockaddr_in where{};
    socklen_t size = sizeof where;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&where), &size);
    std::vector<unique_fd> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(clients.back().get(), reinterpret_cast<sockaddr*>(&where), size), 0);
    }
    return clients;
}

/// Whoever has much to do is interrupted for the others.
TEST(epoll_driver, lets_no_descriptor_have_a_turn_for_itself) {
    scheduler loop{on_epoll()};
    const auto listener = listening();
    constexpr std::size_t count = 200;
    sample_operation accept{[&](io_uring_sqe& sqe) {
        io_uring_prep_multishot_accept(&sqe, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    }};
    loop.start(accept);
    turn(loop);
    const auto clients = connections_to(listener, count);
    std::size_t most = 0;
    std::size_t before = 0;
    while (accept.results.size() < count) {
        loop.run_once(coronet::clock::now() + patience);
        most = std::max(most, accept.results.size() - before);
        before = accept.results.size();
    }
    EXPECT_LE(most, 100U);
    for (const int fd : accept.results)
        unique_fd{fd}.reset();
    accept.cancel();
    run_until(loop, [&] { return accept.ended(); });
}

TEST(epoll_driver, executes_more_at_once_than_it_has_entries) {
    scheduler_options options = on_epoll();
    options.queue_depth = 2;
    scheduler loop{options};
    std::deque<sample_operation> nops(1'000);
    std::size_t ended = 0;
    for (auto& each : nops) {
        each.at_end = [&] { ++ended; };
        loop.start(each);
    }
    run_until(loop, [&] { return ended == nops.size(); });
}

// ---- what costs nothing ----

TEST(epoll_driver, looks_at_nothing_when_it_has_found_something) {
    scheduler loop{on_epoll()};
    turn(loop);
    const auto before = loop.stats().enters;
    for (int i = 0; i < 100; ++i) {
        sample_operation nop;
        loop.start(nop);
        turn(loop);
        ASSERT_TRUE(nop.ended());
    }
    EXPECT_LE(loop.stats().enters - before, 26U); // every fourth turn
}

TEST(epoll_driver, wants_sockets_that_do_not_block) {
    const scheduler loop{on_epoll()};
    EXPECT_EQ(loop.socket_flags(), SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// Nobody's loop may stand still because somebody else was quicker.
TEST(epoll_driver, makes_a_listener_non_blocking) {
    scheduler loop{on_epoll()};
    const auto listener = listening();
    sample_operation accept{[&](io_uring_sqe& sqe) {
        io_uring_prep_accept(&sqe, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    }};
    loop.start(accept);
    turn(loop);
    EXPECT_TRUE(::fcntl(listener.get(), F_GETFL) & O_NONBLOCK);
    accept.cancel();
    run_until(loop, [&] { return accept.ended(); });
}

} // namespace
} // namespace epoll_driver_tests

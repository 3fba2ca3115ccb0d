// SPDX-License-Identifier: BSL-1.0
//
// Shares of a listener at unusual times: made while all others are full or after the end, used
// after they were closed; and pauses for want of descriptors while a scheduler ends.
#include "connected.hpp"
#include "support/quiet.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/lifecycle.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/accept_backoff.hpp>
#include <coronet/net/shared_listener.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <system_error>
#include <vector>

namespace coronet::listener_share_tests {
namespace {

using namespace std::chrono_literals;
using test::client_of;
using test::quiet;
using share_type = listener_share<tcp_stream>;

/// Tells when it has given two connections.
struct telling_listener {
    using stream_type = tcp_stream;
    task<result<tcp_stream>> accept() {
        auto accepted = co_await from.accept();
        if (++given == 2) two_given->set();
        co_return accepted;
    }
    tcp_listener from;
    event* two_given;
    int given = 0;
};
using door_type = shared_listener<telling_listener>;

/// With four connections in its backlog.
struct entrance {
    explicit entrance(std::size_t room)
        : door(telling_listener{tcp_listener{endpoint::v4_loopback(0)}, &two_given}, room) {
        for (int i = 0; i < 4; ++i)
            clients.push_back(client_of(door.listener().from));
    }
    event two_given;
    door_type door;
    std::vector<unique_fd> clients;
};

task<std::error_code> error_of_accept(share_type* from) {
    const auto accepted = co_await with_timeout(10s, from->accept());
    co_return accepted ? std::error_code{} : accepted.error();
}

task<void> run_until(door_type* door, inplace_stop_token stop) {
    auto accepting = door->run();
    const auto ended = co_await with_stop(stop, std::move(accepting));
    EXPECT_EQ(ended, std::errc::operation_canceled);
}
task<std::error_code> while_it_runs(scope children, door_type* door, task<std::error_code> job) {
    inplace_stop_source stop;
    children.spawn(run_until, door, stop.get_token());
    const auto error = co_await std::move(job);
    stop.request_stop();
    const auto joined = co_await children.join();
    EXPECT_TRUE(joined);
    co_return error;
}

/// The only share has its one connection, and run() waits with the second.
task<std::error_code> accept_when_all_are_full(entrance* at) {
    const auto told = co_await at->two_given.wait();
    EXPECT_TRUE(told);
    auto late = at->door.add_share();
    auto accepting = error_of_accept(&late);
    co_return co_await std::move(accepting);
}

TEST(listener_share, made_while_all_others_are_full_gets_the_next_connection) {
    entrance at{1};
    const auto busy = at.door.add_share(); // nobody accepts from it
    auto accepting = accept_when_all_are_full(&at);
    const auto error = run(with_scope(while_it_runs, &at.door, std::move(accepting)), quiet());
    EXPECT_FALSE(error) << error.message();
}

TEST(listener_share, has_room_for_one_connection_at_least) {
    entrance at{0};
    auto share = at.door.add_share();
    auto accepting = error_of_accept(&share);
    const auto error = run(with_scope(while_it_runs, &at.door, std::move(accepting)), quiet());
    EXPECT_FALSE(error) << error.message();
}

task<void> use_shares_after_the_end(std::vector<std::error_code>* seen) {
    entrance at{1};
    inplace_stop_source stopped;
    stopped.request_stop();
    auto running = run_until(&at.door, stopped.get_token());
    co_await std::move(running);
    auto late = at.door.add_share();
    auto accepting = error_of_accept(&late);
    const auto made_late = co_await std::move(accepting);
    seen->push_back(made_late);
    late.close();
    auto again = error_of_accept(&late);
    const auto after_close = co_await std::move(again);
    seen->push_back(after_close);
}

TEST(listener_share, says_that_it_is_closed_when_it_was_made_after_the_end_or_was_closed) {
    std::vector<std::error_code> seen;
    run(use_shares_after_the_end(&seen), quiet());
    const std::vector<std::error_code> expected(2, errc::closed);
    EXPECT_EQ(seen, expected);
}

/// The first attempt after a failure comes at once, the second after a pause.
task<void> pause_until(const bool* over, event* paused) {
    accept_backoff backoff;
    for (int attempt = 1; !*over; ++attempt) {
        if (attempt == 2) paused->set();
        auto pausing = backoff.after(std::make_error_code(std::errc::too_many_files_open));
        const auto ended = co_await std::move(pausing);
        EXPECT_FALSE(ended);
    }
}
task<void> end_a_scheduler_beside_it(scope children, scheduler_thread* other) {
    bool over = false;
    event paused;
    children.spawn(pause_until, &over, &paused);
    const auto told = co_await paused.wait();
    EXPECT_TRUE(told);
    (*other)->stop();
    const auto ended = co_await async_join(**other);
    EXPECT_TRUE(ended);
    over = true;
    const auto joined = co_await children.join();
    EXPECT_TRUE(joined);
}

TEST(accept_backoff, goes_on_while_another_scheduler_closes_its_descriptors_and_ends) {
    scheduler_thread other;
    other.start();
    run(with_scope(end_a_scheduler_beside_it, &other), quiet());
}

} // namespace
} // namespace coronet::listener_share_tests

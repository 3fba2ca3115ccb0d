// SPDX-License-Identifier: BSL-1.0
//
// Shares of a listener at unusual times: made while all others are full or after the end, used
// after they were closed; and pauses for want of descriptors while a scheduler ends.
#include "connected.hpp"

#include <coronet/coro/lifecycle.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
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

namespace coronet {
namespace {

using namespace std::chrono_literals;
using door_type = shared_listener<tcp_listener>;
using share_type = listener_share<tcp_stream>;

run_options quiet() {
    run_options options;
    options.handle_signals = false;
    return options;
}

endpoint any_port() {
    return endpoint::parse("127.0.0.1:0").value();
}

unique_fd client_of(const endpoint& at) {
    unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::connect(client.get(), at.data(), at.size()), 0);
    return client;
}

task<std::error_code> error_of_accept(share_type* from) {
    const auto accepted = co_await with_timeout(10s, from->accept());
    co_return accepted ? std::error_code{} : accepted.error();
}

task<void> run_until(door_type* door, inplace_stop_token stop) {
    auto accepting = door->run();
    const auto ended = co_await with_stop(stop, std::move(accepting));
    EXPECT_EQ(ended, std::errc::operation_canceled);
}

task<std::error_code> accept_by_a_share_that_comes_late(scope children) {
    door_type door{tcp_listener{any_port()}, 1};
    const auto busy = door.add_share(); // nobody accepts from it
    const auto where = door.listener().local_endpoint().value();
    std::vector<unique_fd> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(client_of(where));
    inplace_stop_source stop;
    children.spawn(run_until, &door, stop.get_token());
    const auto paused = co_await sleep_for(50ms); // by now it is full; if not, all the better
    static_cast<void>(paused);
    auto late = door.add_share();
    auto accepting = error_of_accept(&late);
    const auto error = co_await std::move(accepting);
    stop.request_stop();
    const auto joined = co_await children.join();
    static_cast<void>(joined);
    co_return error;
}

TEST(listener_share, made_while_all_others_are_full_gets_the_next_connection) {
    const auto error = run(with_scope(accept_by_a_share_that_comes_late), quiet());
    EXPECT_FALSE(error) << error.message();
}

task<std::error_code> accept_by_a_share_without_room(scope children) {
    door_type door{tcp_listener{any_port()}, 0};
    auto share = door.add_share();
    const auto client = client_of(door.listener().local_endpoint().value());
    inplace_stop_source stop;
    children.spawn(run_until, &door, stop.get_token());
    auto accepting = error_of_accept(&share);
    const auto error = co_await std::move(accepting);
    stop.request_stop();
    const auto joined = co_await children.join();
    static_cast<void>(joined);
    co_return error;
}

TEST(listener_share, has_room_for_one_connection_at_least) {
    const auto error = run(with_scope(accept_by_a_share_without_room), quiet());
    EXPECT_FALSE(error) << error.message();
}

task<void> use_shares_after_the_end(std::vector<std::error_code>* seen) {
    door_type door{tcp_listener{any_port()}};
    inplace_stop_source stopped;
    stopped.request_stop();
    auto running = run_until(&door, stopped.get_token());
    co_await std::move(running);
    auto late = door.add_share();
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

task<void> pause_until(const bool* over) {
    accept_backoff backoff;
    while (!*over) {
        auto pausing = backoff.after(std::make_error_code(std::errc::too_many_files_open));
        const auto ended = co_await std::move(pausing);
        EXPECT_FALSE(ended);
    }
}
task<void> end_a_scheduler_beside_it(scope children, scheduler_thread* other) {
    bool over = false;
    children.spawn(pause_until, &over);
    const auto slept = co_await sleep_for(20ms); // it pauses now, for 50 ms and longer
    static_cast<void>(slept);
    (*other)->stop();
    const auto ended = co_await async_join(**other);
    EXPECT_TRUE(ended);
    over = true;
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}

TEST(accept_backoff, goes_on_while_another_scheduler_closes_its_descriptors_and_ends) {
    scheduler_thread other;
    other.start();
    run(with_scope(end_a_scheduler_beside_it, &other), quiet());
}

} // namespace
} // namespace coronet

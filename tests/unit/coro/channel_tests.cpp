// SPDX-License-Identifier: BSL-1.0
//
// Values come out of a channel once each and in the order in which they went in, whoever waits for
// whom; closing it ends all waits and loses nothing that is in it.
#include "support/schedulers.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/channel.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace coronet::channel_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

// ---- without waiting ----

TEST(channel, holds_as_much_as_it_was_made_for) {
    channel<std::string> what{2};
    EXPECT_TRUE(what.try_send("a"));
    EXPECT_TRUE(what.try_send("b"));
    EXPECT_EQ(what.try_send("c").error(), std::errc::operation_would_block);
    EXPECT_EQ(what.size(), 2u);
    EXPECT_EQ(what.capacity(), 2u);
    EXPECT_EQ(*what.try_receive(), "a");
    EXPECT_TRUE(what.try_send("d"));
    EXPECT_EQ(*what.try_receive(), "b");
    EXPECT_EQ(*what.try_receive(), "d");
    EXPECT_EQ(what.try_receive().error(), std::errc::operation_would_block);
}

TEST(channel, a_value_that_is_refused_stays_with_the_sender) {
    channel<std::unique_ptr<int>> full{1};
    full.try_send(std::make_unique<int>(1)).value();
    auto value = std::make_unique<int>(2);
    EXPECT_FALSE(full.try_send(std::move(value)));
    ASSERT_NE(value, nullptr);
    full.close();
    EXPECT_EQ(full.try_send(std::move(value)).error(), errc::closed);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(*value, 2);
}

TEST(channel, destroys_what_is_left_in_it) {
    const auto watched = std::make_shared<int>(1);
    {
        channel<std::shared_ptr<int>> what{3};
        what.try_send(std::shared_ptr<int>(watched)).value();
        what.try_send(std::shared_ptr<int>(watched)).value();
        static_cast<void>(what.try_receive().value());
        EXPECT_EQ(watched.use_count(), 2);
    }
    EXPECT_EQ(watched.use_count(), 1);
}

// ---- senders and receivers ----

task<void> send_numbers(channel<int>* to, int begin, int end) {
    for (int i = begin; i < end; ++i) {
        const auto sent = co_await to->send(i);
        sent.value();
    }
}
task<void> send_all_and_close(channel<int>* to, int count) {
    co_await send_numbers(to, 0, count);
    to->close();
}
task<std::vector<int>> receive_all(channel<int>* from) {
    std::vector<int> received;
    for (;;) {
        const auto value = co_await from->receive();
        if (!value) break;
        received.push_back(*value);
    }
    co_return received;
}
task<std::vector<int>> send_and_receive(scope children, channel<int>* what, int count) {
    children.spawn(send_all_and_close, what, count);
    co_return co_await receive_all(what);
}

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

class channel_of : public ::testing::TestWithParam<std::size_t> {};

TEST_P(channel_of, gives_all_values_in_their_order) {
    channel<int> what{GetParam()};
    EXPECT_EQ(run(with_scope(send_and_receive, &what, 100)), numbers(100));
}

TEST_P(channel_of, gives_all_values_in_their_order_to_another_scheduler) {
    const watchdog limit{[] { return "a channel stands still"; }};
    channel<int> what{GetParam()};
    runtime both{threads(2)};
    auto sending = begin_on(both.at(0), send_all_and_close(&what, 2'000));
    EXPECT_EQ(sync_wait(both.at(1), receive_all(&what)), numbers(2'000));
    sending.get();
}

INSTANTIATE_TEST_SUITE_P(
    capacity, channel_of, ::testing::Values(0, 1, 2, 7),
    [](const auto& chosen) { return std::to_string(chosen.param); }
);

task<void> receive_one(channel<int>* from, std::vector<int>* received) {
    const auto value = co_await from->receive();
    if (value) received->push_back(*value);
}
task<void> serve_waiting_receivers(scope children, channel<int>* what, std::vector<int>* received) {
    for (int i = 0; i < 3; ++i)
        children.spawn(receive_one, what, received);
    co_await pause();
    for (int i = 0; i < 3; ++i)
        what->try_send(int{i}).value(); // all at once: it holds none of them
}

TEST(channel, receivers_that_wait_are_served_in_their_order) {
    channel<int> what{0};
    std::vector<int> received;
    run(with_scope(serve_waiting_receivers, &what, &received));
    EXPECT_EQ(received, numbers(3));
}

task<void> drain_waiting_senders(scope children, channel<int>* what, std::vector<int>* received) {
    for (int i = 0; i < 5; ++i)
        children.spawn(send_numbers, what, i, i + 1);
    co_await pause();
    for (auto value = what->try_receive(); value; value = what->try_receive())
        received->push_back(*value);
}

TEST(channel, senders_that_wait_are_served_in_their_order) {
    for (std::size_t capacity = 0; capacity < 4; ++capacity) {
        channel<int> what{capacity};
        std::vector<int> received;
        run(with_scope(drain_waiting_senders, &what, &received));
        EXPECT_EQ(received, numbers(5)) << "capacity " << capacity;
    }
}

using text = std::unique_ptr<std::string>;

task<void> send_texts(channel<text>* to) {
    for (int i = 0; i < 10; ++i) {
        auto value = std::make_unique<std::string>(100, static_cast<char>('a' + i));
        auto sent = co_await with_timeout(1h, to->send(std::move(value)));
        sent.value();
    }
    to->close();
}
task<std::string> receive_texts(channel<text>* from) {
    std::string firsts;
    for (;;) {
        auto value = co_await from->receive();
        if (!value) co_return firsts;
        if ((*value)->size() == 100) firsts += (*value)->front();
    }
}
task<std::string> exchange_texts(scope children, channel<text>* what) {
    children.spawn(send_texts, what);
    co_return co_await receive_texts(what);
}

TEST(channel, carries_what_can_only_be_moved) {
    for (std::size_t capacity = 0; capacity < 3; ++capacity) {
        channel<text> what{capacity};
        EXPECT_EQ(run(with_scope(exchange_texts, &what)), "abcdefghij") << "capacity " << capacity;
    }
}

// ---- closing ----

task<std::error_code> send_one(channel<int>* to, int value) {
    const auto sent = co_await to->send(value);
    co_return sent.error();
}
task<std::error_code> receive_code(channel<int>* from) {
    const auto value = co_await from->receive();
    co_return value.error();
}

TEST(channel, that_is_closed_gives_what_is_in_it_and_takes_nothing) {
    channel<int> what{3};
    what.try_send(1).value();
    what.try_send(2).value();
    what.close();
    what.close();
    EXPECT_TRUE(what.closed());
    EXPECT_EQ(run(send_one(&what, 3)), errc::closed);
    EXPECT_EQ(what.try_send(3).error(), errc::closed);
    EXPECT_EQ(run(receive_all(&what)), (std::vector{1, 2}));
    EXPECT_EQ(run(receive_code(&what)), errc::closed);
    EXPECT_EQ(what.try_receive().error(), errc::closed);
}

task<void> keep_code(channel<int>* what, bool sends, std::error_code* code) {
    if (sends)
        *code = co_await send_one(what, 9);
    else
        *code = co_await receive_code(what);
}
task<void> close_under_waiters(
    scope children, channel<int>* what, bool send, std::vector<std::error_code>* codes
) {
    for (auto& each : *codes)
        children.spawn(keep_code, what, send, &each);
    co_await pause();
    what->close();
}

TEST(channel, closing_ends_the_waits_of_senders_and_keeps_what_was_in_it) {
    channel<int> what{1};
    what.try_send(1).value();
    std::vector<std::error_code> codes(3);
    run(with_scope(close_under_waiters, &what, true, &codes));
    EXPECT_EQ(codes, std::vector<std::error_code>(3, errc::closed));
    EXPECT_EQ(*what.try_receive(), 1);
    EXPECT_EQ(what.try_receive().error(), errc::closed);
}

TEST(channel, closing_ends_the_waits_of_receivers) {
    channel<int> what{1};
    std::vector<std::error_code> codes(3);
    run(with_scope(close_under_waiters, &what, false, &codes));
    EXPECT_EQ(codes, std::vector<std::error_code>(3, errc::closed));
}

// ---- cancelling ----

task<std::error_code> receive_within(channel<int>* from, duration limit) {
    const auto value = co_await with_timeout(limit, from->receive());
    co_return value.error();
}

TEST(channel, a_cancelled_receiver_leaves_the_value_to_the_next_one) {
    channel<int> what{0};
    EXPECT_EQ(run(receive_within(&what, 2ms)), std::errc::timed_out);
    EXPECT_EQ(what.try_send(1).error(), std::errc::operation_would_block);
    EXPECT_EQ(run(with_scope(send_and_receive, &what, 10)), numbers(10));
}

#ifdef CORONET_HOOKS

task<int> receive_until_stopped(channel<int>* from, inplace_stop_token token) {
    const auto value = co_await with_stop(token, from->receive());
    co_return value ? *value : -1;
}

// A value is given to a receiver whose cancel has been carried out a moment before: it is the next
// one's.
TEST(channel, D5_a_value_that_comes_for_a_cancelled_receiver_goes_to_the_next_one) {
    const watchdog limit{[] { return "a value was lost"; }};
    channel<int> what{0};
    runtime both{threads(2)};
    inplace_stop_source source;
    script play;
    auto& one_waits = play.once(
        point::waiting, [] {}, &what
    );
    auto first = begin_on(both.at(0), receive_until_stopped(&what, source.get_token()));
    one_waits.wait();
    auto& other_waits = play.once(
        point::waiting, [] {}, &what
    );
    auto second = begin_on(both.at(1), receive_until_stopped(&what, {}));
    other_waits.wait();

    auto& claimed = play.hold(point::claimed, &what);
    source.request_stop();
    claimed.wait();
    EXPECT_TRUE(what.try_send(7));
    claimed.release();
    EXPECT_EQ(first.get(), -1);
    EXPECT_EQ(second.get(), 7);
}

#endif

} // namespace
} // namespace coronet::channel_tests

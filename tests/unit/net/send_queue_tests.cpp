// SPDX-License-Identifier: BSL-1.0
//
// What is given to a send queue arrives, whole and in order, whoever is slow; one turn of the loop
// is one send; and nothing that was lent is kept.
#include "connected.hpp"
#include "pattern.hpp"
#include "support/open_files.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/send_queue.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coronet::send_queue_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

template <class Stream>
class send_queues : public ::testing::Test {};
using stream_types = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(send_queues, stream_types, stream_names);

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}

task<void> turns(int count) {
    for (int i = 0; i < count; ++i) {
        const auto turn = co_await async::nop();
        EXPECT_TRUE(turn);
    }
}

/// What there is to be read, without waiting.
std::string all_there(const stream_socket& from) {
    std::array<char, 4096> room{};
    const auto read = ::recv(from.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    return {room.data(), static_cast<std::size_t>(std::max(read, ssize_t{0}))};
}

// ---- order and contents ----

template <class Stream>
task<std::error_code> queue_pattern(Stream* to, std::size_t total) {
    send_queue out{*to};
    std::size_t size = 1;
    for (std::size_t at = 0; at < total;) {
        const auto piece = pattern(at, std::min(size, total - at));
        const auto taken = co_await out.send(std::span<const std::byte>(piece));
        if (!taken) co_return taken.error();
        at += piece.size();
        size = size * 5 % 9'001 + 1;
    }
    const auto flushed = co_await out.flush();
    if (!flushed) co_return flushed.error();
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    co_return finished.error();
}

/// Sends back what comes in the buffers that it came in.
template <class Stream>
task<std::error_code> queue_echo(Stream* peer) {
    send_queue out{*peer};
    auto incoming = peer->receive();
    for (;;) {
        auto piece = co_await incoming.next();
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        const auto taken = co_await out.send(std::move(*piece));
        if (!taken) co_return taken.error();
    }
    const auto flushed = co_await out.flush();
    if (!flushed) co_return flushed.error();
    const auto finished = co_await peer->shutdown(shutdown_of::sending);
    co_return finished.error();
}

template <class Stream>
task<received> echo_pattern(connected<Stream>* pair, std::size_t total) {
    auto all = co_await when_all(
        receive_pattern(&pair->there), queue_pattern(&pair->there, total), queue_echo(&pair->here)
    );
    if (!std::get<0>(all).error) std::get<0>(all).error = std::get<1>(all);
    if (!std::get<0>(all).error) std::get<0>(all).error = std::get<2>(all);
    co_return std::get<0>(all);
}

TYPED_TEST(send_queues, send_all_in_order_copied_and_lent) {
    constexpr std::size_t total = std::size_t{10} * 1024 * 1024;
    connected<TypeParam> pair;
    const received all{total, true, {}};
    EXPECT_EQ(run(echo_pattern(&pair, total), quiet()), all);
}

TYPED_TEST(send_queues, send_all_in_order_with_few_small_buffers) {
    constexpr std::size_t total = std::size_t{256} * 1024;
    connected<TypeParam> pair;
    const received all{total, true, {}};
    EXPECT_EQ(run(echo_pattern(&pair, total), with_buffers(2, 256, 100)), all);
}

template <class Stream>
task<std::string> send_nothing_and_something(connected<Stream>* pair) {
    send_queue out{pair->here, 0}; // a limit of nothing is one piece at a time
    received_buffer no_buffer;
    const auto nothing = co_await out.send(std::move(no_buffer));
    EXPECT_TRUE(nothing);
    const auto empty = co_await out.send(bytes_of(""));
    EXPECT_TRUE(empty);
    EXPECT_EQ(out.size(), 0U);
    co_await turns(2);
    for (const std::string_view each : {"some", "thing"}) {
        const auto taken = co_await out.send(bytes_of(each));
        EXPECT_TRUE(taken);
    }
    const auto flushed = co_await out.flush();
    EXPECT_TRUE(flushed);
    co_return all_there(pair->there);
}

TYPED_TEST(send_queues, take_nothing_for_nothing_and_one_piece_whatever_the_limit) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(send_nothing_and_something(&pair), quiet()), "something");
}

// ---- one turn, one send ----

template <class Stream>
task<std::uint64_t> answer_often_in_one_turn(connected<Stream>* pair, int count) {
    const auto before = scheduler::current()->stats().operations;
    send_queue out{pair->here};
    for (int i = 0; i < count; ++i) {
        const auto taken = co_await out.send(bytes_of("answer "));
        if (!taken) co_return 0;
    }
    EXPECT_EQ(out.size(), 7U * static_cast<unsigned>(count));
    EXPECT_EQ(all_there(pair->there), ""); // not before the turn ends
    const auto flushed = co_await out.flush();
    if (!flushed) co_return 0;
    EXPECT_EQ(all_there(pair->there).size(), 7U * static_cast<unsigned>(count));
    co_return scheduler::current()->stats().operations - before;
}

TYPED_TEST(send_queues, make_one_send_of_what_is_said_in_one_turn) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(answer_often_in_one_turn(&pair, 500), quiet()), 1U);
}

template <class Stream>
task<std::uint64_t> send_back_all_that_came(connected<Stream>* pair) {
    auto incoming = pair->here.receive();
    std::vector<received_buffer> pieces;
    for (int i = 0; i < 10; ++i) {
        give(pair->there, "piece " + std::to_string(i) + ";");
        auto piece = co_await incoming.next();
        if (!piece) co_return 0;
        pieces.push_back(std::move(*piece));
    }
    const auto before = scheduler::current()->stats().operations;
    send_queue out{pair->here};
    for (auto& each : pieces) {
        const auto taken = co_await out.send(std::move(each));
        if (!taken) co_return 0;
    }
    const auto flushed = co_await out.flush();
    if (!flushed) co_return 0;
    const auto operations = scheduler::current()->stats().operations - before;
    EXPECT_EQ(
        all_there(pair->there),
        "piece 0;piece 1;piece 2;piece 3;piece 4;piece 5;piece 6;piece 7;piece 8;piece 9;"
    );
    auto& pool = scheduler::current()->receive_buffers();
    EXPECT_EQ(pool.available(), pool.block_count());
    co_return operations;
}

TYPED_TEST(send_queues, make_one_send_of_several_buffers_and_give_them_back) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(send_back_all_that_came(&pair), quiet()), 1U);
}

// ---- a peer that does not read ----

task<void> fill(send_queue* out, std::size_t* taken, std::error_code* ended) {
    const std::vector<std::byte> block(10'000);
    for (;;) {
        const auto sent = co_await out->send(std::span<const std::byte>(block));
        *ended = sent.error();
        if (!sent) co_return;
        *taken += block.size();
    }
}
/// Nothing more is taken for some time; then the peer is gone.
template <class Stream>
task<void> leave_when_full(const send_queue* out, const std::size_t* taken, Stream* peer) {
    for (std::size_t before = *taken + 1; *taken != before || out->size() < 64U * 1024;) {
        before = *taken;
        const auto some = co_await sleep_for(2ms);
        EXPECT_TRUE(some);
    }
    EXPECT_LE(out->size(), 64U * 1024 + 10'000);
    *peer = Stream{};
}
template <class Stream>
task<std::size_t> fill_and_reset(connected<Stream>* pair, std::error_code* ended) {
    std::size_t taken = 0;
    send_queue out{pair->here};
    auto filling = fill(&out, &taken, ended);
    auto leaving = leave_when_full(&out, &taken, &pair->there);
    const auto both = co_await when_all(std::move(filling), std::move(leaving));
    static_cast<void>(both);
    const auto again = co_await out.send(bytes_of("more"));
    EXPECT_EQ(again.error(), *ended); // it stays
    const auto flushed = co_await out.flush();
    EXPECT_EQ(flushed.error(), *ended);
    co_return taken;
}

TYPED_TEST(send_queues, hold_no_more_than_the_limit_and_tell_all_of_an_error) {
    connected<TypeParam> pair;
    std::error_code ended;
    EXPECT_GT(run(fill_and_reset(&pair, &ended), quiet()), 64U * 1024);
    EXPECT_TRUE(ended == std::errc::connection_reset || ended == std::errc::broken_pipe) << ended;
}

// ---- ending early ----

template <class Stream>
task<std::error_code> send_with_a_limit(connected<Stream>* pair) {
    send_queue out{pair->here, 1000};
    const std::vector<std::byte> much(std::size_t{32} * 1024 * 1024);
    const auto first = co_await out.send(std::span<const std::byte>(much));
    EXPECT_TRUE(first);
    const auto second = co_await with_timeout(5ms, out.send(bytes_of("not taken")));
    const auto rest = out.size();
    EXPECT_GT(rest, 1000U);
    EXPECT_LE(rest, much.size());
    co_return second.error();
}

TYPED_TEST(send_queues, take_nothing_where_the_wait_for_room_was_cancelled) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(send_with_a_limit(&pair), quiet()), std::errc::timed_out);
}

template <class Stream>
task<std::size_t> drop_in_all_states(connected<Stream>* pair) {
    { send_queue unused{pair->here}; }
    {
        send_queue gathering{pair->here};
        const auto taken = co_await gathering.send(bytes_of("never sent"));
        EXPECT_TRUE(taken);
    }
    co_await turns(3);
    EXPECT_EQ(all_there(pair->there), "");
    {
        send_queue sending{pair->here, 100};
        const std::vector<std::byte> much(std::size_t{32} * 1024 * 1024);
        const auto taken = co_await sending.send(std::span<const std::byte>(much));
        EXPECT_TRUE(taken);
        co_await turns(3);
    }
    const auto closed = co_await pair->here.close();
    EXPECT_TRUE(closed);
    co_return scheduler::current()->in_flight_count();
}

TYPED_TEST(send_queues, are_destroyed_at_any_time) {
    const auto before = open_file_count();
    {
        connected<TypeParam> pair;
        EXPECT_EQ(run(drop_in_all_states(&pair), quiet()), 0U);
    }
    EXPECT_EQ(open_file_count(), before);
}

template <class Stream>
task<void> queue_and_drop_both(connected<Stream>* pair, std::size_t size) {
    auto stream = std::move(pair->here);
    send_queue out{stream};
    const std::vector<std::byte> data(size);
    const auto taken = co_await out.send(std::span<const std::byte>(data));
    EXPECT_TRUE(taken);
    if (size > 1) co_await turns(2);
}

TYPED_TEST(send_queues, that_are_left_with_their_stream_at_the_very_end_leave_nothing_behind) {
    const auto before = open_file_count();
    for (const std::size_t size : {std::size_t{1}, std::size_t{32} * 1024 * 1024}) {
        connected<TypeParam> pair;
        run(queue_and_drop_both(&pair, size), quiet());
    }
    EXPECT_EQ(open_file_count(), before);
}

template <class Stream>
task<std::error_code> queue_on_a_closed_stream(connected<Stream>* pair) {
    send_queue out{pair->here};
    const auto taken = co_await out.send(bytes_of("too late"));
    EXPECT_TRUE(taken);
    const auto closed = co_await pair->here.close();
    EXPECT_TRUE(closed);
    const auto flushed = co_await out.flush();
    co_return flushed.error();
}

TYPED_TEST(send_queues, tell_that_their_stream_was_closed) {
    connected<TypeParam> pair;
    const auto told = run(queue_on_a_closed_stream(&pair), quiet());
    EXPECT_TRUE(told == std::errc::bad_file_descriptor || told == std::errc::operation_canceled)
        << told;
}

template <class Stream>
task<std::error_code> queue_in_a_stopped_branch(send_queue* out) {
    const auto taken = co_await out->send(bytes_of("refused"));
    co_return taken.error();
}
template <class Stream>
task<std::error_code> queue_after_a_stop(connected<Stream>* pair) {
    send_queue out{pair->here};
    inplace_stop_source stop;
    auto sending = queue_in_a_stopped_branch<Stream>(&out);
    stop.request_stop();
    const auto told = co_await with_stop(stop.get_token(), std::move(sending));
    EXPECT_EQ(out.size(), 0U);
    co_return told;
}

TYPED_TEST(send_queues, take_nothing_in_a_branch_that_was_stopped) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(queue_after_a_stop(&pair), quiet()), std::errc::operation_canceled);
}

task<void> send_lines(send_queue* out, int which) {
    for (int i = 0; i < 200; ++i) {
        const std::string line = std::to_string(which) + ":" + std::to_string(i) + "\n";
        const auto taken = co_await out->send(bytes_of(line));
        EXPECT_TRUE(taken);
    }
}
task<void> send_from_ten(scope senders, send_queue* out) {
    for (int i = 0; i < 10; ++i)
        senders.spawn(send_lines, out, i);
    const auto joined = co_await senders.join();
    EXPECT_TRUE(joined);
}
template <class Stream>
task<void> send_from_ten_and_finish(Stream* to) {
    send_queue out{*to, 500};
    co_await with_scope(send_from_ten, &out);
    const auto flushed = co_await out.flush();
    EXPECT_TRUE(flushed);
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    EXPECT_TRUE(finished);
}
task<std::string> all_text(stream_socket* from) {
    std::string all;
    auto incoming = from->receive();
    for (;;) {
        const auto piece = co_await incoming.next();
        if (!piece || piece->empty()) co_return all;
        all += text_of(*piece);
    }
}
/// How many, each after the one before of its sender.
std::size_t count_lines(const std::string& all) {
    std::array<int, 10> next{};
    std::size_t lines = 0;
    for (std::size_t at = 0; at < all.size(); ++lines) {
        const auto which = static_cast<std::size_t>(all[at] - '0');
        const auto end = all.find('\n', at);
        EXPECT_EQ(all.substr(at + 2, end - at - 2), std::to_string(next.at(which)++));
        at = end + 1;
    }
    return lines;
}
template <class Stream>
task<std::size_t> several_senders(connected<Stream>* pair) {
    auto reading = all_text(&pair->there);
    auto writing = send_from_ten_and_finish(&pair->here);
    const auto both = co_await when_all(std::move(reading), std::move(writing));
    co_return count_lines(std::get<0>(both));
}

TYPED_TEST(send_queues, keep_the_order_of_each_of_several_senders) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(several_senders(&pair), quiet()), 2000U);
}

} // namespace
} // namespace coronet::send_queue_tests

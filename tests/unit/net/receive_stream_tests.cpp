// SPDX-License-Identifier: BSL-1.0
//
// Streams of what a peer sends: nothing is lost, doubled or out of order, whoever is slow; and all
// buffers come home.
#include "connected.hpp"
#include "pattern.hpp"
#include "support/open_files.hpp"
#include "support/pairs.hpp"
#include "support/schedulers.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace coronet::receive_stream_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

template <class Stream>
class receive_stream : public ::testing::Test {};
using stream_types = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(receive_stream, stream_types, stream_names);

template <class Stream>
task<received> transfer_pattern(connected<Stream>* pair, std::size_t total) {
    const auto both =
        co_await when_all(receive_pattern(&pair->here), send_pattern(&pair->there, total));
    co_return std::get<0>(both);
}

TYPED_TEST(receive_stream, gives_all_in_order) {
    constexpr std::size_t total = std::size_t{10} * 1024 * 1024;
    connected<TypeParam> pair;
    const received all{total, true, {}};
    EXPECT_EQ(run(transfer_pattern(&pair, total), quiet()), all);
}

TYPED_TEST(receive_stream, gives_all_in_order_through_few_small_buffers) {
    constexpr std::size_t total = std::size_t{256} * 1024;
    connected<TypeParam> pair;
    const received all{total, true, {}};
    EXPECT_EQ(run(transfer_pattern(&pair, total), with_buffers(2, 4, 100)), all);
}

// ---- its end ----

template <class Stream>
task<std::vector<std::string>> read_to_the_end(connected<Stream>* pair) {
    std::vector<std::string> seen;
    auto incoming = pair->here.receive();
    give(pair->there, "last words");
    ::shutdown(pair->there.native_handle(), SHUT_WR);
    for (int i = 0; i < 3; ++i) {
        const auto piece = co_await incoming.next();
        seen.emplace_back(piece ? text_of(*piece) : "an error");
    }
    co_return seen;
}

TYPED_TEST(receive_stream, tells_the_end_after_the_data_and_again) {
    connected<TypeParam> pair;
    const std::vector<std::string> expected{"last words", "", ""};
    EXPECT_EQ(run(read_to_the_end(&pair), quiet()), expected);
}

task<std::error_code> read_after_a_reset(connected<tcp_stream>* pair) {
    auto incoming = pair->here.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    const ::linger at_once{1, 0};
    ::setsockopt(pair->there.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    pair->there = tcp_stream{};
    const auto piece = co_await incoming.next();
    co_return piece.error();
}

TEST(receive_stream_of_tcp, tells_that_the_connection_was_reset) {
    connected<tcp_stream> pair;
    EXPECT_EQ(run(read_after_a_reset(&pair), quiet()), std::errc::connection_reset);
}

// ---- cancelling ----

template <class Stream>
task<std::vector<std::string>> next_between_limits(connected<Stream>* pair) {
    std::vector<std::string> seen;
    auto incoming = pair->here.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    seen.emplace_back(none.error() == std::errc::timed_out ? "timed out" : "?");
    give(pair->there, "while nobody waited");
    const auto first = co_await incoming.next();
    seen.emplace_back(first ? text_of(*first) : "an error");
    incoming.cancel();
    const auto cancelled = co_await incoming.next();
    seen.emplace_back(cancelled.error() == std::errc::operation_canceled ? "cancelled" : "?");
    give(pair->there, "anew");
    const auto second = co_await incoming.next();
    seen.emplace_back(second ? text_of(*second) : "an error");
    co_return seen;
}

TYPED_TEST(receive_stream, loses_nothing_when_a_next_is_cancelled_and_begins_anew_after_cancel) {
    connected<TypeParam> pair;
    const std::vector<std::string> expected{
        "timed out", "while nobody waited", "cancelled", "anew"};
    EXPECT_EQ(run(next_between_limits(&pair), quiet()), expected);
}

task<std::error_code> next_error(coronet::receive_stream* incoming) {
    const auto piece = co_await incoming->next();
    co_return piece.error();
}
task<void> cancel_after_a_turn(stream_socket* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    which->cancel();
}
template <class Stream>
task<std::error_code> cancelled_by_its_socket(connected<Stream>* pair) {
    auto incoming = pair->here.receive();
    const auto both = co_await when_all(next_error(&incoming), cancel_after_a_turn(&pair->here));
    co_return std::get<0>(both);
}

TYPED_TEST(receive_stream, ends_when_its_socket_is_cancelled) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(cancelled_by_its_socket(&pair), quiet()), std::errc::operation_canceled);
}

template <class Stream>
task<std::error_code> next_of_a_stopped_branch(connected<Stream>* pair) {
    inplace_stop_source stop;
    auto incoming = pair->here.receive();
    auto waiting = next_error(&incoming);
    stop.request_stop();
    const auto ended = co_await with_stop(stop.get_token(), std::move(waiting));
    co_return ended;
}

TYPED_TEST(receive_stream, is_refused_in_a_branch_that_was_stopped) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(next_of_a_stopped_branch(&pair), quiet()), std::errc::operation_canceled);
}

// ---- closing and dropping ----

/// Until so many bytes have come to the socket and have been received from it.
task<bool> all_received(int fd) {
    const auto deadline = clock::now() + 10s;
    for (int left = 1; left > 0;) {
        if (clock::now() > deadline) co_return false;
        const auto turn = co_await sleep_for(100us);
        static_cast<void>(turn);
        if (::ioctl(fd, FIONREAD, &left) < 0) co_return false;
    }
    co_return true;
}

struct after_close {
    bool came = false;
    std::error_code closed;
    std::size_t in_flight = 99;
    std::vector<std::string> seen;
};
template <class Stream>
task<after_close> close_with_pieces_kept(connected<Stream>* pair) {
    after_close result;
    auto incoming = pair->here.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    give(pair->there, "kept");
    result.came = co_await all_received(pair->here.native_handle());
    const auto closed = co_await pair->here.close();
    result.closed = closed.error();
    result.in_flight = scheduler::current()->in_flight_count();
    for (int i = 0; i < 3; ++i) {
        const auto piece = co_await incoming.next();
        result.seen.emplace_back(piece ? std::string{text_of(*piece)} : piece.error().message());
    }
    co_return result;
}

TYPED_TEST(receive_stream, gives_what_came_before_the_socket_was_closed) {
    connected<TypeParam> pair;
    const auto result = run(close_with_pieces_kept(&pair), quiet());
    const auto text = [](std::errc why) { return std::make_error_code(why).message(); };
    EXPECT_TRUE(result.came);
    EXPECT_EQ(result.closed, std::error_code{});
    EXPECT_EQ(result.in_flight, 0u);
    const std::vector<std::string> expected{
        "kept", text(std::errc::operation_canceled), text(std::errc::bad_file_descriptor)};
    EXPECT_EQ(result.seen, expected);
}

template <class Stream>
task<int> drop_while_armed(Stream* taken) {
    auto peer = std::move(*taken);
    auto incoming = peer.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    co_return peer.native_handle();
}
struct dropped {
    bool number_was_free = true; // before the request had ended
    bool ended = false;
    std::string other; // what its number would have received from
};
template <class Stream>
task<dropped> drop_and_take_its_number(connected<Stream>* pair, const socket_pair* other) {
    dropped seen;
    const int number = co_await drop_while_armed(&pair->here);
    const unique_fd taken{::fcntl(other->here.get(), F_DUPFD_CLOEXEC, number)};
    seen.number_was_free = taken.get() == number;
    const auto deadline = clock::now() + 5s;
    while (scheduler::current()->in_flight_count() > 0 && clock::now() < deadline) {
        const auto turn = co_await sleep_for(100us);
        static_cast<void>(turn);
    }
    seen.ended = scheduler::current()->in_flight_count() == 0;
    std::array<char, 16> room{};
    const auto read = ::recv(other->here.get(), room.data(), room.size(), MSG_DONTWAIT);
    seen.other.assign(room.data(), static_cast<std::size_t>(std::max(read, ssize_t{0})));
    co_return seen;
}

TYPED_TEST(receive_stream, keeps_the_number_of_a_dropped_socket_until_its_request_has_ended) {
    const auto before = open_file_count();
    {
        connected<TypeParam> pair;
        const socket_pair other;
        ASSERT_EQ(::write(other.there.get(), "not for it", 10), 10);
        const auto seen = run(drop_and_take_its_number(&pair, &other), quiet());
        EXPECT_FALSE(seen.number_was_free);
        EXPECT_TRUE(seen.ended);
        EXPECT_EQ(seen.other, "not for it");
    }
    EXPECT_EQ(open_file_count(), before);
}

task<void> drop(std::unique_ptr<coronet::receive_stream>* dropped) {
    dropped->reset();
    co_return;
}
template <class Stream>
task<void> drop_under_a_next(connected<Stream>* pair) {
    auto incoming = std::make_unique<coronet::receive_stream>(pair->here.receive());
    auto waiting = next_error(incoming.get());
    auto dropping = drop(&incoming);
    const auto both = co_await when_all(std::move(waiting), std::move(dropping));
    static_cast<void>(both);
}

TYPED_TEST(receive_stream, that_is_destroyed_under_a_next_ends_the_program) {
    connected<TypeParam> pair;
    EXPECT_DEATH(run(drop_under_a_next(&pair), quiet()), "a stream was destroyed while this await");
}

// ---- a reader that does not read ----

struct window_result {
    std::size_t blocks = 0; // that were made, with the sender held up
    std::size_t sent = 0;
    received all;
};
template <class Stream>
task<window_result> let_the_sender_wait(connected<Stream>* pair) {
    window_result result;
    receive_options small;
    small.window = 8 * 1024;
    auto incoming = pair->here.receive(small);
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    // Until the sender has been stopped by the kernel for a while: nobody takes anything.
    for (int idle_rounds = 0; idle_rounds < 20;) {
        const auto bytes = pattern(result.sent, 65'536);
        const auto sent = ::send(
            pair->there.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL
        );
        if (sent > 0) result.sent += static_cast<std::size_t>(sent);
        idle_rounds = sent > 0 ? 0 : idle_rounds + 1;
        const auto turn = co_await sleep_for(1ms);
        static_cast<void>(turn);
        if (result.sent > std::size_t{256} * 1024 * 1024) break;
    }
    result.blocks = scheduler::current()->receive_buffers().block_count() -
                    scheduler::current()->receive_buffers().available();
    ::shutdown(pair->there.native_handle(), SHUT_WR);
    for (;;) {
        const auto piece = co_await incoming.next();
        result.all.error = piece.error();
        if (!piece || piece->empty()) break;
        check(result.all, *piece);
    }
    co_return result;
}

TYPED_TEST(receive_stream, keeps_no_more_than_its_window_and_some_and_then_gives_all) {
    connected<TypeParam> pair;
    const auto result = run(let_the_sender_wait(&pair), quiet());
    // What the kernel receives between the full window and the cancelling of the request.
    EXPECT_LE(result.blocks, 4u + 100u);
    EXPECT_GT(result.sent, 8u * 1024);
    const received all{result.sent, true, {}};
    EXPECT_EQ(result.all, all);
}

// ---- want of buffers ----

template <class Stream>
task<void> transfer_beside_others(
    std::vector<std::unique_ptr<connected<Stream>>>* pairs, std::vector<received>* results,
    std::size_t total, std::size_t which
) {
    connected<Stream>* const pair = pairs->at(which).get();
    const auto result = co_await transfer_pattern(pair, total);
    results->at(which) = result;
}
template <class Stream>
task<void> transfer_all(
    scope children, std::vector<std::unique_ptr<connected<Stream>>>* pairs,
    std::vector<received>* results, std::size_t total
) {
    for (std::size_t i = 0; i < pairs->size(); ++i)
        children.spawn(transfer_beside_others<Stream>, pairs, results, total, i);
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}

TYPED_TEST(receive_stream, that_starves_goes_on_when_a_buffer_comes_home) {
    constexpr std::size_t total = 100'000;
    std::vector<std::unique_ptr<connected<TypeParam>>> pairs;
    for (int i = 0; i < 20; ++i)
        pairs.push_back(std::make_unique<connected<TypeParam>>());
    std::vector<received> results(pairs.size());
    run(with_scope(transfer_all<TypeParam>, &pairs, &results, total), with_buffers(4, 4));
    const received all{total, true, {}};
    for (const received& each : results)
        EXPECT_EQ(each, all);
}

struct hoarded {
    std::vector<received_buffer> pieces;
    std::size_t blocks = 0;
    std::string beside;
};
task<hoarded> take_and_keep(
    std::vector<std::unique_ptr<connected<unix_stream>>>* hoarders, connected<unix_stream>* beside
) {
    hoarded all;
    for (const auto& each : *hoarders) {
        auto incoming = each->here.receive();
        give(each->there, "mine");
        auto piece = co_await incoming.next();
        if (piece) all.pieces.push_back(std::move(*piece));
    }
    all.blocks = scheduler::current()->receive_buffers().block_count();
    auto incoming = beside->here.receive();
    give(beside->there, "goes on");
    const auto piece = co_await with_timeout(10s, incoming.next());
    if (piece) all.beside = text_of(*piece);
    co_return all;
}

TEST(receive_stream_of_unix, is_not_stopped_by_those_who_keep_their_buffers) {
    std::vector<std::unique_ptr<connected<unix_stream>>> hoarders;
    for (int i = 0; i < 10; ++i)
        hoarders.push_back(std::make_unique<connected<unix_stream>>());
    connected<unix_stream> beside;
    const auto all = run(take_and_keep(&hoarders, &beside), with_buffers(4, 128));
    EXPECT_EQ(all.pieces.size(), 10u); // they live on after their scheduler
    EXPECT_GT(all.blocks, 4u);
    EXPECT_EQ(all.beside, "goes on");
    for (const auto& each : all.pieces)
        EXPECT_EQ(text_of(each), "mine");
}

// ---- one that floods beside many that trickle ----

/// Sends for as long as somebody lets it; its reader takes one piece in a while.
task<void> flood(connected<tcp_stream>* pair) {
    const std::vector<std::byte> much(256 * 1024);
    for (;;) {
        const auto sent = co_await pair->there.write_all(std::span<const std::byte>(much));
        if (!sent) co_return;
    }
}
task<void> take_now_and_then(connected<tcp_stream>* pair) {
    auto incoming = pair->here.receive();
    for (;;) {
        const auto piece = co_await incoming.next();
        if (!piece) co_return;
        const auto paused = co_await sleep_for(100us);
        if (!paused) co_return;
    }
}
task<void> echo_stream(stream_socket* peer) {
    auto incoming = peer->receive();
    for (;;) {
        const auto piece = co_await incoming.next();
        if (!piece || piece->empty()) co_return;
        const auto sent = co_await peer->write_all(piece->bytes());
        if (!sent) co_return;
    }
}
task<void> trickle(connected<tcp_stream>* pair, int* done) {
    std::array<std::byte, 64> message{};
    for (int i = 0; i < 100; ++i) {
        const auto sent = co_await pair->there.write_all(std::span<const std::byte>(message));
        const auto back = co_await pair->there.read_exactly(message);
        if (!sent || !back) co_return;
        ++*done;
    }
}
using tcp_pairs = std::vector<std::unique_ptr<connected<tcp_stream>>>;
task<void> trickle_all(scope children, const tcp_pairs* pairs, int* done) {
    for (const auto& each : *pairs)
        children.spawn(trickle, each.get(), done);
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}
task<int>
trickle_beside_a_flood(scope children, connected<tcp_stream>* flooded, const tcp_pairs* pairs) {
    int done = 0;
    children.spawn(flood, flooded);
    children.spawn(take_now_and_then, flooded);
    for (const auto& each : *pairs)
        children.spawn(echo_stream, &each->here);
    auto trickling = with_scope(trickle_all, pairs, &done);
    const auto in_time = co_await with_timeout(30s, std::move(trickling));
    static_cast<void>(in_time);
    children.request_stop();
    co_return done;
}

TEST(receive_stream_of_tcp, that_floods_does_not_hold_up_those_that_trickle) {
    connected<tcp_stream> flooded;
    tcp_pairs pairs;
    for (int i = 0; i < 20; ++i)
        pairs.push_back(std::make_unique<connected<tcp_stream>>());
    const int done =
        run(with_scope(trickle_beside_a_flood, &flooded, &pairs), with_buffers(16, 64));
    EXPECT_EQ(done, 20 * 100);
}

// ---- buffers that come home from elsewhere ----

task<std::vector<received_buffer>>
take_all_and_starve(connected<unix_stream>* pair, std::size_t count) {
    std::vector<received_buffer> pieces;
    receive_options wide;
    wide.window = 1 << 20;
    auto incoming = pair->here.receive(wide);
    for (std::size_t i = 0; i < count; ++i) {
        give(pair->there, "piece");
        auto piece = co_await incoming.next();
        if (piece) pieces.push_back(std::move(*piece));
    }
    co_return pieces;
}
struct starved {
    std::size_t had = 0;
    std::string came;
};
task<starved> starve_until_another_thread_gives_back(connected<unix_stream>* pair) {
    starved result;
    auto pieces = co_await take_all_and_starve(pair, 4);
    result.had = pieces.size();
    auto incoming = pair->here.receive();
    give(pair->there, "at last");
    const auto none = co_await with_timeout(1ms, incoming.next()); // not long enough to be stuck
    if (none) co_return result;
    std::jthread other{[&pieces] {
        while (!pieces.empty())
            pieces.pop_back();
    }};
    const auto piece = co_await with_timeout(10s, incoming.next());
    if (piece) result.came = text_of(*piece);
    co_return result;
}

TEST(receive_stream_of_unix, that_starves_is_woken_by_a_buffer_from_another_thread) {
    connected<unix_stream> pair;
    const auto result = run(starve_until_another_thread_gives_back(&pair), with_buffers(4, 4));
    EXPECT_EQ(result.had, 4u);
    EXPECT_EQ(result.came, "at last");
}

task<std::vector<std::string>>
rest_over_a_new_connection(connected<unix_stream>* old, connected<unix_stream>* fresh) {
    std::vector<std::string> seen;
    auto incoming = old->here.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    incoming.cancel();
    const auto cancelled = co_await incoming.next();
    seen.push_back(cancelled.error() == std::errc::operation_canceled ? "cancelled" : "?");
    const int number = old->here.native_handle();
    const auto closed = co_await old->here.close();
    static_cast<void>(closed);
    old->here =
        unix_stream{unique_fd{::fcntl(fresh->here.native_handle(), F_DUPFD_CLOEXEC, number)}};
    seen.push_back(old->here.native_handle() == number ? "same number" : "?");
    give(fresh->there, "of another connection");
    const auto piece = co_await incoming.next();
    seen.push_back(piece.error() == std::errc::bad_file_descriptor ? "refused" : "?");
    co_return seen;
}

TEST(receive_stream_of_unix, is_not_continued_by_another_connection_of_the_same_number) {
    connected<unix_stream> old;
    connected<unix_stream> fresh;
    const std::vector<std::string> expected{"cancelled", "same number", "refused"};
    EXPECT_EQ(run(rest_over_a_new_connection(&old, &fresh), quiet()), expected);
}

task<void> await_two(connected<unix_stream>* pair) {
    auto incoming = pair->here.receive();
    const auto none = co_await with_timeout(1ms, incoming.next());
    static_cast<void>(none);
    auto one = next_error(&incoming);
    auto two = next_error(&incoming);
    const auto both = co_await when_all(std::move(one), std::move(two));
    static_cast<void>(both);
}

TEST(receive_stream_of_unix, that_is_awaited_twice_at_a_time_ends_the_program) {
    connected<unix_stream> pair;
    EXPECT_DEATH(run(await_two(&pair), quiet()), "assertion failed: !waiting_");
}

task<void> fill_the_window(connected<unix_stream>* pair, coronet::receive_stream* incoming) {
    const auto none = co_await with_timeout(1ms, incoming->next());
    static_cast<void>(none);
    for (int i = 0; i < 4; ++i) {
        give(pair->there, "kept");
        const auto came = co_await all_received(pair->here.native_handle());
        EXPECT_TRUE(came);
    }
    const auto ended = co_await sleep_for(5ms); // the request, as the window is full
    static_cast<void>(ended);
}
task<std::string> take_elsewhere(coronet::receive_stream* incoming, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        const auto piece = co_await incoming->next();
        all += piece ? text_of(*piece) : "?";
    }
    co_return all;
}

TEST(
    receive_stream_of_unix, that_kept_pieces_goes_on_in_another_scheduler_after_the_end_of_its_own
) {
    connected<unix_stream> pair;
    receive_options narrow;
    narrow.window = 4 * 2048;
    auto incoming = pair.here.receive(narrow);
    run(fill_the_window(&pair, &incoming), with_buffers(4, 8));
    give(pair.there, "more");
    EXPECT_EQ(run(take_elsewhere(&incoming, 5), with_buffers(4, 8)), "keptkeptkeptkeptmore");
}

struct beside_a_hoarder {
    std::size_t hoarded = 0;
    received all;
    std::size_t extra = 99; // blocks that are out, at the end, beside the hoard
};
task<beside_a_hoarder> receive_beside_a_hoarder(
    connected<unix_stream>* hoarder, connected<unix_stream>* other, std::size_t total
) {
    beside_a_hoarder result;
    const auto hoard = co_await take_all_and_starve(hoarder, 4);
    result.hoarded = hoard.size();
    result.all = co_await transfer_pattern(other, total);
    const auto& pool = scheduler::current()->receive_buffers();
    result.extra = pool.block_count() - pool.available() - hoard.size();
    co_return result;
}

TEST(receive_stream_of_unix, goes_on_with_blocks_of_its_own_where_somebody_keeps_all_buffers) {
    constexpr std::size_t total = 500'000;
    connected<unix_stream> hoarder;
    connected<unix_stream> other;
    const auto result = run(receive_beside_a_hoarder(&hoarder, &other, total), with_buffers(4, 4));
    EXPECT_EQ(result.hoarded, 4u);
    const received all{total, true, {}};
    EXPECT_EQ(result.all, all);
    EXPECT_EQ(result.extra, 0u);
}

task<std::vector<received_buffer>> hoard_and_receive(
    connected<unix_stream>* hoarder, connected<unix_stream>* other, std::size_t count
) {
    auto pieces = co_await take_all_and_starve(hoarder, 4);
    auto incoming = other->here.receive();
    for (std::size_t i = 0; i < count; ++i) {
        give(other->there, "extra");
        auto piece = co_await incoming.next();
        if (piece) pieces.push_back(std::move(*piece));
    }
    co_return pieces;
}

TEST(receive_stream_of_unix, gives_extra_blocks_that_outlive_the_scheduler) {
    connected<unix_stream> hoarder;
    connected<unix_stream> other;
    auto pieces = run(hoard_and_receive(&hoarder, &other, 10), with_buffers(4, 4));
    ASSERT_EQ(pieces.size(), 14u);
    EXPECT_EQ(text_of(pieces.back()), "extra");
    while (pieces.size() > 7)
        pieces.pop_back();
    std::jthread elsewhere{[rest = std::move(pieces)]() mutable { rest.clear(); }};
}

task<void> close_after_a_while(unix_stream* closed) {
    const auto starved = co_await sleep_for(1ms); // not long enough to be stuck
    static_cast<void>(starved);
    const auto done = co_await closed->close();
    static_cast<void>(done);
}
task<std::error_code> close_a_starved_one(connected<unix_stream>* pair) {
    const auto pieces = co_await take_all_and_starve(pair, 4);
    auto incoming = pair->here.receive();
    auto waiting = next_error(&incoming);
    auto closing = close_after_a_while(&pair->here);
    const auto both = co_await when_all(std::move(waiting), std::move(closing));
    co_return std::get<0>(both);
}

TEST(receive_stream_of_unix, R5_that_starves_ends_when_its_socket_is_closed) {
    connected<unix_stream> pair;
    EXPECT_EQ(run(close_a_starved_one(&pair), with_buffers(4, 4)), std::errc::operation_canceled);
}

TEST(receive_stream_of_unix, gives_buffers_that_outlive_the_scheduler) {
    connected<unix_stream> pair;
    auto pieces = run(take_all_and_starve(&pair, 200), quiet());
    ASSERT_EQ(pieces.size(), 200u);
    std::jthread other{[half = std::vector<received_buffer>{
                            std::make_move_iterator(pieces.begin()),
                            std::make_move_iterator(pieces.begin() + 100)}]() mutable {
        while (!half.empty())
            half.pop_back();
    }};
    for (std::size_t i = pieces.size(); i-- > 100;) {
        EXPECT_EQ(text_of(pieces[i]), "piece");
        pieces[i] = {};
    }
}

// ---- a non-blocking descriptor ----

task<received> transfer_in_steps(connected<tcp_stream>* pair) {
    ::fcntl(pair->here.native_handle(), F_SETFL, O_NONBLOCK);
    received so_far;
    auto incoming = pair->here.receive();
    for (int i = 0; i < 100; ++i) {
        const auto bytes = pattern(so_far.bytes, 10);
        const auto sent = co_await pair->there.write_all(std::span<const std::byte>(bytes));
        const auto piece = co_await incoming.next();
        so_far.error = piece.error();
        if (!sent || !piece) break;
        check(so_far, *piece);
    }
    co_return so_far;
}

TEST(receive_stream_of_tcp, works_on_a_descriptor_that_is_non_blocking) {
    connected<tcp_stream> pair;
    const received all{1000, true, {}};
    EXPECT_EQ(run(transfer_in_steps(&pair), quiet()), all);
}

} // namespace
} // namespace coronet::receive_stream_tests

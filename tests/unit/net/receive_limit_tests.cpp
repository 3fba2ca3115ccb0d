// SPDX-License-Identifier: BSL-1.0
//
// A limit on the wait for a piece is a timer beside it: it ends the wait, never the stream, and
// never takes a piece away.
#include "connected.hpp"
#include "support/quiet.hpp"

#include <coronet/coro/multishot.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <string>
#include <system_error>
#include <vector>

namespace coronet::receive_limit_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

// No branch of their own; a second limit needs one.
static_assert(detail::leaf_operation<detail::receive_next>);
static_assert(detail::leaf_operation<detail::multishot_next<unique_fd>>);
static_assert(detail::leaf_operation<
              decltype(std::declval<tcp_stream&>().read_some(std::span<std::byte>()))>);
static_assert(!detail::leaf_operation<
              detail::timed_operation<detail::receive_next, detail::limit_type<duration>>>);
static_assert(!detail::leaf_operation<detail::scope_join>);

template <class Stream>
class receive_limit : public ::testing::Test {};
using stream_types = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(receive_limit, stream_types, stream_names);

std::string told(const result<received_buffer>& piece) {
    if (!piece) return piece.error().message();
    return {reinterpret_cast<const char*>(piece->data()), piece->size()};
}

const std::string timed_out = std::make_error_code(std::errc::timed_out).message();
const std::string canceled = std::make_error_code(std::errc::operation_canceled).message();

using told_by = std::vector<std::string>;

template <class Stream>
task<told_by> wait_twice(connected<Stream>* pair) {
    auto pieces = pair->here.receive();
    told_by all;
    for (const char* text : {"one", "two"}) {
        const auto none = co_await with_timeout(1ms, pieces.next());
        all.push_back(told(none));
        EXPECT_EQ(::send(pair->there.native_handle(), text, 3, 0), 3);
        const auto piece = co_await with_timeout(20s, pieces.next());
        all.push_back(told(piece));
    }
    co_return all;
}

TYPED_TEST(receive_limit, ends_a_wait_and_the_stream_goes_on) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(wait_twice(&pair), quiet()), (told_by{timed_out, "one", timed_out, "two"}));
}

template <class Stream>
task<told_by> take_late(connected<Stream>* pair) {
    auto pieces = pair->here.receive();
    told_by all;
    const auto none = co_await with_timeout(1ms, pieces.next()); // it has begun now
    all.push_back(told(none));
    EXPECT_EQ(::send(pair->there.native_handle(), "one", 3, 0), 3);
    const auto slept = co_await sleep_for(20ms); // kept meanwhile, or taken by the next one
    EXPECT_TRUE(slept);
    const auto piece = co_await with_timeout(0s, pieces.next());
    all.push_back(told(piece));
    EXPECT_EQ(::shutdown(pair->there.native_handle(), SHUT_WR), 0);
    const auto end = co_await with_timeout(20s, pieces.next());
    all.push_back(end && end->empty() ? "the end" : told(end));
    co_return all;
}

TYPED_TEST(receive_limit, that_has_passed_takes_no_piece_away_that_is_there) {
    connected<TypeParam> pair;
    EXPECT_EQ(run(take_late(&pair), quiet()), (told_by{timed_out, "one", "the end"}));
}

task<std::string> wait_for_one(receive_stream* pieces) {
    const auto piece = co_await with_timeout(20s, pieces->next());
    co_return told(piece);
}

task<void> stop(inplace_stop_source* which) {
    which->request_stop();
    co_return;
}

template <class Stream>
task<std::size_t> wait_and_stop(connected<Stream>* pair, std::string* seen) {
    auto pieces = pair->here.receive();
    inplace_stop_source source;
    const std::size_t before = scheduler::current()->outstanding_work();
    auto waiting = wait_for_one(&pieces);
    auto stopping = stop(&source);
    auto both = when_all(with_stop(source.get_token(), std::move(waiting)), std::move(stopping));
    auto ended = co_await std::move(both);
    *seen = std::get<0>(ended);
    pieces.cancel();
    const auto last = co_await pieces.next(); // nothing is in flight behind this
    EXPECT_FALSE(last);
    co_return scheduler::current()->outstanding_work() - before;
}

TYPED_TEST(receive_limit, leaves_a_cancel_a_cancel_and_no_timer_behind) {
    connected<TypeParam> pair;
    std::string seen;
    EXPECT_EQ(run(wait_and_stop(&pair, &seen), quiet()), 0u);
    EXPECT_EQ(seen, canceled);
}

} // namespace
} // namespace coronet::receive_limit_tests

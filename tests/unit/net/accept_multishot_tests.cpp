// SPDX-License-Identifier: BSL-1.0
//
// A listener's connections by one request: what close() of either waits for, and what becomes of a
// stream that is just dropped.
#include "connected.hpp"
#include "support/open_files.hpp"
#include "support/quiet.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/net/unix_listener.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace coronet::accept_multishot_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

template <class Stream>
class accept_multishot : public ::testing::Test {};
using stream_types = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(accept_multishot, stream_types, stream_names);

/// Connected to `listener`, or in its backlog.
unique_fd client_of(const basic_socket& listener) {
    const endpoint at = *listener.local_endpoint();
    unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(client.get(), at.data(), at.size()) < 0)
        throw std::system_error(errno, std::generic_category(), "connect");
    return client;
}

template <class Stream>
task<int> accept_and_read(basic_listener<Stream>* listener, int count) {
    auto connections = listener->accept_multishot();
    int answered = 0;
    for (int i = 0; i < count; ++i) {
        const auto client = client_of(*listener);
        auto stream = co_await connections.next();
        if (!stream || ::write(client.get(), "x", 1) != 1) break;
        std::array<std::byte, 4> room;
        const auto read = co_await stream->read_some(room);
        if (read && *read == 1) ++answered;
    }
    co_await connections.close();
    co_return answered;
}

TYPED_TEST(accept_multishot, gives_connected_streams) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    EXPECT_EQ(run(accept_and_read(&listener, 20)), 20);
}

template <class Stream>
task<std::error_code> next_error(multishot_stream<Stream>* from) {
    const auto next = co_await from->next();
    co_return next.error();
}
template <class Listener>
task<std::error_code> close_after_a_turn(Listener* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    const auto closed = co_await which->close();
    co_return closed.error();
}
struct outcome {
    std::error_code next;
    std::error_code closed;
    std::error_code after;
    std::size_t in_flight = 99;
};
template <class Stream>
task<outcome> close_under_next(basic_listener<Stream>* listener) {
    auto connections = listener->accept_multishot();
    const auto both = co_await when_all(next_error(&connections), close_after_a_turn(listener));
    const auto in_flight = scheduler::current()->in_flight_count();
    const auto after = co_await connections.next();
    co_return outcome{std::get<0>(both), std::get<1>(both), after.error(), in_flight};
}
TYPED_TEST(accept_multishot, C10_close_of_the_listener_waits_for_the_terminal_completion) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    const auto seen = run(close_under_next(&listener), quiet());
    EXPECT_EQ(seen.next, std::errc::operation_canceled);
    EXPECT_EQ(seen.closed, std::error_code{});
    EXPECT_EQ(seen.after, std::errc::bad_file_descriptor);
    EXPECT_EQ(seen.in_flight, 0u);
}

template <class Stream>
task<std::size_t> close_after_abandoning(basic_listener<Stream>* listener) {
    {
        auto connections = listener->accept_multishot();
        const auto none = co_await with_timeout(1ms, connections.next());
        static_cast<void>(none);
    }
    const auto closed = co_await listener->close();
    closed.value();
    co_return scheduler::current()->in_flight_count();
}

TYPED_TEST(accept_multishot, close_of_the_listener_waits_for_a_stream_that_was_abandoned) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    EXPECT_EQ(run(close_after_abandoning(&listener), quiet()), 0u);
}

template <class Stream>
task<bool> drop_stream_and_listener() {
    auto listener = std::make_unique<basic_listener<Stream>>(free_endpoint<Stream>());
    {
        auto connections = listener->accept_multishot();
        const auto none = co_await with_timeout(1ms, connections.next());
        static_cast<void>(none);
    }
    listener.reset();
    const auto deadline = clock::now() + 5s;
    while (scheduler::current()->in_flight_count() > 0 && clock::now() < deadline) {
        const auto turn = co_await sleep_for(100us);
        static_cast<void>(turn);
    }
    co_return scheduler::current()->in_flight_count() == 0;
}

TYPED_TEST(accept_multishot, that_is_abandoned_may_outlive_its_listener) {
    const auto before = open_file_count();
    EXPECT_TRUE(run(drop_stream_and_listener<TypeParam>(), quiet()));
    EXPECT_EQ(open_file_count(), before);
}

template <class Stream>
task<void> drop_listener_under_a_stream() {
    auto listener = std::make_unique<basic_listener<Stream>>(free_endpoint<Stream>());
    auto connections = listener->accept_multishot();
    const auto none = co_await with_timeout(1ms, connections.next());
    static_cast<void>(none);
    listener.reset();
}

TYPED_TEST(accept_multishot, whose_listener_is_destroyed_first_ends_the_program) {
    EXPECT_DEATH(run(drop_listener_under_a_stream<TypeParam>()), "assertion failed");
}

task<void> cancel_after_a_turn(basic_socket* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    which->cancel();
}
template <class Stream>
task<std::error_code> cancelled_by_its_socket(basic_listener<Stream>* listener) {
    auto connections = listener->accept_multishot();
    const auto both = co_await when_all(next_error(&connections), cancel_after_a_turn(listener));
    co_await connections.close();
    co_return std::get<0>(both);
}

TYPED_TEST(accept_multishot, ends_when_its_listener_is_cancelled) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    EXPECT_EQ(run(cancelled_by_its_socket(&listener)), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::accept_multishot_tests

// SPDX-License-Identifier: BSL-1.0
//
// Sends by reference as operations of Asio's: what comes over, and until when the kernel has the
// memory, also of a socket that is closed meanwhile.
#include "native_pair.hpp"
#include "outcome.hpp"
#include "support/child_process.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/local.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/zero_copy.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

#ifdef CORONET_HOOKS
#include "support/script.hpp"
#endif

namespace coronet::asiox::native_zero_copy_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

using test::note;
using test::outcome;

std::string pattern(std::size_t size) {
    std::string made(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        made[i] = static_cast<char>(i * 31 + (i >> 9));
    return made;
}

/// All that comes, by plain calls.
struct received {
    std::string text;
    error_code error;
};
template <class Socket>
received all_from(Socket& from) {
    received got;
    std::vector<char> room(1 << 16);
    while (!got.error) {
        const std::size_t count = from.read_some(buffer(room), got.error);
        got.text.append(room.data(), count);
    }
    return got;
}

class asio_zero_copy : public ::testing::Test {
protected:
    io_context context;
    test::native_pair pair{context};
};

TEST_F(asio_zero_copy, brings_all_as_it_was_sent) {
    const std::string wanted = pattern(8'000'000);
    outcome told;
    async_send_zero_copy(pair.one, buffer(wanted), [&](error_code error, std::size_t count) {
        told = {error, count};
        pair.one.shutdown(asiox::tcp::socket::shutdown_send);
    });
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    context.run();
    reader.join();
    EXPECT_EQ(told.error, error_code());
    EXPECT_EQ(told.count, wanted.size());
    EXPECT_TRUE(got.text == wanted);
    EXPECT_EQ(got.error, net::error::eof);
}

TEST_F(asio_zero_copy, of_several_buffers_is_in_their_order) {
    std::array<std::string, 3> parts{pattern(300'000), "between", pattern(70'001)};
    const std::array<net::const_buffer, 3> all{
        buffer(parts[0]), buffer(parts[1]), buffer(parts[2])};
    outcome told;
    async_send_zero_copy(pair.one, all, [&](error_code error, std::size_t count) {
        told = {error, count};
        pair.one.close();
    });
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    context.run();
    reader.join();
    EXPECT_EQ(told.count, 370'008u);
    EXPECT_TRUE(got.text == parts[0] + parts[1] + parts[2]);
}

TEST_F(asio_zero_copy, keeps_the_order_of_all_sends) {
    const std::string wanted = pattern(200'000);
    outcome first;
    outcome second;
    outcome third;
    pair.one.async_send(buffer("head", 4), note(first));
    async_send_zero_copy(pair.one, buffer(wanted), note(second));
    pair.one.async_send(buffer("tail", 4), [&](error_code error, std::size_t count) {
        third = {error, count};
        pair.one.shutdown(asiox::tcp::socket::shutdown_send);
    });
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    context.run();
    reader.join();
    EXPECT_EQ(first.count + second.count + third.count, 200'008u);
    EXPECT_TRUE(got.text == "head" + wanted + "tail");
}

TEST_F(asio_zero_copy, of_nothing_is_done_at_once) {
    outcome told;
    async_send_zero_copy(pair.one, buffer("", 0), note(told));
    context.poll();
    EXPECT_EQ(told.error, error_code());
    EXPECT_EQ(told.count, 0u);
}

TEST_F(asio_zero_copy, of_a_closed_socket_is_an_error) {
    pair.one.close();
    outcome told;
    async_send_zero_copy(pair.one, buffer("x", 1), note(told));
    context.poll();
    EXPECT_EQ(told.error, net::error::bad_descriptor);
}

TEST_F(asio_zero_copy, to_a_peer_that_has_gone_is_an_error_and_no_signal) {
    pair.one.shutdown(asiox::tcp::socket::shutdown_send);
    outcome told;
    async_send_zero_copy(pair.one, buffer("x", 1), note(told));
    context.run();
    EXPECT_EQ(told.error, net::error::broken_pipe);
}

net::awaitable<std::size_t> send_awaited(asiox::tcp::socket* to, net::const_buffer what) {
    co_return co_await async_send_zero_copy(*to, what, net::use_awaitable);
}

TEST_F(asio_zero_copy, AN1_has_every_token) {
    auto future = async_send_zero_copy(pair.one, buffer("abc", 3), net::use_future);
    auto awaited =
        net::co_spawn(context, send_awaited(&pair.one, buffer("de", 2)), net::use_future);
    async_send_zero_copy(pair.one, buffer("f", 1), net::detached);
    context.run();
    EXPECT_EQ(future.get(), 3u);
    EXPECT_EQ(awaited.get(), 2u);
    EXPECT_EQ(pair.other.available(), 6u);
}

TEST_F(asio_zero_copy, AN2_that_is_cancelled_tells_what_the_kernel_took) {
    const std::string much = pattern(32'000'000);
    outcome told;
    net::cancellation_signal signal;
    async_send_zero_copy(
        pair.one, buffer(much), net::bind_cancellation_slot(signal.slot(), note(told))
    );
    context.run_for(50ms);
    EXPECT_FALSE(told.error); // nobody reads
    signal.emit(net::cancellation_type::terminal);
    test::run_to_the_end(context);
    ASSERT_TRUE(told.error);
    EXPECT_LT(told.count, much.size());
    pair.one.close();
    const auto got = all_from(pair.other); // what came is what was sent
    EXPECT_TRUE(got.text == much.substr(0, got.text.size()));
}

TEST_F(asio_zero_copy, tells_an_error_if_the_peer_resets_in_the_middle) {
    const std::string much = pattern(32'000'000);
    outcome told;
    async_send_zero_copy(pair.one, buffer(much), note(told));
    context.run_for(50ms);
    EXPECT_FALSE(told.error);
    pair.other.set_option(net::socket_base::linger{true, 0});
    pair.other.close();
    test::run_to_the_end(context);
    ASSERT_TRUE(told.error);
    EXPECT_TRUE(*told.error);
    EXPECT_LT(told.count, much.size());
}

TEST_F(asio_zero_copy, AN2_that_is_cancelled_while_the_peer_reads_tells_how_far_it_came) {
    const std::string much = pattern(32'000'000);
    outcome told;
    net::cancellation_signal signal;
    async_send_zero_copy(
        pair.one, buffer(much), net::bind_cancellation_slot(signal.slot(), note(told))
    );
    context.run_for(50ms);
    signal.emit(net::cancellation_type::terminal);
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    test::run_to_the_end(context);
    pair.one.close();
    reader.join();
    ASSERT_TRUE(told.error);
    EXPECT_EQ(*told.error, net::error::operation_aborted);
    EXPECT_LT(told.count, much.size());
    EXPECT_TRUE(got.text == much.substr(0, got.text.size()));
    EXPECT_LE(got.text.size(), told.count);
}

TEST(asio_zero_copy_local, is_copied_where_it_cannot_be_had) {
    io_context context;
    asiox::executor executor{context.get_executor()};
    local_stream::socket one{executor};
    local_stream::socket other{executor};
    net::local::connect_pair(one, other);
    const std::string wanted = pattern(1'000'000);
    outcome told;
    async_send_zero_copy(one, buffer(wanted), [&](error_code error, std::size_t count) {
        told = {error, count};
        one.close();
    });
    received got;
    std::jthread reader{[&] { got = all_from(other); }};
    context.run();
    reader.join();
    EXPECT_EQ(told.count, wanted.size());
    EXPECT_TRUE(got.text == wanted);
}

#ifdef CORONET_HOOKS

using coronet::test::point;

/// The kernel has the memory: nobody reads what was sent, and not all of it fits over there.
class asio_zero_copy_on_a_ring : public asio_zero_copy {
protected:
    static constexpr std::size_t size = 256 * 1024;
    asio_zero_copy_on_a_ring() {
        pair.one.set_option(net::socket_base::send_buffer_size{8 * 1024 * 1024});
        play.once(point::sent_by_reference, [this] { held = true; });
    }
    void send() {
        async_send_zero_copy(pair.one, buffer(data), note(told));
        while (!held)
            context.run_for(1ms);
        context.restart();
        ASSERT_FALSE(told.error);
    }
    std::string data = pattern(size);
    outcome told;
    bool held = false;
    coronet::test::script play;
};

TEST_F(asio_zero_copy_on_a_ring, AN6_holds_up_no_other_send_while_the_kernel_has_its_memory) {
    send();
    outcome next;
    pair.one.async_send(buffer("next", 4), note(next));
    context.run_for(100ms);
    EXPECT_EQ(next.count, 4u);
    EXPECT_FALSE(told.error);
}

TEST_F(asio_zero_copy_on_a_ring, ends_when_the_peer_has_read) {
    send();
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    context.run();
    EXPECT_EQ(told.count, size);
    EXPECT_EQ(told.error, error_code());
    pair.one.close();
    reader.join();
    EXPECT_TRUE(got.text == data);
}

TEST_F(asio_zero_copy_on_a_ring, AN4_of_a_closed_socket_keeps_its_number_until_it_has_ended) {
    send();
    const int number = pair.one.native_handle();
    pair.one.close();
    EXPECT_GE(::fcntl(number, F_GETFD), 0);
    test::native_pair others{context};
    EXPECT_NE(others.one.native_handle(), number);
    EXPECT_NE(others.other.native_handle(), number);
    std::jthread reader{[&] { EXPECT_TRUE(all_from(pair.other).text == data); }};
    test::run_to_the_end(context);
    reader.join();
    EXPECT_EQ(told.count, size);
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST_F(asio_zero_copy_on_a_ring, AN3_of_a_closed_socket_resets_a_peer_that_does_not_read) {
    send();
    pair.one.close();
    test::run_to_the_end(context);
    EXPECT_EQ(told.error, net::error::operation_aborted);
    EXPECT_EQ(told.count, size);
    const auto got = all_from(pair.other);
    EXPECT_EQ(got.error, net::error::connection_reset);
}

TEST_F(asio_zero_copy_on_a_ring, AN3_tells_the_peer_at_once_that_its_socket_is_closed) {
    send();
    pair.one.close();
    const auto got = all_from(pair.other); // the context does not run
    EXPECT_TRUE(got.text == data);
    EXPECT_EQ(got.error, net::error::eof);
}

TEST_F(asio_zero_copy_on_a_ring, AN4_of_a_released_socket_does_not_touch_what_has_its_number) {
    send();
    const int number = pair.one.release();
    test::native_pair others{context};
    ASSERT_EQ(::dup2(others.one.native_handle(), number), number);
    context.run_for(1500ms); // it was asked to end for more than a second
    net::write(others.one, buffer("x", 1));
    std::array<char, 1> byte{};
    EXPECT_EQ(net::read(others.other, buffer(byte)), 1u);
    ::close(number);
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    test::run_to_the_end(context);
    reader.join();
    EXPECT_EQ(got.text.size(), size);
    EXPECT_EQ(told.error, error_code());
    EXPECT_EQ(told.count, size);
}

TEST_F(
    asio_zero_copy_on_a_ring, AN11_of_a_released_socket_does_not_hold_up_the_end_of_its_context
) {
    auto own = std::make_unique<io_context>();
    auto there = std::make_unique<test::native_pair>(*own);
    there->one.set_option(net::socket_base::send_buffer_size{8 * 1024 * 1024});
    held = false;
    play.once(point::sent_by_reference, [this] { held = true; });
    async_send_zero_copy(there->one, buffer(data), [](error_code, std::size_t) { FAIL(); });
    while (!held)
        own->run_for(1ms);
    const int number = there->one.release();
    const int peer = there->other.release(); // which does not read
    there.reset();
    own.reset();
    ::close(number);
    ::close(peer);
}

TEST_F(asio_zero_copy_on_a_ring, of_a_socket_that_does_not_linger_resets_at_once) {
    send();
    pair.one.set_option(net::socket_base::linger{true, 0});
    pair.one.close();
    const auto got = all_from(pair.other); // the context does not run
    EXPECT_EQ(got.error, net::error::connection_reset);
}

TEST_F(asio_zero_copy_on_a_ring, AN11_outlives_no_context) {
    auto own = std::make_unique<io_context>();
    auto there = std::make_unique<test::native_pair>(*own);
    there->one.set_option(net::socket_base::send_buffer_size{8 * 1024 * 1024});
    bool called = false;
    held = false;
    play.once(point::sent_by_reference, [this] { held = true; });
    async_send_zero_copy(there->one, buffer(data), [&](error_code, std::size_t) { called = true; });
    while (!held)
        own->run_for(1ms);
    there.reset();
    own.reset();
    EXPECT_FALSE(called);
}

TEST_F(asio_zero_copy_on_a_ring, AN12_is_done_once_after_a_fork) {
    send();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        test::run_to_the_end(context);
        return told.count == size && !*told.error ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    received got;
    std::jthread reader{[&] { got = all_from(pair.other); }};
    test::run_to_the_end(context);
    EXPECT_EQ(told.count, size);
    pair.one.close();
    reader.join();
    EXPECT_TRUE(got.text == data);
    EXPECT_EQ(got.error, net::error::eof);
}

#endif

} // namespace
} // namespace coronet::asiox::native_zero_copy_tests

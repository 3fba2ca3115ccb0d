// SPDX-License-Identifier: BSL-1.0
//
// Sending and receiving on plain socket descriptors, blocking and not.
#include "support/temporary_file.hpp"
#include "support/text.hpp"
#include "waiting_kinds.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace coronet::socket_operations_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

// ---- send, recv ----

task<result<std::size_t>> send(int fd, std::string_view text, int flags = 0) {
    co_return co_await async::send(fd, bytes_of(text), flags);
}
task<result<std::size_t>> recv(int fd, std::span<std::byte> into, int flags = 0) {
    co_return co_await async::recv(fd, into, flags);
}

TEST(recv, gives_what_was_sent) {
    const socket_pair pair;
    room into;
    EXPECT_EQ(*run(send(pair.there.get(), "hello")), 5u);
    EXPECT_EQ(*run(recv(pair.here.get(), into)), 5u);
    EXPECT_EQ(text_of(std::span{into}.first(5)), "hello");
}

TEST(recv, gives_zero_when_the_peer_has_finished) {
    socket_pair pair;
    pair.there.reset();
    room into;
    EXPECT_EQ(*run(recv(pair.here.get(), into)), 0u);
}

TEST(recv, reports_what_is_no_socket) {
    const pipe_pair pipe;
    room into;
    EXPECT_EQ(run(recv(pipe.reader.get(), into)).error(), std::errc::not_a_socket);
}

TEST(recv, hands_on_the_refusal_to_wait_that_was_asked_for) {
    const socket_pair pair;
    room into;
    EXPECT_EQ(
        run(recv(pair.here.get(), into, MSG_DONTWAIT)).error(),
        std::errc::resource_unavailable_try_again
    );
}

TEST(send, reports_a_peer_that_is_gone_without_a_signal) {
    socket_pair pair;
    pair.there.reset();
    EXPECT_EQ(run(send(pair.here.get(), "x")).error(), std::errc::broken_pipe);
}

void make_non_blocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

task<result<std::size_t>> recv_then_send(int here, int there, std::span<std::byte> into) {
    const auto both = co_await when_all(recv(here, into), send(there, "late"));
    if (!std::get<1>(both)) co_return std::get<1>(both).error();
    co_return std::get<0>(both);
}

TEST(recv, waits_on_a_non_blocking_socket) {
    const socket_pair pair;
    make_non_blocking(pair.here.get());
    room into;
    EXPECT_EQ(*run(recv_then_send(pair.here.get(), pair.there.get(), into)), 4u);
}

task<std::error_code> recv_within(int fd, std::span<std::byte> into, duration limit) {
    const auto received = co_await with_timeout(limit, async::recv(fd, into));
    co_return received.error();
}

TEST(recv, on_a_non_blocking_socket_ends_when_its_time_limit_has_passed) {
    const socket_pair pair;
    make_non_blocking(pair.here.get());
    room into;
    EXPECT_EQ(run(recv_within(pair.here.get(), into, 5ms)), std::errc::timed_out);
}

task<std::size_t> send_while_drained(int here, int there, std::size_t wanted) {
    static const std::string block(65536, 'x');
    std::size_t sent = 0;
    while (sent < wanted) {
        const auto taken = co_await with_timeout(1ms, async::send(here, bytes_of(block)));
        if (taken)
            sent += *taken;
        else
            static_cast<void>(drain(there));
    }
    co_return sent;
}

TEST(send, waits_on_a_non_blocking_socket) {
    const socket_pair pair;
    make_non_blocking(pair.here.get());
    EXPECT_GE(run(send_while_drained(pair.here.get(), pair.there.get(), 2'000'000)), 2'000'000u);
}

// ---- sendmsg, recvmsg ----

struct message_with_descriptor {
    message_with_descriptor() {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
    }
    void attach(int fd) {
        cmsghdr* attached = CMSG_FIRSTHDR(&header);
        attached->cmsg_level = SOL_SOCKET;
        attached->cmsg_type = SCM_RIGHTS;
        attached->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(attached), &fd, sizeof fd);
    }
    [[nodiscard]] unique_fd take() {
        cmsghdr* attached = CMSG_FIRSTHDR(&header);
        if (!attached || attached->cmsg_type != SCM_RIGHTS) return unique_fd{};
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(attached), sizeof fd);
        return unique_fd{fd};
    }
    char text[8] = "fd";
    iovec part{text, 2};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};
};

task<result<std::size_t>> sendmsg(int fd, const msghdr* message) {
    co_return co_await async::sendmsg(fd, *message);
}
task<result<std::size_t>> recvmsg(int fd, msghdr* message) {
    co_return co_await async::recvmsg(fd, *message, MSG_CMSG_CLOEXEC);
}

TEST(sendmsg, passes_a_descriptor_to_recvmsg) {
    const socket_pair pair;
    const temporary_file file{"passed"};
    message_with_descriptor sent;
    sent.attach(file.fd());
    EXPECT_EQ(*run(sendmsg(pair.there.get(), &sent.header)), 2u);

    message_with_descriptor received;
    EXPECT_EQ(*run(recvmsg(pair.here.get(), &received.header)), 2u);
    const auto fd = received.take();
    ASSERT_TRUE(fd);
    char content[6];
    EXPECT_EQ(::pread(fd.get(), content, sizeof content, 0), 6);
    EXPECT_EQ(std::string_view(content, 6), "passed");
}

TEST(sendmsg, reports_a_peer_that_is_gone_without_a_signal) {
    socket_pair pair;
    pair.there.reset();
    message_with_descriptor sent;
    sent.header.msg_controllen = 0;
    EXPECT_EQ(run(sendmsg(pair.here.get(), &sent.header)).error(), std::errc::broken_pipe);
}

TEST(recvmsg, reports_what_is_no_socket) {
    const pipe_pair pipe;
    message_with_descriptor received;
    EXPECT_EQ(run(recvmsg(pipe.reader.get(), &received.header)).error(), std::errc::not_a_socket);
}

// ---- shutdown, cancel ----

task<result<void>> shut_down(int fd, int how) {
    co_return co_await async::shutdown(fd, how);
}

TEST(shutdown, ends_what_the_peer_reads) {
    const socket_pair pair;
    EXPECT_TRUE(run(shut_down(pair.there.get(), SHUT_WR)));
    room into;
    EXPECT_EQ(*run(recv(pair.here.get(), into)), 0u);
}

TEST(shutdown, reports_a_socket_that_is_not_connected) {
    const unique_fd idle{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(run(shut_down(idle.get(), SHUT_WR)).error(), std::errc::not_connected);
}

task<result<std::size_t>> cancel(int fd) {
    co_return co_await async::cancel(fd);
}

TEST(cancel, finds_nothing_where_nothing_is) {
    const socket_pair pair;
    EXPECT_EQ(*run(cancel(pair.here.get())), 0u);
}

TEST(cancel, of_no_descriptor_leaves_operations_without_one_alone) {
    EXPECT_TRUE(run([]() -> task<bool> {
        const auto both = co_await when_all(async::nop(), async::cancel(-1));
        co_return std::get<0>(both).has_value() && *std::get<1>(both) == 0u;
    }()));
}

task<std::size_t> cancel_one_of_two(const socket_pair* pair, room* first, room* second) {
    // The read on the other descriptor is not touched: it gets its byte.
    const auto all = co_await when_all(
        recv(pair->here.get(), *first), recv(pair->there.get(), *second), cancel(pair->here.get()),
        send(pair->here.get(), "x")
    );
    if (std::get<0>(all).error() != std::errc::operation_canceled) co_return 0;
    co_return *std::get<1>(all);
}

TEST(cancel, leaves_other_descriptors_alone) {
    const socket_pair pair;
    room first;
    room second;
    EXPECT_EQ(run(cancel_one_of_two(&pair, &first, &second)), 1u);
}

} // namespace
} // namespace coronet::socket_operations_tests

// SPDX-License-Identifier: BSL-1.0
//
// How plain socket descriptors come to be connected, blocking and not.
#include "support/open_files.hpp"
#include "waiting_kinds.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace coronet::connection_operations_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

task<result<unique_fd>> socket(int domain, int type) {
    co_return co_await async::socket(domain, type);
}

/// Blocking for the kernel's ring, which waits by itself; non-blocking for the epoll driver.
bool is_as_the_driver_wants_it(int fd) {
    const bool wanted = (scheduler{}.socket_flags() & SOCK_NONBLOCK) != 0;
    return ((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0) == wanted;
}

TEST(socket, gives_a_descriptor_for_its_driver_that_is_closed_on_exec) {
    const auto made = run(socket(AF_INET, SOCK_STREAM));
    ASSERT_TRUE(made);
    EXPECT_TRUE(::fcntl(made->get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(is_as_the_driver_wants_it(made->get()));
}

TEST(socket, reports_a_family_that_does_not_exist) {
    EXPECT_EQ(run(socket(12345, SOCK_STREAM)).error(), std::errc::address_family_not_supported);
}

task<result<void>> connect(int fd, const listening_socket* to) {
    co_return co_await async::connect(fd, to->data(), sizeof to->address);
}
task<result<unique_fd>> accept(int fd) {
    co_return co_await async::accept(fd);
}
unique_fd tcp(int flags = 0) {
    return unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
}

TEST(connect, reaches_a_listener) {
    const listening_socket listener;
    const auto client = tcp();
    EXPECT_TRUE(run(connect(client.get(), &listener)));
    EXPECT_TRUE(run(accept(listener.fd.get())));
}

TEST(connect, reports_a_closed_port) {
    listening_socket listener;
    listener.fd.reset();
    const auto client = tcp();
    EXPECT_EQ(run(connect(client.get(), &listener)).error(), std::errc::connection_refused);
}

TEST(connect, reports_a_socket_that_is_connected_already) {
    const listening_socket listener;
    const auto client = listener.client();
    EXPECT_EQ(run(connect(client.get(), &listener)).error(), std::errc::already_connected);
}

TEST(connect, waits_on_a_non_blocking_socket_too) {
    const listening_socket listener;
    const auto client = tcp(SOCK_NONBLOCK);
    EXPECT_TRUE(run(connect(client.get(), &listener)));
    listening_socket gone;
    gone.fd.reset();
    const auto refused = tcp(SOCK_NONBLOCK);
    EXPECT_EQ(run(connect(refused.get(), &gone)).error(), std::errc::connection_refused);
}

task<std::error_code> connect_within(int fd, const listening_socket* to, duration limit) {
    const auto connected =
        co_await with_timeout(limit, async::connect(fd, to->data(), sizeof to->address));
    co_return connected.error();
}

TEST(connect, ends_when_its_time_limit_has_passed) {
    const listening_socket listener{0};
    std::vector<unique_fd> waiting; // more than the backlog takes: the rest gets no answer
    for (int i = 0; i < 4; ++i)
        waiting.push_back(listener.client(SOCK_NONBLOCK));
    const auto client = tcp();
    EXPECT_EQ(run(connect_within(client.get(), &listener, 20ms)), std::errc::timed_out);
}

TEST(accept, gives_a_descriptor_for_its_driver_that_is_closed_on_exec) {
    const listening_socket listener;
    const auto client = listener.client();
    const auto accepted = run(accept(listener.fd.get()));
    ASSERT_TRUE(accepted);
    EXPECT_TRUE(::fcntl(accepted->get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(is_as_the_driver_wants_it(accepted->get()));
}

task<result<unique_fd>> accept_from(int fd, sockaddr_in* peer) {
    socklen_t size = sizeof *peer;
    co_return co_await async::accept(fd, reinterpret_cast<sockaddr*>(peer), &size);
}

TEST(accept, tells_the_address_of_the_peer) {
    const listening_socket listener;
    const auto client = listener.client();
    sockaddr_in seen{};
    EXPECT_TRUE(run(accept_from(listener.fd.get(), &seen)));
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(client.get(), reinterpret_cast<sockaddr*>(&own), &size);
    EXPECT_EQ(seen.sin_port, own.sin_port);
}

TEST(accept, reports_a_socket_that_does_not_listen) {
    const auto idle = tcp();
    EXPECT_EQ(run(accept(idle.get())).error(), std::errc::invalid_argument);
}

task<int> accept_many(int fd, int rounds) {
    int accepted = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto came = co_await with_timeout(0s, async::accept(fd));
        if (came) ++accepted;
    }
    co_return accepted;
}

TEST(accept, leaks_no_descriptor_when_a_limit_and_a_connection_meet) {
    const auto before = open_file_count();
    {
        const listening_socket listener{128};
        std::vector<unique_fd> clients;
        for (int i = 0; i < 64; ++i)
            clients.push_back(listener.client());
        const int accepted = run(accept_many(listener.fd.get(), 200));
        EXPECT_EQ(accepted, 64);
    }
    EXPECT_EQ(open_file_count(), before);
}

task<result<unique_fd>> accept_then_connect(const listening_socket* listener, int client) {
    auto both = co_await when_all(accept(listener->fd.get()), connect(client, listener));
    std::get<1>(both).value();
    co_return std::move(std::get<0>(both));
}

TEST(accept, waits_on_a_non_blocking_socket) {
    const listening_socket listener;
    ::fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK);
    const auto client = tcp();
    EXPECT_TRUE(run(accept_then_connect(&listener, client.get())));
}

} // namespace
} // namespace coronet::connection_operations_tests

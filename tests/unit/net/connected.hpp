// SPDX-License-Identifier: BSL-1.0
//
// Connected streams for tests, made without Coronet's own accept and connect.
#pragma once

#include <coronet/net/tcp_listener.hpp>
#include <coronet/net/tcp_stream.hpp>
#include <coronet/net/unix_listener.hpp>
#include <coronet/net/unix_stream.hpp>

#include <cerrno>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace coronet::test {

/// An address that a listener of this kind can be bound to.
template <class Stream>
endpoint free_endpoint();
template <>
inline endpoint free_endpoint<tcp_stream>() {
    return endpoint::v4_loopback(0);
}
template <>
inline endpoint free_endpoint<unix_stream>() {
    static int count = 0;
    return *endpoint::unix_abstract(
        "coronet-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count)
    );
}

/// Its reads end after 20 s.
inline unique_fd client_of(const endpoint& at) {
    unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(client.get(), at.data(), at.size()) < 0)
        throw std::system_error(errno, std::generic_category(), "connect");
    const timeval limit{20, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return client;
}
inline unique_fd client_of(const basic_socket& listener) {
    return client_of(*listener.local_endpoint());
}

template <class Stream>
struct connected {
    connected() {
        basic_listener<Stream> listener{free_endpoint<Stream>()};
        const endpoint at = *listener.local_endpoint();
        unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::connect(client.get(), at.data(), at.size()) < 0)
            throw std::system_error(errno, std::generic_category(), "connect");
        here =
            Stream{unique_fd{::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC)}};
        there = Stream{std::move(client)};
    }
    Stream here;
    Stream there;
};

/// For typed tests.
struct stream_names {
    template <class Stream>
    static std::string GetName(int) {
        return std::is_same_v<Stream, tcp_stream> ? "tcp" : "unix";
    }
};

} // namespace coronet::test

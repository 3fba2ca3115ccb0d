// SPDX-License-Identifier: BSL-1.0
//
// Operations that wait, each with what makes it wait and what lets it go on. The tests of
// cancellation are the same for all of them:
//   start()  gives the operation, which has nothing to do yet
//   feed()   gives it something to do, once
//   kept()   whether what feed() gave is still there for somebody else
#pragma once

#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>

#include <array>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace coronet::test {

template <class Pair>
struct with_input {
    Pair pair;
    std::array<std::byte, 8> room{};
};

struct pipe_input : with_input<pipe_pair> {
    void feed() const { fill_one(pair.writer.get()); }
    bool kept() const { return drain(pair.reader.get()) == 1; }
    static void fill_one(int fd) {
        if (::write(fd, "x", 1) != 1) throw std::system_error(errno, std::generic_category());
    }
};
struct socket_input : with_input<socket_pair> {
    void feed() const { pipe_input::fill_one(pair.there.get()); }
    bool kept() const { return drain(pair.here.get()) == 1; }
};

struct waiting_read : pipe_input {
    auto start() { return async::read(pair.reader.get(), room); }
};
struct waiting_readv : pipe_input {
    iovec part{room.data(), room.size()};
    auto start() { return async::readv(pair.reader.get(), std::span{&part, 1}); }
};
struct waiting_poll : pipe_input {
    auto start() { return async::poll(pair.reader.get(), POLLIN); }
};
struct waiting_recv : socket_input {
    auto start() { return async::recv(pair.here.get(), room); }
};
struct waiting_recvmsg : socket_input {
    iovec part{room.data(), room.size()};
    msghdr message{};
    auto start() {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        return async::recvmsg(pair.here.get(), message);
    }
};
/// In a kernel worker, which blocks.
struct waiting_splice : pipe_input {
    pipe_pair target;
    auto start() { return async::splice({pair.reader.get()}, {target.writer.get()}, room.size()); }
};

/// What is full takes nothing until it is drained.
template <class Pair>
struct with_output {
    Pair pair;
    std::array<std::byte, 4096> data{};
    std::size_t full = 0;
};
struct pipe_output : with_output<pipe_pair> {
    pipe_output() { full = fill(pair.writer.get()); }
    void feed() const { drain(pair.reader.get()); }
    bool kept() const { return drain(pair.reader.get()) == 0; }
};
struct socket_output : with_output<socket_pair> {
    socket_output() { full = fill(pair.here.get()); }
    void feed() const { drain(pair.there.get()); }
    bool kept() const { return drain(pair.there.get()) == 0; }
};
struct waiting_write : pipe_output {
    auto start() { return async::write(pair.writer.get(), data); }
};
struct waiting_writev : pipe_output {
    iovec part{data.data(), data.size()};
    auto start() { return async::writev(pair.writer.get(), std::span{&part, 1}); }
};
struct waiting_send : socket_output {
    auto start() { return async::send(pair.here.get(), data); }
};
struct waiting_sendmsg : socket_output {
    iovec part{data.data(), data.size()};
    msghdr message{};
    auto start() {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        return async::sendmsg(pair.here.get(), message);
    }
};

struct listening_socket {
    explicit listening_socket(int backlog = 16)
        : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(fd.get(), any, size) < 0 || ::listen(fd.get(), backlog) < 0 ||
            ::getsockname(fd.get(), any, &size) < 0)
            throw std::system_error(errno, std::generic_category(), "listen");
    }
    const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&address); }

    /// A client of this listener, connected or (with SOCK_NONBLOCK) about to be.
    unique_fd client(int flags = 0) const {
        unique_fd made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
        if (::connect(made.get(), data(), sizeof address) < 0 && errno != EINPROGRESS)
            throw std::system_error(errno, std::generic_category(), "connect");
        return made;
    }
    sockaddr_in address{};
    unique_fd fd;
};

struct waiting_accept {
    listening_socket listener;
    unique_fd client;
    auto start() { return async::accept(listener.fd.get()); }
    void feed() { client = listener.client(); }
    bool kept() const {
        pollfd waiting{listener.fd.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 1000) == 1;
    }
};

} // namespace coronet::test

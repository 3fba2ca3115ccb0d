// SPDX-License-Identifier: BSL-1.0
//
// What can be cancelled while somebody lets it go on, and how to tell afterwards that nothing was
// lost:
//   start()    the operation, which has nothing to do yet
//   feed()     gives it something to do, once; on the rival's thread
//   settled()  after both: whether everything is where the outcome says it is. Cleans up.
//   weight     a round counts for so many: kernel workers take their time to let go ...
//   late       ... and turns of spin() after which even they have
#pragma once

#include "support/pairs.hpp"
#include "support/spin.hpp"
#include "support/temporary_file.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/unique_fd.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace coronet::test {

inline void put_byte(int fd) {
    if (::write(fd, "x", 1) != 1) std::abort();
}
/// The number that the next descriptor will have: equal before and after, if none was lost.
inline int next_descriptor() {
    return unique_fd{::dup(0)}.get();
}

struct reading_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    pipe_pair pipe;
    std::array<std::byte, 4> room{};
    auto start() { return async::read(pipe.reader.get(), room); }
    void feed() const { put_byte(pipe.writer.get()); }
    bool settled(const result<std::size_t>& got) const {
        const std::size_t left = drain(pipe.reader.get());
        return got ? *got == 1 && left == 0 : left == 1;
    }
};

struct receiving_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    socket_pair pair;
    std::array<std::byte, 4> room{};
    auto start() { return async::recv(pair.here.get(), room); }
    void feed() const { put_byte(pair.there.get()); }
    bool settled(const result<std::size_t>& got) const {
        const std::size_t left = drain(pair.here.get());
        return got ? *got == 1 && left == 0 : left == 1;
    }
};

/// Takes nothing from the pipe, whatever comes of it.
struct polling_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    pipe_pair pipe;
    auto start() { return async::poll(pipe.reader.get(), POLLIN); }
    void feed() const { put_byte(pipe.writer.get()); }
    bool settled(const result<unsigned>& got) const {
        return drain(pipe.reader.get()) == 1 && (!got || *got == POLLIN);
    }
};

/// Against its own end: nobody else lets it go on.
struct sleeping_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    unsigned round = 0;
    time_point due{};
    auto start() {
        const std::chrono::microseconds length{++round * 3 % 60};
        due = clock::now() + length;
        return sleep_for(length);
    }
    void feed() const {}
    bool settled(const result<void>& slept) const { return !slept || clock::now() >= due; }
};

struct moving_contestant {
    static constexpr int weight = 30;
    static constexpr int late = 5'000'000;
    pipe_pair from;
    pipe_pair to;
    auto start() { return async::splice({from.reader.get()}, {to.writer.get()}, 4); }
    void feed() const { put_byte(from.writer.get()); }
    bool settled(const result<std::size_t>& got) const {
        const std::size_t left = drain(from.reader.get());
        const std::size_t moved = drain(to.reader.get());
        return got ? *got == 1 && moved == 1 && left == 0 : moved == 0 && left == 1;
    }
};

/// Truncating makes a kernel worker open it, always.
struct opening_contestant {
    static constexpr int weight = 30;
    static constexpr int late = 5'000'000;
    temporary_file file;
    int next = -1;
    auto start() {
        next = next_descriptor();
        return async::openat(AT_FDCWD, file.path(), O_WRONLY | O_TRUNC);
    }
    void feed() const {}
    bool settled(result<unique_fd>& got) const {
        const bool open = got && ::fcntl(got->get(), F_GETFD) == FD_CLOEXEC;
        if (got) got->reset();
        return (open || !got) && next_descriptor() == next;
    }
};

/// A unix socket that listens, under a name that the kernel chose.
class unix_port {
public:
    explicit unix_port(int backlog) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un unnamed{};
        unnamed.sun_family = AF_UNIX;
        if (::bind(fd(), reinterpret_cast<sockaddr*>(&unnamed), sizeof unnamed.sun_family) < 0 ||
            ::listen(fd(), backlog) < 0 ||
            ::getsockname(fd(), reinterpret_cast<sockaddr*>(&name_), &size_) < 0)
            throw std::system_error(errno, std::generic_category(), "unix_port");
    }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&name_); }
    [[nodiscard]] socklen_t size() const { return size_; }
    [[nodiscard]] unique_fd client() const {
        unique_fd made{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::connect(made.get(), name(), size()) < 0) std::abort();
        return made;
    }
    /// The first of those who wait; empty if nobody does.
    [[nodiscard]] unique_fd take_one() const {
        pollfd waiting{fd(), POLLIN, 0};
        if (::poll(&waiting, 1, 0) != 1) return {};
        return unique_fd{::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC)};
    }

private:
    unique_fd fd_;
    sockaddr_un name_{};
    socklen_t size_ = sizeof name_;
};

struct accepting_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    unix_port port{16};
    unique_fd client{};
    auto start() { return async::accept(port.fd()); }
    void feed() { client = port.client(); }
    bool settled(result<unique_fd>& got) {
        const unique_fd waiting = port.take_one();
        const bool there = got ? met(*got) && !waiting : met(waiting);
        if (got) got->reset();
        client.reset();
        return there;
    }
    /// It is the other end of what the client holds.
    [[nodiscard]] bool met(const unique_fd& accepted) const {
        put_byte(client.get());
        return accepted && drain(accepted.get()) == 1;
    }
};

/// To a port with room: the kernel connects within the call, mostly.
struct connecting_contestant {
    static constexpr int weight = 1;
    static constexpr int late = 50'000;
    unix_port port{16};
    unique_fd self{};
    auto start() {
        self.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        return async::connect(self.get(), port.name(), port.size());
    }
    void feed() const {}
    bool settled(const result<void>& got) {
        const unique_fd accepted = port.take_one();
        if (accepted) put_byte(accepted.get());
        const bool connected = accepted && drain(self.get()) == 1;
        self.reset();
        return got ? connected : !accepted;
    }
};

/// To a port that is full until somebody accepts: a kernel worker waits, or the library does.
struct queueing_contestant {
    static constexpr int weight = 30;
    static constexpr int late = 5'000'000;
    unix_port port{0};
    unique_fd first = port.client();
    unique_fd self{};
    unique_fd made_room{};
    auto start() {
        self.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        return async::connect(self.get(), port.name(), port.size());
    }
    void feed() { made_room = port.take_one(); }
    bool settled(const result<void>& got) {
        const unique_fd accepted = port.take_one();
        if (accepted) put_byte(accepted.get());
        const bool connected = accepted && drain(self.get()) == 1;
        const bool answered = got ? connected : !accepted;
        self.reset();
        while (port.take_one()) {
        }
        first = port.client();
        return made_room && answered;
    }
};

} // namespace coronet::test

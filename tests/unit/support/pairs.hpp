// SPDX-License-Identifier: BSL-1.0
//
// Two connected descriptors, made without Coronet: what a test reads from and writes to behind the
// library's back.
#pragma once

#include <coronet/unique_fd.hpp>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet::test {

struct pipe_pair {
    explicit pipe_pair(int flags = 0) {
        int fds[2];
        if (::pipe2(fds, O_CLOEXEC | flags) < 0)
            throw std::system_error(errno, std::generic_category(), "pipe2");
        reader.reset(fds[0]);
        writer.reset(fds[1]);
    }
    unique_fd reader;
    unique_fd writer;
};

struct socket_pair {
    explicit socket_pair(int type = SOCK_STREAM) {
        int fds[2];
        if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        here.reset(fds[0]);
        there.reset(fds[1]);
    }
    unique_fd here;
    unique_fd there;
};

/// Writes until the kernel takes no more, without waiting. Result: bytes taken.
inline std::size_t fill(int fd) {
    static constexpr char block[4096]{};
    const int before = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, before | O_NONBLOCK);
    std::size_t taken = 0;
    for (std::size_t size = sizeof block; size > 0; size /= 2)
        for (ssize_t n; (n = ::write(fd, block, size)) > 0;)
            taken += static_cast<std::size_t>(n);
    ::fcntl(fd, F_SETFL, before);
    return taken;
}

/// Reads what is there, without waiting. Result: bytes read.
inline std::size_t drain(int fd) {
    static char block[65536];
    const int before = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, before | O_NONBLOCK);
    std::size_t read = 0;
    for (ssize_t n; (n = ::read(fd, block, sizeof block)) > 0;)
        read += static_cast<std::size_t>(n);
    ::fcntl(fd, F_SETFL, before);
    return read;
}

} // namespace coronet::test

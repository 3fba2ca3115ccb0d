// SPDX-License-Identifier: BSL-1.0
//
// A process that goes on with what its parent has made when the parent is dead.
#pragma once

#include <coronet/unique_fd.hpp>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coronet::testing {

/// Runs `make()` in a process; its child then runs `go_on(*made)` when that process has ended.
/// Result: what it gives (0 ... 255), or -1 if that takes more than 20 s. The child comes by
/// clone(2) itself, of which the library does not learn: it goes on as if it were the parent.
template <class Make, class GoOn>
int in_an_orphan(Make make, GoOn go_on) {
    std::array<int, 2> answer{}, life{};
    if (::pipe2(answer.data(), O_CLOEXEC) || ::pipe2(life.data(), O_CLOEXEC)) return -1;
    const pid_t parent = ::fork();
    if (parent == 0) {
        auto made = make();
        if (::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr) != 0) ::_exit(0);
        ::close(life[1]);
        char byte = 0;
        // The end of file is the end of the last other one who had the writing end.
        while (::read(life[0], &byte, 1) < 0 && errno == EINTR) {
        }
        const auto said = static_cast<unsigned char>(go_on(*made));
        ::_exit(::write(answer[1], &said, 1) == 1 ? 0 : 1);
    }
    ::close(life[0]);
    ::close(life[1]);
    ::close(answer[1]);
    ::waitpid(parent, nullptr, 0);
    const unique_fd from{answer[0]};
    pollfd ready{from.get(), POLLIN, 0};
    unsigned char said = 0;
    if (::poll(&ready, 1, 20'000) != 1 || ::read(from.get(), &said, 1) != 1) return -1;
    return said;
}

} // namespace coronet::testing

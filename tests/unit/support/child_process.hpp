// SPDX-License-Identifier: BSL-1.0
//
// A process of its own for what cannot be undone in this one: limits, users, namespaces.
#pragma once

#include <cerrno>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace coronet::test {

constexpr int child_threw = 254;

/// Runs `what()` in a forked child. It has 30 s.
template <class What>
pid_t begin_child(What what) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::alarm(30);
    int result = child_threw;
    try {
        result = what();
    } catch (...) {
    }
    ::_exit(result);
}

/// What `what` gave (0 ... 255); -1 if the child did not exit by itself, -2 if it threw.
inline int end_of_child(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status)) return -1;
    return WEXITSTATUS(status) == child_threw ? -2 : WEXITSTATUS(status);
}

template <class What>
int in_a_child(What what) {
    return end_of_child(begin_child(std::move(what)));
}

} // namespace coronet::test

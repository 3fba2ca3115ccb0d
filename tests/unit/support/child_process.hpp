// SPDX-License-Identifier: BSL-1.0
//
// A process of its own for what cannot be undone in this one: limits, users, namespaces.
#pragma once

#include <cerrno>

#include <sys/wait.h>
#include <unistd.h>

namespace coronet::test {

/// Runs `what()` in a forked child. Result: what it gives (0 ... 255); -1 if it did not exit by
/// itself within 30 s, -2 if it threw.
template <class What>
int in_a_child(What what) {
    constexpr int threw = 254;
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        int result = threw;
        try {
            result = what();
        } catch (...) {
        }
        ::_exit(result);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status)) return -1;
    return WEXITSTATUS(status) == threw ? -2 : WEXITSTATUS(status);
}

} // namespace coronet::test

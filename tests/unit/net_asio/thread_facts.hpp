// SPDX-License-Identifier: BSL-1.0
//
// What the kernel tells of this process's threads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/types.h>
#include <unistd.h>

namespace coronet::asiox::test {

inline std::ptrdiff_t thread_count() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
}

/// Of the system call that `thread` waits in; below 0 while it waits in none.
inline long waits_in(pid_t thread) {
    std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/syscall"};
    long number = -1;
    file >> number; // "running" is no number
    return file ? number : -1;
}

/// How often `thread` has gone to sleep.
inline long sleeps_of(pid_t thread) {
    std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/status"};
    const std::string wanted = "voluntary_ctxt_switches:";
    for (std::string word; file >> word;) {
        long count = 0;
        if (word == wanted && file >> count) return count;
    }
    return -1;
}

} // namespace coronet::asiox::test

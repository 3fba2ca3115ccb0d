// SPDX-License-Identifier: BSL-1.0
//
// A context that runs on a thread of its own, and where that one waits.
#pragma once

#include "thread_facts.hpp"
#include "which_asio.hpp"

#include <coronet/clock.hpp>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace coronet::asiox::test {

/// A context in run() on a thread of its own, until the end of the scope.
class running {
public:
    explicit running(net::io_context& context) : context_(context) {
        while (thread_id_.load() == 0)
            std::this_thread::yield();
    }
    ~running() { context_.stop(); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    [[nodiscard]] pid_t thread_id() const { return thread_id_; }

private:
    net::io_context& context_;
    std::atomic<pid_t> thread_id_{0};
    std::jthread thread_{[this] {
        thread_id_ = ::gettid();
        context_.run();
    }};
};

/// Until it waits in one of these system calls, or for 10 s.
inline bool comes_to_wait_in(pid_t thread, const std::set<long>& calls) {
    const time_point limit = clock::now() + std::chrono::seconds{10};
    while (!calls.contains(waits_in(thread))) {
        if (clock::now() > limit) return false;
        std::this_thread::yield();
    }
    return true;
}
inline bool comes_to_wait_in(pid_t thread, long call) {
    return comes_to_wait_in(thread, std::set<long>{call});
}
/// The same, on whichever driver.
inline bool comes_to_wait(pid_t thread) {
    return comes_to_wait_in(
        thread,
        std::set<long>{SYS_io_uring_enter, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2}
    );
}

} // namespace coronet::asiox::test

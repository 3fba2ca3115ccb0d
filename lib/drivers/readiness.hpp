// SPDX-License-Identifier: BSL-1.0
//
// The epoll set of one driver: what its descriptors are ready for, wake-ups, and a wait that ends
// at a deadline of the clock. Owner thread only, but for wake().
#pragma once

#include <coronet/clock.hpp>
#include <coronet/unique_fd.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/epoll.h>

namespace coronet {

class readiness {
public:
    /// Throws std::system_error.
    readiness();

    /// From now on what becomes ready on `fd` is reported, once for each time, and what it is ready
    /// for now. `known`: it probably is registered already. Result: 0 or a negated errno; -EPERM
    /// says that it is always ready (a file).
    [[nodiscard]] int watch(int fd, bool known) noexcept;

    /// Whether it is still the file that was registered. If not, it is registered now.
    [[nodiscard]] bool is_watched(int fd) noexcept {
        return control(EPOLL_CTL_ADD, fd) < 0 && errno == EEXIST;
    }
    void forget(int fd) noexcept { static_cast<void>(control(EPOLL_CTL_DEL, fd)); }

    /// What has become ready until `deadline`; returns early when something has, when woken, or
    /// for no reason. time_point::min(): does not wait.
    [[nodiscard]] std::span<const epoll_event> wait(time_point deadline) noexcept;

    /// Any thread, signal handlers too.
    void wake() const noexcept;
    /// The set: readable while wait() would report something, or has been woken.
    [[nodiscard]] int descriptor() const noexcept { return set_.get(); }

    [[nodiscard]] std::uint64_t waits() const noexcept { return waits_; }
    void close() noexcept;

private:
    int wait_until(time_point deadline) noexcept;
    int wait_with_timer(time_point deadline) noexcept;
    void set_timer(time_point deadline) noexcept;
    int control(int operation, int fd) noexcept;

    static constexpr std::size_t events_max = 256;
    std::array<epoll_event, events_max> events_;
    unique_fd set_;
    unique_fd wake_;  // an eventfd
    unique_fd timer_; // a timerfd, where the kernel has no epoll_pwait2 (before 5.11)
    time_point timer_deadline_ = time_point::max();
    std::uint64_t waits_ = 0;
};

} // namespace coronet

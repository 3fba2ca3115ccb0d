// SPDX-License-Identifier: BSL-1.0
#include "readiness.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

namespace coronet {

namespace {

constexpr std::uint32_t all_that_happens = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;

timespec to_timespec(duration d) noexcept {
    using namespace std::chrono;
    const auto whole = duration_cast<seconds>(d);
    return {whole.count(), duration_cast<nanoseconds>(d - whole).count()};
}

unique_fd checked(int fd, const char* call) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
    return unique_fd{fd};
}

// Not by glibc: its wrappers are points where a thread may be cancelled, and older ones lack it.
int pwait2(int set, epoll_event* events, std::size_t size, const timespec* timeout) noexcept {
    return static_cast<int>(
        ::syscall(SYS_epoll_pwait2, set, events, static_cast<int>(size), timeout, nullptr, 0)
    );
}

} // namespace

readiness::readiness()
    : set_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    // Reported each time that it is written to: so nobody has to read it.
    if (control(EPOLL_CTL_ADD, wake_.get()) < 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    const timespec at_once{};
    if (pwait2(set_.get(), events_.data(), 1, &at_once) < 0 && errno == ENOSYS) {
        timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd");
        if (control(EPOLL_CTL_ADD, timer_.get()) < 0)
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
}

int readiness::control(int operation, int fd) noexcept {
    epoll_event wanted{};
    wanted.events = all_that_happens;
    wanted.data.fd = fd;
    return ::epoll_ctl(set_.get(), operation, fd, &wanted);
}

int readiness::watch(int fd, bool known) noexcept {
    if (control(known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd) == 0) return 0;
    // It is another file by now than when it was registered, or the same in spite of a close.
    if (known && errno == ENOENT && control(EPOLL_CTL_ADD, fd) == 0) return 0;
    if (!known && errno == EEXIST && control(EPOLL_CTL_MOD, fd) == 0) return 0;
    return -errno;
}

std::span<const epoll_event> readiness::wait(time_point deadline) noexcept {
    ++waits_;
    const int count = timer_ ? wait_with_timer(deadline) : wait_until(deadline);
    return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

int readiness::wait_until(time_point deadline) noexcept {
    timespec left{};
    // Before the clock's beginning is past as well, and too far away to be subtracted from.
    if (deadline > time_point{} && deadline != time_point::max())
        left = to_timespec(std::max(deadline - clock::now(), duration::zero()));
    return pwait2(
        set_.get(), events_.data(), events_.size(), deadline == time_point::max() ? nullptr : &left
    );
}

/// epoll_wait(2) counts in milliseconds, the timer does not.
int readiness::wait_with_timer(time_point deadline) noexcept {
    if (deadline != time_point::min() && deadline != timer_deadline_) set_timer(deadline);
    const int timeout = deadline == time_point::min() ? 0 : -1;
    const int count =
        ::epoll_wait(set_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
    for (int i = 0; i < count; ++i)
        if (events_[static_cast<std::size_t>(i)].data.fd == timer_.get())
            timer_deadline_ = time_point::max(); // it has expired
    return count;
}

void readiness::set_timer(time_point deadline) noexcept {
    using namespace std::chrono_literals;
    timer_deadline_ = deadline;
    itimerspec when{}; // zero: disarmed
    if (deadline != time_point::max())
        when.it_value = to_timespec(std::max(deadline.time_since_epoch(), duration{1ns}));
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void readiness::wake() const noexcept {
    const int before = errno; // a signal handler must leave it alone
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    errno = before;
}

void readiness::close() noexcept {
    timer_.reset();
    wake_.reset();
    set_.reset();
}

} // namespace coronet

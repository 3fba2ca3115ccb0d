// SPDX-License-Identifier: BSL-1.0
#include "notify_signal.hpp"

#include <cerrno>
#include <ctime>
#include <mutex>
#include <string>
#include <system_error>

#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::notify_signal {

namespace {

void interrupt(int) noexcept {}

sigset_t just(int signal) noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    return set;
}

[[noreturn]] void fail(int error, int signal, const char* what) {
    throw std::system_error(
        error, std::generic_category(), "signal " + std::to_string(signal) + ": " + what
    );
}

bool is_free(const struct sigaction& found) noexcept {
    return (found.sa_flags & SA_SIGINFO) == 0 &&
           (found.sa_handler == SIG_DFL || found.sa_handler == SIG_IGN);
}

} // namespace

int install(int wanted) {
    static std::mutex one_at_a_time;
    const std::scoped_lock lock{one_at_a_time};
    const int signal = wanted != 0 ? wanted : SIGRTMAX - 2;
    struct sigaction found {};
    if (::sigaction(signal, nullptr, &found) != 0)
        fail(errno, signal, "cannot be the notify signal of a worker pool");
    if ((found.sa_flags & SA_SIGINFO) == 0 && found.sa_handler == &interrupt) return signal;
    if (!is_free(found))
        fail(EBUSY, signal, "has a handler (choose another in worker_pool_options::notify_signal)");
    struct sigaction ours {};
    ours.sa_handler = &interrupt;
    ::sigemptyset(&ours.sa_mask);
    if (::sigaction(signal, &ours, nullptr) != 0) fail(errno, signal, "sigaction");
    return signal;
}

void send(int signal, pid_t thread) noexcept {
    ::syscall(SYS_tgkill, ::getpid(), thread, signal);
}

void set_blocked(int signal, bool blocked) noexcept {
    const sigset_t set = just(signal);
    ::pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

bool is_blocked(int signal) noexcept {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, signal) == 1;
}

void consume(int signal) noexcept {
    const sigset_t set = just(signal);
    const timespec at_once{};
    while (::sigtimedwait(&set, nullptr, &at_once) >= 0 || errno == EINTR) {
    }
}

sigset_t mask_without(int signal) noexcept {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    ::sigdelset(&mask, signal);
    return mask;
}

} // namespace coronet::notify_signal

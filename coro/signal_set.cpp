// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/operations.hpp>
#include <coronet/coro/signal_set.hpp>

#include <cerrno>
#include <system_error>

#include <poll.h>
#include <sys/signalfd.h>

namespace coronet {

signal_set::signal_set(std::initializer_list<int> signals) {
    sigset_t wanted;
    sigset_t before;
    ::sigemptyset(&wanted);
    ::sigemptyset(&added_);
    for (const int each : signals)
        if (::sigaddset(&wanted, each) < 0)
            throw std::system_error(
                errno, std::generic_category(), "signal_set: " + std::to_string(each)
            );
    fd_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) throw std::system_error(errno, std::generic_category(), "signalfd");

    ::pthread_sigmask(SIG_BLOCK, &wanted, &before);
    for (const int each : signals)
        if (::sigismember(&before, each) == 0) ::sigaddset(&added_, each);
}

signal_set::~signal_set() {
    ::pthread_sigmask(SIG_UNBLOCK, &added_, nullptr);
}

// The ring only says that there is something to read. Reading is left to the owner: what a signalfd
// gives depends on the thread that reads it, and a kernel worker is another one.
task<result<int>> signal_set::wait() const {
    for (;;) {
        const auto ready = co_await async::poll(fd_.get(), POLLIN);
        if (!ready) co_return ready.error();
        signalfd_siginfo taken{};
        const auto size = ::read(fd_.get(), &taken, sizeof taken);
        if (size == sizeof taken) co_return static_cast<int>(taken.ssi_signo);
        if (errno != EAGAIN && errno != EINTR)
            co_return std::error_code{errno, std::generic_category()};
    }
}

} // namespace coronet

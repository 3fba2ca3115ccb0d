// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/run.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/detail/forked_child.hpp>
#include <coronet/error.hpp>

#include <cerrno>
#include <ctime>
#include <system_error>

#include <signal.h>

namespace coronet::detail {

void root::begin(scheduler& home) noexcept {
    open_root(home);
    home.admit(*this);
    hold();
    start_children();
    release();
}

void root::on_all_ended() noexcept {
    home().dismiss(*this);
    ended();
}

void run_to_the_end(scheduler& here) {
    try {
        here.run();
    } catch (const std::system_error& error) {
        if (error.code() == errc::stopped) end_forked_child(error.what()); // no loop else says so
        throw;
    }
}

void remote_root::begin_and_wait(scheduler& target) {
    if (!target.may_wait_here()) throw std::system_error(errc::would_deadlock, "sync_wait");
    target_ = &target;
    if (!target.post(starter_)) throw std::system_error(errc::stopped, "sync_wait");
    done_.acquire();
}

namespace {

sigset_t just_sigpipe() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    return set;
}

} // namespace

sigpipe_blocked::sigpipe_blocked() noexcept {
    const sigset_t set = just_sigpipe();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &set, &before);
    added_ = ::sigismember(&before, SIGPIPE) == 0;
}

sigpipe_blocked::~sigpipe_blocked() {
    if (!added_) return;
    const sigset_t set = just_sigpipe();
    const timespec at_once{};
    while (::sigtimedwait(&set, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

task<void> cancel_on_signal(group* everything, std::optional<signal_set>* ending) {
    const auto came = co_await (*ending)->wait();
    ending->reset();
    if (came)
        everything->cancel();
    else if (came.error() != std::errc::operation_canceled)
        throw std::system_error(came.error(), "waiting for signals");
}

} // namespace coronet::detail

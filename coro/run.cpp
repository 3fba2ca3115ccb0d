// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/run.hpp>
#include <coronet/coro/signal_set.hpp>

#include <system_error>

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

void remote_root::begin_and_wait(scheduler& target) {
    if (scheduler::current()) throw std::system_error(errc::would_deadlock, "sync_wait");
    target_ = &target;
    if (!target.post(starter_)) throw std::system_error(errc::stopped, "sync_wait");
    done_.acquire();
}

task<void> stop_on_signal(scheduler* home) {
    const signal_set ending{SIGINT, SIGTERM};
    const auto came = co_await ending.wait();
    if (came) home->stop();
}

} // namespace coronet::detail

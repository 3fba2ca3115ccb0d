// SPDX-License-Identifier: BSL-1.0
#include "notify_signal.hpp"
#include "worker_account.hpp"
#include "worker_thread.hpp"

#include <coronet/detail/hooks.hpp>
#include <coronet/interruptible.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>

#include <poll.h>

namespace coronet {

namespace {

/// What is left until `deadline`, for ppoll(2); nothing: there is none.
std::optional<timespec> time_left(time_point deadline) noexcept {
    using namespace std::chrono;
    if (deadline == time_point::max()) return std::nullopt;
    const auto left = std::max(deadline - clock::now(), duration::zero());
    const auto whole = duration_cast<seconds>(left);
    return timespec{whole.count(), (left - whole).count()};
}

result<short> wait_on(
    pollfd& wanted, time_point deadline, const sigset_t* mask, detail::worker_thread* worker
) noexcept {
    for (;;) {
        const auto left = time_left(deadline);
        CORONET_HOOK(interrupt_checked, worker);
        const int ready = ::ppoll(&wanted, 1, left ? &*left : nullptr, mask);
        if (ready > 0) return wanted.revents;
        if (ready == 0) return std::errc::timed_out;
        if (errno != EINTR) return std::error_code(errno, std::generic_category());
        if (worker && worker->account().asked(*worker)) return std::errc::operation_canceled;
    }
}

/// In it the signal is sent, and stays blocked but inside of ppoll(2): so one is enough, and none
/// is lost between a look and the call.
class waiting_region {
public:
    explicit waiting_region(detail::worker_thread& worker) noexcept
        : worker_(worker), open_(!notify_signal::is_blocked(signal())) {
        notify_signal::set_blocked(signal(), true);
        mask_ = notify_signal::mask_without(signal());
        asked_ = worker_.account().set_interruptible(worker_, true);
    }
    ~waiting_region() {
        if (open_) { // inside of interruptible()
            notify_signal::set_blocked(signal(), false);
            return;
        }
        if (worker_.account().set_interruptible(worker_, false)) worker_.forget_notifications();
    }
    waiting_region(const waiting_region&) = delete;
    waiting_region& operator=(const waiting_region&) = delete;

    [[nodiscard]] bool asked() const noexcept { return asked_; }
    [[nodiscard]] const sigset_t& mask() const noexcept { return mask_; }

private:
    [[nodiscard]] int signal() const noexcept { return worker_.account().signal; }

    detail::worker_thread& worker_;
    const bool open_;
    bool asked_ = false;
    sigset_t mask_{};
};

} // namespace

// The signal is sent only between the two calls of set_interruptible(), and is blocked outside.
// What has come and was not needed is taken away at the end, so that it never meets the next item.

detail::interruptible_region::interruptible_region() noexcept : worker_(worker_thread::current()) {
    if (!worker_) return;
    if (!notify_signal::is_blocked(worker_->account().signal)) {
        worker_ = nullptr; // inside of another one
        return;
    }
    static_cast<void>(worker_->account().set_interruptible(*worker_, true));
    notify_signal::set_blocked(worker_->account().signal, false);
}

detail::interruptible_region::~interruptible_region() {
    if (!worker_) return;
    const int of_the_call = errno; // which the caller is about to look at
    notify_signal::set_blocked(worker_->account().signal, true);
    if (worker_->account().set_interruptible(*worker_, false)) worker_->forget_notifications();
    errno = of_the_call;
}

result<short> interruptible_wait(int fd, short events, duration limit) noexcept {
    const time_point now = clock::now();
    const time_point deadline = limit > time_point::max() - now ? time_point::max() : now + limit;
    pollfd wanted{fd, events, 0};
    detail::worker_thread* const worker = detail::worker_thread::current();
    if (!worker) return wait_on(wanted, deadline, nullptr, nullptr);
    const waiting_region here{*worker};
    if (here.asked()) return std::errc::operation_canceled;
    return wait_on(wanted, deadline, &here.mask(), worker);
}

blocking_scope::blocking_scope() noexcept : worker_(detail::worker_thread::current()) {
    if (worker_) worker_->account().begin_blocking(*worker_);
}

blocking_scope::~blocking_scope() {
    if (worker_) worker_->account().end_blocking(*worker_);
}

} // namespace coronet

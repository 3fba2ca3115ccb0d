// SPDX-License-Identifier: BSL-1.0
#include "dispatcher.hpp"

#include "kernel_abi.hpp"

#include <coronet/detail/checkers.hpp>
#include <coronet/scheduler.hpp>

#include <liburing.h>

#include <cerrno>

namespace coronet {

namespace {

bool is_interruption(std::int32_t res) noexcept {
    switch (-res) {
    case EINTR:
    case kernel::erestartsys:
    case kernel::erestartnointr:
    case kernel::erestartnohand:
    case kernel::erestart_restartblock:
        return true;
    default:
        return false;
    }
}

/// They come round again after 49 days.
std::uint32_t milliseconds_of(time_point time) noexcept {
    using namespace std::chrono;
    return static_cast<std::uint32_t>(duration_cast<milliseconds>(time.time_since_epoch()).count());
}

} // namespace

std::uint64_t operation::id() const noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(this);
    return std::uint64_t{generation_} << 48 | address;
}

dispatcher::dispatcher(
    scheduler& owner, driver& executor, timer_queue& timers, scheduler_stats& stats
)
    : owner_(owner),
      driver_(executor),
      stats_(stats),
      canceller_(*this, timers, stats),
      restarter_(*this, timers),
      now_(executor.coarse_now()),
      refusal_(-ECANCELED) {}

void dispatcher::start(operation& op) noexcept {
    CORONET_ASSERT(op.idle());
    CORONET_ASSERT((reinterpret_cast<std::uint64_t>(&op) & ~address_mask) == 0);
    op.scheduler_ = &owner_;
    op.cancel_requested_ = false;
    op.cancel_sent_ = false;
    op.attempts_ = 0;
    op.refusals_ = 0;
    op.started_ = milliseconds_of(now_);
    if (hindered_) [[unlikely]] {
        if (const std::int32_t refusal = refusal_of(op)) {
            op.complete(refusal, 0);
            return;
        }
    }
    ++in_flight_;
    ++stats_.operations;
    canceller_.track(op);
    submit(op);
}

/// 0 if it may begin.
std::int32_t dispatcher::refusal_of(const operation& op) const noexcept {
    if (refusing_) return refusal_;
    return op.needs_kernel_worker() ? operation::no_workers_allowed : 0;
}

duration dispatcher::age_of(const operation& op) const noexcept {
    return std::chrono::milliseconds{milliseconds_of(now_) - op.started_};
}

void dispatcher::submit(operation& op) noexcept {
    op.generation_ = ++generation_;
    io_uring_sqe* sqe = backlog_.empty() ? driver_.slot() : nullptr;
    if (!sqe) [[unlikely]] {
        op.state_ = operation::state::queued;
        backlog_.push(op);
        return;
    }
    op.state_ = operation::state::in_flight;
    detail::happens_before(&op);
    op.prepare(*sqe);
    sqe->user_data = op.id();
}

void dispatcher::pump() noexcept {
    while (!backlog_.empty()) {
        io_uring_sqe* sqe = driver_.slot();
        if (!sqe) break;
        auto& op = static_cast<operation&>(*backlog_.pop());
        // The entry is ours whether or not the operation still wants it.
        io_uring_prep_nop(sqe);
        sqe->user_data = 0;
        if (op.cancel_requested_) {
            finish(op, -ECANCELED, 0);
            continue;
        }
        op.state_ = operation::state::in_flight;
        detail::happens_before(&op);
        op.prepare(*sqe);
        sqe->user_data = op.id();
    }
    canceller_.send();
}

void dispatcher::request_cancel(operation& op) noexcept {
    if (!op.idle()) canceller_.request(op);
}

std::size_t dispatcher::request_cancel_on(int fd) noexcept {
    const std::size_t count = canceller_.request_all_on(fd);
    canceller_.send();
    return count;
}
void dispatcher::request_cancel_of_all() noexcept {
    canceller_.request_all();
}

void dispatcher::fail_all(std::int32_t res) noexcept {
    refuse_new();
    refusal_ = res;
    while (backlog_.pop()) {
    }
    restarter_.drop_all();
    while (operation* op = canceller_.any()) {
        op->polling_ = false;
        finish(*op, res, 0);
    }
}

void dispatcher::deliver(std::uint64_t id, std::int32_t res, std::uint32_t flags) noexcept {
    auto& op = *reinterpret_cast<operation*>(id & address_mask);
    CORONET_ASSERT(op.id() == id);
    detail::happens_after(&op);
    if (flags & IORING_CQE_F_MORE) {
        op.complete(res, flags);
        return;
    }
    if ((res < 0 || op.polling_) && submitted_again(op, res)) return;
    finish(op, res, flags);
}

void dispatcher::finish(operation& op, std::int32_t res, std::uint32_t flags) noexcept {
    op.state_ = operation::state::idle;
    --in_flight_;
    canceller_.forget(op);
    op.complete(res, flags);
}

/// Whether this completion is not the operation's end. Else `res` is what the user may see: never
/// an interruption.
bool dispatcher::submitted_again(operation& op, std::int32_t& res) noexcept {
    if (std::exchange(op.polling_, false) && res >= 0)
        res = -EINTR; // ready now: the operation itself has not been tried again
    if (is_interruption(res) && !op.can_begin_again()) {
        res = -EINTR;
        return false;
    }

    // The descriptor is non-blocking, or (-EALREADY) a connect was interrupted.
    const bool must_wait = (res == -EAGAIN || res == -EALREADY) && op.on().poll_events != 0;
    if (op.cancel_requested_ || refusing_) {
        if (is_interruption(res) || must_wait) res = -ECANCELED;
        return false;
    }
    if (is_interruption(res)) {
        ++stats_.restarts;
        submit(op);
        return true;
    }
    if (must_wait) {
        wait_until_ready(op);
        return true;
    }
    if (res ==
        -ECANCELED) { // nobody asked: a kernel worker could not be created, and nothing was begun
        ++stats_.spurious_cancels;
        if (restarter_.delay(op)) return true;
        res = operation::no_worker;
    }
    return false;
}

/// By a poll. Where poll(2) said ready and the operation was refused all the same (connecting to a
/// unix socket whose backlog is full, another was quicker), after pauses of 1, 2, 4 ... 64 ms.
void dispatcher::wait_until_ready(operation& op) noexcept {
    const unsigned refused_before = op.refusals_;
    if (op.refusals_ < 7) ++op.refusals_;
    if (refused_before == 0)
        submit_poll(op);
    else
        restarter_.pause(op, refused_before);
}

void dispatcher::resume(operation& op) noexcept {
    if (op.refusals_ > 0)
        submit_poll(op);
    else
        submit(op);
}

void dispatcher::submit_poll(operation& op) noexcept {
    const operation::subject wanted = op.on();
    io_uring_sqe* sqe = driver_.slot();
    if (!sqe) { // try the operation itself again when there is room
        op.state_ = operation::state::queued;
        backlog_.push(op);
        return;
    }
    op.state_ = operation::state::in_flight;
    op.polling_ = true;
    op.generation_ = ++generation_;
    io_uring_prep_poll_add(sqe, wanted.fd, wanted.poll_events);
    sqe->user_data = op.id();
}

} // namespace coronet

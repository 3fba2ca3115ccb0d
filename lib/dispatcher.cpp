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

} // namespace

dispatcher::dispatcher(
    scheduler& owner, driver& executor, timer_queue& timers, scheduler_stats& stats
)
    : owner_(owner),
      driver_(executor),
      stats_(stats),
      canceller_(*this, timers, stats),
      restarter_(*this, timers),
      refusal_(-ECANCELED) {
    note_time(executor.coarse_now());
}

/// They come round again after 49 days.
void dispatcher::note_time(time_point now) noexcept {
    using namespace std::chrono;
    now_ = static_cast<std::uint32_t>(duration_cast<milliseconds>(now.time_since_epoch()).count());
}

/// Whether it has ended instead.
bool dispatcher::refused(operation& op) noexcept {
    const bool lacks_worker = !refusing_ && op.needs_kernel_worker();
    if (!refusing_ && !lacks_worker) return false;
    op.complete(lacks_worker ? operation::no_workers_allowed : refusal_, 0);
    return true;
}

duration dispatcher::age_of(const operation& op) const noexcept {
    return std::chrono::milliseconds{now_ - op.started_};
}

void dispatcher::submit_or_queue(operation& op) noexcept {
    if (io_uring_sqe* sqe = backlog_.empty() ? driver_.slot() : nullptr)
        fill(*sqe, op);
    else
        queue(op);
}

void dispatcher::queue(operation& op) noexcept {
    op.state_ = operation::state::queued;
    backlog_.push(op);
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
        fill(*sqe, op);
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
        if (op.never_needs_kernel_worker()) { // the thread that submitted it has ended
            submit(op);
            return true;
        }
        if (restarter_.delay(op)) return true;
        res = operation::no_worker;
    }
    return false;
}

/// The kernel has let go of what it sent by reference. Its result came before, and complete() has
/// kept it.
std::int32_t dispatcher::given_back(const operation& op, std::int32_t usage) noexcept {
    if (op.res() < 0) return op.res();
    ++stats_.zero_copy_sends;
    if (usage < 0) ++stats_.zero_copy_sends_copied; // IORING_NOTIF_USAGE_ZC_COPIED, the top bit
    return op.res();
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
        queue(op);
        return;
    }
    op.state_ = operation::state::in_flight;
    op.polling_ = true;
    op.generation_ = ++generation_;
    io_uring_prep_poll_add(sqe, wanted.fd, wanted.poll_events);
    sqe->user_data = op.id();
}

} // namespace coronet

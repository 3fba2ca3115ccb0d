// SPDX-License-Identifier: BSL-1.0
//
// Between operations and the driver: gives each submission an id, queues what finds no slot,
// carries out cancel requests, and decides for each completion whether it ends its operation. Owner
// thread only.
//
// An id is the operation's address and a generation in the 16 bits above it. A cancel request names
// an id; it is executed with the submission that follows it, at most as many operations later as
// the queue has slots (32,768), so that a generation cannot have come round again: a late cancel
// finds nobody.
#pragma once

#include "canceller.hpp"
#include "driver.hpp"
#include "restarter.hpp"

#include <coronet/detail/checkers.hpp>
#include <coronet/operation.hpp>
#include <coronet/stats.hpp>

#include <liburing.h>

#include <cstdint>

namespace coronet {

class scheduler;
class timer_queue;

class dispatcher {
public:
    dispatcher(scheduler& owner, driver& executor, timer_queue& timers, scheduler_stats& stats);

    void start(operation& op) noexcept;
    void request_cancel(operation& op) noexcept;
    /// Submits queued operations and cancel requests, as far as there are slots.
    void pump() noexcept;
    /// Whether pump() has something to do.
    [[nodiscard]] bool backlogged() const noexcept {
        return !backlog_.empty() || canceller_.has_unsent();
    }

    /// From now on operations complete as cancelled without having been tried.
    void refuse_new() noexcept { refusing_ = hindered_ = true; }
    /// Operations that need a kernel worker fail from now on, or no longer do.
    void do_without_workers(bool none) noexcept { hindered_ = refusing_ || none; }
    /// The driver executes nothing any more, and all that it had completed has been delivered: what
    /// is left ends with `res`, and what is started from now on.
    void fail_all(std::int32_t res) noexcept;
    /// Requests the end of every operation on `fd`. Result: how many there are that were not asked
    /// before.
    std::size_t request_cancel_on(int fd) noexcept;
    void request_cancel_of_all() noexcept;

    /// Called by the driver for each completion of an operation.
    void deliver(std::uint64_t id, std::int32_t res, std::uint32_t flags) noexcept;
    /// Called by the driver for each answer to a cancel request.
    void cancel_answered(std::int32_t res) noexcept { canceller_.answered(res); }

    /// The time, roughly, that operations started from now on remember.
    void note_time(time_point now) noexcept;
    [[nodiscard]] duration age_of(const operation& op) const noexcept;
    /// Every operation that has not ended, in no order. `visit` changes nothing.
    template <class Visitor>
    void for_each_live(Visitor&& visit) const {
        canceller_.for_each_live(visit);
    }

    [[nodiscard]] std::size_t in_flight_count() const noexcept { return started_ - ended_; }
    [[nodiscard]] std::uint64_t started_count() const noexcept { return started_; }

    /// Ids below this are the driver's own.
    static constexpr std::uint64_t first_operation_id = 4096;
    static constexpr std::uint64_t address_mask = (std::uint64_t{1} << 48) - 1;

private:
    friend class canceller;
    friend class restarter;

    bool refused(operation& op) noexcept;
    void submit(operation& op) noexcept;
    void submit_or_queue(operation& op) noexcept;
    void queue(operation& op) noexcept;
    static void fill(io_uring_sqe& sqe, operation& op) noexcept;
    void submit_poll(operation& op) noexcept;
    void wait_until_ready(operation& op) noexcept;
    /// After a pause.
    void resume(operation& op) noexcept;
    void finish(operation& op, std::int32_t res, std::uint32_t flags) noexcept;
    bool submitted_again(operation& op, std::int32_t& res) noexcept;
    std::int32_t given_back(const operation& op, std::int32_t usage) noexcept;

    scheduler& owner_;
    driver& driver_;
    scheduler_stats& stats_;
    canceller canceller_;
    restarter restarter_;
    work_queue backlog_;    // operations in state `queued`
    std::uint32_t now_ = 0; // milliseconds
    std::uint64_t started_ = 0;
    std::uint64_t ended_ = 0;
    std::uint16_t generation_ = 0;
    bool hindered_ = false; // start() looks closer: it refuses some, or all
    bool refusing_ = false;
    std::int32_t refusal_; // what those that are refused end with
};

// ---- the way of every operation, in line ----

inline void dispatcher::start(operation& op) noexcept {
    CORONET_ASSERT(op.idle());
    CORONET_ASSERT((reinterpret_cast<std::uint64_t>(&op) & ~address_mask) == 0);
    op.scheduler_ = &owner_;
    op.cancel_requested_ = false;
    op.cancel_sent_ = false;
    op.polling_ = false;
    op.refusals_ = 0;
    op.attempts_ = 0;
    op.started_ = now_;
    if (hindered_ && refused(op)) [[unlikely]]
        return;
    ++started_;
    canceller_.track(op);
    submit(op);
}

inline void dispatcher::submit(operation& op) noexcept {
    op.generation_ = ++generation_;
    if (io_uring_sqe* sqe = backlog_.empty() ? driver_.free_slot() : nullptr) [[likely]]
        fill(*sqe, op);
    else
        submit_or_queue(op);
}

inline void dispatcher::fill(io_uring_sqe& sqe, operation& op) noexcept {
    op.state_ = operation::state::in_flight;
    detail::happens_before(&op);
    op.prepare(sqe);
    sqe.user_data = op.id();
}

inline void dispatcher::deliver(std::uint64_t id, std::int32_t res, std::uint32_t flags) noexcept {
    auto& op = *reinterpret_cast<operation*>(id & address_mask);
    CORONET_ASSERT(op.generation_ == id >> operation::generation_shift);
    detail::happens_after(&op);
    if (flags & IORING_CQE_F_MORE) {
        if (res >= 0) op.achieved_something();
        op.complete(res, flags);
        return;
    }
    if (flags & IORING_CQE_F_NOTIF) [[unlikely]]
        res = given_back(op, res);
    if ((res < 0 || op.polling_) && submitted_again(op, res)) return;
    finish(op, res, flags);
}

inline void dispatcher::finish(operation& op, std::int32_t res, std::uint32_t flags) noexcept {
    op.state_ = operation::state::idle;
    ++ended_;
    canceller_.forget(op);
    op.complete(res, flags);
}

} // namespace coronet

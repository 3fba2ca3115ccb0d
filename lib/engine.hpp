// SPDX-License-Identifier: BSL-1.0
//
// What a scheduler is made of: the control word, two lanes of mail, ready work, timers, the
// dispatcher and its driver. The loop and its end are in engine.cpp; starting, parking and waiting
// for the end in lifecycle.cpp.
#pragma once

#include "dispatcher.hpp"
#include "driver.hpp"
#include "mailbox.hpp"
#include "run_state.hpp"
#include "thread_number.hpp"
#include "timer_queue.hpp"

#include <coronet/park_guard.hpp>
#include <coronet/result.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace coronet::detail {

class engine : public std::enable_shared_from_this<engine> {
public:
    engine(scheduler& self, const scheduler_options& wanted, std::unique_ptr<driver> executor);

    // ---- the loop; owner ----

    /// This thread is the owner from here on. Throws std::system_error.
    void claim();
    /// Turns until stop, then the end. Whatever leaves a turn as an exception ends it, too, and is
    /// rethrown.
    void run();
    /// One turn, after having stood still if somebody wants that.
    std::size_t run_once(time_point deadline);
    /// Somebody else waits until the next turn.
    [[nodiscard]] result<int> wait_descriptor();
    [[nodiscard]] time_point begin_outer_wait();
    /// What has been begun is submitted, as far as the kernel takes it.
    [[nodiscard]] bool submit();
    /// Stop and the end.
    void shut_down();

    void make_ready(work& item) noexcept {
        if (sink) [[unlikely]] {
            ++handed_over;
            sink->push(item);
        } else {
            ready.push(item);
        }
    }
    void set_sink(ready_sink* wanted) noexcept;

    // ---- any thread ----

    bool post(mailbox& lane, work& item) noexcept;
    /// To what already belongs to it, until the very end.
    [[nodiscard]] bool post_internal(work& item) noexcept { return post(internal, item); }
    void wake() noexcept;
    void stop() noexcept;
    /// Whoever comes now is too late, and is not waited for. So is everybody in a forked child.
    [[nodiscard]] bool ended() const noexcept {
        return is_over(state.current_phase()) || in_forked_child();
    }
    /// It has begun and has not ended: the driver is enabled and has what it executes with.
    [[nodiscard]] bool in_loop() const noexcept {
        const auto now = state.current_phase();
        return (now == run_state::phase::running || now == run_state::phase::draining) &&
               !in_forked_child();
    }
    [[nodiscard]] bool in_forked_child() const noexcept { return driver_->in_forked_child(); }
    /// Threads inside post(), wake() or stop(), or on a visit.
    void wait_for_callers() const noexcept;
    /// While it lives, the end of the scheduler waits with closing the driver.
    class visit {
    public:
        explicit visit(engine& visited) noexcept : visited_(visited) {
            visited_.callers_.fetch_add(1, std::memory_order_acq_rel);
        }
        ~visit() { visited_.callers_.fetch_sub(1, std::memory_order_acq_rel); }
        visit(const visit&) = delete;
        visit& operator=(const visit&) = delete;

    private:
        engine& visited_;
    };
    /// What only the owner may do may be done here and now.
    [[nodiscard]] bool owned_by_this_thread() const noexcept;
    /// Its pool; made when it is asked for first. Throws std::system_error.
    [[nodiscard]] worker_pool& pool();
    [[nodiscard]] worker_pool* pool_if_any() const noexcept {
        return pool_.load(std::memory_order_acquire);
    }

    /// The buffers that it receives into; made when they are asked for first. Owner, in the loop.
    /// Throws std::system_error.
    [[nodiscard]] buffer_pool& receive_buffers();

    // ---- starting, parking, waiting (lifecycle.cpp); any thread ----

    /// A thread of its own is about to be made, or cannot be, or could not become the owner.
    [[nodiscard]] result<void> begin_start(bool parked);
    void abandon_start(bool parked) noexcept;
    void start_failed() noexcept;
    /// There will be no owner: it was never started, and now never will be.
    void end_unused() noexcept;
    void wait_until_started() noexcept;
    [[nodiscard]] bool was_started() const noexcept {
        return state.current_phase() != run_state::phase::fresh;
    }

    result<park_guard> park(time_point deadline);
    void unpark(thread_number taker) noexcept;
    result<void> join(time_point deadline) noexcept;
    /// For a start that was parked: its count is there already.
    result<park_guard> take_first_guard() noexcept;

    enum class answer : std::uint8_t { reached, never, would_deadlock, later };
    answer park(state_waiter& waiting);
    answer watch_end(state_waiter& waiting) noexcept;
    /// The waiter leaves the list. False if it has been told, or is about to be.
    bool forget_park(state_waiter& waiting, thread_number taker) noexcept;
    bool forget_watch(state_waiter& waiting) noexcept;
    park_guard granted(thread_number taker) noexcept { return {shared_from_this(), taker}; }
    /// Whether this thread may block until the loop ends, or stands still.
    [[nodiscard]] bool may_wait_here() const noexcept;
    [[nodiscard]] bool join_allowed() const noexcept;
    [[nodiscard]] bool holds_guard(thread_number thread) const noexcept;

    /// The word, the counts and what is in flight, in words.
    [[nodiscard]] std::string report() const;

    scheduler& self;
    bool has_own_thread = false; // nobody else will run its loop
    const scheduler_options options;
    run_state state;
    mailbox external;
    mailbox internal;
    work_queue ready;
    work_queue turn_end;
    timer_queue timers;
    scheduler_stats stats;
    std::unique_ptr<driver> driver_;
    dispatcher dispatcher_;
    intrusive_list<resident> residents;
    std::size_t resident_count = 0;
    ready_sink* sink = nullptr;
    work* end_helper = nullptr;
    std::size_t handed_over = 0;
    std::atomic<thread_number> owner{0}; // written by the owner
    std::error_code failure;             // why it ends without having been stopped
    std::atomic<std::uint64_t> wakes{0};

private:
    // The loop.
    void leave_in_forked_child() const;
    std::size_t turn(time_point deadline);
    /// False when it is to end.
    bool pass_head();
    bool collect_mail() noexcept;
    void end_turn() noexcept;
    void submit_and_perhaps_wait(time_point deadline) noexcept;
    void wait(time_point deadline) noexcept;
    [[nodiscard]] time_point next_deadline() noexcept;
    void end_outer_wait() noexcept;
    void end_dead() noexcept;
    void expire_timers() noexcept;
    std::size_t run_ready() noexcept;

    // The end. Nothing leaves it but what leave_in_forked_child() throws.
    void drain();
    void tell_survivors() const noexcept;
    void close_outer_lane() noexcept;
    void cancel_everything() noexcept;
    [[nodiscard]] bool pool_ended() noexcept;
    [[nodiscard]] worker_pool* last_pool() noexcept;
    [[nodiscard]] bool finished() const noexcept;
    void close();

    // Standing still.
    void stand_still() noexcept;
    void enter(run_state::phase next) noexcept;
    static void
    claim_all(intrusive_list<state_waiter>& from, intrusive_list<state_waiter>& to) noexcept;
    result<park_guard> wait_until_parked(thread_number taker, time_point deadline) noexcept;
    /// Nothing more will come of it. (Asked in this order: a start that is refused has seen stop.)
    [[nodiscard]] bool is_over_for_joiners() const noexcept {
        return is_over(state.current_phase()) ||
               (has_own_thread && state.stop_requested() && !was_started());
    }
    [[nodiscard]] static bool is_over(run_state::phase now) noexcept {
        return now == run_state::phase::exited || now == run_state::phase::failed;
    }
    void wake_if(run_state::must_wake needed, driver* from) noexcept;
    [[nodiscard]] driver* messenger() const noexcept;
    [[nodiscard]] bool stands_still_for_me() const noexcept;

    // Counted before the control word is touched: an owner that has seen their flag sees them, too,
    // and does not close the driver under them.
    std::atomic<unsigned> callers_{0};

    // Parkers and those who wait for the end. Rare, and never on the path of an operation.
    std::mutex waiters_mutex_;
    intrusive_list<state_waiter> park_waiters_;
    intrusive_list<state_waiter> end_waiters_;

    std::mutex pool_mutex_;
    std::atomic<worker_pool*> pool_{nullptr};
    std::unique_ptr<worker_pool> own_pool_; // made under the lock
    bool no_more_pools_ = false;            // under the lock; the owner has seen that there is none

    buffer_pool* buffers_ = nullptr; // it frees itself
};

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
//
// The loop of one thread and the ring that belongs to it. Work becomes ready (by a completion, a
// timer or a message from another thread), the loop runs it, then makes one system call that
// submits everything new and waits.
//
// The owner is whichever thread runs the loop: the first to do so, for life, unless options say
// `movable_owner`. What may be called from elsewhere says so. Everything a scheduler was given is
// finished before it ends: it cancels what is in flight and waits for the last terminal completion.
// scheduler_thread makes a scheduler with a thread of its own.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/kernel_workers.hpp>
#include <coronet/operation.hpp>
#include <coronet/options.hpp>
#include <coronet/park_guard.hpp>
#include <coronet/result.hpp>
#include <coronet/stats.hpp>
#include <coronet/timer.hpp>
#include <coronet/work.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>

namespace coronet {

class driver;
class pool_item;
class worker_pool;
namespace detail {
class buffer_pool;
class state_change;
} // namespace detail

/// Takes ready work instead of the scheduler's own queue, for an embedder with a queue of its own:
/// it calls run() on each item, once, on the owner thread.
class ready_sink {
public:
    virtual void push(work& item) noexcept = 0;

protected:
    ~ready_sink() = default;
};

/// Something that lives on a scheduler and must end before the scheduler does (the root of a tree
/// of coroutines).
class resident : public detail::list_hook<resident> {
public:
    /// The scheduler has been stopped: cancel everything below. May be called again. Owner thread.
    virtual void cancel_all() noexcept = 0;

protected:
    ~resident() = default;
};

class scheduler {
public:
    /// Sets its driver up (docs/drivers.md says which). Throws std::system_error that says which
    /// call failed and what to do about it.
    explicit scheduler(const scheduler_options& options = {});
    /// Runs on a driver of the caller's (a test's script, say).
    scheduler(const scheduler_options& options, std::unique_ptr<driver> executor);
    /// Finishes as run() does after stop(). Thread: the owner, or any if the loop never ran or has
    /// ended.
    ~scheduler();
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    /// The scheduler whose loop this thread is in, or null.
    [[nodiscard]] static scheduler* current() noexcept;

    // ---- running the loop; the calling thread is the owner ----

    /// Runs until stop(), then cancels what is left, waits for it and closes the ring. So it does,
    /// before it lets it through, when an exception leaves the loop.
    ///
    /// Throws std::system_error with errc::sq_thread_dead, when all that has been done, if the
    /// kernel's submission thread died.
    void run();

    /// One turn: waits until `deadline` if nothing is ready, then runs what is. For a loop inside
    /// somebody else's; call shutdown() at the end.
    ///
    /// Result: items run, or handed to the ready sink.
    std::size_t run_once(time_point deadline);
    template <class Duration>
    std::size_t run_once(std::chrono::time_point<clock, Duration> deadline) {
        return run_once(detail::to_limit(deadline));
    }

    /// For a loop that waits on descriptors itself, and calls run_once() when this one is readable.
    /// It is made when it is asked for first and closed by the end of the loop; nobody else reads
    /// it.
    ///
    /// Errors: what the kernel says, std::errc::operation_not_supported where the driver has none;
    /// throws std::system_error as the first turn does.
    /// Kernel: IORING_REGISTER_EVENTFD, 5.2; on the epoll driver it is the epoll set.
    [[nodiscard]] result<int> wait_descriptor();
    /// Such a loop is about to wait: what has been begun is submitted. From here until the next
    /// run_once() whatever concerns the scheduler makes the descriptor readable; wake(), too, which
    /// it needs after anything that the owner begins meanwhile.
    ///
    /// Result: until when to wait at most (the next timer); time_point::min(): not at all, call
    /// run_once().
    [[nodiscard]] time_point begin_outer_wait();

    /// Ends what is left, waits for it and closes the ring. run() does so by itself.
    void shutdown();

    // ---- any thread ----

    /// Gives `item` to the owner; it runs exactly once. False, and not taken, when the scheduler
    /// has been stopped.
    [[nodiscard]] bool post(work& item) noexcept;
    /// Makes a waiting run_once() return, or the next one not wait.
    void wake() noexcept;
    /// Asks the loop to end. Returns at once, any number of times, also in a signal handler.
    void stop() noexcept;
    [[nodiscard]] bool stop_requested() const noexcept;
    /// Whether it really uses the submission thread of its sq_group: where the kernel would not
    /// have that (in a forked child), it has a thread of its own.
    [[nodiscard]] bool shares_submission_thread() const noexcept;

    /// Waits until the owner stands still: it runs no user code and makes no call to its ring until
    /// the guard is gone. A loop run by run_once() stands still inside the next call.
    ///
    /// Errors: errc::stopped if it does not run, or has been told to stop; errc::would_deadlock on
    /// the thread of a scheduler (co_await async_park() there) and on a worker of one;
    /// std::errc::timed_out. Thread: any but these.
    [[nodiscard]] result<park_guard> park();
    [[nodiscard]] result<park_guard> park_for(duration limit);
    template <class Rep, class Period>
    [[nodiscard]] result<park_guard> park_for(std::chrono::duration<Rep, Period> limit) {
        return park_for(detail::to_duration(limit));
    }

    /// Waits until the loop has ended: nothing is in flight, every await has been resumed, the ring
    /// is closed. It does not ask for the end: stop() does.
    ///
    /// Errors: errc::would_deadlock on the thread of a scheduler (co_await async_join() there), on
    /// a worker of one, or while a park_guard lives that this thread took; std::errc::timed_out,
    /// and the end is still to come; errc::stopped in a forked child. Thread: any but these.
    [[nodiscard]] result<void> join() noexcept;
    [[nodiscard]] result<void> join_for(duration limit) noexcept;
    template <class Rep, class Period>
    [[nodiscard]] result<void> join_for(std::chrono::duration<Rep, Period> limit) noexcept {
        return join_for(detail::to_duration(limit));
    }

    /// Whether this thread may block until something happens here: not on the thread of any
    /// scheduler, nor on a worker, nor on this one's own between two calls of run_once().
    [[nodiscard]] bool may_wait_here() const noexcept;

    /// Its pool of workers, for what would block the loop. It is made when it is asked for first;
    /// after the end of the loop that is one that has ended (errc::stopped).
    ///
    /// Throws std::system_error if somebody else handles its notify signal.
    /// Lifetime: of the scheduler; it ends with the loop.
    [[nodiscard]] worker_pool& pool();

    // ---- owner only ----

    /// Begins `op`; its complete() is called in a later turn. A full queue or a stopped scheduler
    /// is no error here: the operation waits for a slot, or completes as cancelled.
    void start(operation& op) noexcept;
    /// Hands what has been started, and what has been asked to end, to the kernel now and not at
    /// the end of the turn: for what else is done to its descriptor or its buffers right
    /// afterwards. Completes nothing; with movable_owner also between two turns. What waits for a
    /// slot is not looked at before its turn comes.
    ///
    /// Result: false if the kernel would not take all of it now.
    /// Errors: throws std::system_error as the first turn does, and in a forked child.
    [[nodiscard]] bool submit();
    /// Asks every operation on `fd` to end. Result: how many were not asked before.
    std::size_t cancel_operations_on(int fd) noexcept;
    /// Runs `item` in this turn or the next.
    void ready(work& item) noexcept;
    /// Runs `item` when this turn's work has been done, before what it has begun is submitted: for
    /// what gathers requests of a whole turn.
    void at_turn_end(work& item) noexcept;
    /// Arms `t` to expire once `delay` has passed, counted from the end of this turn.
    void arm(timer& t, duration delay) noexcept;
    void arm(timer& t, time_point deadline) noexcept;
    template <class Rep, class Period>
    void arm(timer& t, std::chrono::duration<Rep, Period> delay) noexcept {
        arm(t, detail::to_duration(delay));
    }
    template <class Duration>
    void arm(timer& t, std::chrono::time_point<clock, Duration> deadline) noexcept {
        arm(t, detail::to_limit(deadline));
    }
    /// Does nothing if `t` is not armed.
    void disarm(timer& t) noexcept;
    /// Adds to what must end before the scheduler can.
    void admit(resident& guest) noexcept;
    void dismiss(resident& guest) noexcept;
    /// Null: back to its own queue; so it is, too, when the scheduler ends. What `sink` still holds
    /// then must have been run before.
    void set_ready_sink(ready_sink* sink) noexcept;
    /// While the scheduler ends, runs `helper` each time that all that is left has been asked to
    /// end: for an embedder, some of whose own things have to end for that. Null: no more.
    /// Lifetime: until the end.
    void set_end_helper(work* helper) noexcept;

    /// Operations that have no terminal completion yet.
    [[nodiscard]] std::size_t in_flight_count() const noexcept;
    /// Operations, armed timers, residents, items of its pool, ready and posted ones: 0 means that
    /// nothing will happen by itself any more.
    [[nodiscard]] std::size_t outstanding_work() const noexcept;
    /// Flags that socket(2) and accept4(2) should be given for descriptors used here.
    [[nodiscard]] int socket_flags() const noexcept;
    [[nodiscard]] scheduler_stats stats() const noexcept;
    /// What it is at, in words: its state, and what is in flight (which operation, on what, for how
    /// long, awaited where). Thread: owner, or any that holds a guard of it; to others it tells the
    /// state only.
    [[nodiscard]] std::string report() const;
    /// Whether this process is a child of the one that it was made in: it is the parent's. Any
    /// thread.
    [[nodiscard]] bool in_forked_child() const noexcept;
    /// In a forked child, instead of everything else: what is in flight completes with
    /// operation::left_to_parent, so that it can be started on another scheduler. What was ready
    /// and who waits for a completion to be resumed is left where it is, for good.
    void leave_to_parent() noexcept;
    /// Why it ends without having been stopped: errc::sq_thread_dead, or nothing. What was in
    /// flight has that error, too. For a loop of run_once(), which stop_requested() tells that it
    /// is over.
    [[nodiscard]] std::error_code failure() const noexcept;

    // ---- owner, while it runs: the kernel's workers (docs/kernel-workers.md) ----

    /// Sets how many threads the kernel may have at work for this thread's rings, or, with a
    /// submission thread, for those that share it; 0 leaves a maximum as it is.
    ///
    /// Result: the maxima before.
    /// Errors: std::errc::operation_not_supported where the driver has no such workers,
    /// invalid_argument before Linux 5.15; errc::stopped if it does not run, errc::wrong_thread.
    /// Kernel: IORING_REGISTER_IOWQ_MAX_WORKERS, 5.15; no maximum exceeds the soft RLIMIT_NPROC.
    result<kernel_worker_limits> kernel_workers(kernel_worker_limits wanted) noexcept;

    /// Has these workers run on the given CPUs only; those that work finish first.
    ///
    /// Errors: std::errc::invalid_argument if there is none or this thread may not run on one of
    /// them, and nothing has changed; errc::stopped, wrong_thread and operation_not_supported as
    /// above.
    /// Kernel: IORING_REGISTER_IOWQ_AFF, 5.14.
    result<void> kernel_worker_affinity(std::span<const int> cpus) noexcept;
    /// Back to where the kernel would have them run. Errors: as above.
    result<void> reset_kernel_worker_affinity() noexcept;

    // ---- for the parts of the engine and of coro/ ----

    /// As post(), but accepted until the very end: for what already belongs to this scheduler.
    /// False once it has ended.
    [[nodiscard]] bool post_internal(work& item) noexcept;
    /// Owner: what streams of received data share; made when it is asked for first. It outlives the
    /// scheduler as long as pieces of it are out.
    ///
    /// Throws std::system_error; errc::stopped if the loop does not run.
    [[nodiscard]] detail::buffer_pool& receive_buffers();

private:
    friend class operation;
    friend class pool_item;
    friend class scheduler_thread;
    friend class detail::engine;
    friend class detail::state_change;
    static std::unique_ptr<driver> default_driver(const scheduler_options& options);
    std::shared_ptr<detail::engine> engine_;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Threads for what a loop must not do itself: code that blocks, code that computes for long. A pool
// belongs to a scheduler. Its workers are created by the owner thread and by nobody else, so they
// have what that thread has (user, directories, limits, CPUs; docs/workers.md has the list); those
// that have nothing to do for a while leave.
//
// Creating a thread may fail. Then it is tried again where that may help; if there is no worker at
// all, what is queued ends with errc::worker_unavailable. So each item ends once, and none waits
// for a worker that will never come. A pool that is not used costs nothing.
#pragma once

#include <coronet/options.hpp>
#include <coronet/pool_item.hpp>
#include <coronet/result.hpp>
#include <coronet/stats.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace coronet {

namespace detail {
class engine;
class pool_wait;
class pool_watch; // coro's
class recruiter;
} // namespace detail

class worker_pool {
public:
    /// As scheduler::pool() does.
    explicit worker_pool(detail::engine& owner);
    ~worker_pool();
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

    // ---- co_await these; defined in <coronet/coro/worker_pool.hpp> ----

    /// Calls `function(arguments...)` on a worker. It may block there for as long as it likes.
    ///
    /// A function that takes an inplace_stop_token first is given one, which is stopped when this
    /// await is.
    ///
    /// Result: what the function gives, as with_timeout() does with a task: result<T>, or T if that
    ///         can tell an error itself. What it throws is thrown here.
    /// Errors: operation_canceled, and it was never called; errc::worker_unavailable, within 2 s,
    ///         and creation_errno() says why; errc::stopped after shutdown().
    /// Cancel: total before it has begun. Then its token is stopped, and what it gives is the
    ///         answer.
    /// Lifetime: function and arguments are taken over.
    /// Thread: owner of any scheduler.
    template <class Function, class... Arguments>
    [[nodiscard]] auto run(Function function, Arguments... arguments);
    /// The same for what ends by itself, soon: fewer workers are made for it.
    template <class Function, class... Arguments>
    [[nodiscard]] auto run_bounded(Function function, Arguments... arguments);
    /// The same as run(), one after the other for each key, in the order of submission. Different
    /// keys do not delay each other.
    template <class Function, class... Arguments>
    [[nodiscard]] auto run_serialized(serial_key key, Function function, Arguments... arguments);

    /// Waits until nothing is queued or running. New items may come meanwhile, and are waited for.
    ///
    /// Errors: operation_canceled; errc::wrong_thread on another scheduler.
    /// Cancel: total.
    /// Thread: owner.
    [[nodiscard]] detail::pool_watch drain() noexcept;
    /// Ends the pool for good: refuses new items (errc::stopped), ends those that are queued in the
    /// same way, cancels those that run, and waits until the last thread has gone.
    ///
    /// Errors: operation_canceled, and it goes on; errc::wrong_thread on another scheduler.
    /// Cancel: total, as for the waiting.
    /// Thread: owner.
    [[nodiscard]] detail::pool_watch shutdown() noexcept;

    // ---- the engine's face ----

    /// Has `item` executed by a worker; its complete() is called once on `home`, in a later turn.
    ///
    /// Lifetime: `home` runs until then, and `item` stays where it is.
    /// Thread: any; home's, if `item` may be cancelled by cancel().
    void
    submit(pool_item& item, scheduler& home, pool_account where = pool_account::unbounded) noexcept;
    void submit_serialized(pool_item& item, scheduler& home, serial_key key) noexcept;
    /// As pool_item::cancel() does, for who does not know whether it is over. Unknown: nothing
    /// happens. Thread: any.
    void cancel(std::uint64_t id) noexcept;
    /// All that are queued or running. Thread: any.
    void cancel_all() noexcept;

    /// The owner's context has changed (user, directories, ...): what is executed from now on is
    /// executed by workers that are created from now on.
    ///
    /// Errors: errc::wrong_thread. Thread: owner.
    result<void> refresh_context() noexcept;

    /// shutdown() without waiting; ended() tells. Errors: errc::would_deadlock on a worker,
    /// errc::wrong_thread on any other thread but the owner.
    result<void> request_shutdown() noexcept;
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    /// Items that are not over.
    [[nodiscard]] std::size_t item_count() const noexcept {
        return unfinished_.load(std::memory_order_relaxed);
    }
    /// Thread: owner.
    [[nodiscard]] worker_stats stats() const noexcept;
    /// What the accounts are at, in words. Thread: any.
    [[nodiscard]] std::string report() const;

private:
    friend class pool_item;
    friend class scheduler;
    friend class detail::engine;
    friend class detail::recruiter;
    friend class detail::worker_account;
    friend class detail::pool_wait;
    class quiet_errand;

    detail::worker_account& account(pool_account which) const noexcept;
    [[nodiscard]] result<void> require_owner() const noexcept;
    void submit_to(
        detail::worker_account& where, pool_item& item, scheduler& home, const serial_key* key
    ) noexcept;
    void begin_shutdown() noexcept;
    /// The last that is done for an item.
    void item_ended() noexcept;
    /// Something has changed that a wait might wait for. Owner.
    void look_at_waits() noexcept;

    detail::engine& engine_;
    std::unique_ptr<detail::worker_account> bounded_;
    std::unique_ptr<detail::worker_account> unbounded_;
    std::unique_ptr<quiet_errand> quiet_errand_;
    detail::intrusive_list<detail::pool_wait> waits_;
    std::atomic<std::size_t> unfinished_{0};
    std::atomic<bool> watched_{false};    // somebody waits until there are none
    std::atomic<bool> quiet_sent_{false}; // the owner is told
    bool exiting_ = false;                // owner's
    bool ended_ = false;                  // owner's
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// One of a pool's two accounts: its queue, its workers, and when another worker is wanted. Any
// thread enqueues and cancels, workers take; all of it under one lock, which is one of those of
// lists (detail/cancel_batch.hpp), so that an item may ask it when the account is gone. What only
// the owner does (creating, retrying, joining) is the recruiter's; others send it an errand.
//
// A creation is requested in the same critical section in which it is seen that one is wanted and
// that the pool does not end. One request is on its way at a time; a worker that takes an item and
// leaves others behind makes the next.
#pragma once

#include "recruiter.hpp"
#include "serial_order.hpp"
#include "worker_thread.hpp"

#include <coronet/clock.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/pool_item.hpp>
#include <coronet/stats.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>

namespace coronet {

class worker_pool;

namespace detail {

class engine;

class worker_account {
public:
    struct limits {
        unsigned max;
        unsigned min;
        duration idle;
    };
    worker_account(
        worker_pool& pool, engine& owner, pool_account kind, const limits& wanted, int signal
    );
    ~worker_account();
    worker_account(const worker_account&) = delete;
    worker_account& operator=(const worker_account&) = delete;

    // ---- any thread ----

    void submit(pool_item& item, scheduler& home, const serial_key* key) noexcept;
    /// `at` may be gone if the item is over.
    static void cancel(worker_account* at, pool_item& item) noexcept;
    void cancel(std::uint64_t id) noexcept;
    void cancel_all() noexcept;
    [[nodiscard]] std::string report();

    // ---- a worker ----

    /// What `me` is to do next, having done `done` (null: it has only begun). Waits. Null: it has
    /// left.
    [[nodiscard]] pool_item* next(worker_thread& me, pool_item* done) noexcept;
    void begin_blocking(worker_thread& me) noexcept;
    void end_blocking(worker_thread& me) noexcept;
    /// Whether its item has been asked to end. (It has none before its first one and when it
    /// leaves, and the program's code may run then, too.)
    [[nodiscard]] bool asked(const worker_thread& me) const noexcept;
    /// The same, and from here on it may be sent signals, or not.
    [[nodiscard]] bool set_interruptible(worker_thread& me, bool now) noexcept;

    // ---- owner ----

    /// It has left.
    void reap(worker_thread& leaving) noexcept { recruiter_.reap(leaving); }
    void new_generation() noexcept;
    void begin_exit() noexcept;
    void end_exit() noexcept;
    /// Nothing of it lives or is on its way.
    [[nodiscard]] bool empty() const noexcept;
    void add_to(worker_stats& sum) const noexcept;

    // ---- owner, the recruiter ----

    /// A request has arrived, or (a pause has ended, the queue has not moved) none was necessary.
    /// Whether a worker is wanted after all; it is counted from here on.
    [[nodiscard]] bool begin_creation() noexcept;
    /// The request leads to nothing now: another attempt is on its way.
    void drop_request() noexcept;
    /// Before another attempt. False: it is no longer wanted, nor counted.
    [[nodiscard]] bool still_wanted() noexcept;
    /// The thread has been created; it has not begun yet.
    void creation_succeeded() noexcept;
    /// A worker of that generation could not begin. True: it counts as a creation again.
    [[nodiscard]] bool count_again(std::uint64_t generation) noexcept;
    /// For good. True: others serve what is queued. False: there are none, and it has ended.
    bool creation_failed(int error) noexcept;
    /// Whether more than `besides` workers live, or come, that take items.
    [[nodiscard]] bool has_able(unsigned besides) const noexcept;
    [[nodiscard]] bool exiting() const noexcept;
    /// Workers that have begun, ever.
    [[nodiscard]] std::uint64_t begun_count() const noexcept;
    [[nodiscard]] std::uint64_t generation() const noexcept;
    /// The oldest in the queue; 0, and nobody watches any more: there is none, or no more workers
    /// are allowed.
    [[nodiscard]] std::uint64_t oldest_ticket() noexcept;
    /// Notifies those that were asked and can be interrupted. False: there are none.
    [[nodiscard]] bool notify_asked() noexcept;

    worker_pool& pool;
    engine& owner;
    const pool_account kind;
    const int signal;

private:
    friend class coronet::pool_item;

    // What others ask of the owner.
    struct errands {
        bool create = false;
        bool watch = false;
        bool interrupt = false;
    };
    class errand final : public work {
    public:
        explicit errand(worker_account& account) noexcept : account_(account) {}
        void run() noexcept override { account_.serve(); }

    private:
        worker_account& account_;
    };
    /// What is to be done when the lock has been released.
    struct sending {
        bool errand = false;
        std::atomic<std::uint32_t>* token = nullptr; // of the worker that was picked
    };
    enum class step : std::uint8_t { take, wait, leave };

    void send(const sending& what) noexcept;
    void serve() noexcept;
    void abandon() noexcept;
    void tell_to_end(pool_item& asked) noexcept;
    void ask_all(std::uint64_t last_id) noexcept;
    [[nodiscard]] pool_item* ask_one(std::uint64_t last_id) noexcept;

    // Under the lock.
    void want(bool errands::*which, sending& out) noexcept;
    void enqueue(pool_item& item, const serial_key* key, sending& out) noexcept;
    /// Something is queued perhaps: whoever can take it is picked, or wished for.
    void see_to_queue(sending& out) noexcept;
    void wake_all_free() noexcept;
    void begin(worker_thread& me) noexcept;
    [[nodiscard]] bool finish(worker_thread& me, pool_item& done) noexcept;
    void clear_link_or_token(worker_thread& me, bool& idle_for_long) noexcept;
    [[nodiscard]] step look(worker_thread& me, bool idle_for_long, sending& out) noexcept;
    void take(worker_thread& me, sending& out) noexcept;
    void leave(worker_thread& me, sending& out) noexcept;
    void set_active(const worker_thread& me, bool now) noexcept;
    void uncount(std::uint64_t generation) noexcept;
    void notify(worker_thread& worker) noexcept;
    [[nodiscard]] static std::string described(const pool_item& running);
    [[nodiscard]] bool wanted() const noexcept;
    void count_creation() noexcept;
    /// The item is over: the one behind it may be taken from now on.
    void end_order(pool_item& item) noexcept;
    void
    end(pool_item& item, cancel_batch& ended, pool_item::outcome how,
        int creation_error = 0) noexcept;
    void end_all(cancel_batch& ended, pool_item::outcome how, int creation_error = 0) noexcept;
    [[nodiscard]] bool end_or_ask(pool_item& item, cancel_batch& ended, sending& out) noexcept;
    [[nodiscard]] pool_item* find(std::uint64_t id) noexcept;

    list_lock& lock_;
    const limits limits_;
    waiter_list queue_;
    waiter_list behind_; // others of their key are before them
    serial_order order_;
    intrusive_list<worker_thread, free_workers> free_;
    intrusive_list<worker_thread, all_workers> workers_; // that live
    unsigned count_ = 0;                                 // live, or are being created
    unsigned able_ = 0;   // of these, those of the present generation
    unsigned active_ = 0; // of those, who are not free and not in a blocking scope
    std::uint64_t generation_ = 0;
    std::uint64_t last_id_ = 0;
    std::uint64_t begun_ = 0;
    bool create_pending_ = false; // a request has not been looked at yet
    bool counted_ = false;        // a creation is going on, or waits for its next attempt
    bool watched_ = false;        // the owner looks whether the queue moves
    bool exiting_ = false;
    bool errand_sent_ = false;
    errands wanted_;
    std::uint64_t notified_ = 0;
    errand errand_{*this};

    recruiter recruiter_;
};

} // namespace detail
} // namespace coronet

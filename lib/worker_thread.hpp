// SPDX-License-Identifier: BSL-1.0
//
// One worker of an account. It is made, joined and destroyed by the owner; in between its thread
// takes items from the account until the account lets it leave.
//
//   coming  → free      it has begun; nothing is queued
//   free    → picked    who enqueues takes it from the free list and gives it a token
//   free    → leaving   by itself: idle for long, an old generation, the end of the pool
//   picked  → running   by itself, having cleared its token first; or free again, if another one
//                       was faster
//   running → running, free
//   leaving → gone      the owner joins its thread
//
// All moves under the account's lock. A worker that has slept clears its link or token before
// anything else, whatever woke it; one that was picked may not leave. (Counts of free workers and
// of tokens instead of this do not work: tests/models/worker_pool.pml.)
#pragma once

#include "thread_creation.hpp"

#include <coronet/clock.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/pool_item.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace coronet::detail {

class worker_account;
struct free_workers;
struct all_workers;

class worker_thread final : public work,
                            public list_hook<free_workers>,
                            public list_hook<all_workers> {
public:
    /// Owner. One attempt to make one, and its thread. Result: 0, or what pthread_create(3)
    /// answered.
    [[nodiscard]] static int create(worker_account& account, std::size_t stack_size) noexcept;

    /// The worker whose thread this is, or null.
    [[nodiscard]] static worker_thread* current() noexcept;

    /// Owner, when it has left.
    void join() noexcept { thread_.join(); }

    [[nodiscard]] worker_account& account() const noexcept { return account_; }
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    // ---- its own thread ----

    /// Its life: begins, takes items and executes them, leaves.
    void live() noexcept;
    /// Those that came for an item which is over must not reach the next one.
    void forget_notifications() const noexcept;
    /// Sleeps until it is picked, or until `deadline`; may return early for any reason.
    void sleep(time_point deadline) noexcept;

    // ---- any thread ----

    /// After it was picked, without the lock; by then it may have gone. (Then nobody sleeps there.)
    static void wake(std::atomic<std::uint32_t>& token) noexcept;
    [[nodiscard]] std::atomic<std::uint32_t>& token() noexcept { return token_; }
    /// Interrupts a blocking call. Under the lock, which shows that its item is still the one.
    void notify() const noexcept;

    // Under the account's lock.
    pool_item* item = nullptr;
    bool interruptible = false;  // it is where a signal may reach it
    unsigned blocking_depth = 0; // blocking scopes that it is in
    // Its own thread's, then the owner's.
    int start_error = 0;

private:
    class body;
    worker_thread(worker_account& account, std::uint64_t generation, pid_t owner) noexcept
        : account_(account), generation_(generation), owner_id_(owner) {}

    void run() noexcept override;
    [[nodiscard]] int prepare() noexcept;
    [[nodiscard]] std::string name() const;
    void work() noexcept;

    worker_account& account_;
    const std::uint64_t generation_;
    const pid_t owner_id_;
    pid_t id_ = 0; // written by its thread, read under the lock
    thread_handle thread_;
    std::atomic<std::uint32_t> token_{0}; // 1: picked; written under the lock
};

} // namespace coronet::detail

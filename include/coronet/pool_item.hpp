// SPDX-License-Identifier: BSL-1.0
//
// A piece of code for a worker of a pool, and the place where its end is reported. It lives in the
// frame of whoever waits for it (or in a driver's request) and stays there until complete() has
// been called; nothing is allocated for it.
//
//   idle    → queued    worker_pool::submit()
//   queued  → running   a worker takes it; execute() is called there
//   queued  → over      it was cancelled, no worker could be had, or the pool was shut down
//   running → over      execute() has returned; a cancel that was asked for meanwhile changes
//                       nothing: what was done has been done
//   over    → idle      complete() is about to be called, on the home scheduler
//
// Whoever makes one of these moves does it under the account's lock and is the only one.
#pragma once

#include <coronet/detail/cancel_batch.hpp>
#include <coronet/error.hpp>
#include <coronet/stop_token.hpp>
#include <coronet/work.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace coronet {

class scheduler;

/// Which workers an item is for.
enum class pool_account : std::uint8_t {
    bounded,   ///< it computes, and ends by itself: few workers, about as many as CPUs
    unbounded, ///< it may block for as long as it likes: a worker for each, up to a limit
};

/// Items of one key run one after the other. Keys are numbers or addresses; other keys do not
/// matter.
class serial_key {
public:
    template <std::integral Number>
    constexpr serial_key(Number number) noexcept : value_(static_cast<std::uint64_t>(number)) {}
    template <class T>
    serial_key(T* address) noexcept : value_(reinterpret_cast<std::uintptr_t>(address)) {}

    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
    std::uint64_t value_;
};

namespace detail {

class worker_account;
class worker_thread;

/// The neighbours of an item among those of its key. See lib/serial_order.hpp.
struct serial_link {
    std::uint64_t key = 0;
    serial_link* next = nullptr; // in the ring of its key; null: it has none
    serial_link* previous = nullptr;
    serial_link* next_first = nullptr; // the first of another key, in the same bucket
};

} // namespace detail

class pool_item : public pending_work, private detail::listed_waiter, private detail::serial_link {
public:
    enum class outcome : std::uint8_t {
        none,        ///< it is not over
        executed,    ///< execute() has returned
        cancelled,   ///< it was cancelled before a worker had taken it
        unavailable, ///< no worker could be created; creation_errno(error()) says why
        stopped,     ///< the pool has been shut down
    };

    /// What is to be done. Thread: a worker's.
    virtual void execute() noexcept = 0;
    /// It is over: ended() says how. It may be submitted again, or end the life of this object.
    /// Thread: that of its home scheduler.
    virtual void complete() noexcept = 0;

    /// Queued: it ends without having been executed. Running: stop_token() is stopped, and a
    /// blocking call in interruptible() is interrupted. Thread: that of its home scheduler.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "pool"; }

    /// For complete(): how it ended.
    [[nodiscard]] outcome ended() const noexcept { return outcome_; }
    /// The same as an error; none when it was executed.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    /// For execute(): stopped when it has been cancelled.
    [[nodiscard]] inplace_stop_token stop_token() const noexcept { return stop_.get_token(); }
    /// A name for worker_pool::cancel(); no other item of the pool ever has the same. For who has
    /// submitted it, until complete().
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

protected:
    pool_item() noexcept = default;
    /// Awaitables are copied until they begin.
    pool_item(const pool_item& other) noexcept
        : pending_work(other), listed_waiter(), serial_link() {
        CORONET_ASSERT(!other.account_);
    }
    pool_item& operator=(const pool_item&) = delete;
    ~pool_item() { CORONET_ASSERT(!submitted_); }

    /// It has been submitted, and complete() has not been called yet.
    [[nodiscard]] bool submitted() const noexcept { return submitted_; }

private:
    friend class detail::worker_account;
    enum class stage : std::uint8_t { idle, queued, running, over };

    // Under the account's lock.
    void prepare(detail::worker_account& account, scheduler& home, std::uint64_t id) noexcept;
    void conclude(outcome how, std::error_code why) noexcept;

    void run() noexcept final;
    void called_back() noexcept final { go_home(); }
    void go_home() noexcept;

    scheduler* home_ = nullptr;
    detail::worker_account* account_ = nullptr; // a number, once it is over
    std::uint64_t id_ = 0;
    std::error_code error_;
    outcome outcome_ = outcome::none;
    bool submitted_ = false; // home's
    inplace_stop_source stop_;

    // Under the account's lock.
    stage stage_ = stage::idle;
    bool serial_ = false;
    bool asked_ = false;                      // to end early, while it runs
    std::uint8_t holders_ = 0;                // who still uses it: its worker, and who asks it
    detail::worker_thread* worker_ = nullptr; // while it runs
};

} // namespace coronet

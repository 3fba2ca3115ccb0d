// SPDX-License-Identifier: BSL-1.0
//
// A scheduler with a thread of its own. The thread blocks all signals, so that a signal reaches the
// thread that waits for it and never interrupts the kernel's work for the ring.
//
//   made → started → ended      start(), start_parked(); stop(), or an exception in the loop
//   made → ended                stop() before start(): join() returns at once
#pragma once

#include <coronet/options.hpp>
#include <coronet/park_guard.hpp>
#include <coronet/result.hpp>
#include <coronet/scheduler.hpp>

#include <memory>
#include <string>

namespace coronet {

struct scheduler_thread_options {
    scheduler_options scheduler{};
    std::string name = "crn-s"; ///< of the thread; cut to 15 bytes
    int cpu = -1;               ///< bind the thread to this CPU; -1: anywhere
};

class scheduler_thread {
public:
    /// Sets the ring up. Throws std::system_error. What the ring does with a submission thread, it
    /// does with the credentials of the thread that is here now.
    explicit scheduler_thread(const scheduler_thread_options& options);
    scheduler_thread();
    scheduler_thread(scheduler_thread&&) noexcept = default;
    scheduler_thread& operator=(scheduler_thread&& other) noexcept;
    /// stop() and join(). On a thread that must not wait for it (a scheduler's, or one that took a
    /// park_guard of it): stop() only; the scheduler lives until its thread has ended.
    ~scheduler_thread();

    /// Lifetime: of this object. Thread: any.
    [[nodiscard]] scheduler& operator*() const noexcept;
    [[nodiscard]] scheduler* operator->() const noexcept { return &**this; }

    /// Makes the thread and returns when its loop runs.
    ///
    /// Errors: throws std::system_error, with no thread left: errc::already_started; errc::stopped
    /// after stop(); what kept the thread from being made (tried again for 155 ms at most where a
    /// limit is in the way) or from taking the ring. Thread: any.
    void start();
    /// The same, and it stands still before it has run anything.
    [[nodiscard]] park_guard start_parked();

    /// Asks the loop to end. Returns at once. Thread: any; also in a signal handler.
    void stop() noexcept;
    /// Waits until the loop and its thread have ended; several may wait.
    ///
    /// Errors: as scheduler::join(). Rethrows what has left the loop as an exception, once.
    /// Thread: any but a scheduler's.
    result<void> join();
    result<void> join_for(duration limit);
    template <class Rep, class Period>
    result<void> join_for(std::chrono::duration<Rep, Period> limit) {
        return join_for(detail::to_duration(limit));
    }

private:
    class shared;
    void begin(bool parked);
    [[nodiscard]] result<void> reaped(result<void> ended);
    void let_go() noexcept;

    std::shared_ptr<shared> shared_;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// The owner's part of an account: only the owner creates workers, so that they have what it has,
// and only the owner joins them. Creating may fail; whether and when to try again is
// creation_retry's to say, and the pauses are timers of the owner's loop, which goes on meanwhile.
//
//   nothing  → attempt    a request has arrived, and a worker is wanted (still)
//   attempt  → nothing    created; or failed for good with no worker there: all that is queued ends
//   attempt  → retrying   failed, and it may help to wait
//   attempt  → pausing    failed for good, but others serve: the next attempt is after 100 ms
//   retrying → attempt    the pause has passed, and it is wanted still; else → nothing
//   pausing  → attempt    the same
//
// Beside these: a queue that has not moved for 5 ms gets another worker, although the account is
// bounded; and blocking calls that were asked to end are interrupted until they have.
#pragma once

#include "thread_creation.hpp"

#include <coronet/clock.hpp>
#include <coronet/options.hpp>
#include <coronet/stats.hpp>
#include <coronet/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

#include <sys/types.h>

namespace coronet::detail {

class worker_account;
class worker_thread;

class recruiter {
public:
    explicit recruiter(worker_account& account);

    /// A creation was requested.
    void create() noexcept;
    /// The queue does not move perhaps.
    void watch() noexcept;
    /// Somebody was asked to end and can be interrupted.
    void interrupt() noexcept;
    /// `leaving` has left.
    void reap(worker_thread& leaving) noexcept;
    /// No more attempts.
    void begin_exit() noexcept;
    /// Nothing is armed any more.
    void end() noexcept;
    /// No thread is left.
    [[nodiscard]] bool empty() const noexcept { return unjoined_ == 0; }
    void add_to(worker_stats& sum) const noexcept;

private:
    /// A timer that calls a member.
    class call final : public timer {
    public:
        call(recruiter& target, void (recruiter::*member)() noexcept) noexcept
            : target_(target), member_(member) {}
        void expire() noexcept override { (target_.*member_)(); }

    private:
        recruiter& target_;
        void (recruiter::*member_)() noexcept;
    };

    void begin() noexcept;
    void attempt() noexcept;
    [[nodiscard]] int start_worker() noexcept;
    void failed(int error) noexcept;
    void begin_anew() noexcept;
    [[nodiscard]] std::optional<duration> pause_after(int error) noexcept;
    void arm(call& which, duration delay) noexcept;
    void disarm(call& which) noexcept;

    void try_again() noexcept;
    void pause_over() noexcept;
    void look_at_queue() noexcept;
    void interrupt_again() noexcept;

    worker_account& account_;
    const worker_pool_options& options_;
    creation_retry retry_;
    std::uint64_t begun_before_ = 0; // workers, when retry_ was made
    std::size_t unjoined_ = 0;
    std::uint64_t oldest_seen_ = 0;
    duration next_interruption_{};
    call retrying_{*this, &recruiter::try_again};
    call pausing_{*this, &recruiter::pause_over};
    call watching_{*this, &recruiter::look_at_queue};
    call interrupting_{*this, &recruiter::interrupt_again};
    worker_stats stats_;
};

} // namespace coronet::detail

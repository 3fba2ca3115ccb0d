// SPDX-License-Identifier: BSL-1.0
//
// One io_uring: set-up with whatever flags this kernel knows, and the one call that enters it.
// Knows entries and completions, not operations. Owner thread only, but for construction,
// destruction and post_from_anywhere().
#pragma once

#include "owner_thread.hpp"

#include <coronet/clock.hpp>
#include <coronet/kernel_workers.hpp>
#include <coronet/options.hpp>
#include <coronet/result.hpp>

#include <liburing.h>

#include <atomic>
#include <bitset>
#include <chrono>
#include <string>

#include <sched.h>

namespace coronet {

class ring {
public:
    /// Sets a ring up, disabled where the kernel allows it. Throws std::system_error.
    explicit ring(const scheduler_options& options, const ring* share_thread_with);
    ~ring();
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    /// The calling thread becomes the one that submits. Throws std::system_error.
    void enable(const scheduler_options& options);
    /// Sets the maxima of the workers of this thread, or of the submission thread; 0 leaves one as
    /// it is. Result: those before; 0 of both while that thread has no workers at all.
    result<kernel_worker_limits> kernel_workers(kernel_worker_limits wanted) noexcept;
    /// Binds them; null: to wherever this thread may run.
    result<void> kernel_worker_affinity(const cpu_set_t* cpus) noexcept;
    /// Whether what needs a worker would wait for one for ever: looked up by enable() and
    /// kernel_workers().
    [[nodiscard]] bool lacks_kernel_workers() const noexcept { return lacks_workers_; }

    /// Buffers that entries choose from, of group 0. Result: 0, or a negated errno.
    [[nodiscard]] int
    register_buffers(io_uring_buf_ring& from, unsigned entries, unsigned flags) noexcept;
    void unregister_buffers() noexcept;

    /// Undoes what enable() registered for this thread.
    void disown() noexcept;

    /// What an enter came to. Every other errno is a bug of ours and aborts.
    enum class outcome : std::uint8_t {
        entered,     ///< submitted, waited
        interrupted, ///< EINTR: a signal or kernel work; look again
        timed_out,   ///< ETIME
        busy, ///< EBUSY, EAGAIN: completions must be reaped, or memory is short; entries stay
        thread_dead, ///< EOWNERDEAD, ENXIO: the submission thread is gone
    };
    /// Submits all entries before `tail` and waits until `deadline` for a completion (not at all if
    /// it has passed).
    outcome enter(unsigned tail, time_point deadline) noexcept;
    /// Submits all entries before `tail`, without looking at completions.
    outcome submit(unsigned tail) noexcept;

    [[nodiscard]] io_uring_sqe* entries() const noexcept { return ring_.sq.sqes; }
    [[nodiscard]] unsigned entry_count() const noexcept { return ring_.sq.ring_entries; }
    /// The first entry that the kernel has not consumed.
    [[nodiscard]] unsigned consumed() const noexcept;
    /// Completions that only entering the kernel brings forward.
    [[nodiscard]] bool wants_enter() const noexcept;
    [[nodiscard]] bool has_completions() const noexcept {
        return *ring_.cq.khead != std::atomic_ref{*ring_.cq.ktail}.load(std::memory_order_acquire);
    }
    /// Has the kernel write to `event` for each completion, also for one that only entering the
    /// kernel brings forward. Result: 0, or a negated errno.
    [[nodiscard]] int signal_completions(int event) noexcept {
        return ::io_uring_register_eventfd(&ring_, event);
    }

    /// Calls `visit` for each completion that has arrived; the queue's head moves once, afterwards.
    template <class Visitor>
    unsigned for_each_completion(Visitor&& visit) noexcept {
        owner_.require();
        const unsigned begin = *ring_.cq.khead;
        const unsigned end = std::atomic_ref{*ring_.cq.ktail}.load(std::memory_order_acquire);
        for (unsigned at = begin; at != end; ++at)
            visit(ring_.cq.cqes[at & ring_.cq.ring_mask]);
        if (end != begin) std::atomic_ref{*ring_.cq.khead}.store(end, std::memory_order_release);
        return end - begin;
    }

    [[nodiscard]] int fd() const noexcept { return ring_.ring_fd; }
    [[nodiscard]] bool has_submission_thread() const noexcept {
        return (ring_.flags & IORING_SETUP_SQPOLL) != 0;
    }
    /// Whether this kernel executes entries of this kind.
    [[nodiscard]] bool knows(unsigned opcode) const noexcept { return known_.test(opcode); }
    /// Whether other rings can message this kernel's rings.
    [[nodiscard]] bool can_message() const noexcept { return can_message_; }
    [[nodiscard]] std::uint64_t enters() const noexcept { return enters_; }
    /// The set-up flags in words, for the log.
    [[nodiscard]] std::string description() const;
    /// Those that were given up, and the remedy; empty if there are none.
    [[nodiscard]] std::string losses() const;

    /// Any thread: posts a completion with `user_data` to this ring. False if the kernel cannot.
    [[nodiscard]] bool post_from_anywhere(std::uint64_t user_data) const noexcept;

private:
    void set_up(const scheduler_options& options, const ring* share_thread_with);
    void require_features();
    void probe();
    void choose_waits(const scheduler_options& options);
    [[nodiscard]] bool poll_devices(std::chrono::microseconds longest) noexcept;
    [[nodiscard]] bool gathers() const noexcept { return min_wait_ != duration::zero(); }
    [[nodiscard]] unsigned time_to_gather(time_point deadline) const noexcept;
    void set_up_kernel_workers(const scheduler_options& options);
    [[nodiscard]] bool find_kernel_workers() noexcept;
    result<kernel_worker_limits> exchange_maxima(kernel_worker_limits wanted) noexcept;
    void publish(unsigned tail) noexcept;
    [[nodiscard]] unsigned submission_flags() noexcept;
    outcome call(unsigned submit, unsigned wait, unsigned flags, const void* arg, size_t size);

    const unsigned wanted_flags_;
    io_uring ring_{};
    owner_thread owner_;
    bool disabled_ = false;
    bool absolute_deadlines_ = false;
    bool can_message_ = false;
    bool lacks_workers_ = false;
    bool polls_devices_ = false;
    bool lacks_napi_ = false;
    bool lacks_min_wait_ = false;
    std::bitset<256> known_;                           // opcodes
    mutable std::atomic<bool> can_send_message_{true}; // until the kernel has said no
    unsigned enter_flags_ = 0;
    duration min_wait_{};       // 0: a wait ends with the first completion
    unsigned gathered_max_ = 1; // else with as many
    std::uint64_t enters_ = 0;
};

} // namespace coronet

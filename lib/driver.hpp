// SPDX-License-Identifier: BSL-1.0
//
// What executes operations. The instruction set is io_uring's submission entry: a driver offers a
// window of entries to fill, executes those that were filled, and reports completions by their
// user_data. The kernel is one driver, a test's script another. Everything but wake() on the owner
// thread.
//
// Entries are filled through slot() without a virtual call; a few are kept for cancel requests, so
// that a cancel finds room when nothing else does. A forked child gets none: it shares the memory
// of the entries with its parent.
#pragma once

#include "forks.hpp"
#include "owner_thread.hpp"

#include <coronet/clock.hpp>
#include <coronet/kernel_workers.hpp>
#include <coronet/result.hpp>

#include <liburing.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>

#include <sched.h>

namespace coronet {

class dispatcher;
class scheduler;
struct scheduler_options;

class driver {
public:
    driver() noexcept {
        forks::watch();
        forks_at_birth_ = forks::count();
    }
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    virtual ~driver() = default;

    /// Before anything else: the scheduler that it executes for.
    void belong_to(scheduler& loop) noexcept { loop_ = &loop; }

    /// The calling thread becomes the owner. Throws std::system_error.
    virtual void enable() = 0;

    /// An entry to fill, or null while the driver cannot take more.
    [[nodiscard]] io_uring_sqe* slot() noexcept { return slot_before(0); }
    /// The same, or null where slot() might submit first to make room.
    [[nodiscard]] io_uring_sqe* free_slot() noexcept {
        return may_fill() && has_room(0) ? &entries_[tail_++ & mask_] : nullptr;
    }
    /// The same for a cancel request, which may use the reserve.
    [[nodiscard]] io_uring_sqe* cancel_slot() noexcept { return slot_before(reserve_); }

    /// Submits what was filled and, until `deadline`, waits for a completion or a wake(). A
    /// deadline that has passed means: do not wait. May return early for any reason.
    virtual void submit_and_wait(time_point deadline) noexcept = 0;
    /// Entries filled and not submitted, or completions that only entering the kernel brings
    /// forward.
    [[nodiscard]] virtual bool wants_enter() const noexcept = 0;
    /// Hands over what was filled; waits for nothing else and completes nothing. False if some of
    /// it is left.
    [[nodiscard]] virtual bool submit_all() noexcept {
        submit_and_wait(time_point::min());
        return true;
    }
    /// Hands all completions that have arrived to `sink`.
    virtual void reap(dispatcher& sink) noexcept = 0;

    /// Any thread, signal handlers too (then with no `from`): ends the present or the next wait.
    /// `from` is the driver that the calling thread owns, if any and if both carry wake-ups: it may
    /// take this one along. False if one that it has not sent off yet does for this one, too.
    virtual bool wake(driver* from) noexcept = 0;
    /// Whether it takes wake-ups along with its next system call, to others that do the same. Any
    /// thread; the same from enable() to close().
    [[nodiscard]] virtual bool carries_wakes() const noexcept { return false; }

    /// Whether it has lost what executes operations: reap() has handed over the last completion,
    /// and what is submitted stays where it is. It can still wait and be woken.
    [[nodiscard]] virtual bool dead() const noexcept { return false; }

    /// Every wake() that it carries for another driver has left afterwards.
    virtual void send_wakes() noexcept {}

    // ---- for who waits on a descriptor, outside of submit_and_wait() ----

    /// Readable from when there is something to reap, or a wake() has come, until the next
    /// wait_outside(). Result: a negated errno where it cannot be had.
    [[nodiscard]] virtual int wait_descriptor() noexcept { return -EOPNOTSUPP; }
    /// Submits what was filled. Result: until when to wait for the descriptor, at most until
    /// `deadline`; time_point::min() if there is something to do already.
    [[nodiscard]] virtual time_point wait_outside(time_point) noexcept { return time_point::min(); }

    /// Nothing is in flight any more: gives everything back to the kernel.
    virtual void close() noexcept = 0;

    /// The clock of timers.
    [[nodiscard]] virtual time_point now() const noexcept { return clock::now(); }
    /// The same, a few milliseconds behind and cheaper to read.
    [[nodiscard]] virtual time_point coarse_now() const noexcept { return now(); }
    /// For socket(2) and accept4(2).
    [[nodiscard]] virtual int socket_flags() const noexcept = 0;
    /// Whether another driver's submission thread is this one's, too.
    [[nodiscard]] virtual bool shares_submission_thread() const noexcept { return false; }

    // ---- buffers that receives choose from (IOSQE_BUFFER_SELECT, group 0) ----

    /// From now on they come from this ring, whose memory stays until it is taken back. `flags` are
    /// those of io_uring_register_buf_ring(3). Result: 0, or a negated errno.
    [[nodiscard]] virtual int
    offer_buffers(io_uring_buf_ring&, unsigned /*entries*/, unsigned /*flags*/) noexcept {
        return -EOPNOTSUPP;
    }
    virtual void take_buffers_back() noexcept {}

    // ---- the kernel's workers; a driver that has none says operation_not_supported ----

    /// Sets their maxima; 0 leaves one as it is. Result: those before.
    virtual result<kernel_worker_limits> kernel_workers(kernel_worker_limits) noexcept {
        return std::errc::operation_not_supported;
    }
    /// Has them run on these CPUs only; null: wherever the owner may.
    virtual result<void> kernel_worker_affinity(const cpu_set_t*) noexcept {
        return std::errc::operation_not_supported;
    }
    /// Whether what needs a worker would wait for one for ever.
    [[nodiscard]] virtual bool lacks_kernel_workers() const noexcept { return false; }

    /// Whether what it executes with is the parent's: only slot() may be called, in vain.
    [[nodiscard]] bool in_forked_child() const noexcept {
        return forks::count() != forks_at_birth_;
    }
    /// What it is and how it was set up, in words.
    [[nodiscard]] virtual std::string description() const { return {}; }
    /// What the kernel would not give it, and the remedy; empty if nothing.
    [[nodiscard]] virtual std::string losses() const { return {}; }
    /// System calls made by submit_and_wait() and slot().
    [[nodiscard]] virtual std::uint64_t enters() const noexcept { return 0; }

protected:
    /// Called when there is no room: submits what was filled, if that helps, and moves end_ on.
    virtual void make_room() noexcept = 0;

    scheduler* loop_ = nullptr;
    io_uring_sqe* entries_ = nullptr;
    unsigned mask_ = 0;
    unsigned tail_ = 0;    // next entry to fill; it and end_ wrap around
    unsigned end_ = 0;     // first entry that slot() may not use
    unsigned reserve_ = 0; // entries behind end_ that cancel_slot() may use
    owner_thread owner_;

private:
    unsigned forks_at_birth_;

    [[nodiscard]] bool may_fill() const noexcept {
        owner_.require();
        return !in_forked_child();
    }
    [[nodiscard]] bool has_room(unsigned extra) const noexcept {
        return static_cast<int>(end_ + extra - tail_) > 0;
    }
    [[nodiscard]] io_uring_sqe* slot_before(unsigned extra) noexcept {
        if (!may_fill()) [[unlikely]]
            return nullptr;
        if (!has_room(extra)) [[unlikely]] {
            make_room();
            if (!has_room(extra)) return nullptr;
        }
        return &entries_[tail_++ & mask_];
    }
};

/// The kernel's io_uring. Throws std::system_error that says what failed and what to do.
std::unique_ptr<driver> make_uring_driver(const scheduler_options& options);
/// The same instructions by plain system calls, epoll(7) and worker threads. Throws
/// std::system_error.
std::unique_ptr<driver> make_epoll_driver(const scheduler_options& options);
/// That which the options, the environment and the kernel lead to. Throws std::system_error.
std::unique_ptr<driver> make_driver(const scheduler_options& options);

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// One instruction for the kernel (a submission entry of io_uring) and the place where its
// completion arrives. It lives in the frame of whoever waits for it and is not copied, moved or
// released while a driver executes it.
//
//   idle     → in_flight   scheduler::start(), prepared straight into a submission slot
//   idle     → queued      the same with no slot left; a later turn submits it
//   queued   → in_flight   a slot became free
//   in_flight→ in_flight   a completion with F_MORE: one of several, or the result of a send that
//                          the terminal one, which brings it once more, tells to be over
//   in_flight→ delayed     the kernel gave it up for a reason of its own; submitted again after a
//                          pause
//   any      → idle        its terminal completion, delivered to complete()
//
// Owner thread only. This type knows no coroutine: coro/ makes operations awaitable.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/work.hpp>

#include <cstdint>

struct io_uring_sqe;

namespace coronet {

class scheduler;

namespace detail {
struct live_operations; // the canceller's lists, which together hold every operation that has not
                        // ended
struct delayed_operations; // the restarter's lists

// It is in none while it is idle.
template <>
inline constexpr bool leaving_is_checked_by_element<live_operations> = true;
template <>
inline constexpr bool leaving_is_checked_by_element<delayed_operations> = true;
} // namespace detail

class operation : public pending_work,
                  private detail::list_hook<detail::live_operations>,
                  private detail::list_hook<detail::delayed_operations> {
public:
    /// Fills every field of the entry but user_data, as io_uring_prep_*(3) do. Called again if the
    /// operation has to be submitted once more.
    virtual void prepare(io_uring_sqe& sqe) noexcept = 0;

    /// A result beside those of the kernel: it could not create the worker thread that the
    /// operation needs.
    static constexpr std::int32_t no_worker = -4095;
    /// Another: the submission thread has died and has not taken it.
    static constexpr std::int32_t no_submission_thread = -4094;
    /// Another: it needs such a worker, and the kernel may create none.
    static constexpr std::int32_t no_workers_allowed = -4093;
    /// Another: this is a forked child, and the ring that has it is the parent's.
    static constexpr std::int32_t left_to_parent = -4092;

    /// Takes a completion: `res` is what the kernel reports (never an interruption: those are dealt
    /// with before). The default keeps it in res() and puts the operation on the ready queue.
    virtual void complete(std::int32_t res, std::uint32_t flags) noexcept;

    /// The descriptor that it works on, and what poll(2) would wait for where the kernel answers
    /// -EAGAIN because that descriptor is non-blocking. Without events, -EAGAIN is delivered.
    struct subject {
        int fd = -1;
        unsigned poll_events = 0;
    };
    [[nodiscard]] virtual subject on() const noexcept { return {}; }

    /// Whether it works on `fd`, so that it ends when everything on `fd` is asked to.
    [[nodiscard]] virtual bool works_on(int fd) const noexcept { return on().fd == fd; }

    /// False: what was interrupted has been done all the same (close(2)), and -EINTR is delivered.
    [[nodiscard]] virtual bool can_begin_again() const noexcept { return true; }

    /// Whether the kernel always gives it to a worker of the unbounded kind.
    [[nodiscard]] virtual bool needs_kernel_worker() const noexcept { return false; }

    /// Whether the kernel never does (sockets, polls). With `movable_owner` it then outlives the
    /// thread that submitted it: it is submitted again.
    [[nodiscard]] virtual bool never_needs_kernel_worker() const noexcept { return false; }

    /// It was asked to end and has not, and is being asked once more. Nothing is begun or ended
    /// here.
    virtual void asked_again(time_point /*now*/) noexcept {}

    /// Asks the scheduler to end it early. The outcome is still that of the terminal completion.
    void cancel() noexcept final;

    [[nodiscard]] bool idle() const noexcept { return state_ == state::idle; }
    [[nodiscard]] bool cancel_requested() const noexcept { return cancel_requested_; }
    /// What the terminal completion reported.
    [[nodiscard]] std::int32_t res() const noexcept { return res_; }

protected:
    operation() noexcept = default;
    operation(const operation& other) noexcept
        : pending_work(other),
          detail::list_hook<detail::live_operations>(),
          detail::list_hook<detail::delayed_operations>() {
        CORONET_ASSERT(other.idle());
    }
    operation& operator=(const operation&) = delete;
    ~operation() { CORONET_ASSERT(idle()); }

    void set_res(std::int32_t res) noexcept { res_ = res; }
    [[nodiscard]] scheduler* owner() const noexcept { return scheduler_; }
    /// For those who need it before start(), which sets it.
    void set_owner(scheduler& here) noexcept { scheduler_ = &here; }

private:
    friend class dispatcher;
    friend class canceller;
    friend class restarter;
    friend class detail::intrusive_list<operation, detail::live_operations>;
    friend class detail::intrusive_list<operation, detail::delayed_operations>;

    enum class state : std::uint8_t { idle, queued, in_flight, delayed };

    static constexpr unsigned generation_shift = 48;
    [[nodiscard]] std::uint64_t id() const noexcept {
        const auto address = reinterpret_cast<std::uint64_t>(this);
        return std::uint64_t{generation_} << generation_shift | address;
    }

    /// What was in its way before is so no longer: pauses begin with the shortest again.
    void achieved_something() noexcept { refusals_ = attempts_ = 0; }

    // One word, so that beginning an operation is one store.
    state state_ = state::idle;
    bool cancel_requested_ = false;
    bool cancel_sent_ = false;
    bool polling_ = false;      // a POLL_ADD stands in for it: the answer was -EAGAIN
    std::uint8_t refusals_ = 0; // -EAGAIN right after a poll that said ready
    std::uint8_t attempts_ = 0; // submissions that a failed kernel worker cost
    std::uint16_t generation_ = 0;
    std::int32_t res_ = 0;
    // These mean something from start() on.
    std::uint32_t started_; // when, in milliseconds; for reports
    scheduler* scheduler_;
    time_point due_; // while it is delayed: until when
};

} // namespace coronet

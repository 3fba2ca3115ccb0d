// SPDX-License-Identifier: BSL-1.0
//
// A driver without a kernel, for tests: what becomes of each operation is written by the test, time
// is virtual and passes only when nothing else can happen. What was submitted is kept to be looked
// at. Owner thread only, but for wake(). Not part of the library that is installed.
//
// Unless told otherwise a nop succeeds at once, and every other operation waits until it is
// cancelled.
#pragma once

#include "../driver.hpp"
#include "buffer_ring.hpp"

#include <coronet/unique_fd.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace coronet {

class scripted_driver final : public driver {
public:
    /// What becomes of one submission.
    class fate {
    public:
        /// It ends with this result.
        fate& complete(std::int32_t res, std::uint32_t flags = 0);
        /// It never ends by itself.
        fate& never();
        /// The end comes this much later than the submission.
        fate& after(duration delay);
        /// A completion with F_MORE, before the end. A receive that chooses its buffer finds
        /// `res` bytes in it, each the last digit of its number ('0', '1', ...); the same at its
        /// end.
        fate& first(std::int32_t res);
        /// The answer to a cancel request that changes nothing.
        fate& cancel_ignored(std::int32_t answer);
        /// The answer to a cancel request (after those that change nothing) and the end that it
        /// brings. By default 0 and -ECANCELED.
        fate& cancel_answered(std::int32_t answer, std::int32_t res);

    private:
        friend class scripted_driver;
        std::optional<std::int32_t> res_;
        std::uint32_t flags_ = 0;
        duration delay_{};
        std::vector<std::int32_t> before_;
        std::deque<std::int32_t> ignored_cancels_;
        std::int32_t cancel_answer_;
        std::int32_t cancelled_res_;
        fate();
    };

    /// A submission that was taken.
    struct submission {
        std::uint8_t opcode;
        int fd;
        std::uint64_t id;     ///< user_data
        std::uint64_t target; ///< of a cancel request: whom it is for
        time_point when;
    };

    explicit scripted_driver(unsigned slots = 64, unsigned reserved = 4);

    /// The fate of the next submission of this kind that has none yet.
    fate& on(std::uint8_t opcode);
    /// The next `count` attempts to submit take nothing, as those of a kernel that is busy.
    void refuse_submissions(unsigned count) noexcept { refusals_ = count; }
    /// It does not know buffers that it may choose from.
    void know_no_buffers() noexcept { knows_buffers_ = false; }
    /// As if other work had taken so long.
    void pass(duration time) noexcept { now_ += time; }

    /// All that was taken, in its order.
    [[nodiscard]] const std::vector<submission>& taken() const noexcept { return taken_; }
    [[nodiscard]] std::size_t count(std::uint8_t opcode) const noexcept;
    [[nodiscard]] std::vector<time_point> times_of(std::uint8_t opcode) const;

    void enable() override { enabled_ = true; }
    void submit_and_wait(time_point deadline) noexcept override;
    [[nodiscard]] bool wants_enter() const noexcept override { return tail_ != consumed_; }
    void reap(dispatcher& sink) noexcept override;
    bool wake(driver* from) noexcept override;
    void close() noexcept override;
    [[nodiscard]] time_point now() const noexcept override { return now_; }
    [[nodiscard]] int socket_flags() const noexcept override { return 0; }
    [[nodiscard]] std::uint64_t enters() const noexcept override { return enters_; }
    int offer_buffers(io_uring_buf_ring& from, unsigned entries, unsigned flags) noexcept override;
    void take_buffers_back() noexcept override { buffers_.detach(); }

private:
    struct waiting {
        std::uint64_t id;
        bool selects;   // a buffer
        time_point due; // time_point::max(): until it is cancelled
        fate end;
    };
    struct completion {
        std::uint64_t id;
        std::int32_t res;
        std::uint32_t flags;
    };

    [[nodiscard]] completion
    came(std::uint64_t id, bool selects, std::int32_t res, std::uint32_t flags) noexcept;
    void make_room() noexcept override;
    void submit();
    void take(const io_uring_sqe& sqe);
    void cancel(std::uint64_t target);
    void finish_due();
    [[nodiscard]] time_point next_due() const noexcept;
    void wait_for_wake() noexcept;

    std::vector<io_uring_sqe> storage_;
    unsigned consumed_ = 0;
    unsigned refusals_ = 0;
    std::map<std::uint8_t, std::deque<fate>> script_;
    std::vector<waiting> waiting_; // in the order of submission
    std::vector<completion> completed_;
    std::vector<submission> taken_;
    time_point now_;
    std::uint64_t enters_ = 0;
    bool enabled_ = false;
    bool knows_buffers_ = true;
    buffer_ring buffers_;
    std::uint64_t received_ = 0; // bytes
    std::atomic<bool> woken_{false};
    unique_fd event_; // a thread that has nothing to do waits here
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Cancelling is asking, again and again until the operation has ended: the kernel's answer to one
// request decides nothing (a request between two states is not found, a running one is only
// interrupted). One list and one timer for all operations that were asked to end. Owner thread
// only.
//
//   left_alone   track(), when the operation starts
//   unsent       request() was called; send() turns it into a cancel entry as soon as a slot is
//   free asked        a cancel entry was submitted; repeated after 10, 20, 40 ... 1000 ms (in none)
//   forget(), on the terminal completion
//
// Together the lists hold every live operation, so that one hook and one unlinking serve all.
#pragma once

#include <coronet/operation.hpp>
#include <coronet/stats.hpp>
#include <coronet/timer.hpp>

#include <cstddef>

namespace coronet {

class dispatcher;
class timer_queue;

class canceller final : private timer {
public:
    canceller(dispatcher& owner, timer_queue& timers, scheduler_stats& stats) noexcept;
    ~canceller();

    void track(operation& op) noexcept { left_alone_.push_back(op); }
    void request(operation& op) noexcept;
    /// Requests the end of every live operation on `fd`, or of all. Result: how many were not asked
    /// before.
    std::size_t request_all_on(int fd) noexcept;
    std::size_t request_all() noexcept;
    void forget(operation& op) noexcept {
        left_alone_.erase(op); // from whichever list it is in
        if (op.cancel_requested_) [[unlikely]]
            note_end();
    }
    /// One of the live operations, or null.
    [[nodiscard]] operation* any() noexcept;
    void send() noexcept;
    template <class Visitor>
    void for_each_live(Visitor& visit) const {
        for (const operation_list* list : {&asked_, &unsent_, &left_alone_})
            for (const operation* op = list->front(); op; op = list->after(*op))
                visit(*op);
    }
    [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }
    void answered(std::int32_t res) noexcept;

private:
    using operation_list = detail::intrusive_list<operation, detail::live_operations>;

    void expire() noexcept override;
    void note_end() noexcept;
    bool send_one(operation& op) noexcept;

    dispatcher& owner_;
    timer_queue& timers_;
    scheduler_stats& stats_;
    operation_list left_alone_;
    operation_list unsent_;
    operation_list asked_;
    duration pause_;
};

} // namespace coronet

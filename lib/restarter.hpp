// SPDX-License-Identifier: BSL-1.0
//
// Operations that are submitted again after a pause. Those that the kernel gave up because it could
// not create a worker thread: they never began, so they are tried again after 10, 50 and 250 ms;
// then they fail. And those that are refused although poll(2) says that they could go on.
//
// There may be thousands of them, so nothing here looks at them all: the pauses are of few lengths,
// and those of one length end in the order in which they began. Owner thread only.
#pragma once

#include <coronet/operation.hpp>
#include <coronet/timer.hpp>

#include <array>

namespace coronet {

class dispatcher;
class timer_queue;

class restarter final : private timer {
public:
    restarter(dispatcher& owner, timer_queue& timers) noexcept : owner_(owner), timers_(timers) {}
    ~restarter();

    /// After a failed worker. False if it has been tried often enough.
    bool delay(operation& op) noexcept;
    /// After its `refused_before`th refusal in spite of poll(2), from 1 to 7: submits it again
    /// after 1, 2, 4 ... 64 ms.
    void pause(operation& op, unsigned refused_before) noexcept;
    /// Has a delayed operation end as cancelled, soon: never inside the call.
    void give_up(operation& op) noexcept;
    /// Nothing will be submitted again; the operations are the caller's to end.
    void drop_all() noexcept;

private:
    void expire() noexcept override;
    void queue(operation& op, std::size_t kind) noexcept;
    [[nodiscard]] time_point next_due() const noexcept;
    void end_pause(operation& op) noexcept;
    void arm_for_next() noexcept;

    static constexpr std::size_t kind_count = 11;
    using operation_list = detail::intrusive_list<operation, detail::delayed_operations>;

    dispatcher& owner_;
    timer_queue& timers_;
    std::array<operation_list, kind_count> delayed_; // of each kind, the first to be due first
    time_point armed_for_{};
};

} // namespace coronet

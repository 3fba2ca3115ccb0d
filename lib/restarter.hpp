// SPDX-License-Identifier: BSL-1.0
//
// Operations that the kernel gave up because it could not create a worker thread. They never began,
// so they are tried again after 10, 50 and 250 ms; then they fail. Owner thread only.
#pragma once

#include <coronet/operation.hpp>
#include <coronet/timer.hpp>

#include <vector>

namespace coronet {

class dispatcher;
class timer_queue;

class restarter final : private timer {
public:
    restarter(dispatcher& owner, timer_queue& timers) noexcept : owner_(owner), timers_(timers) {}
    ~restarter();

    /// After a failed worker. False if it has been tried often enough.
    bool delay(operation& op) noexcept;
    /// Submits it again after `length`.
    void pause(operation& op, duration length) noexcept;
    /// Has a delayed operation end as cancelled, soon: never inside the call.
    void give_up(operation& op) noexcept;
    /// Nothing will be submitted again; the operations are the caller's to end.
    void drop_all() noexcept;

private:
    void expire() noexcept override;
    void arm_for_next() noexcept;

    struct entry {
        time_point due;
        operation* op;
    };
    dispatcher& owner_;
    timer_queue& timers_;
    std::vector<entry> delayed_;
};

} // namespace coronet

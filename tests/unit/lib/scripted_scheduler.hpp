// SPDX-License-Identifier: BSL-1.0
//
// A scheduler on a driver that follows a script, in virtual time.
#pragma once

#include "drivers/scripted.hpp"
#include "sample_operation.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace coronet::testing {

class scripted_scheduler {
    explicit scripted_scheduler(std::unique_ptr<scripted_driver> driver)
        : script(*driver), loop({}, std::move(driver)) {}

public:
    explicit scripted_scheduler(unsigned slots = 64, unsigned reserved = 4)
        : scripted_scheduler(std::make_unique<scripted_driver>(slots, reserved)) {}

    /// Turns until `op` has ended.
    void finish(const sample_operation& op) {
        for (int turn = 0; turn < 10'000 && !op.ended(); ++turn)
            loop.run_once(time_point::max());
        EXPECT_TRUE(op.ended()) << "after 10,000 turns";
    }
    /// Turns until this much time has passed and all that it brought is done.
    void advance(duration time) {
        const time_point end = script.now() + time;
        do
            loop.run_once(end);
        while (script.now() < end);
        turn();
    }
    /// One turn without waiting, and another for what came of it.
    void turn() {
        loop.run_once(time_point::min());
        loop.run_once(time_point::min());
    }

    scripted_driver& script; // of the loop
    scheduler loop;
};

} // namespace coronet::testing

// SPDX-License-Identifier: BSL-1.0
//
// Coroutines on a driver that follows a script: what the kernel would do once in a million runs.
#pragma once

#include "lib/scripted_scheduler.hpp"

#include <coronet/coro/run.hpp>

#include <gtest/gtest.h>

#include <utility>

#include <fcntl.h>

namespace coronet::test {

class scripted_coroutines : public ::testing::Test {
protected:
    /// Runs a task on the script's scheduler, turn by turn.
    template <class T>
    T finish(task<T> job) {
        root_of<T> root{std::move(job)};
        root.begin(test.loop);
        for (int turn = 0; turn < 1'000 && !root.over; ++turn)
            test.loop.run_once(time_point::max());
        return root.take();
    }
    /// Turns until the kernel has nothing left to say.
    void settle() {
        for (int turn = 0; turn < 1'000 && test.loop.in_flight_count() > 0; ++turn)
            test.turn();
        EXPECT_EQ(test.loop.in_flight_count(), 0u);
    }

    testing::scripted_scheduler test;
    scripted_driver& script = test.script;

private:
    template <class T>
    class root_of final : public detail::root {
    public:
        explicit root_of(task<T>&& job) : child_(std::move(job)) {}
        T take() { return child_.result().take(); }
        bool over = false;

    private:
        void start_children() noexcept override { child_.start(*this); }
        void ended() noexcept override { over = true; }
        detail::child<T> child_;
    };
};

/// A descriptor that nothing else refers to: what a script gives as accepted or opened.
inline int fresh_descriptor() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}
inline bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

} // namespace coronet::test

// SPDX-License-Identifier: BSL-1.0
//
// Between plain code and coroutines: run() on this thread, sync_wait() from another one.
#include "support/open_files.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <signal.h>
#include <unistd.h>

namespace coronet::run_tests {
namespace {

using namespace std::chrono_literals;

task<std::unique_ptr<int>> boxed(int value) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    co_return std::make_unique<int>(value);
}
task<void> failing() {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    throw std::runtime_error("main");
}

TEST(run, gives_what_main_gives) {
    EXPECT_EQ(*run(boxed(4)), 4);
}

TEST(run, throws_what_main_throws) {
    EXPECT_THROW(run(failing()), std::runtime_error);
}

TEST(run, can_be_called_again_and_leaves_no_descriptor) {
    static_cast<void>(run(boxed(1)));
    const auto before = test::open_file_count();
    for (int i = 0; i < 20; ++i)
        static_cast<void>(run(boxed(i)));
    EXPECT_EQ(test::open_file_count(), before);
}

task<bool> in_a_scheduler() {
    co_return scheduler::current() != nullptr;
}

TEST(run, has_a_scheduler_inside_and_none_outside) {
    EXPECT_EQ(scheduler::current(), nullptr);
    EXPECT_TRUE(run(in_a_scheduler()));
    EXPECT_EQ(scheduler::current(), nullptr);
}

TEST(run, reports_a_scheduler_that_cannot_be_set_up) {
    run_options options;
    options.scheduler.sqpoll = sqpoll_options{};
    options.scheduler.sqpoll->cpu = 100'000;
    EXPECT_THROW(static_cast<void>(run(boxed(1), options)), std::system_error);
}

// ---- signals ----

task<std::error_code> signalled(int number, bool to_process) {
    if (to_process)
        ::kill(::getpid(), number);
    else
        ::raise(number);
    const auto slept = co_await sleep_for(1h);
    co_return slept.error();
}

TEST(run, cancels_main_on_sigint_and_sigterm) {
    for (const bool to_process : {false, true}) {
        EXPECT_EQ(run(signalled(SIGINT, to_process)), std::errc::operation_canceled);
        EXPECT_EQ(run(signalled(SIGTERM, to_process)), std::errc::operation_canceled);
    }
}

task<int> goes_on_after_a_signal() {
    ::raise(SIGTERM);
    const auto slept = co_await sleep_for(1h);
    co_return slept ? 0 : 3;
}

TEST(run, gives_what_main_makes_of_a_signal) {
    EXPECT_EQ(run(goes_on_after_a_signal()), 3);
}

bool is_blocked(int number) {
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return ::sigismember(&now, number) == 1;
}
task<bool> sees_blocked(int number) {
    co_return is_blocked(number);
}

TEST(run, blocks_the_signals_for_its_own_time_only) {
    EXPECT_TRUE(run(sees_blocked(SIGINT)));
    EXPECT_FALSE(is_blocked(SIGINT));
    EXPECT_FALSE(is_blocked(SIGTERM));
}

TEST(run, leaves_signals_alone_when_told_so) {
    run_options options;
    options.handle_signals = false;
    EXPECT_FALSE(run(sees_blocked(SIGINT), options));
    EXPECT_EXIT(
        static_cast<void>(run(signalled(SIGTERM, false), options)),
        ::testing::KilledBySignal(SIGTERM), ""
    );
}

// ---- sync_wait ----

class sync_wait_test : public ::testing::Test {
protected:
    static runtime_options one() {
        runtime_options options;
        options.threads = 1;
        return options;
    }
    runtime others{one()};
};

TEST_F(sync_wait_test, gives_what_the_task_gives) {
    EXPECT_EQ(*sync_wait(others.at(0), boxed(6)), 6);
}

TEST_F(sync_wait_test, throws_what_the_task_throws) {
    EXPECT_THROW(sync_wait(others.at(0), failing()), std::runtime_error);
}

task<bool> runs_at(const scheduler* wanted) {
    co_return scheduler::current() == wanted;
}

TEST_F(sync_wait_test, runs_the_task_on_the_given_scheduler) {
    EXPECT_TRUE(sync_wait(others.at(0), runs_at(&others.at(0))));
}

task<std::error_code> waits_inside(scheduler* target) {
    try {
        static_cast<void>(sync_wait(*target, boxed(1)));
    } catch (const std::system_error& thrown) {
        co_return thrown.code();
    }
    co_return std::error_code{};
}

TEST_F(sync_wait_test, refuses_to_wait_on_a_schedulers_thread) {
    EXPECT_EQ(sync_wait(others.at(0), waits_inside(&others.at(0))), errc::would_deadlock);
    EXPECT_EQ(run(waits_inside(&others.at(0))), errc::would_deadlock);
}

TEST_F(sync_wait_test, refuses_a_stopped_scheduler) {
    others.stop();
    EXPECT_TRUE(others.join());
    try {
        static_cast<void>(sync_wait(others.at(0), boxed(1)));
        FAIL() << "nothing was thrown";
    } catch (const std::system_error& thrown) {
        EXPECT_EQ(thrown.code(), errc::stopped);
    }
}

task<std::error_code> sleeps_and_stops(runtime* others) {
    others->stop();
    const auto slept = co_await sleep_for(1h);
    co_return slept.error();
}

TEST_F(sync_wait_test, returns_when_the_scheduler_is_stopped_meanwhile) {
    EXPECT_EQ(sync_wait(others.at(0), sleeps_and_stops(&others)), std::errc::operation_canceled);
}

TEST_F(sync_wait_test, serves_several_threads_at_once) {
    std::atomic<int> total{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            for (int round = 0; round < 200; ++round)
                total += *sync_wait(others.at(0), boxed(1));
        });
    for (auto& each : callers)
        each.join();
    EXPECT_EQ(total, 800);
}

} // namespace
} // namespace coronet::run_tests

// SPDX-License-Identifier: BSL-1.0
//
// Starting, standing still, stopping and waiting for the end, by the numbers of docs/lifecycle.md.
#include "call.hpp"
#include "run_until.hpp"

#include <coronet/operation.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coronet::lifecycle_tests {
namespace {

using namespace std::chrono_literals;
using testing::call;
using testing::patience;
using testing::wait_until;

/// Runs `function` on the scheduler's thread and waits for it.
template <class Function>
void on(scheduler& loop, Function function) {
    std::promise<void> done;
    call item{[&] {
        function();
        done.set_value();
    }};
    ASSERT_TRUE(loop.post(item));
    ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
}

std::ptrdiff_t thread_count() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
}
/// The same, after what a checker begins with the first thread.
std::ptrdiff_t first_thread_count() {
    std::thread{[] {}}.join();
    return thread_count();
}

// ---- L1 ----

TEST(park, L1_runs_no_user_code_and_makes_no_ring_call_until_the_last_guard_is_gone) {
    scheduler_thread thread;
    thread.start();
    auto first = thread->park();
    auto second = thread->park_for(patience);
    ASSERT_TRUE(first && second);

    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    ASSERT_TRUE(thread->post(item));
    const auto before = thread->stats(); // it stands still: this thread may look
    first->release();
    first->release();                  // nothing more to release
    std::this_thread::sleep_for(20ms); // gives a scheduler that does not stand still its chance
    EXPECT_FALSE(ran);
    EXPECT_EQ(thread->stats().enters, before.enters);
    EXPECT_EQ(thread->stats().turns, before.turns);

    second->release();
    EXPECT_TRUE(wait_until([&] { return ran.load(); }));
}

TEST(park, L1_a_guard_can_be_handed_to_another_thread) {
    scheduler_thread thread;
    thread.start();
    auto guard = thread->park();
    ASSERT_TRUE(guard);
    std::thread{[held = std::move(*guard)] {}}.join();
    on(*thread, [] {});
}

// ---- L2 ----

TEST(park, L2_is_refused_before_start_after_stop_and_after_the_end) {
    scheduler_thread thread;
    EXPECT_EQ(thread->park().error(), errc::stopped);
    thread.start();
    {
        const auto held = thread->park();
        ASSERT_TRUE(held);
        thread.stop();
        EXPECT_EQ(thread->park().error(), errc::stopped); // at once, although it is parked
    }
    ASSERT_TRUE(thread.join());
    EXPECT_EQ(thread->park().error(), errc::stopped);
}

TEST(park, L2_taken_before_a_stop_is_answered) {
    scheduler_thread thread;
    thread.start();
    std::promise<void> blocked;
    std::promise<void> go_on;
    call busy{[&] {
        blocked.set_value();
        go_on.get_future().wait();
    }};
    ASSERT_TRUE(thread->post(busy));
    blocked.get_future().wait();
    auto parked = std::async(std::launch::async, [&] { return thread->park(); });
    ASSERT_TRUE(wait_until([&] { return thread->report().find("parkers: 1") != std::string::npos; })
    );
    thread.stop();
    go_on.set_value();
    EXPECT_TRUE(parked.get());
    EXPECT_TRUE(thread.join());
}

TEST(park, L2_gives_up_after_its_time_and_leaves_nothing_behind) {
    scheduler_thread thread;
    thread.start();
    std::promise<void> blocked;
    std::promise<void> go_on;
    call busy{[&] {
        blocked.set_value();
        go_on.get_future().wait();
    }};
    ASSERT_TRUE(thread->post(busy));
    blocked.get_future().wait();
    EXPECT_EQ(thread->park_for(10ms).error(), std::errc::timed_out);
    go_on.set_value();
    on(*thread, [] {});
    EXPECT_TRUE(thread->park());
}

// ---- L4 ----

TEST(stop, L4_may_be_called_from_anywhere_any_number_of_times) {
    scheduler_thread thread;
    thread.start();
    on(*thread, [&] { thread.stop(); });
    std::vector<std::thread> others;
    for (int i = 0; i < 4; ++i)
        others.emplace_back([&] {
            for (int n = 0; n < 1000; ++n)
                thread.stop();
        });
    for (auto& each : others)
        each.join();
    EXPECT_TRUE(thread.join());
    thread.stop();
    EXPECT_TRUE(thread->stop_requested());
}

scheduler* stopped_by_signal = nullptr;

TEST(stop, L4_may_be_called_in_a_signal_handler_and_leaves_errno_alone) {
    scheduler_thread thread;
    thread.start();
    stopped_by_signal = &*thread;
    struct sigaction action {};
    action.sa_handler = [](int) { stopped_by_signal->stop(); };
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    ASSERT_TRUE(wait_until([&] { return thread->report().find("sleeping") != std::string::npos; }));
    errno = EXDEV;
    ::pthread_kill(::pthread_self(), SIGUSR1);
    EXPECT_EQ(errno, EXDEV);
    EXPECT_TRUE(thread.join());
    ::sigaction(SIGUSR1, &before, nullptr);
}

// ---- L5 ----

TEST(join, L5_is_refused_on_the_thread_of_any_scheduler) {
    scheduler_thread one;
    scheduler_thread other;
    one.start();
    other.start();
    on(*one, [&] {
        EXPECT_EQ(one->join().error(), errc::would_deadlock);
        EXPECT_EQ(other->join().error(), errc::would_deadlock);
        EXPECT_EQ(other->join_for(1h).error(), errc::would_deadlock);
        EXPECT_EQ(other.join().error(), errc::would_deadlock);
        EXPECT_EQ(other->park().error(), errc::would_deadlock);
        EXPECT_EQ(other->park_for(1h).error(), errc::would_deadlock);
    });
    on(*other, [] {}); // nothing has changed
    EXPECT_FALSE(one->stop_requested());
}

TEST(join, L5_is_refused_to_a_thread_that_holds_a_guard) {
    scheduler_thread thread;
    thread.start();
    auto guard = thread->park();
    ASSERT_TRUE(guard);
    thread.stop();
    EXPECT_EQ(thread.join().error(), errc::would_deadlock);
    EXPECT_EQ(thread.join_for(1h).error(), errc::would_deadlock);
    std::thread{[&] { EXPECT_EQ(thread.join_for(1ms).error(), std::errc::timed_out); }}.join();
    guard->release();
    EXPECT_TRUE(thread.join());
}

// ---- L6 ----

TEST(join, L6_returns_to_all_who_wait_and_reaps_the_thread_once) {
    const auto before = first_thread_count();
    scheduler_thread thread;
    thread.start();
    std::atomic<int> returned{0};
    std::vector<std::thread> waiting;
    for (int i = 0; i < 8; ++i)
        waiting.emplace_back([&] {
            EXPECT_TRUE(thread.join());
            ++returned;
        });
    EXPECT_EQ(thread.join_for(1ms).error(), std::errc::timed_out);
    EXPECT_EQ(returned, 0);
    thread.stop();
    for (auto& each : waiting)
        each.join();
    EXPECT_EQ(returned, 8);
    EXPECT_TRUE(thread.join()); // long over
    EXPECT_TRUE(wait_until([&] { return thread_count() <= before; }));
}

// ---- L7 ----

TEST(scheduler_thread, L7_destroyed_on_a_thread_that_may_wait_is_joined) {
    bool ran = false;
    call item{[&] { ran = true; }};
    {
        scheduler_thread thread;
        thread.start();
        ASSERT_TRUE(thread->post(item));
    }
    EXPECT_TRUE(ran);
}

TEST(scheduler_thread, L7_destroyed_on_its_own_thread_lives_until_that_has_ended) {
    const auto threads = first_thread_count();
    std::promise<void> destroyed;
    std::atomic<bool> ran_after{false};
    call late{[&] { ran_after = true; }};
    auto thread = std::make_unique<scheduler_thread>();
    scheduler& loop = **thread;
    thread->start();
    call item{[&] {
        thread.reset();
        EXPECT_TRUE(loop.stop_requested());
        loop.ready(late); // it is still there
        destroyed.set_value();
    }};
    ASSERT_TRUE(loop.post(item));
    destroyed.get_future().wait();
    EXPECT_TRUE(wait_until([&] { return ran_after.load(); }));
    EXPECT_TRUE(wait_until([&] { return thread_count() <= threads; }));
}

TEST(scheduler_thread, L7_destroyed_on_another_schedulers_thread_is_not_waited_for) {
    const auto threads = first_thread_count();
    std::promise<void> go_on;
    std::promise<void> over;
    call busy{[&] {
        go_on.get_future().wait();
        over.set_value();
    }};
    auto thread = std::make_unique<scheduler_thread>();
    thread->start();
    ASSERT_TRUE((*thread)->post(busy));
    {
        scheduler_thread other;
        other.start();
        on(*other, [&] { thread.reset(); }); // returns although `busy` blocks it
        go_on.set_value();
        over.get_future().wait();
    }
    EXPECT_TRUE(wait_until([&] { return thread_count() <= threads; }));
}

TEST(scheduler_thread, L7_destroyed_while_this_thread_holds_a_guard_is_not_waited_for) {
    const auto threads = first_thread_count();
    std::optional<park_guard> guard;
    {
        scheduler_thread thread;
        thread.start();
        auto parked = thread->park();
        ASSERT_TRUE(parked);
        guard.emplace(std::move(*parked));
    }
    guard.reset();
    EXPECT_TRUE(wait_until([&] { return thread_count() <= threads; }));
}

// ---- L8 ----

TEST(scheduler_thread, L8_starts_once) {
    scheduler_thread thread;
    thread.start();
    EXPECT_THROW(
        try { thread.start(); } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), errc::already_started);
            throw;
        },
        std::system_error
    );
    on(*thread, [] {});
}

TEST(scheduler_thread, L8_that_was_stopped_before_never_starts_and_has_ended) {
    const auto before = first_thread_count();
    scheduler_thread thread;
    thread.stop();
    EXPECT_TRUE(thread.join());
    try {
        thread.start();
        ADD_FAILURE() << "it started";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), errc::stopped);
    }
    EXPECT_TRUE(wait_until([&] { return thread_count() <= before; }));
}

TEST(scheduler_thread, L8_on_a_cpu_that_is_not_there_throws_and_leaves_no_thread) {
    const auto before = first_thread_count();
    scheduler_thread_options options;
    options.cpu = 1023;
    scheduler_thread thread{options};
    try {
        thread.start();
        ADD_FAILURE() << "it started";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), EINVAL);
        EXPECT_NE(std::string{error.what()}.find("CPU 1023"), std::string::npos);
    }
    EXPECT_TRUE(wait_until([&] { return thread_count() <= before; }));
    EXPECT_TRUE(thread.join());
    EXPECT_EQ(thread->park().error(), errc::stopped);
}

TEST(scheduler_thread, L8_started_parked_runs_nothing_before_its_guard_is_gone) {
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    scheduler_thread thread;
    ASSERT_TRUE(thread->post(item));
    {
        const auto guard = thread.start_parked();
        std::this_thread::sleep_for(5ms); // its chance to be wrong
        EXPECT_FALSE(ran);
    }
    EXPECT_TRUE(wait_until([&] { return ran.load(); }));
}

// ---- L11 ----

TEST(fork, L11_in_the_child_everything_says_stopped) {
    auto thread = std::make_unique<scheduler_thread>();
    thread->start();
    scheduler& loop = **thread;
    call item{[] {}};
    const pid_t child = ::fork();
    if (child == 0) {
        const bool refused = !loop.post(item) && loop.park().error() == errc::stopped &&
                             loop.join().error() == errc::stopped;
        loop.stop();
        loop.wake();
        bool threw = false;
        try {
            loop.run();
        } catch (const std::system_error& error) {
            threw = error.code() == errc::stopped;
        }
        thread.reset(); // leaves the parent's ring alone
        ::_exit(refused && threw ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    on(loop, [] {}); // the parent's goes on
}

TEST(fork, L11_rings_are_closed_on_exec) {
    scheduler_thread thread;
    thread.start();
    int rings = 0;
    for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(each.path(), gone);
        if (target.string().find("io_uring") == std::string::npos) continue;
        ++rings;
        const int fd = std::stoi(each.path().filename().string());
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_EQ(rings, 1);
}

// ---- L13 ----

TEST(scheduler_thread, L13_blocks_all_asynchronous_signals_from_its_first_instruction) {
    scheduler_thread thread;
    thread.start();
    on(*thread, [] {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        for (int each = 1; each < SIGRTMAX; ++each) {
            const bool unblockable = each == SIGKILL || each == SIGSTOP;
            const bool synchronous = each == SIGSEGV || each == SIGBUS || each == SIGFPE ||
                                     each == SIGILL || each == SIGTRAP || each == SIGSYS ||
                                     each == SIGABRT;
            const bool of_the_c_library = each > SIGSYS && each < SIGRTMIN;
            if (unblockable || synchronous || of_the_c_library) continue;
            EXPECT_EQ(::sigismember(&mask, each), 1) << each;
        }
    });
}

} // namespace
} // namespace coronet::lifecycle_tests

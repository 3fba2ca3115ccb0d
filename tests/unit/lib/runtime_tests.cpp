// SPDX-License-Identifier: BSL-1.0
//
// Several schedulers, each on a thread of its own, with a name, no signals and, on request, a CPU.
#include "call.hpp"
#include "kernel_filter.hpp"
#include "run_until.hpp"

#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <thread>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

namespace runtime_tests {
namespace {

using coronet::runtime;
using coronet::runtime_options;
using coronet::scheduler;
using coronet::testing::call;
using coronet::testing::make_kernel_answer;
using coronet::testing::patience;
using coronet::testing::wait_until;

runtime_options with_threads(std::size_t count) {
    runtime_options options;
    options.threads = count;
    return options;
}

/// Runs `function` on the thread of a scheduler and waits for it.
void on(scheduler& loop, const std::function<void()>& function) {
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

int usable_cpu_count() {
    cpu_set_t usable;
    CPU_ZERO(&usable);
    ::sched_getaffinity(0, sizeof usable, &usable);
    return CPU_COUNT(&usable);
}

TEST(runtime, has_as_many_schedulers_as_asked_for_each_on_its_own_thread) {
    runtime threads{with_threads(3)};
    ASSERT_EQ(threads.size(), 3U);
    std::set<std::thread::id> ids;
    for (std::size_t i = 0; i < threads.size(); ++i)
        on(threads.at(i), [&] {
            ids.insert(std::this_thread::get_id());
            EXPECT_EQ(scheduler::current(), &threads.at(i));
        });
    EXPECT_EQ(ids.size(), 3U);
    EXPECT_FALSE(ids.contains(std::this_thread::get_id()));
}

TEST(runtime, has_a_thread_for_each_usable_cpu_by_default) {
    runtime threads;
    EXPECT_EQ(threads.size(), static_cast<std::size_t>(usable_cpu_count()));
}

TEST(runtime, names_its_threads) {
    runtime threads{with_threads(2)};
    for (std::size_t i = 0; i < threads.size(); ++i)
        on(threads.at(i), [&] {
            char name[16]{};
            ::pthread_getname_np(::pthread_self(), name, sizeof name);
            EXPECT_EQ(std::string{name}, "crn-s" + std::to_string(i));
        });
}

TEST(runtime, blocks_all_asynchronous_signals_on_its_threads_only) {
    sigset_t before;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    runtime threads{with_threads(1)};
    on(threads.at(0), [] {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE})
            EXPECT_EQ(::sigismember(&mask, each), 1) << each;
        for (const int each : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
            EXPECT_EQ(::sigismember(&mask, each), 0) << each;
    });
    sigset_t after;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (int each = 1; each < 32; ++each)
        EXPECT_EQ(::sigismember(&before, each), ::sigismember(&after, each)) << each;
}

TEST(runtime, binds_each_thread_to_a_cpu_on_request) {
    runtime_options options = with_threads(3);
    options.pin = true;
    runtime threads{options};
    std::set<int> cpus;
    for (std::size_t i = 0; i < threads.size(); ++i)
        on(threads.at(i), [&] {
            EXPECT_EQ(usable_cpu_count(), 1);
            cpus.insert(::sched_getcpu());
        });
    EXPECT_EQ(cpus.size(), static_cast<std::size_t>(std::min(3, usable_cpu_count())));
}

TEST(runtime, stops_from_any_of_its_threads_and_joins) {
    runtime threads{with_threads(2)};
    on(threads.at(1), [&] { threads.stop(); });
    EXPECT_TRUE(threads.join());
    EXPECT_TRUE(threads.join()); // nothing left to do
    call late{[] {}};
    EXPECT_FALSE(threads.at(0).post(late));
    EXPECT_FALSE(threads.at(1).post(late));
}

TEST(runtime, ends_in_its_destructor_and_leaves_no_thread_behind) {
    { runtime warm{with_threads(1)}; }
    const auto before = thread_count();
    for (int round = 0; round < 20; ++round)
        runtime threads{with_threads(2)};
    EXPECT_TRUE(wait_until([&] { return thread_count() <= before; }));
}

TEST(runtime, lets_its_schedulers_post_to_each_other) {
    constexpr int items_each = 5'000;
    std::atomic<int> runs{0};
    std::deque<call> items;
    for (int i = 0; i < 2 * items_each; ++i)
        items.emplace_back([&] { runs.fetch_add(1); });
    {
        runtime threads{with_threads(2)};
        for (std::size_t i = 0; i < 2; ++i)
            on(threads.at(i), [&] {
                for (std::size_t n = 0; n < items_each; ++n)
                    EXPECT_TRUE(threads.at(1 - i).post(items[i * items_each + n]));
            });
        EXPECT_TRUE(wait_until([&] { return runs.load() == 2 * items_each; }));
    }
}

TEST(runtime, throws_and_leaves_no_thread_when_rings_cannot_be_had) {
    const auto refused = [] {
        if (!make_kernel_answer(SYS_io_uring_setup, EPERM)) ::_exit(1);
        try {
            auto options = with_threads(2);
            options.scheduler.driver = coronet::driver_choice::io_uring;
            const runtime threads{options};
        } catch (const std::system_error& error) {
            std::fputs(error.what(), stderr);
            ::_exit(3);
        }
        ::_exit(0);
    };
    EXPECT_EXIT(refused(), ::testing::ExitedWithCode(3), "io_uring_setup");
}

TEST(runtime, throws_and_leaves_no_thread_when_a_thread_cannot_begin) {
    const auto refused = [] {
        constexpr std::uint32_t enable_rings = 12;
        // Registration is refused to the threads that are to own the rings.
        if (!make_kernel_answer(SYS_io_uring_register, EPERM, enable_rings)) ::_exit(1);
        std::thread{[] {}}.join(); // a checker begins a thread of its own with the first
        const auto before = thread_count();
        try {
            const runtime threads{with_threads(2)};
        } catch (const std::system_error& error) {
            std::fputs(error.what(), stderr);
            ::_exit(wait_until([&] { return thread_count() <= before; }) ? 3 : 4);
        }
        ::_exit(0);
    };
    EXPECT_EXIT(refused(), ::testing::ExitedWithCode(3), "ENABLE_RINGS");
}

} // namespace
} // namespace runtime_tests

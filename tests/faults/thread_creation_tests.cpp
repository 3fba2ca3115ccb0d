// SPDX-License-Identifier: BSL-1.0
//
// How threads are started where the system will not give any.
#include "faulty_creation.hpp"
#include "support/watchdog.hpp"
#include "thread_creation.hpp"

#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using coronet::create_thread;
using coronet::scheduler_thread;
using coronet::thread_handle;
using coronet::thread_options;
using coronet::test::creation;
using coronet::test::takes;
using coronet::test::unblocked_creations;
using coronet::test::watchdog;
using steady = std::chrono::steady_clock;

std::ptrdiff_t thread_count() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
}

struct outcome {
    bool ran = false;
    std::error_code error{};
    std::string message{};
    steady::duration took{};
    std::size_t attempts = 0;
    std::ptrdiff_t threads_left = 0;
    bool function_kept = false;
};

/// Starts a thread and joins it, if there is one.
outcome start_one_unwatched() {
    const auto threads_before = thread_count();
    const auto token = std::make_shared<int>();
    outcome seen;
    std::atomic<bool> ran{false};
    const auto begin = steady::now();
    try {
        thread_handle started = create_thread({}, [&ran, token] { ran = true; });
        seen.took = steady::now() - begin;
        started.join();
    } catch (const std::system_error& error) {
        seen.took = steady::now() - begin;
        seen.error = error.code();
        seen.message = error.what();
    }
    seen.ran = ran;
    seen.attempts = creation.calls();
    seen.threads_left = thread_count() - threads_before;
    seen.function_kept = token.use_count() > 1;
    return seen;
}

outcome start_one() {
    const watchdog limit{[] { return std::string("a thread is being created"); }};
    return start_one_unwatched();
}

void expect_nothing_left(const outcome& seen) {
    EXPECT_FALSE(seen.ran);
    EXPECT_EQ(seen.threads_left, 0);
    EXPECT_FALSE(seen.function_kept);
}

TEST(thread_creation, L8_succeeds_when_resources_were_short_twice) {
    creation.play({EAGAIN, ENOMEM});
    const outcome seen = start_one();
    EXPECT_TRUE(seen.ran);
    EXPECT_EQ(seen.attempts, 3U);
    EXPECT_GE(seen.took, 15ms);
    EXPECT_EQ(seen.threads_left, 0);
}

TEST(thread_creation, L8_fails_with_a_remedy_when_resources_stay_short) {
    creation.play({}, EAGAIN);
    const outcome seen = start_one();
    expect_nothing_left(seen);
    EXPECT_EQ(seen.error, std::errc::resource_unavailable_try_again);
    EXPECT_EQ(seen.attempts, 6U);
    EXPECT_GE(seen.took, 155ms);
    EXPECT_LT(seen.took, 2s);
    EXPECT_NE(seen.message.find("ulimit -u"), std::string::npos) << seen.message;
    EXPECT_NE(seen.message.find("pids.max"), std::string::npos) << seen.message;
}

TEST(thread_creation, L8_fails_at_once_when_threads_are_forbidden) {
    for (const int error : {EPERM, EINVAL, ENOSYS}) {
        creation.play({}, error);
        const outcome seen = start_one();
        expect_nothing_left(seen);
        EXPECT_EQ(seen.error, std::error_code(error, std::generic_category()));
        EXPECT_EQ(seen.attempts, 1U);
    }
}

TEST(thread_creation, L8_succeeds_after_every_kind_of_interruption) {
    creation.play({EINTR, 512, 513, 514, 516, EINTR});
    const outcome seen = start_one();
    EXPECT_TRUE(seen.ran);
    EXPECT_EQ(seen.attempts, 7U);
    EXPECT_GE(seen.took, 6ms);
}

TEST(thread_creation, L8_fails_after_a_second_of_interruptions_and_shows_no_kernel_number) {
    creation.play({}, 512);
    const outcome seen = start_one();
    expect_nothing_left(seen);
    EXPECT_EQ(seen.error, std::errc::interrupted);
    EXPECT_GE(seen.took, 1s);
    EXPECT_LT(seen.took, 2s);
    EXPECT_GT(seen.attempts, 6U); // those of a shortage would be used up
}

// ---- a scheduler's start ----

TEST(scheduler_thread, L8_starts_when_resources_were_short_twice) {
    const watchdog limit{[] { return std::string("a scheduler starts"); }};
    creation.play({EAGAIN, EINTR, EAGAIN});
    unblocked_creations = 0;
    scheduler_thread loop;
    loop.start();
    EXPECT_EQ(creation.calls(), 4U);
    EXPECT_EQ(unblocked_creations, 0);
    EXPECT_EQ(loop->park().error(), std::error_code{}); // it runs
    loop.stop();
    EXPECT_TRUE(loop.join());
}

TEST(scheduler_thread, L8_start_throws_and_leaves_no_thread_when_none_can_be_had) {
    for (const int error : {EPERM, EAGAIN}) {
        // Outside the watchdog, whose thread must be had.
        const auto before = thread_count();
        creation.play({}, error);
        {
            scheduler_thread loop;
            try {
                loop.start();
                ADD_FAILURE() << "it started";
            } catch (const std::system_error& thrown) {
                EXPECT_EQ(thrown.code().value(), error);
            }
            EXPECT_EQ(loop->park_for(5s).error(), coronet::errc::stopped); // nobody waits for it
        }
        EXPECT_EQ(thread_count(), before);
    }
}

// ---- signals ----

TEST(thread_creation, begins_each_attempt_with_all_signals_blocked_and_restores_them) {
    sigset_t nothing;
    ::sigemptyset(&nothing);
    ::pthread_sigmask(SIG_SETMASK, &nothing, nullptr);
    unblocked_creations = 0;
    creation.play({EINTR, EAGAIN});
    bool taken_there = true;
    bool faults_taken_there = false;
    thread_handle started = create_thread({}, [&] {
        taken_there = takes(SIGTERM) || takes(SIGALRM) || takes(SIGRTMIN);
        faults_taken_there = takes(SIGSEGV) && takes(SIGBUS);
    });
    started.join();
    EXPECT_EQ(unblocked_creations, 0);
    EXPECT_FALSE(taken_there);
    EXPECT_TRUE(faults_taken_there);
    EXPECT_TRUE(takes(SIGTERM));
}

// ---- the thread and its handle ----

TEST(thread_creation, gives_the_thread_a_name_and_a_stack) {
    creation.play({});
    std::string name;
    std::size_t stack = 0;
    thread_handle started = create_thread(thread_options{"crn-wu-1234567890", 512 * 1024}, [&] {
        char text[16]{};
        ::pthread_getname_np(::pthread_self(), text, sizeof text);
        name = text;
        pthread_attr_t mine;
        if (::pthread_getattr_np(::pthread_self(), &mine) != 0) return;
        ::pthread_attr_getstacksize(&mine, &stack);
        ::pthread_attr_destroy(&mine);
    });
    started.join();
    EXPECT_EQ(name, "crn-wu-12345678");
    EXPECT_GE(stack, 512U * 1024U); // a checker adds its own
    EXPECT_LT(stack, 2048U * 1024U);
}

TEST(thread_creation, raises_a_stack_that_is_too_small) {
    creation.play({});
    std::atomic<bool> ran{false};
    thread_handle started = create_thread(thread_options{{}, 1}, [&] { ran = true; });
    started.join();
    EXPECT_TRUE(ran);
}

TEST(thread_handle, is_empty_after_a_join_and_when_moved_from) {
    creation.play({});
    thread_handle first = create_thread({}, [] {});
    EXPECT_TRUE(first.joinable());
    EXPECT_FALSE(first.is_this_thread());
    thread_handle second = std::move(first);
    EXPECT_FALSE(first.joinable()); // NOLINT(bugprone-use-after-move)
    second.join();
    EXPECT_FALSE(second.joinable());
}

TEST(thread_handle, leaves_a_detached_thread_to_itself) {
    creation.play({});
    std::atomic<bool> go_on{false}, ended{false};
    thread_handle started = create_thread({}, [&] {
        go_on.wait(false);
        ended = true;
        ended.notify_one();
    });
    started.detach();
    EXPECT_FALSE(started.joinable());
    go_on = true;
    go_on.notify_one();
    ended.wait(false);
}

TEST(thread_handle, aborts_when_nobody_has_joined) {
    creation.play({});
    EXPECT_DEATH({ const thread_handle forgotten = create_thread({}, [] {}); }, "joinable");
}

TEST(thread_creation, ends_the_program_when_the_body_throws) {
    creation.play({});
    EXPECT_DEATH(
        {
            thread_handle started = create_thread({}, [] { throw 1; });
            started.join();
        },
        "terminate"
    );
}

// ---- the system's own answer ----

/// Another user who may have one process, which he is: only in a process that ends afterwards.
[[noreturn]] void start_one_beyond_the_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    limit.rlim_cur = 1;
    if (::setrlimit(RLIMIT_NPROC, &limit) || ::setgroups(0, nullptr) ||
        ::setresgid(3000, 3000, 3000) || ::setresuid(3000, 3000, 3000))
        ::_exit(1);
    const outcome seen = start_one_unwatched(); // the watchdog is a thread, too
    std::fputs(seen.message.c_str(), stderr);
    const bool as_told = seen.error == std::errc::resource_unavailable_try_again &&
                         seen.attempts == 6 && seen.threads_left == 0;
    ::_exit(as_told ? 3 : 4);
}

TEST(thread_creation, L8_names_the_remedy_under_a_real_limit) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody with a limit";
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the checker's own thread cannot be had either";
#endif
    creation.play({});
    EXPECT_EXIT(start_one_beyond_the_limit(), ::testing::ExitedWithCode(3), "ulimit -u");
}

} // namespace

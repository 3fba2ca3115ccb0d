// SPDX-License-Identifier: BSL-1.0
//
// The places where a flag could be missed, a park released too early or an end come twice, each
// reached on purpose (X1 ... X8 of docs/kernel-lessons.md).
#ifdef CORONET_HOOKS

#include "call.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"
#include "support/script.hpp"

#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

namespace coronet::lifecycle_interleaving_tests {
namespace {

using namespace std::chrono_literals;
using test::point;
using test::script;
using testing::call;
using testing::patience;
using testing::sample_operation;
using testing::wait_until;

bool says(scheduler& loop, const std::string& words) {
    return loop.report().find(words) != std::string::npos;
}

template <class Future>
[[nodiscard]] bool comes_within(Future& answer, std::chrono::milliseconds limit) {
    return answer.wait_for(limit) == std::future_status::ready;
}

// The bound of the specification is 100 ms on an idle machine; a loaded one gets ten times that.
constexpr auto soon = 1000ms;

TEST(interleaving, X1_a_park_after_the_look_keeps_the_owner_from_sleeping) {
    scheduler_thread thread;
    script play;
    auto& looked = play.hold(point::head_passed, &*thread);
    thread.start();
    looked.wait();
    auto parked = std::async(std::launch::async, [&] { return thread->park(); });
    ASSERT_TRUE(wait_until([&] { return says(*thread, "parkers: 1"); }));
    looked.release();
    ASSERT_TRUE(comes_within(parked, soon));
    const auto guard = parked.get();
    EXPECT_TRUE(guard);
    EXPECT_EQ(thread->stats().sleeps, 0U);
}

TEST(interleaving, X2_a_park_that_meets_a_stop_is_refused_at_once) {
    scheduler_thread thread;
    script play;
    auto& saw_stop = play.hold(point::stop_seen, &*thread);
    thread.start();
    thread.stop();
    saw_stop.wait();
    EXPECT_EQ(thread->park().error(), errc::stopped);
    saw_stop.release();
    EXPECT_TRUE(thread.join_for(patience));
}

TEST(interleaving, X3_an_item_that_comes_before_the_announcement_of_sleep_is_run) {
    scheduler_thread thread;
    script play;
    auto& about_to_sleep = play.hold(point::before_sleep, &*thread);
    thread.start();
    about_to_sleep.wait();
    std::promise<std::uint64_t> sleeps_before_it_ran;
    call item{[&] { sleeps_before_it_ran.set_value(thread->stats().sleeps); }};
    ASSERT_TRUE(thread->post(item));
    about_to_sleep.release();
    auto sleeps = sleeps_before_it_ran.get_future();
    ASSERT_TRUE(comes_within(sleeps, soon));
    EXPECT_EQ(sleeps.get(), 0U);
}

TEST(interleaving, X4_a_wake_up_that_comes_before_the_system_call_ends_it_at_once) {
    scheduler_thread thread;
    script play;
    auto& about_to_enter = play.hold(point::entering, &*thread);
    thread.start();
    about_to_enter.wait();
    std::promise<void> ran;
    call item{[&] { ran.set_value(); }};
    ASSERT_TRUE(thread->post(item));
    about_to_enter.release();
    auto done = ran.get_future();
    EXPECT_TRUE(comes_within(done, soon));
}

// Every flag, set at every point between the look at the loop's head and the system call.
TEST(park_and_sleep, L3_no_flag_is_missed_wherever_it_is_set) {
    for (const point at :
         {point::head_passed, point::before_sleep, point::asleep, point::entering}) {
        for (const std::string flag : {"notify", "park", "stop"}) {
            SCOPED_TRACE(flag + " at point " + std::to_string(static_cast<int>(at)));
            scheduler_thread thread;
            script play;
            auto& held = play.hold(at, &*thread);
            thread.start();
            held.wait();
            std::promise<void> ran;
            call item{[&] { ran.set_value(); }};
            auto answered = std::async(std::launch::async, [&] {
                if (flag == "notify") {
                    EXPECT_TRUE(thread->post(item));
                    ran.get_future().wait();
                } else if (flag == "park") {
                    EXPECT_TRUE(thread->park());
                } else {
                    thread.stop();
                    EXPECT_TRUE(thread.join());
                }
            });
            const char* sign = flag == "notify" ? "notified" : flag == "park" ? "parkers" : "told";
            ASSERT_TRUE(wait_until([&] { return says(*thread, sign); }));
            held.release();
            ASSERT_TRUE(comes_within(answered, soon));
        }
    }
}

/// A read of one byte that is never looked at.
sample_operation read_from(int fd) {
    return sample_operation{
        [fd, byte = std::make_shared<char>()](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, fd, byte.get(), 1, 0);
        },
        {fd}};
}

TEST(interleaving, X5_stop_join_and_cancel_inside_a_completion_end_everything_once) {
    std::array<int, 2> data{};
    std::array<int, 2> silent{};
    ASSERT_EQ(::pipe(data.data()) | ::pipe(silent.data()), 0);
    scheduler_thread thread;
    sample_operation second = read_from(silent[0]);
    std::future<bool> joined;
    call cancel{[&] { second.cancel(); }};
    sample_operation first = read_from(data[0]);
    first.at_end = [&] {
        thread.stop();
        EXPECT_EQ(thread.join().error(), errc::would_deadlock);
        joined = std::async(std::launch::async, [&] { return bool(thread.join()); });
        std::thread{[&] { EXPECT_TRUE(thread->post(cancel)); }}.join();
        second.cancel();
    };
    call begin{[&] {
        thread->start(first);
        thread->start(second);
    }};
    ASSERT_TRUE(thread->post(begin));
    thread.start();
    ASSERT_EQ(::write(data[1], "x", 1), 1);
    ASSERT_TRUE(thread.join_for(patience));
    EXPECT_TRUE(joined.get());
    EXPECT_EQ(first.results, std::vector{1});
    EXPECT_EQ(second.results, std::vector{-ECANCELED});
    for (const int fd : {data[0], data[1], silent[0], silent[1]})
        ::close(fd);
}

TEST(interleaving, X6_what_is_started_after_the_last_look_is_refused_and_still_ends) {
    sample_operation late;
    scheduler_thread thread;
    script play;
    play.once(
        point::nothing_in_flight, [&] { thread->start(late); }, &*thread
    );
    thread.start();
    thread.stop();
    ASSERT_TRUE(thread.join_for(patience));
    EXPECT_EQ(late.results, std::vector{-ECANCELED});
    EXPECT_EQ(thread->stats().operations, 0U); // the ring never saw it
}

TEST(interleaving, X8_one_of_two_guards_that_is_released_does_not_free_the_others_park) {
    scheduler_thread thread;
    thread.start();
    auto first = thread->park();
    auto second = thread->park();
    ASSERT_TRUE(first && second);
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};

    script play;
    auto& before_the_owner_knows = play.hold(point::unparking);
    auto& went_on = play.hold(point::unparked, &*thread);
    std::thread releasing{[&] { first->release(); }};
    before_the_owner_knows.wait();
    ASSERT_TRUE(thread->post(item)); // changes the word that the owner sleeps on
    before_the_owner_knows.release();
    releasing.join();
    EXPECT_FALSE(went_on.reached());
    EXPECT_TRUE(says(*thread, "parked"));
    EXPECT_FALSE(ran);

    second->release();
    went_on.wait();
    went_on.release();
    EXPECT_TRUE(wait_until([&] { return ran.load(); }));
}

// ---- whatever leaves the loop ----

TEST(loop, L9_an_exception_that_leaves_it_lets_everything_end_first) {
    std::array<int, 2> silent{};
    ASSERT_EQ(::pipe(silent.data()), 0);
    sample_operation waiting = read_from(silent[0]);
    scheduler_thread thread;
    call begin{[&] { thread->start(waiting); }};
    ASSERT_TRUE(thread->post(begin));
    thread.start();
    script play;
    play.once(
        point::loop_head, [] { throw std::runtime_error("out of the loop"); }, &*thread
    );
    thread->wake();
    try {
        static_cast<void>(thread.join_for(patience));
        ADD_FAILURE() << "the exception is gone";
    } catch (const std::runtime_error& thrown) {
        EXPECT_STREQ(thrown.what(), "out of the loop");
    }
    EXPECT_EQ(waiting.results, std::vector{-ECANCELED});
    EXPECT_TRUE(thread.join()); // it is rethrown once
    ::close(silent[0]);
    ::close(silent[1]);
}

TEST(loop, L9_pthread_exit_on_the_owner_ends_the_program) {
    const auto leave = [] {
        scheduler loop;
        call item{[] { ::pthread_exit(nullptr); }};
        loop.ready(item);
        loop.run();
    };
    EXPECT_DEATH(leave(), "terminate called|FATAL: exception not rethrown");
}

} // namespace
} // namespace coronet::lifecycle_interleaving_tests

#endif

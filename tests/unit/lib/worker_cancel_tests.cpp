// SPDX-License-Identifier: BSL-1.0
//
// Cancelling what is queued, what runs, and what blocks in a system call. In many of these tests
// the owner makes no turn between the cancel and the end: then one signal was enough.
#include "pool_call.hpp"
#include "support/pairs.hpp"
#include "support/rounds.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/interruptible.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <optional>
#include <semaphore>
#include <system_error>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace worker_cancel_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::blocking_scope;
using coronet::interruptible;
using coronet::interruptible_wait;
using coronet::pool_account;
using coronet::result;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::worker_pool;
using coronet::test::pipe_pair;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

constexpr auto long_ago = coronet::time_point::min();

class worker_cancel : public ::testing::Test {
protected:
    static scheduler_options one_worker() {
        scheduler_options options;
        options.workers.unbounded_max = 1;
        return options;
    }
    void until(const std::function<bool()>& happened) { run_until(loop, happened); }
    /// Without the owner.
    static void until_elsewhere(const std::function<bool()>& happened) {
        ASSERT_TRUE(wait_until(happened));
    }

    held_call first;
    held_call second;
    scheduler loop{one_worker()};
    worker_pool& pool = loop.pool();
    watchdog limit{[this] { return loop.report(); }};
};

// ---- W12 ----

TEST_F(worker_cancel, W12_an_item_that_is_queued_ends_without_having_been_executed) {
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    pool.submit(second, loop);
    second.cancel();
    EXPECT_FALSE(second.over()); // not inside the call
    loop.run_once(long_ago);
    EXPECT_TRUE(second.over());
    EXPECT_EQ(second.how, outcome::cancelled);
    EXPECT_EQ(second.why, std::errc::operation_canceled);
    first.let_go();
    until([&] { return first.over(); });
    EXPECT_EQ(second.executed, 0);
    EXPECT_EQ(second.completed, 1);
}

TEST_F(worker_cancel, W12_an_item_that_runs_is_asked_once) {
    std::atomic<bool> asked{false};
    pool_call item{[&](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
        asked = true;
    }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    item.cancel();
    item.cancel();
    until([&] { return item.over(); });
    EXPECT_TRUE(asked);
    EXPECT_EQ(item.how, outcome::executed);
    EXPECT_EQ(item.completed, 1);
}

TEST_F(worker_cancel, W12_an_item_is_found_by_its_id_from_any_thread) {
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    pool.submit(second, loop);
    const auto id = second.id();
    std::thread{[&] { pool.cancel(id); }}.join();
    until([&] { return second.over(); });
    EXPECT_EQ(second.how, outcome::cancelled);
    first.let_go();
    until([&] { return first.over(); });
}

TEST_F(worker_cancel, W12_an_unknown_id_is_nobodys) {
    pool.submit(first, loop);
    const auto old = first.id();
    first.let_go();
    until([&] { return first.over(); });
    pool.submit(second, loop);
    until([&] { return second.runs(); });
    pool.cancel(old);
    pool.cancel(second.id() + 1000);
    EXPECT_FALSE(second.stop_token().stop_requested());
    second.let_go();
    until([&] { return second.over(); });
    EXPECT_EQ(second.how, outcome::executed);
}

TEST_F(worker_cancel, W12_all_are_cancelled_that_are_there_and_none_that_comes_meanwhile) {
    std::atomic<int> asked{0};
    const auto wait_for_it = [&](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
        ++asked;
    };
    pool_call running{wait_for_it};
    std::deque<pool_call> queued(3);
    pool_call late;
    queued[1].at_end = [&] { pool.submit(late, loop); };
    pool.submit(running, loop);
    until([&] { return running.executed > 0; });
    for (auto& each : queued)
        pool.submit(each, loop);
    pool.cancel_all();
    until([&] { return running.over() && all_over(queued) && late.over(); });
    EXPECT_EQ(asked, 1);
    for (const auto& each : queued)
        EXPECT_EQ(each.how, outcome::cancelled);
    EXPECT_EQ(late.how, outcome::executed);
}

// ---- W13 ----

TEST_F(worker_cancel, W13_what_has_been_done_is_the_answer_whoever_asked_meanwhile) {
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    first.cancel();
    first.let_go();
    until([&] { return first.over(); });
    EXPECT_EQ(first.how, outcome::executed);
    EXPECT_FALSE(first.why);
}

// ---- W14 ----

TEST_F(worker_cancel, W14_outside_of_a_region_nothing_is_interrupted) {
    const pipe_pair pipe;
    std::atomic<int> got{-1};
    pool_call item{[&] {
        char byte{};
        got = static_cast<int>(::read(pipe.reader.get(), &byte, 1));
    }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    item.cancel();
    // Turns for as long as signals would be repeated.
    const auto until_then = coronet::clock::now() + 60ms;
    while (coronet::clock::now() < until_then)
        loop.run_once(until_then);
    EXPECT_EQ(got, -1);
    EXPECT_EQ(pool.stats().notifications, 0U);
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    until([&] { return item.over(); });
    EXPECT_EQ(got, 1);
}

// ---- W15 ----

/// Reads until it is cancelled. Result: the interruptions; -1 if something came.
int read_until_cancelled(const pipe_pair& pipe, coronet::inplace_stop_token token) {
    int interruptions = 0;
    for (char byte{}; !token.stop_requested(); ++interruptions) {
        const auto got = interruptible([&] { return ::read(pipe.reader.get(), &byte, 1); });
        if (got >= 0 || errno != EINTR) return -1;
    }
    return interruptions;
}

TEST_F(worker_cancel, W15_a_blocking_call_in_a_region_is_interrupted) {
    const pipe_pair pipe;
    int interruptions = -1;
    pool_call item{
        [&](pool_call& self) { interruptions = read_until_cancelled(pipe, self.stop_token()); }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    item.cancel();
    until([&] { return item.over(); });
    EXPECT_LE(interruptions, 1); // 0: it was asked before its first look
    EXPECT_GE(interruptions, 0);
}

TEST_F(worker_cancel, W15_signals_are_repeated_until_the_region_is_left) {
    // The first one comes between the look and the call: only a second one ends the call. And this
    // one does not listen: it reads again.
    const pipe_pair pipe;
    std::binary_semaphore looked{0};
    std::atomic<bool> go_on{false};
    std::atomic<int> interruptions{0};
    pool_call item{[&](pool_call& self) {
        interruptible([&] {
            if (self.stop_token().stop_requested()) return;
            looked.release();
            while (!go_on) { // not a system call that the signal could end
            }
            for (char byte{}; interruptions < 3;)
                if (::read(pipe.reader.get(), &byte, 1) < 0 && errno == EINTR) ++interruptions;
        });
    }};
    pool.submit(item, loop);
    until([&] { return looked.try_acquire(); });
    item.cancel();
    EXPECT_EQ(pool.stats().notifications, 1U);
    go_on = true;
    until([&] { return item.over(); });
    EXPECT_EQ(interruptions, 3);
    const auto sent = pool.stats().notifications;
    EXPECT_GE(sent, 3U); // the first one may have come in time after all
    const auto until_then = coronet::clock::now() + 60ms;
    while (coronet::clock::now() < until_then)
        loop.run_once(until_then);
    EXPECT_EQ(pool.stats().notifications, sent);
}

TEST_F(worker_cancel, W15_an_item_that_was_asked_before_its_region_is_interrupted_in_it) {
    const pipe_pair pipe;
    int error = 0;
    std::binary_semaphore asked{0};
    pool_call item{[&] {
        asked.acquire();
        char byte{};
        interruptible([&] { error = ::read(pipe.reader.get(), &byte, 1) < 0 ? errno : 0; });
    }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    item.cancel();
    asked.release();
    until([&] { return item.over(); });
    EXPECT_EQ(error, EINTR);
}

TEST(notify_signal, W15_that_somebody_else_handles_is_an_error) {
    const int wanted = SIGRTMAX - 5;
    ASSERT_NE(::signal(wanted, [](int) {}), SIG_ERR);
    scheduler_options options;
    options.workers.notify_signal = wanted;
    scheduler loop{options};
    try {
        static_cast<void>(loop.pool());
        ADD_FAILURE() << "it was taken over";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::device_or_resource_busy);
        EXPECT_NE(std::string{error.what()}.find("notify_signal"), std::string::npos);
    }
    ASSERT_NE(::signal(wanted, SIG_DFL), SIG_ERR);
    static_cast<void>(loop.pool()); // the refusal has left nothing behind
    struct sigaction found {};
    ASSERT_EQ(::sigaction(wanted, nullptr, &found), 0);
    EXPECT_NE(found.sa_handler, SIG_DFL);
    EXPECT_EQ(found.sa_flags & SA_RESTART, 0);
}

// ---- W16 ----

TEST_F(worker_cancel, W16_a_wait_for_a_descriptor_ends_with_one_signal) {
    const pipe_pair pipe;
    std::optional<result<short>> got;
    pool_call item{[&] { got = interruptible_wait(pipe.reader.get(), POLLIN); }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    loop.run_once(long_ago);
    std::this_thread::sleep_for(5ms); // most likely it waits: the other case is the next test's
    item.cancel();
    until_elsewhere([&] { return pool.item_count() == 0; }); // no turn, so no second signal
    EXPECT_LE(pool.stats().notifications, 1U);
    until([&] { return item.over(); });
    EXPECT_EQ(got->error(), std::errc::operation_canceled);
}

TEST_F(worker_cancel, W16_gives_what_has_come_and_says_when_nothing_does) {
    const pipe_pair ready;
    const pipe_pair silent;
    ASSERT_EQ(::write(ready.writer.get(), "x", 1), 1);
    std::optional<result<short>> come;
    std::optional<result<short>> nothing;
    pool_call item{[&] {
        come = interruptible_wait(ready.reader.get(), POLLIN);
        nothing = interruptible_wait(silent.reader.get(), POLLIN, 10ms);
    }};
    pool.submit(item, loop);
    until([&] { return item.over(); });
    ASSERT_TRUE(come && *come);
    EXPECT_EQ(**come, POLLIN);
    EXPECT_EQ(nothing->error(), std::errc::timed_out);
    // On a thread that is no worker's, too.
    EXPECT_EQ(interruptible_wait(silent.reader.get(), POLLIN, 1ms).error(), std::errc::timed_out);
}

TEST_F(worker_cancel, W16_an_item_that_was_asked_before_does_not_wait) {
    const pipe_pair pipe;
    std::optional<result<short>> got;
    std::binary_semaphore asked{0};
    pool_call item{[&] {
        asked.acquire();
        got = interruptible_wait(pipe.reader.get(), POLLIN);
    }};
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    item.cancel();
    asked.release();
    until_elsewhere([&] { return pool.item_count() == 0; });
    until([&] { return item.over(); });
    EXPECT_EQ(got->error(), std::errc::operation_canceled);
}

// ---- a worker that has no item: nobody is cancelled ----

struct interruptible_at_the_end {
    ~interruptible_at_the_end() {
        interruptible([this] { left = true; });
        const blocking_scope here;
    }
    std::atomic<bool>& left;
};

TEST(worker_without_an_item, may_do_what_an_item_may) {
    const pipe_pair silent;
    // There may be more workers than items.
    std::atomic<bool> waited{false};
    std::atomic<int> called{0};
    std::atomic<bool> left{false};
    pool_call item{[&] {
        static thread_local const interruptible_at_the_end for_this_thread{left};
        static_cast<void>(for_this_thread);
    }};
    scheduler_options options;
    options.workers.on_start = [&] {
        const auto come = interruptible_wait(silent.reader.get(), POLLIN, 1ms);
        waited = come.error() == std::errc::timed_out;
        called = interruptible([] { return 7; });
        const blocking_scope here;
    };
    {
        scheduler loop{options};
        for (const auto where : {pool_account::bounded, pool_account::unbounded}) {
            loop.pool().submit(item, loop, where);
            run_until(loop, [&] { return item.over(); });
            item.completed = 0;
        }
    }
    EXPECT_TRUE(waited);
    EXPECT_EQ(called, 7);
    EXPECT_TRUE(left);
}

// ---- W17 ----

/// Blocks for as long as a byte takes; says whether a signal came.
bool interrupted_while_waiting(const pipe_pair& pipe) {
    return interruptible([&] {
        pollfd wanted{pipe.reader.get(), POLLIN, 0};
        const timespec limit{5, 0};
        return ::ppoll(&wanted, 1, &limit, nullptr) < 0 && errno == EINTR;
    });
}

TEST_F(worker_cancel, W17_no_signal_of_an_item_reaches_the_next_one) {
    const pipe_pair silent;
    const pipe_pair ready;
    ASSERT_EQ(::write(ready.writer.get(), "x", 1), 1);
    int strays = 0;
    const int rounds = coronet::test::rounds(2'000, 10'000);
    for (int i = 0; i < rounds; ++i) {
        pool_call cancelled{[&](pool_call& self) {
            if (i % 2 == 0)
                read_until_cancelled(silent, self.stop_token());
            else
                static_cast<void>(interruptible_wait(silent.reader.get(), POLLIN));
        }};
        pool_call next{[&] { strays += interrupted_while_waiting(ready); }};
        pool.submit(cancelled, loop);
        while (cancelled.executed == 0)
            loop.run_once(long_ago);
        pool.submit(next, loop); // the same worker goes on with it
        for (int turns = i % 7; turns > 0; --turns)
            loop.run_once(long_ago);
        cancelled.cancel();
        until([&] { return cancelled.over() && next.over(); });
        limit.pat();
    }
    EXPECT_EQ(strays, 0);
    EXPECT_GT(pool.stats().notifications, 0U);
    EXPECT_EQ(pool.stats().created, 1U);
}

#ifdef CORONET_HOOKS

using coronet::test::point;
using coronet::test::script;

TEST_F(worker_cancel, X17_a_signal_between_the_look_and_ppoll_ends_it_at_once) {
    const pipe_pair pipe;
    std::optional<result<short>> got;
    pool_call item{[&] { got = interruptible_wait(pipe.reader.get(), POLLIN); }};
    script play;
    auto& checked = play.hold(point::interrupt_checked);
    pool.submit(item, loop);
    until([&] { return checked.reached(); });
    item.cancel();
    EXPECT_EQ(pool.stats().notifications, 1U);
    const auto begin = coronet::clock::now();
    checked.release();
    until_elsewhere([&] { return pool.item_count() == 0; });
    EXPECT_LT(coronet::clock::now() - begin, 100ms);
    EXPECT_EQ(pool.stats().notifications, 1U);
    until([&] { return item.over(); });
    EXPECT_EQ(got->error(), std::errc::operation_canceled);
}

TEST_F(worker_cancel, X17_a_signal_between_the_look_and_a_read_is_followed_by_others) {
    const pipe_pair pipe;
    std::binary_semaphore looked{0};
    std::atomic<bool> go_on{false};
    int error = 0;
    pool_call item{[&] {
        interruptible([&] {
            looked.release();
            while (!go_on) {
            }
            char byte{};
            error = ::read(pipe.reader.get(), &byte, 1) < 0 ? errno : 0;
        });
    }};
    pool.submit(item, loop);
    until([&] { return looked.try_acquire(); });
    item.cancel();
    const auto begin = coronet::clock::now();
    go_on = true;
    until([&] { return item.over(); });
    EXPECT_LT(coronet::clock::now() - begin, 100ms);
    EXPECT_EQ(error, EINTR);
}

bool notification_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGRTMAX - 2) == 1;
}

TEST_F(worker_cancel, W17_a_signal_that_was_not_needed_is_not_left_to_the_next_item) {
    // What it waits for comes together with the cancel: ppoll(2) takes the one and leaves the
    // other.
    const pipe_pair ready;
    ASSERT_EQ(::write(ready.writer.get(), "x", 1), 1);
    std::optional<result<short>> got;
    bool left = true;
    pool_call item{[&] { got = interruptible_wait(ready.reader.get(), POLLIN); }};
    pool_call next{[&] { left = notification_pending(); }};
    script play;
    auto& checked = play.hold(point::interrupt_checked);
    pool.submit(item, loop);
    until([&] { return checked.reached(); });
    item.cancel();
    EXPECT_EQ(pool.stats().notifications, 1U);
    pool.submit(next, loop);
    checked.release();
    until([&] { return item.over() && next.over(); });
    ASSERT_TRUE(got && *got);
    EXPECT_FALSE(left);
}

TEST_F(worker_cancel, X18_a_signal_for_an_item_that_is_just_over_does_not_reach_the_next) {
    const pipe_pair ready;
    ASSERT_EQ(::write(ready.writer.get(), "x", 1), 1);
    bool stray = true;
    pool_call item;
    pool_call next{[&] { stray = interrupted_while_waiting(ready); }};
    script play;
    auto& executed = play.hold(point::item_executed);
    pool.submit(item, loop);
    until([&] { return executed.reached(); });
    item.cancel(); // to the pool it still runs
    pool.submit(next, loop);
    executed.release();
    until([&] { return item.over() && next.over(); });
    EXPECT_FALSE(stray);
    EXPECT_EQ(item.how, outcome::executed);
    EXPECT_EQ(pool.stats().notifications, 0U); // it was in no region
}

TEST_F(worker_cancel, an_item_that_ends_while_it_is_asked_to_stays_until_it_has_been) {
    pool_call item{[](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
    }};
    script play;
    auto& told = play.hold(point::item_asked);
    pool.submit(item, loop);
    until([&] { return item.executed > 0; });
    std::thread elsewhere{[&, id = item.id()] { pool.cancel(id); }};
    told.wait();
    until_elsewhere([&] { return pool.stats().workers == 1; });
    const auto until_then = coronet::clock::now() + 20ms;
    while (coronet::clock::now() < until_then)
        loop.run_once(until_then);
    EXPECT_FALSE(item.over());
    told.release();
    elsewhere.join();
    until([&] { return item.over(); });
}

#endif

} // namespace
} // namespace worker_cancel_tests

// SPDX-License-Identifier: BSL-1.0
//
// The submission thread of a ring dies: whatever was in flight ends once, and the scheduler ends.
#include "faulty_ring.hpp"
#include "support/watchdog.hpp"
#include "unit/lib/ring_loop.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/error.hpp>
#include <coronet/runtime.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/sq_group.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>

#ifdef CORONET_HOOKS
#include "support/script.hpp"
#endif

namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using namespace coronet::test;
using coronet::clock;
using coronet::errc;
using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sq_group;
using coronet::sqpoll_options;
using coronet::task;
using coronet::time_point;

constexpr int dead = operation::no_submission_thread;

scheduler_options with_submission_thread() {
    scheduler_options options;
    options.queue_depth = 64;
    options.sqpoll = sqpoll_options{1ms, -1, nullptr};
    return options;
}

/// Turns until the loop has learned of it; the call that tells it is the next one.
void die(scheduler& loop, int error = EOWNERDEAD) {
    faulty_ring::answer_after(0, error);
    run_until(loop, [&] { return loop.stop_requested(); });
}

class dead_submission_thread : public ::testing::Test {
protected:
    void TearDown() override { faulty_ring::answer_truly(); }
    watchdog limit_{[] { return std::string("a submission thread has died"); }, 30s};
};

// ---- what was in flight ----

TEST_F(dead_submission_thread, L21_completions_that_had_come_are_delivered_and_the_rest_fails) {
    for (const int error : {EOWNERDEAD, ENXIO}) {
        empty_pipe quiet;
        char byte = 0;
        scheduler loop{with_submission_thread()};
        sample_operation done, waiting = read_of(quiet, byte);
        loop.run_once(time_point::min());
        faulty_ring::answer_after_a_completion(error);
        loop.start(done);
        loop.start(waiting);
        run_until(loop, [&] { return loop.stop_requested(); });
        EXPECT_EQ(done.results, std::vector{0});
        EXPECT_EQ(waiting.results, std::vector{dead});
        EXPECT_EQ(loop.in_flight_count(), 0U);
        EXPECT_EQ(loop.failure(), errc::sq_thread_dead);
        loop.shutdown();
        faulty_ring::answer_truly();
    }
}

TEST_F(dead_submission_thread, L21_operations_in_every_state_end_once) {
    std::deque<empty_pipe> pipes(200);
    std::vector<char> bytes(200);
    std::deque<sample_operation> reads;
    scheduler_options small = with_submission_thread();
    small.queue_depth = 16;
    scheduler loop{small};
    loop.run_once(time_point::min());
    faulty_ring::answer_after(3, EOWNERDEAD);
    for (std::size_t i = 0; i < pipes.size(); ++i) // most of them find no slot
        loop.start(reads.emplace_back(read_of(pipes[i], bytes[i])));
    for (std::size_t i = 0; i < pipes.size(); i += 3)
        reads[i].cancel();
    run_until(loop, [&] { return loop.stop_requested(); });
    for (const auto& each : reads) {
        ASSERT_EQ(each.ended_count, 1);
        ASSERT_TRUE(each.end() == dead || each.end() == -ECANCELED) << *each.end();
    }
    EXPECT_EQ(loop.in_flight_count(), 0U);
    loop.shutdown();
}

TEST_F(dead_submission_thread, L21_what_is_started_afterwards_fails_and_touches_no_ring) {
    scheduler loop{with_submission_thread()};
    die(loop);
    const int calls = faulty_ring::calls_in_vain();
    for (int i = 0; i < 200; ++i) {
        sample_operation late;
        loop.start(late);
        EXPECT_EQ(late.end(), dead);
        loop.run_once(time_point::min());
    }
    loop.shutdown();
    EXPECT_EQ(faulty_ring::calls_in_vain(), calls);
}

// ---- the loop ----

TEST_F(dead_submission_thread, L21_run_throws_after_it_has_finished) {
    empty_pipe quiet;
    char byte = 0;
    sample_operation read = read_of(quiet, byte);
    std::error_code thrown;
    scheduler loop{with_submission_thread()};
    coronet::testing::alarm tick{[] {}}; // or the loop would not look again
    loop.start(read);
    loop.run_once(time_point::min());
    loop.arm(tick, 5ms);
    faulty_ring::answer_after(1, EOWNERDEAD);
    try {
        loop.run();
    } catch (const std::system_error& error) {
        thrown = error.code();
    }
    EXPECT_EQ(thrown, errc::sq_thread_dead);
    EXPECT_EQ(read.results, std::vector{dead});
    call late{[] {}};
    EXPECT_FALSE(loop.post(late)); // it has ended
}

/// Whatever the loop is at when the next call fails: it comes to its end, and every operation, too.
TEST_F(dead_submission_thread, L21_the_loop_ends_wherever_it_is) {
    for (int calls = 0; calls < 40; ++calls) {
        empty_pipe quiet, full;
        std::array<char, 2> bytes{};
        full.write();
        scheduler_options small = with_submission_thread();
        small.queue_depth = 4;
        scheduler loop{small};
        std::deque<sample_operation> operations(30);
        operations.push_back(read_of(quiet, bytes[0]));
        operations.push_back(read_of(full, bytes[1]));
        int runs = 0;
        call item{[&] { ++runs; }};
        coronet::testing::alarm enough{[&] { loop.stop(); }};
        loop.run_once(time_point::min());
        loop.arm(enough, 3ms);
        faulty_ring::answer_after(calls, EOWNERDEAD);
        for (auto& each : operations)
            loop.start(each);
        ASSERT_TRUE(loop.post(item));
        std::error_code thrown;
        try {
            loop.run();
        } catch (const std::system_error& error) {
            thrown = error.code();
        }
        loop.disarm(enough);
        EXPECT_EQ(thrown, loop.failure());
        EXPECT_EQ(runs, 1);
        for (const auto& each : operations) {
            ASSERT_EQ(each.ended_count, 1) << calls;
            const int res = *each.end();
            ASSERT_TRUE(res >= 0 || res == dead || res == -ECANCELED) << res;
        }
        faulty_ring::answer_truly();
    }
}

/// Keeps a loop from ending until messages from another thread have come, one after the other.
class slow_guest final : public coronet::resident {
public:
    explicit slow_guest(scheduler& home) : home_(home) { home.admit(*this); }
    ~slow_guest() { sender_.join(); }
    void cancel_all() noexcept override {
        if (!sender_.joinable()) sender_ = std::thread{[this] { send(); }};
    }
    std::vector<coronet::duration> delays; // of each message

private:
    void send() {
        for (int message = 0; message < 5; ++message) {
            // Longer than it takes until the loop looks every 100 ms only, if nobody wakes it.
            std::this_thread::sleep_for(230ms + message * 17ms);
            sent_ = clock::now();
            arrived_ = false;
            EXPECT_TRUE(home_.post_internal(arrival_));
            arrived_.wait(false);
        }
        EXPECT_TRUE(home_.post_internal(departure_));
    }

    scheduler& home_;
    time_point sent_;
    std::atomic<bool> arrived_{false};
    call arrival_{[this] {
        delays.push_back(clock::now() - sent_);
        arrived_ = true;
        arrived_.notify_one();
    }};
    call departure_{[this] { home_.dismiss(*this); }};
    std::thread sender_;
};

TEST_F(dead_submission_thread, L21_the_loop_still_waits_and_is_woken) {
    scheduler loop{with_submission_thread()};
    slow_guest guest{loop};
    die(loop);
    const auto turns = loop.stats().turns;
    loop.shutdown();
    EXPECT_LE(loop.stats().turns - turns, 150U); // it waits, and does not turn in circles
    ASSERT_EQ(guest.delays.size(), 5U);
    std::ranges::sort(guest.delays);
    EXPECT_LT(guest.delays[2], 15ms); // most of them, whatever else this machine does
}

TEST_F(dead_submission_thread, L21_a_runtime_goes_on_with_its_other_schedulers) {
    coronet::runtime_options options;
    options.threads = 2;
    options.scheduler = with_submission_thread();
    coronet::runtime threads{options};
    on(threads.at(0), [] { faulty_ring::answer_after(0, EOWNERDEAD); });
    ASSERT_TRUE(wait_until([&] { return threads.at(0).stop_requested(); }));
    on(threads.at(1), [&] { EXPECT_FALSE(threads.at(1).stop_requested()); });
    threads.stop();
    std::error_code thrown;
    try {
        static_cast<void>(threads.join());
    } catch (const std::system_error& error) {
        thrown = error.code();
    }
    EXPECT_EQ(thrown, errc::sq_thread_dead);
    EXPECT_EQ(threads.at(0).failure(), errc::sq_thread_dead);
    EXPECT_FALSE(threads.at(1).failure());
}

#ifdef CORONET_HOOKS
/// Posts to a scheduler that sleeps, from the loop of one that dies before or afterwards.
void post_from_the_dying(bool dead_before) {
    scheduler other, dying{with_submission_thread()};
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    call poster{[&] { EXPECT_TRUE(other.post(item)); }};
    script play;
    auto& asleep = play.hold(point::asleep, &other);
    running thread{other};
    asleep.wait();
    dying.run_once(time_point::min());
    if (dead_before) die(dying);
    faulty_ring::answer_after(0, EOWNERDEAD);
    dying.ready(poster);
    dying.run_once(time_point::min());
    asleep.release();
    EXPECT_TRUE(wait_until([&] { return ran.load(); }));
    run_until(dying, [&] { return dying.stop_requested(); });
    dying.shutdown();
    faulty_ring::answer_truly();
}

/// The message that was to wake another stays in the dead ring: the other is woken otherwise.
TEST_F(dead_submission_thread, L21_wake_ups_for_others_are_not_lost) {
    for (int round = 0; round < 20; ++round) {
        post_from_the_dying(false);
        post_from_the_dying(true);
    }
}
#endif

// ---- coroutines ----

struct story {
    std::error_code read, closed, slept;
    bool told = false;
};

task<void> read_and_close(coronet::unique_fd* source, story* seen) {
    faulty_ring::answer_after(0, EOWNERDEAD);
    std::array<std::byte, 16> room{};
    const auto got = co_await coronet::async::read(source->get(), room);
    seen->read = got.error();
    const auto closed = co_await coronet::async::close(std::move(*source));
    seen->closed = closed.error();
    const auto slept = co_await coronet::sleep_for(1h);
    seen->slept = slept.error();
    seen->told = true;
}

TEST_F(dead_submission_thread, L21_frames_are_resumed_and_a_close_closes) {
    empty_pipe quiet;
    const int fd = quiet.out.get();
    story seen;
    coronet::run_options options;
    options.scheduler = with_submission_thread();
    std::error_code thrown;
    try {
        coronet::run(read_and_close(&quiet.out, &seen), options);
    } catch (const std::system_error& error) {
        thrown = error.code();
    }
    EXPECT_EQ(thrown, errc::sq_thread_dead);
    EXPECT_TRUE(seen.told);
    EXPECT_EQ(seen.read, errc::sq_thread_dead);
    EXPECT_FALSE(seen.closed) << seen.closed.message();
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
    EXPECT_EQ(seen.slept, std::errc::operation_canceled);
}

// ---- groups ----

scheduler_options member_of(std::shared_ptr<sq_group> group) {
    scheduler_options options = with_submission_thread();
    options.sqpoll->group = std::move(group);
    return options;
}

TEST_F(dead_submission_thread, L19_a_group_makes_a_new_one_for_a_new_member_once) {
    const auto group = std::make_shared<sq_group>();
    const auto first = group->anchor();
    faulty_ring::refused_attachments = 1;
    faulty_ring::unattached_rings = 0;
    scheduler member{member_of(group)};
    EXPECT_TRUE(member.shares_submission_thread());
    EXPECT_EQ(faulty_ring::unattached_rings, 1); // the new anchor
    EXPECT_NE(group->anchor(), first);
    const scheduler second{member_of(group)};
    EXPECT_TRUE(second.shares_submission_thread());
    EXPECT_EQ(faulty_ring::unattached_rings, 1);
    sample_operation nop;
    member.start(nop);
    run_until(member, [&] { return nop.ended(); });
}

TEST_F(dead_submission_thread, L19_a_member_is_refused_when_the_new_one_is_dead_as_well) {
    const auto group = std::make_shared<sq_group>();
    faulty_ring::refused_attachments = 2;
    faulty_ring::unattached_rings = 0;
    try {
        const scheduler member{member_of(group)};
        ADD_FAILURE() << "it was not refused";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_device_or_address);
    }
    EXPECT_EQ(faulty_ring::unattached_rings, 1);
    EXPECT_EQ(faulty_ring::refused_attachments, 0);
}

} // namespace

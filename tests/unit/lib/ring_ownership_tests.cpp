// SPDX-License-Identifier: BSL-1.0
//
// A ring belongs to one thread, its descriptor to whoever has a message under way to it, and its
// completion queue may be too small for what is cancelled at once.
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#ifdef CORONET_HOOKS
#include "support/script.hpp"
#endif

namespace ring_ownership_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

// ---- messages ----

#ifdef CORONET_HOOKS
/// Descriptors of rings that this process has.
std::vector<std::string> open_rings() {
    std::vector<std::string> found;
    for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone; // the iterator's own
        if (std::filesystem::read_symlink(each, gone).string().find("io_uring") !=
            std::string::npos)
            found.push_back(each.path().filename());
    }
    std::ranges::sort(found);
    return found;
}

/// How many completions the ring has ever had; -1: it is none.
int completions_of(const std::string& fd) {
    std::ifstream info{"/proc/self/fdinfo/" + fd};
    int count = -1;
    for (std::string word; info >> word;)
        if (word == "CqTail:") info >> count;
    return count;
}

/// A message is written, its target ends, others are made: its number must not mean one of them.
TEST(ring_ownership, C14_the_descriptor_of_a_ring_outlives_a_message_to_it) {
    scheduler sender;
    sender.run_once(time_point::min());
    auto target = std::make_unique<scheduler>();
    const auto both = open_rings();
    ASSERT_EQ(both.size(), 2U);
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    std::optional<scheduler> heir;
    call poster{[&] {
        // Inside a turn: the message is in the sender's queue, and the kernel has not seen it.
        {
            coronet::test::script play;
            auto& asleep = play.hold(coronet::test::point::asleep, target.get());
            running thread{*target};
            asleep.wait();
            ASSERT_TRUE(target->post(item));
            asleep.release();
            target->stop(); // wakes it otherwise
        }
        target.reset();
        EXPECT_TRUE(ran);
        EXPECT_EQ(open_rings(), both); // still there
        heir.emplace();
        EXPECT_EQ(open_rings().size(), 3U);
        heir->run_once(time_point::min());
    }};
    sender.ready(poster);
    sender.run_once(time_point::min());
    // The answer to the message is what the descriptor waited for.
    run_until(sender, [&] { return open_rings().size() == 2; });
    heir->run_once(time_point::min());
    const auto left = open_rings();
    const std::string& newest = left.front() == both.front() ? left.back() : left.front();
    EXPECT_EQ(completions_of(newest), 0); // no message meant it
}
#endif

// ---- threads ----

#ifdef CORONET_HOOKS
void touch_from_another_thread(scheduler& loop) {
    loop.run_once(time_point::min());
    std::thread{[&] {
        sample_operation foreign;
        loop.start(foreign);
    }}.join();
}

TEST(ring_ownership, C15_a_foreign_thread_that_touches_a_ring_aborts) {
    const auto by_operation = [](bool sqpoll) {
        scheduler_options options;
        if (sqpoll) options.sqpoll.emplace();
        scheduler loop{options};
        touch_from_another_thread(loop);
    };
    EXPECT_DEATH(by_operation(false), "a thread that does not own it");
    EXPECT_DEATH(by_operation(true), "a thread that does not own it");
}

TEST(ring_ownership, C15_a_ring_whose_owner_moves_is_left_to_its_user) {
    scheduler_options options;
    options.movable_owner = true;
    scheduler loop{options};
    sample_operation first;
    loop.start(first);
    run_until(loop, [&] { return first.ended(); });
    std::thread{[&] {
        sample_operation second;
        loop.start(second);
        run_until(loop, [&] { return second.ended(); });
    }}.join();
}
#endif

// ---- a small completion queue ----

void cancel_200_with_room_for_16(scheduler_options options) {
    constexpr std::size_t count = 200;
    options.queue_depth = 2; // and so 16 completions
    std::deque<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    scheduler loop{options};
    for (std::size_t i = 0; i < count; ++i)
        loop.start(reads.emplace_back(read_of(pipes[i], bytes[i])));
    for (int turn = 0; turn < 5; ++turn)
        loop.run_once(coronet::clock::now() + 5ms);
    for (auto& each : reads)
        each.cancel();
    run_until(loop, [&] {
        return std::ranges::all_of(reads, [](const auto& each) { return each.ended(); });
    });
    for (const auto& each : reads)
        ASSERT_EQ(each.results, std::vector{-ECANCELED});
    EXPECT_EQ(loop.in_flight_count(), 0U);
}

TEST(ring_ownership, C16_200_cancellations_come_through_16_completions) {
    cancel_200_with_room_for_16({});
}
TEST(ring_ownership, C16_so_they_do_with_a_submission_thread) {
    scheduler_options options;
    options.sqpoll.emplace().idle = 1ms;
    cancel_200_with_room_for_16(options);
}
TEST(ring_ownership, C16_so_they_do_when_the_scheduler_ends) {
    constexpr std::size_t count = 200;
    scheduler_options options;
    options.queue_depth = 2;
    std::deque<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    scheduler loop{options};
    for (std::size_t i = 0; i < count; ++i)
        loop.start(reads.emplace_back(read_of(pipes[i], bytes[i])));
    loop.run_once(time_point::min());
    loop.shutdown();
    for (const auto& each : reads)
        ASSERT_EQ(each.results, std::vector{-ECANCELED});
}

// ---- cancel and stop at once ----

#ifdef CORONET_HOOKS
/// X7: the cancel request has left, its answers have not been looked at, and the stop comes.
TEST(ring_ownership, X7_a_stop_between_a_cancel_and_its_completion_loses_nothing) {
    for (const bool sqpoll : {true, false}) {
        scheduler_options options;
        if (sqpoll) options.sqpoll.emplace().idle = 1ms;
        empty_pipe quiet;
        char byte = 0;
        scheduler loop{options};
        sample_operation read = read_of(quiet, byte);
        call cancel{[&] { read.cancel(); }};
        coronet::test::script play;
        std::thread owner{[&] { loop.run(); }};
        on(loop, [&] { loop.start(read); });
        auto& asked = play.hold(coronet::test::point::before_cancel_sqe, &read);
        ASSERT_TRUE(loop.post(cancel)); // B
        asked.wait();
        auto& sent = play.hold(coronet::test::point::entered, &loop);
        asked.release();
        sent.wait(); // the request has been submitted, and nothing has been reaped
        std::thread stopper{[&] { loop.stop(); }}; // C
        stopper.join();
        sent.release();
        owner.join(); // by that one stop
        EXPECT_EQ(read.results, std::vector{-ECANCELED});
        EXPECT_EQ(loop.in_flight_count(), 0U);
    }
}
#endif

} // namespace
} // namespace ring_ownership_tests

// SPDX-License-Identifier: BSL-1.0
//
// The scheduler on the kernel's ring: wake-ups, stops, full queues and ends that only a real kernel
// shows.
#include "call.hpp"
#include "kernel_filter.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using coronet::clock;
using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sqpoll_options;
using coronet::time_point;
using coronet::unique_fd;
using coronet::work;
using coronet::testing::alarm;
using coronet::testing::call;
using coronet::testing::make_kernel_answer;
using coronet::testing::patience;
using coronet::testing::run_until;
using coronet::testing::sample_operation;
using coronet::testing::wait_until;

struct empty_pipe {
    empty_pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) == 0) {
            out.reset(ends[0]);
            in.reset(ends[1]);
        }
    }
    void write() const { EXPECT_EQ(::write(in.get(), "x", 1), 1); }
    unique_fd out, in;
};

sample_operation read_of(const empty_pipe& source, char& byte) {
    return sample_operation{
        [fd = source.out.get(), &byte](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, fd, &byte, 1, 0);
        },
        operation::subject{source.out.get()}};
}

/// A loop on a thread of its own, until the end of the scope.
class running {
public:
    explicit running(scheduler& loop) : loop_(loop), thread_([this] { loop_.run(); }) {}
    ~running() { stop(); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void stop() {
        loop_.stop();
        if (thread_.joinable()) thread_.join();
    }
    pthread_t handle() { return thread_.native_handle(); }

private:
    scheduler& loop_;
    std::thread thread_;
};

/// Runs `function` on the loop and waits for it.
void on(scheduler& loop, std::function<void()> function) {
    std::promise<void> done;
    call item{[&] {
        function();
        done.set_value();
    }};
    ASSERT_TRUE(loop.post(item));
    ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
}

// ---- posting and waking ----

void post_from_threads(scheduler& loop) {
    constexpr int threads = 4, items_each = 5'000;
    std::atomic<int> runs{0};
    std::vector<std::deque<call>> items(threads);
    for (auto& mine : items)
        for (int i = 0; i < items_each; ++i)
            mine.emplace_back([&runs] { runs.fetch_add(1, std::memory_order_relaxed); });
    {
        running thread{loop};
        std::vector<std::thread> posters;
        for (auto& mine : items)
            posters.emplace_back([&] {
                for (call& each : mine)
                    EXPECT_TRUE(loop.post(each));
            });
        for (auto& each : posters)
            each.join();
        EXPECT_TRUE(wait_until([&] { return runs.load() == threads * items_each; }));
    }
    EXPECT_EQ(runs.load(), threads * items_each);
}

TEST(scheduler_on_a_ring, runs_each_posted_item_once) {
    scheduler loop;
    post_from_threads(loop);
}

TEST(scheduler_on_a_ring, is_woken_for_each_item_when_it_sleeps_in_between) {
    scheduler loop;
    running thread{loop};
    for (int round = 0; round < 2'000; ++round)
        on(loop, [] {});
}

/// Where the kernel knows no messages, the eventfd does it.
TEST(scheduler_on_a_ring, is_woken_by_an_eventfd_where_the_kernel_knows_no_messages) {
    const auto rounds = [] {
        constexpr std::uint32_t send_msg_ring = 31;
        if (!make_kernel_answer(SYS_io_uring_register, EINVAL, send_msg_ring)) ::_exit(2);
        scheduler loop;
        running thread{loop};
        for (int round = 0; round < 500; ++round)
            on(loop, [] {});
        thread.stop();
        ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    };
    EXPECT_EXIT(rounds(), ::testing::ExitedWithCode(0), "");
}

TEST(scheduler_on_a_ring, plays_ping_pong_with_another) {
    constexpr int exchanges = 10'000;
    scheduler a, b;
    std::promise<void> over;
    int count = 0;
    std::unique_ptr<call> ping, pong;
    ping = std::make_unique<call>([&] {
        if (++count == exchanges)
            over.set_value();
        else
            EXPECT_TRUE(b.post(*pong));
    });
    pong = std::make_unique<call>([&] { EXPECT_TRUE(a.post(*ping)); });
    running thread_a{a}, thread_b{b};
    ASSERT_TRUE(a.post(*ping));
    ASSERT_EQ(over.get_future().wait_for(patience), std::future_status::ready);
    thread_a.stop();
    thread_b.stop();
}

// An embedder may not run its next turn for a long time: what the last one posted has left by then.
TEST(scheduler_on_a_ring, wakes_another_before_run_once_returns) {
    scheduler embedded, other;
    running thread{other};
    for (int round = 0; round < 200; ++round) {
        std::promise<void> ran;
        call arrived{[&] { ran.set_value(); }};
        call poster{[&] { EXPECT_TRUE(other.post(arrived)); }};
        embedded.ready(poster);
        embedded.run_once(time_point::min());
        ASSERT_EQ(ran.get_future().wait_for(patience), std::future_status::ready);
    }
}

TEST(scheduler_on_a_ring, returns_from_run_once_when_it_is_woken) {
    scheduler loop;
    for (int round = 0; round < 200; ++round) {
        const time_point begin = clock::now();
        std::thread other{[&] { loop.wake(); }};
        loop.run_once(begin + patience);
        other.join();
        ASSERT_LT(clock::now() - begin, patience / 2);
        loop.run_once(time_point::min()); // the wake-up may have come twice
    }
}

TEST(scheduler_on_a_ring, returns_from_run_once_at_the_deadline_and_not_before) {
    scheduler loop;
    empty_pipe quiet;
    char byte;
    sample_operation op = read_of(quiet, byte);
    loop.start(op);
    const time_point deadline = clock::now() + 50ms;
    while (clock::now() < deadline) // an early return is allowed, but not as a rule
        loop.run_once(deadline);
    EXPECT_LE(loop.stats().turns, 5U);
    EXPECT_FALSE(op.ended());
    op.cancel();
    run_until(loop, [&] { return op.ended(); });
}

TEST(scheduler_on_a_ring, calls_timers_in_order_and_never_early) {
    scheduler loop;
    std::vector<int> order;
    const time_point begin = clock::now();
    const auto note = [&](int n) {
        return [&order, begin, n] {
            order.push_back(n);
            EXPECT_GE(clock::now() - begin, 10ms * n);
        };
    };
    alarm third{note(3)}, first{note(1)}, second{note(2)};
    loop.arm(third, 30ms);
    loop.arm(first, 10ms);
    loop.arm(second, 20ms);
    run_until(loop, [&] { return order.size() == 3; });
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

// ---- stopping ----

TEST(scheduler_on_a_ring, is_stopped_from_another_thread_while_it_sleeps) {
    for (int round = 0; round < 100; ++round) {
        scheduler loop;
        running thread{loop}; // whose end stops it, anywhere between start and sleep
        if (round % 2 == 0) on(loop, [] {});
    }
}

TEST(scheduler_on_a_ring, is_stopped_from_inside) {
    scheduler loop;
    std::thread thread{[&] { loop.run(); }};
    on(loop, [&] { loop.stop(); });
    thread.join();
}

std::atomic<scheduler*> stopped_by_signal{nullptr};
void stop_it(int) {
    const int kept = errno;
    stopped_by_signal.load()->stop();
    errno = kept;
}

TEST(scheduler_on_a_ring, is_stopped_from_a_signal_handler_on_its_own_thread) {
    struct sigaction action {};
    action.sa_handler = &stop_it;
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    for (int round = 0; round < 100; ++round) {
        scheduler loop;
        stopped_by_signal = &loop;
        std::thread thread{[&] { loop.run(); }};
        if (round % 2 == 0) on(loop, [] {}); // asleep, or on its way to
        ::pthread_kill(thread.native_handle(), SIGUSR1);
        thread.join();
    }
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST(scheduler_on_a_ring, refuses_items_once_it_has_ended_and_runs_all_others) {
    for (int round = 0; round < 50; ++round) {
        scheduler loop;
        std::atomic<int> runs{0}, accepted{0};
        std::deque<call> items;
        for (int i = 0; i < 2'000; ++i)
            items.emplace_back([&] { runs.fetch_add(1); });
        std::thread poster;
        {
            running thread{loop};
            poster = std::thread{[&] {
                for (call& each : items)
                    if (loop.post(each)) accepted.fetch_add(1);
            }};
            EXPECT_TRUE(wait_until([&] { return runs.load() > round * 10; }));
        }
        poster.join();
        ASSERT_EQ(runs.load(), accepted.load());
        ASSERT_FALSE(loop.post(items.front()));
    }
}

TEST(scheduler_on_a_ring, ends_what_waits_in_the_kernel_before_it_ends) {
    constexpr int count = 200;
    std::vector<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    for (std::size_t i = 0; i < count; ++i)
        reads.push_back(read_of(pipes[i], bytes[i]));
    scheduler loop;
    for (auto& each : reads)
        loop.start(each);
    loop.run_once(time_point::min());
    pipes[3].write(); // one of them may still succeed
    loop.shutdown();
    EXPECT_EQ(loop.in_flight_count(), 0U);
    for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(reads[i].ended_count, 1);
        ASSERT_TRUE(i == 3 || reads[i].end() == -ECANCELED) << i;
    }
}

/// A splice from an empty pipe blocks a kernel worker, which answers with a raw restart request.
void cancel_what_blocks_a_worker(const scheduler_options& options) {
    empty_pipe from, to;
    scheduler loop{options};
    sample_operation splice{[&](io_uring_sqe& sqe) {
        io_uring_prep_splice(&sqe, from.out.get(), -1, to.in.get(), -1, 1, 0);
    }};
    loop.start(splice);
    loop.run_once(clock::now() + 20ms); // perhaps it is in the worker by now; either is right
    splice.cancel();
    run_until(loop, [&] { return splice.ended(); });
    EXPECT_EQ(splice.results, (std::vector{-ECANCELED}));
}

TEST(scheduler_on_a_ring, cancels_what_blocks_a_kernel_worker) {
    cancel_what_blocks_a_worker({});
}
TEST(scheduler_on_a_ring, cancels_what_blocks_a_kernel_worker_of_a_submission_thread) {
    scheduler_options options;
    options.sqpoll = sqpoll_options{};
    cancel_what_blocks_a_worker(options);
}

std::ptrdiff_t entries_of(const char* folder);

TEST(scheduler_on_a_ring, leaves_no_descriptor_and_no_thread_behind_200_times) {
    const auto once = [] {
        empty_pipe quiet;
        char byte;
        sample_operation read = read_of(quiet, byte);
        scheduler loop;
        running thread{loop};
        on(loop, [&] { loop.start(read); });
        thread.stop();
        ASSERT_EQ(read.end(), -ECANCELED);
    };
    once(); // what is made once for good
    const auto descriptors = entries_of("/proc/self/fd");
    const auto threads = entries_of("/proc/self/task");
    for (int round = 0; round < 200; ++round)
        once();
    EXPECT_EQ(entries_of("/proc/self/fd"), descriptors);
    EXPECT_TRUE(wait_until([&] { return entries_of("/proc/self/task") <= threads; }));
}

// ---- full queues ----

TEST(scheduler_on_a_ring, completes_10000_operations_started_in_one_turn_with_8_slots) {
    scheduler_options options;
    options.queue_depth = 8; // and 64 completions: they overflow
    scheduler loop{options};
    std::deque<sample_operation> nops(10'000);
    std::size_t ended = 0;
    call start_all{[&] {
        for (auto& each : nops) {
            each.at_end = [&] { ++ended; };
            loop.start(each);
        }
    }};
    loop.ready(start_all);
    run_until(loop, [&] { return ended == nops.size(); });
    for (const auto& each : nops)
        ASSERT_EQ(each.results, (std::vector{0}));
    EXPECT_EQ(loop.in_flight_count(), 0U);
}

TEST(scheduler_on_a_ring, loses_no_completion_and_no_cancel_when_completions_overflow) {
    constexpr std::size_t count = 400;
    scheduler_options options;
    options.queue_depth = 8;
    scheduler loop{options};
    std::vector<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    std::size_t ended = 0;
    for (std::size_t i = 0; i < count; ++i) {
        reads.push_back(read_of(pipes[i], bytes[i]));
        reads.back().at_end = [&] { ++ended; };
        loop.start(reads.back());
    }
    for (int turn = 0; turn < 100; ++turn)
        loop.run_once(time_point::min());
    EXPECT_EQ(ended, 0U);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 2 == 0)
            reads[i].cancel();
        else
            pipes[i].write();
    }
    run_until(loop, [&] { return ended == count; });
    for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(reads[i].results, (std::vector{i % 2 == 0 ? -ECANCELED : 1})) << i;
}

// ---- fairness ----

/// How long a timer, a posted item and a completion wait at most while 1000 items requeue
/// themselves.
coronet::duration slowest_service() {
    scheduler loop;
    bool over = false;
    std::deque<call> busy;
    for (std::size_t i = 0; i < 1000; ++i)
        loop.ready(busy.emplace_back([&, i] {
            if (!over) loop.ready(busy[i]);
        }));
    for (int turn = 0; turn < 50; ++turn)
        loop.run_once(time_point::min());

    const time_point begin = clock::now();
    coronet::duration slowest{};
    int served = 0;
    const auto note = [&] {
        slowest = std::max(slowest, clock::now() - begin);
        ++served;
    };
    empty_pipe source;
    char byte;
    sample_operation read = read_of(source, byte);
    read.at_end = note;
    loop.start(read);
    alarm timer{note};
    loop.arm(timer, 1ms);
    call posted{note};
    std::thread other{[&] {
        source.write();
        EXPECT_TRUE(loop.post(posted));
    }};
    run_until(loop, [&] { return served == 3; });
    other.join();
    over = true;
    while (loop.outstanding_work() != 0)
        loop.run_once(time_point::min());
    return slowest;
}

TEST(scheduler_on_a_ring, serves_timers_posts_and_completions_within_50_ms_however_busy_it_is) {
    // On a crowded machine one try may be late for reasons that are not ours.
    coronet::duration best = coronet::duration::max();
    for (int attempt = 0; attempt < 5 && best > 50ms; ++attempt)
        best = std::min(best, slowest_service());
    EXPECT_LE(best, 50ms);
}

// ---- ownership ----

TEST(scheduler_on_a_ring, is_handed_from_thread_to_thread_when_its_owner_may_move) {
    scheduler_options options;
    options.movable_owner = true;
    scheduler loop{options};
    empty_pipe source;
    char byte;
    sample_operation read = read_of(source, byte);
    int runs = 0;
    call item{[&] { ++runs; }};
    for (int round = 0; round < 20; ++round) {
        std::thread owner{[&] {
            if (round == 0) loop.start(read);
            ASSERT_TRUE(loop.post(item));
            run_until(loop, [&] { return runs == round + 1; });
        }};
        owner.join();
    }
    source.write(); // the thread that began the read is long gone
    run_until(loop, [&] { return read.ended(); });
    EXPECT_EQ(read.results, (std::vector{1}));
}

TEST(scheduler_on_a_ring, is_woken_after_it_was_handed_to_another_thread) {
    scheduler_options options;
    options.movable_owner = true;
    scheduler loop{options};
    std::thread{[&] { loop.run_once(time_point::min()); }}.join();
    for (int round = 0; round < 20; ++round) {
        const time_point begin = clock::now();
        std::thread other{[&] { loop.wake(); }};
        loop.run_once(begin + patience);
        other.join();
        ASSERT_LT(clock::now() - begin, patience / 2);
        loop.run_once(time_point::min());
    }
}

// ---- a submission thread ----

void exercise(scheduler& loop) {
    running thread{loop};
    empty_pipe source;
    char byte = 0;
    for (int round = 0; round < 50; ++round) {
        std::promise<void> ended;
        sample_operation read = read_of(source, byte);
        read.at_end = [&] { ended.set_value(); };
        on(loop, [&] { loop.start(read); });
        source.write();
        ASSERT_EQ(ended.get_future().wait_for(patience), std::future_status::ready);
        ASSERT_EQ(read.end(), 1);
    }
}

scheduler_options with_submission_thread(scheduler* shared = nullptr) {
    scheduler_options options;
    options.sqpoll = sqpoll_options{1ms, -1, shared};
    return options;
}

TEST(scheduler_on_a_ring, works_with_a_submission_thread) {
    scheduler loop{with_submission_thread()};
    exercise(loop);
}

TEST(scheduler_on_a_ring, wakes_a_submission_thread_that_has_fallen_asleep) {
    scheduler loop{with_submission_thread()};
    for (int round = 0; round < 30; ++round) {
        const time_point pause_end = clock::now() + 5ms; // five times its idle time
        while (clock::now() < pause_end)
            loop.run_once(pause_end);
        sample_operation nop;
        loop.start(nop);
        run_until(loop, [&] { return nop.ended(); });
        ASSERT_TRUE(nop.ended());
    }
}

TEST(scheduler_on_a_ring, shares_a_submission_thread) {
    scheduler first{with_submission_thread()};
    scheduler second{with_submission_thread(&first)};
    exercise(second);
    exercise(first); // the end of the other has not disturbed it
}

TEST(scheduler_on_a_ring, cannot_share_the_submission_thread_of_one_that_has_ended) {
    scheduler first{with_submission_thread()};
    first.shutdown();
    EXPECT_THROW(scheduler{with_submission_thread(&first)}, std::system_error);
}

TEST(scheduler_on_a_ring, runs_posted_items_with_a_submission_thread) {
    scheduler loop{with_submission_thread()};
    post_from_threads(loop);
}

TEST(scheduler_on_a_ring, fills_the_queue_of_a_submission_thread_without_losing_anything) {
    scheduler_options options = with_submission_thread();
    options.queue_depth = 8;
    scheduler loop{options};
    std::deque<sample_operation> nops(2'000);
    std::size_t ended = 0;
    for (auto& each : nops) {
        each.at_end = [&] { ++ended; };
        loop.start(each);
    }
    run_until(loop, [&] { return ended == nops.size(); });
}

std::ptrdiff_t entries_of(const char* folder) {
    const std::filesystem::directory_iterator entries{folder};
    return std::distance(begin(entries), end(entries));
}

} // namespace

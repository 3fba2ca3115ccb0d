// SPDX-License-Identifier: BSL-1.0
//
// Submission threads: what they are told, who shares one, and that a member which leaves disturbs
// nobody.
#include "ring.hpp"
#include "ring_loop.hpp"
#include "submission_threads.hpp"
#include "support/rounds.hpp"
#include "support/watchdog.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/sq_group.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sq_group_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::duration;
using coronet::ring;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sq_group;
using coronet::sq_group_options;
using coronet::sqpoll_options;
using coronet::time_point;
using coronet::test::watchdog;

using group_handle = std::shared_ptr<sq_group>;
using milliseconds = std::chrono::milliseconds;

group_handle make_group(milliseconds idle = 1ms, int cpu = -1) {
    return std::make_shared<sq_group>(sq_group_options{idle, cpu});
}
scheduler_options member_of(group_handle group, milliseconds idle = 0ms) {
    scheduler_options options;
    options.queue_depth = 64;
    options.sqpoll = sqpoll_options{idle, -1, std::move(group)};
    return options;
}
scheduler_options alone(milliseconds idle, int cpu = -1) {
    scheduler_options options;
    options.queue_depth = 64;
    options.sqpoll = sqpoll_options{idle, cpu, nullptr};
    return options;
}

std::string text_of_refusal(const scheduler_options& options) {
    try {
        const scheduler refused{options};
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::invalid_argument);
        return error.what();
    }
    return "it was not refused";
}

void nop_completes(scheduler& loop) {
    sample_operation nop;
    loop.start(nop);
    run_until(loop, [&] { return nop.ended(); });
    ASSERT_EQ(nop.end(), 0);
}

// ---- options ----

/// How long the only submission thread of this process stays awake after an operation.
duration awake_after_work(scheduler& loop) {
    nop_completes(loop);
    const auto threads = submission_threads();
    EXPECT_EQ(threads.size(), 1U);
    return threads.empty() ? duration{} : awake_for(threads.front());
}

TEST(submission_thread, L18_sleeps_after_its_idle_time) {
    {
        scheduler quick{alone(1ms)};
        EXPECT_LT(awake_after_work(quick), 700ms); // the kernel's own time is a second
    }
    ASSERT_TRUE(submission_threads_become(0));
    scheduler patient{alone(400ms)};
    EXPECT_GE(awake_after_work(patient), 350ms); // it counts in ticks
}

TEST(submission_thread, L18_sleeps_after_a_second_by_default) {
    scheduler by_default{alone(0ms)};
    EXPECT_GE(awake_after_work(by_default), 950ms);
}

std::vector<std::size_t> cpus_of(int thread) {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(thread, sizeof set, &set), 0);
    std::vector<std::size_t> cpus;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

TEST(submission_thread, L18_stays_on_its_cpu) {
    const auto usable = cpus_of(0);
    if (usable.size() < 2) GTEST_SKIP() << "with one CPU it is there anyway";
    for (const std::size_t cpu : usable) {
        ASSERT_TRUE(submission_threads_become(0));
        const ring bound{alone(1ms, static_cast<int>(cpu)), nullptr};
        const auto group = make_group(1ms, static_cast<int>(cpu));
        ASSERT_TRUE(submission_threads_become(2));
        for (const int each : submission_threads())
            EXPECT_TRUE(wait_until([&] { return cpus_of(each) == std::vector{cpu}; }));
    }
}

TEST(submission_thread, L18_is_refused_on_a_cpu_that_is_not_there) {
    const std::string absent = "CPU " + std::to_string(CPU_SETSIZE - 1);
    const std::string text = text_of_refusal(alone(1ms, CPU_SETSIZE - 1));
    EXPECT_NE(text.find(absent), std::string::npos) << text;
    try {
        make_group(1ms, CPU_SETSIZE - 1);
        FAIL() << "a group on an absent CPU";
    } catch (const std::system_error& error) {
        EXPECT_NE(std::string(error.what()).find(absent), std::string::npos) << error.what();
    }
    EXPECT_TRUE(submission_threads_become(0));
}

TEST(submission_thread, L18_refuses_an_idle_time_that_is_none) {
    EXPECT_NE(text_of_refusal(alone(-1ms)).find("idle"), std::string::npos);
    EXPECT_NE(text_of_refusal(alone(100h)).find("idle"), std::string::npos);
    EXPECT_THROW(make_group(-1ms), std::system_error);
}

TEST(sq_group, L18_leaves_the_cpu_to_the_group) {
    scheduler_options options = member_of(make_group());
    options.sqpoll->cpu = 0;
    EXPECT_NE(text_of_refusal(options).find("group"), std::string::npos);
}

// ---- waking it ----

/// Entries are submitted after a pause that is now shorter, now longer than its idle time.
TEST(submission_thread, L17_leaves_no_entry_lying_after_10000_random_pauses) {
    const int rounds = coronet::test::rounds(1'500, 10'000);
    scheduler loop{alone(1ms)};
    std::minstd_rand random{17};
    duration slowest{};
    int slow = 0;
    for (int round = 0; round < rounds; ++round) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 3'000});
        sample_operation nop;
        const time_point begin = clock::now();
        loop.start(nop);
        while (!nop.ended() && clock::now() - begin < 5s)
            loop.run_once(begin + 5s); // no second look repairs what the first has missed
        const duration took = clock::now() - begin;
        slowest = std::max(slowest, took);
        if (took > 100ms) ++slow;
        ASSERT_EQ(nop.end(), 0);
    }
    // A wake-up that is lost lasts all the 5 s. A machine that is busy with something else may be
    // late, too, but not often.
    EXPECT_LE(slow, rounds / 500);
    EXPECT_LT(slowest, 2s);
}

// ---- sharing ----

TEST(sq_group, L19_gives_its_members_one_thread) {
    ASSERT_TRUE(submission_threads_become(0));
    {
        const auto group = make_group();
        scheduler first{member_of(group)}, second{member_of(group)}, third{member_of(group)};
        for (scheduler* each : {&first, &second, &third}) {
            EXPECT_TRUE(each->shares_submission_thread());
            nop_completes(*each);
        }
        EXPECT_EQ(submission_threads().size(), 1U);
        const scheduler other{alone(1ms)};
        EXPECT_FALSE(other.shares_submission_thread());
        EXPECT_TRUE(submission_threads_become(2));
    }
    EXPECT_TRUE(submission_threads_become(0));
}

TEST(sq_group, L19_lets_members_come_and_go_in_any_order) {
    const auto group = make_group();
    std::deque<std::optional<scheduler>> members(4);
    std::minstd_rand random{19};
    for (int step = 0; step < 100; ++step) {
        auto& one = members[random() % members.size()];
        if (one)
            one.reset();
        else
            one.emplace(member_of(group));
        for (auto& each : members) {
            if (!each) continue;
            EXPECT_TRUE(each->shares_submission_thread());
            nop_completes(*each);
        }
        ASSERT_EQ(submission_threads().size(), 1U);
    }
}

TEST(sq_group, L19_lives_as_long_as_a_member) {
    auto group = make_group();
    scheduler last{member_of(group)};
    group.reset();
    nop_completes(last);
    EXPECT_EQ(submission_threads().size(), 1U);
    last.shutdown();
    EXPECT_TRUE(last.shares_submission_thread()); // what was
}

TEST(sq_group, L19_takes_members_on_several_threads_at_once) {
    const watchdog limit{[] { return std::string("members are being made"); }, 60s};
    const auto group = make_group();
    std::atomic<int> sharing{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                scheduler member{member_of(group)};
                nop_completes(member);
                if (member.shares_submission_thread()) ++sharing;
            }
        });
    for (auto& each : threads)
        each.join();
    EXPECT_EQ(sharing, 80);
    EXPECT_EQ(submission_threads().size(), 1U);
}

TEST(sq_group, L19_stays_awake_as_long_as_the_most_patient_of_all) {
    const auto group = make_group(1ms);
    scheduler brief{member_of(group)}; // the group's own time, and not the kernel's second
    EXPECT_LT(awake_after_work(brief), 700ms);
    const scheduler patient{member_of(group, 400ms)};
    EXPECT_GE(awake_after_work(brief), 350ms);
}

/// The kernel gives a forked child a thread of its own, and says nothing.
TEST(sq_group, L19_says_when_a_member_does_not_share) {
    const auto group = make_group();
    const auto attach_in_a_child = [&] {
        scheduler member{member_of(group)};
        sample_operation nop;
        member.start(nop);
        run_until(member, [&] { return nop.ended(); });
        ::_exit(member.shares_submission_thread() ? 1 : nop.end() == 0 ? 3 : 2);
    };
    EXPECT_EXIT(attach_in_a_child(), ::testing::ExitedWithCode(3), "");
}

// ---- leaving ----

/// A byte to and fro through the ring, again and again.
class traffic {
public:
    explicit traffic(scheduler& loop) : loop_(loop) {
        write_.at_end = [this] {
            if (write_.end() != 1) ++failures_;
            start_read();
        };
        read_.at_end = [this] { round_over(); };
    }
    /// Owner.
    void begin() {
        begun_ = clock::now();
        loop_.start(write_);
    }
    void end() { over_ = true; }

    std::atomic<int> rounds{0};
    std::atomic<bool> ended{false};
    /// Of more than 100 ms.
    [[nodiscard]] int pauses() const { return pauses_; }
    [[nodiscard]] int failures() const { return failures_; }

private:
    void start_read() { loop_.start(read_); }
    void round_over() {
        if (read_.end() != 1) ++failures_;
        if (clock::now() - begun_ > 100ms) ++pauses_;
        ++rounds;
        if (over_)
            ended = true;
        else
            begin();
    }

    scheduler& loop_;
    empty_pipe pipe_;
    char byte_ = 'x';
    std::atomic<bool> over_{false};
    time_point begun_;
    int pauses_ = 0;
    int failures_ = 0;
    sample_operation write_{
        [this](io_uring_sqe& sqe) { io_uring_prep_write(&sqe, pipe_.in.get(), &byte_, 1, 0); }};
    sample_operation read_{
        [this](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, pipe_.out.get(), &byte_, 1, 0); }};
};

/// Joins the group, has twenty reads in flight and leaves.
void visit(const group_handle& group, traffic& others) {
    std::vector<empty_pipe> pipes(20);
    std::vector<char> bytes(20);
    std::deque<sample_operation> reads;
    scheduler visitor{member_of(group)};
    for (std::size_t i = 0; i < pipes.size(); ++i)
        visitor.start(reads.emplace_back(read_of(pipes[i], bytes[i])));
    visitor.run_once(clock::now() + 1ms);
    const int seen = others.rounds;
    EXPECT_TRUE(wait_until([&] { return others.rounds > seen; })); // they do not wait for us
    visitor.shutdown();
    for (const auto& each : reads)
        EXPECT_EQ(each.results, std::vector{-ECANCELED});
}

TEST(sq_group, L20_a_member_that_leaves_disturbs_no_other) {
    const int visits = coronet::test::rounds(30, 300);
    const watchdog limit{[] { return std::string("members leave"); }, 50s};
    const auto group = make_group();
    scheduler staying{member_of(group)};
    empty_pipe quiet;
    char byte = 0;
    sample_operation undisturbed = read_of(quiet, byte);
    std::atomic<int> ends{0};
    undisturbed.at_end = [&] { ++ends; };
    traffic busy{staying};
    running thread{staying};
    on(staying, [&] {
        staying.start(undisturbed);
        busy.begin();
    });
    for (int each = 0; each < visits; ++each)
        visit(group, busy);
    busy.end();
    ASSERT_TRUE(wait_until([&] { return busy.ended.load(); }));
    EXPECT_EQ(ends, 0);
    quiet.write();
    EXPECT_TRUE(wait_until([&] { return ends == 1; }));
    thread.stop();
    EXPECT_EQ(undisturbed.results, std::vector{1});
    EXPECT_EQ(busy.failures(), 0);
    // What a leave did, each would do; now and then the machine is busy with something else.
    EXPECT_LE(busy.pauses(), visits / 10) << "pauses of more than 100 ms";
    EXPECT_EQ(staying.failure(), std::error_code{});
    RecordProperty("rounds", busy.rounds.load());
}

} // namespace
} // namespace sq_group_tests

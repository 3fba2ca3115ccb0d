// SPDX-License-Identifier: BSL-1.0
//
// Each operation ends exactly once: done or cancelled, never both, never neither. Each item runs or
// is refused. Whoever is woken while he ends, ends.
#include "call.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace scheduler_race_tests {
namespace {

using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;
using coronet::unique_fd;
using coronet::testing::call;
using coronet::testing::run_until;
using coronet::testing::sample_operation;
using coronet::testing::wait_until;

/// One pipe with a read on it that is started anew each time it has ended, a writer, and cancels.
class contested_pipe {
public:
    contested_pipe(scheduler& loop, std::atomic<int>& starts_left)
        : loop_(loop), starts_left_(starts_left) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        out_.reset(ends[0]);
        in_.reset(ends[1]);
        read_.at_end = [this] { ended(); };
    }

    void start() {
        if (starts_left_.fetch_sub(1) <= 0) return;
        ++started_;
        read_.results.clear();
        loop_.start(read_);
    }
    /// Owner.
    void cancel() { read_.cancel(); }
    /// Any thread, one at a time.
    void write() {
        if (::write(in_.get(), "x", 1) == 1) ++written_;
    }

    [[nodiscard]] bool idle() const { return read_.idle(); }
    void check() const {
        int left = 0;
        ::ioctl(out_.get(), FIONREAD, &left);
        EXPECT_EQ(done_ + cancelled_, started_);
        EXPECT_EQ(done_ + left, written_) << "a byte was lost or came twice";
        EXPECT_EQ(strange_, 0);
    }

private:
    void ended() {
        const int res = *read_.end();
        if (read_.results.size() != 1) ++strange_;
        if (res == 1)
            ++done_;
        else if (res == -ECANCELED)
            ++cancelled_;
        else
            ++strange_;
        start();
    }

    scheduler& loop_;
    std::atomic<int>& starts_left_;
    unique_fd out_, in_;
    char byte_ = 0;
    int started_ = 0, done_ = 0, cancelled_ = 0, strange_ = 0;
    int written_ = 0; // by the writer; read when it has gone
    sample_operation read_{
        [this](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, out_.get(), &byte_, 1, 0); }};
};

/// A thread that asks for cancels, one after the other, by post.
class canceller_thread {
public:
    canceller_thread(scheduler& loop, std::deque<contested_pipe>& pipes, unsigned seed)
        : thread_([this, &loop, &pipes, seed] {
              std::minstd_rand random{seed};
              while (!over_) {
                  target_ = &pipes[random() % pipes.size()];
                  pending_ = true;
                  if (!loop.post(request_)) break;
                  while (pending_.load())
                      std::this_thread::yield();
              }
          }) {}
    void join() {
        over_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> over_{false}, pending_{false};
    contested_pipe* target_ = nullptr;
    call request_{[this] {
        target_->cancel();
        pending_ = false;
    }};
    std::thread thread_;
};

void contest(const scheduler_options& options) {
    constexpr std::size_t pipe_count = 50;
    std::atomic<int> starts_left{10'000};
    scheduler loop{options};
    std::deque<contested_pipe> pipes;
    for (std::size_t i = 0; i < pipe_count; ++i)
        pipes.emplace_back(loop, starts_left).start();

    std::deque<canceller_thread> cancellers;
    for (unsigned seed = 1; seed <= 4; ++seed)
        cancellers.emplace_back(loop, pipes, seed);
    std::thread writer{[&] {
        std::minstd_rand random{9};
        while (starts_left > 0)
            pipes[random() % pipe_count].write();
    }};
    run_until(loop, [&] { return starts_left <= 0; });
    writer.join();
    for (auto& each : pipes)
        each.cancel();
    run_until(loop, [&] {
        return std::all_of(pipes.begin(), pipes.end(), [](const auto& p) { return p.idle(); });
    });
    std::thread joiner{[&] {
        for (auto& each : cancellers)
            each.join();
        loop.stop();
    }};
    loop.run();
    joiner.join();
    for (const auto& each : pipes)
        each.check();
}

TEST(scheduler_races, four_threads_cancel_10000_reads_and_no_byte_is_lost) {
    contest({});
}
TEST(scheduler_races, the_same_with_a_queue_of_8_slots) {
    scheduler_options options;
    options.queue_depth = 8;
    contest(options);
}
TEST(scheduler_races, the_same_with_a_submission_thread) {
    scheduler_options options;
    options.sqpoll = coronet::sqpoll_options{};
    contest(options);
}
TEST(scheduler_races, the_same_with_an_owner_that_may_move) {
    scheduler_options options;
    options.movable_owner = true;
    contest(options);
}

// Two schedulers wake each other by messages while both of them end: the one that is gone first
// must not be missed, nor its ring's number be mistaken for another's.
TEST(scheduler_races, two_schedulers_post_to_each_other_while_they_end) {
    for (int round = 0; round < 150; ++round) {
        std::atomic<int> accepted{0}, ran{0};
        auto a = std::make_unique<scheduler>();
        auto b = std::make_unique<scheduler>();
        const auto begin_with = [&](scheduler& self, scheduler& other, std::deque<call>& items) {
            for (auto& each : items) {
                if (self.stop_requested()) break;
                if (!other.post(each)) break;
                accepted.fetch_add(1);
            }
        };
        std::deque<call> to_a, to_b;
        for (int i = 0; i < 200; ++i) {
            to_a.emplace_back([&] { ran.fetch_add(1); });
            to_b.emplace_back([&] { ran.fetch_add(1); });
        }
        call flood_a{[&] { begin_with(*b, *a, to_a); }}, flood_b{[&] { begin_with(*a, *b, to_b); }};
        EXPECT_TRUE(a->post(flood_b));
        EXPECT_TRUE(b->post(flood_a));
        std::thread thread_a{[&] { a->run(); }}, thread_b{[&] { b->run(); }};
        ASSERT_TRUE(wait_until([&] { return round % 3 == 0 || ran.load() > round; }));
        a->stop();
        b->stop();
        thread_a.join();
        thread_b.join();
        EXPECT_EQ(ran.load(), accepted.load());
    }
}

// A poster may still be on its way out when the item that it posted, or a deadline, has let the
// loop end: the ring must not go before him.
TEST(scheduler_races, ends_and_is_destroyed_while_others_still_post) {
    for (int round = 0; round < 300; ++round) {
        std::atomic<int> accepted{0}, ran{0};
        std::deque<call> items;
        for (int i = 0; i < 1'000; ++i)
            items.emplace_back([&] { ran.fetch_add(1); });
        auto loop = std::make_unique<scheduler>();
        std::thread poster{[&] {
            for (auto& each : items) {
                if (!loop->post(each)) return;
                accepted.fetch_add(1);
            }
        }};
        for (int turn = 0; turn <= round % 50; ++turn)
            loop->run_once(coronet::clock::now() + std::chrono::microseconds{20});
        loop->shutdown();
        poster.join();
        loop.reset();
        ASSERT_EQ(ran.load(), accepted.load());
    }
}

// wake() and stop() come from everywhere at any time, also when the loop has just ended.
TEST(scheduler_races, is_woken_and_stopped_by_many_while_it_begins_and_ends) {
    for (int round = 0; round < 60; ++round) {
        scheduler loop;
        std::atomic<bool> over{false};
        std::vector<std::thread> others;
        for (int t = 0; t < 2; ++t)
            others.emplace_back([&] {
                while (!over)
                    loop.wake();
            });
        others.emplace_back([&] { loop.stop(); });
        loop.run();
        over = true;
        for (auto& each : others)
            each.join();
    }
}

} // namespace
} // namespace scheduler_race_tests

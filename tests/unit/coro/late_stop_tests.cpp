// SPDX-License-Identifier: BSL-1.0
//
// A stop that comes too late, or at the very moment at which an operation begins.
#include "support/pairs.hpp"
#include "support/script.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <coroutine>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace coronet::late_stop_tests {
namespace {

using namespace test;

// ---- stop() inside await_suspend ----

class stop_then_read : public async::read {
public:
    using async::read::read;
    template <class P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        scheduler::current()->stop();
        return async::read::await_suspend(frame);
    }
};

task<std::error_code> stopped_while_it_begins(int fd) {
    std::array<std::byte, 1> room{};
    const auto got = co_await stop_then_read(fd, room);
    co_return got.error();
}

TEST(stop, C1_inside_await_suspend_ends_the_operation_once_as_cancelled) {
    const pipe_pair quiet;
    const auto outcome = run(stopped_while_it_begins(quiet.reader.get()));
    EXPECT_EQ(outcome, std::errc::operation_canceled);
}

#ifdef CORONET_HOOKS

// ---- a message that arrives after the end ----

struct two_reads {
    std::array<pipe_pair, 2> pipes;
    std::array<inplace_stop_source, 2> sources;
    std::array<const void*, 2> places{};
    std::array<result<std::size_t>, 2> got{0U, 0U};
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
};

task<void> one_read(two_reads* all, std::size_t which) {
    std::array<std::byte, 1> room{};
    all->places[which] = room.data();
    ++all->begun;
    const int from = all->pipes[which].reader.get();
    const auto got = co_await async::read(from, room);
    all->got[which] = got;
    ++all->ended;
}
task<void> one_after_the_other(two_reads* all) {
    const auto first = all->sources[0].get_token();
    co_await with_stop(first, one_read(all, 0));
    const auto second = all->sources[1].get_token();
    co_await with_stop(second, one_read(all, 1));
}

TEST(with_stop, C2_a_cancel_that_was_posted_before_the_end_and_read_after_it_hits_nobody_else) {
    const auto all = std::make_unique<two_reads>();
    scheduler_thread thread;
    thread.start();
    auto over =
        std::async(std::launch::async, [&] { sync_wait(*thread, one_after_the_other(all.get())); });
    while (all->begun == 0)
        std::this_thread::yield();
    script play;
    auto& posting = play.hold(point::pushing, &*thread);
    std::thread canceller{[&] { all->sources[0].request_stop(); }};
    posting.wait();
    EXPECT_EQ(::write(all->pipes[0].writer.get(), "x", 1), 1);
    while (all->ended == 0)
        std::this_thread::yield();
    posting.release(); // now it arrives
    EXPECT_EQ(::write(all->pipes[1].writer.get(), "x", 1), 1);
    canceller.join();
    over.get();
    thread.stop();
    ASSERT_TRUE(thread.join());
    EXPECT_EQ(all->got[0].value(), 1U);
    EXPECT_EQ(all->got[1].value(), 1U);
    EXPECT_EQ(all->places[0], all->places[1]) << "the second is not where the first was";
    EXPECT_EQ(thread->stats().cancels_sent, 0U);
}

#endif

} // namespace
} // namespace coronet::late_stop_tests

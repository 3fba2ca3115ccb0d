// SPDX-License-Identifier: BSL-1.0
//
// Property: 10,000 operations in flight, four threads that cancel them at random, one that lets
// some go on, then stop(): each await is resumed exactly once, on its scheduler, and nothing is
// left: no operation, no frame, no descriptor.
#include "lib/run_until.hpp"
#include "support/open_files.hpp"
#include "support/pairs.hpp"
#include "support/rounds.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t operation_count = 10'000;
constexpr std::size_t sharing = 5'000;     // of these, so many share their sources ...
constexpr std::size_t sharing_each = 250;  // ... and this many share one
constexpr std::size_t channel_count = 100; // descriptors of each kind
constexpr std::size_t blocked_worker_count = 16;

/// In the frame of each coroutine, to count the frames.
class counted {
public:
    explicit counted(std::atomic<int>& alive) noexcept : alive_(&alive) { ++alive; }
    counted(counted&& other) noexcept : counted(*other.alive_) {}
    counted& operator=(counted&&) = delete;
    ~counted() { --*alive_; }

private:
    std::atomic<int>* alive_;
};

struct await_of {
    inplace_stop_source* source = nullptr;
    std::atomic<int> resumed{0};
    std::array<std::byte, 8> room{};
};

struct storm {
    storm() : sources(sharing / sharing_each + operation_count - sharing) {
        for (std::size_t i = 0; i < operation_count; ++i)
            awaits[i].source =
                &sources[i < sharing ? i / sharing_each : sharing / sharing_each + i - sharing];
        for (const auto& each : full)
            fill(each.writer.get());
    }
    std::array<pipe_pair, channel_count> pipes;
    std::array<socket_pair, channel_count> sockets;
    std::array<pipe_pair, channel_count> full;
    pipe_pair quiet;
    pipe_pair sink;
    std::deque<inplace_stop_source> sources;
    std::array<await_of, operation_count> awaits;
    std::atomic<int> frames{0};
    std::atomic<int> strangers{0}; // outcomes that are not allowed, resumptions elsewhere
    std::atomic<int> done{0};
    std::atomic<int> cancelled{0};
    std::promise<std::size_t> all_in_flight;

    template <class Outcome>
    void note(await_of& each, const Outcome& got, const scheduler* home) {
        ++each.resumed;
        if (scheduler::current() != home) ++strangers;
        if (got)
            ++done;
        else if (got.error() == std::errc::operation_canceled)
            ++cancelled;
        else
            ++strangers;
    }
};

task<void> one_read(storm* all, std::size_t index, counted) {
    await_of& self = all->awaits[index];
    const scheduler* home = scheduler::current();
    const int fd = all->pipes[index % channel_count].reader.get();
    const auto token = self.source->get_token();
    const auto got = co_await with_stop(token, async::read(fd, self.room));
    all->note(self, got, home);
}
task<void> one_recv(storm* all, std::size_t index, counted) {
    await_of& self = all->awaits[index];
    const scheduler* home = scheduler::current();
    const int fd = all->sockets[index % channel_count].here.get();
    const auto token = self.source->get_token();
    const auto got = co_await with_stop(token, async::recv(fd, self.room));
    all->note(self, got, home);
}
task<void> one_poll(storm* all, std::size_t index, counted) {
    await_of& self = all->awaits[index];
    const scheduler* home = scheduler::current();
    const int fd = all->sockets[index % channel_count].there.get();
    const auto token = self.source->get_token();
    const auto got = co_await with_stop(token, async::poll(fd, POLLIN));
    all->note(self, got, home);
}
task<void> one_write(storm* all, std::size_t index, counted) {
    await_of& self = all->awaits[index];
    const scheduler* home = scheduler::current();
    const int fd = all->full[index % channel_count].writer.get();
    const auto token = self.source->get_token();
    const auto got = co_await with_stop(token, async::write(fd, self.room));
    all->note(self, got, home);
}
task<void> one_splice(storm* all, std::size_t index, counted) {
    await_of& self = all->awaits[index];
    const scheduler* home = scheduler::current();
    const async::splice_end from{all->quiet.reader.get()};
    const async::splice_end to{all->sink.writer.get()};
    const auto token = self.source->get_token();
    const auto got = co_await with_stop(token, async::splice(from, to, 1));
    all->note(self, got, home);
}

using kind = task<void> (*)(storm*, std::size_t, counted);

kind kind_of(std::size_t index) {
    constexpr std::array<kind, 4> kinds{one_read, one_recv, one_poll, one_write};
    return index % (operation_count / blocked_worker_count) == 0 ? one_splice : kinds[index % 4];
}

/// Starts them all, tells when all are in flight, and is cancelled with them.
task<void> start_all(scope children, storm* all, scheduler* home) {
    for (std::size_t i = 0; i < operation_count; ++i)
        children.spawn(kind_of(i), all, i, counted{all->frames});
    for (;;) { // they begin in the turns to come
        const auto paused = co_await sleep_for(1ms);
        if (!paused || home->in_flight_count() == operation_count) break;
    }
    all->all_in_flight.set_value(home->in_flight_count());
}
task<void> keep_in_flight(storm* all, scheduler* home) {
    co_await with_scope(start_all, all, home);
}

/// Each cancels a random half of its quarter.
std::vector<std::thread> cancellers(storm& all, unsigned seed) {
    std::vector<std::thread> threads;
    for (std::size_t quarter = 0; quarter < 4; ++quarter)
        threads.emplace_back([&all, quarter, seed] {
            std::minstd_rand random{seed * 4 + static_cast<unsigned>(quarter)};
            for (std::size_t i = 0; i < all.sources.size() / 4; ++i)
                all.sources[random() % (all.sources.size() / 4) * 4 + quarter].request_stop();
        });
    return threads;
}

void feed(const storm& all) {
    for (std::size_t i = 0; i < channel_count; i += 2) {
        EXPECT_EQ(::write(all.pipes[i].writer.get(), "x", 1), 1);
        EXPECT_EQ(::send(all.sockets[i].there.get(), "x", 1, 0), 1);
        EXPECT_EQ(::send(all.sockets[i].here.get(), "x", 1, 0), 1);
    }
}

void one_storm(unsigned seed) {
    const auto files = open_file_count();
    {
        const auto all = std::make_unique<storm>();
        scheduler_thread thread;
        thread.start();
        auto over = std::async(std::launch::async, [&] {
            sync_wait(*thread, keep_in_flight(all.get(), &*thread));
        });
        ASSERT_EQ(all->all_in_flight.get_future().get(), operation_count);
        auto threads = cancellers(*all, seed);
        feed(*all);
        EXPECT_TRUE(testing::wait_until([&] { return all->cancelled > 0 && all->done > 0; }));
        thread.stop();
        over.get();
        for (auto& each : threads)
            each.join();
        ASSERT_TRUE(thread.join());

        EXPECT_EQ(thread->in_flight_count(), 0U);
        EXPECT_EQ(thread->outstanding_work(), 0U);
        for (const await_of& each : all->awaits)
            ASSERT_EQ(each.resumed, 1);
        EXPECT_EQ(all->done + all->cancelled, static_cast<int>(operation_count));
        EXPECT_EQ(all->strangers, 0);
        EXPECT_EQ(all->frames, 0);
    }
    EXPECT_EQ(open_file_count(), files);
}

TEST(cancel_storm, C1_each_of_10000_operations_ends_once_and_leaves_nothing) {
    const auto storms = static_cast<unsigned>(test::rounds(5, 100));
    for (unsigned seed = 0; seed < storms && !HasFailure(); ++seed)
        one_storm(seed);
}

} // namespace
} // namespace coronet

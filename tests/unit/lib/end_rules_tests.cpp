// SPDX-License-Identifier: BSL-1.0
//
// The end of a scheduler, from wherever it is asked for: nothing is given back before the kernel
// has let go of it, and then everything is.
#include "ring_loop.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"
#include "support/open_files.hpp"
#include "support/script.hpp"

#include <coronet/scheduler_thread.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace coronet::end_rules_tests {
namespace {

using namespace std::chrono_literals;
using namespace testing;

std::array<scheduler_options, 3> ring_kinds() {
    std::array<scheduler_options, 3> kinds{};
    kinds[1].movable_owner = true;
    kinds[2].sqpoll.emplace();
    return kinds;
}

std::ptrdiff_t thread_count() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
}

// ---- L4 ----

TEST(stop, L4_from_inside_a_completion_ends_the_loop_and_what_is_in_flight) {
    for (const auto& options : ring_kinds()) {
        scheduler loop{options};
        empty_pipe quiet;
        char byte = 0;
        sample_operation waiting = read_of(quiet, byte);
        sample_operation last;
        last.at_end = [&] { loop.stop(); };
        loop.start(waiting);
        loop.start(last);
        loop.run();
        EXPECT_EQ(last.results, (std::vector{0}));
        EXPECT_EQ(waiting.results, (std::vector{-ECANCELED}));
    }
}

// ---- L2 ----

TEST(stop, L2_while_three_guards_hold_it_takes_effect_when_the_last_is_gone) {
    scheduler_thread thread;
    thread.start();
    std::vector<park_guard> guards;
    std::thread{[&] { // join() is refused to whoever has taken one
        for (int i = 0; i < 3; ++i) {
            auto parked = thread->park();
            ASSERT_TRUE(parked);
            guards.push_back(std::move(*parked));
        }
    }}
        .join();
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    ASSERT_TRUE(thread->post(item));
    thread.stop();
    while (!guards.empty()) {
        EXPECT_EQ(thread.join_for(5ms).error(), std::errc::timed_out) << guards.size();
        EXPECT_FALSE(ran);
        guards.pop_back();
    }
    ASSERT_TRUE(thread.join());
    EXPECT_TRUE(ran); // it had been accepted
}

// ---- L8, L15 ----

TEST(scheduler_thread, L8_starts_and_stops_1000_times_and_leaves_no_thread_and_no_descriptor) {
    const auto once = [](int round) {
        empty_pipe quiet;
        char byte = 0;
        sample_operation read = read_of(quiet, byte);
        call begin{[&] { scheduler::current()->start(read); }};
        scheduler_thread thread;
        const bool busy = round % 2 == 0 && thread->post(begin);
        thread.start();
        thread.stop();
        ASSERT_TRUE(thread.join());
        ASSERT_EQ(read.ended_count, busy ? 1 : 0);
    };
    once(0); // what is made once for good
    const auto files = test::open_file_count();
    const auto threads = thread_count();
    for (int round = 0; round < 1'000 && !::testing::Test::HasFailure(); ++round)
        once(round);
    EXPECT_EQ(test::open_file_count(), files);
    EXPECT_TRUE(wait_until([&] { return thread_count() <= threads; }));
}

#ifdef CORONET_HOOKS

TEST(scheduler_on_a_ring, L15_is_closed_only_after_the_last_terminal_completion) {
    for (const auto& options : ring_kinds()) {
        constexpr std::size_t count = 100;
        std::vector<empty_pipe> pipes(count);
        std::vector<char> bytes(count);
        std::deque<sample_operation> reads;
        for (std::size_t i = 0; i < count; ++i)
            reads.push_back(read_of(pipes[i], bytes[i]));
        scheduler loop{options};
        for (auto& each : reads)
            loop.start(each);
        loop.run_once(time_point::min());
        std::size_t ended = 0;
        test::script play;
        play.once(
            test::point::closing,
            [&] {
                ended = static_cast<std::size_t>(
                    std::ranges::count(reads, 1, &sample_operation::ended_count)
                );
            },
            &loop
        );
        loop.shutdown();
        EXPECT_EQ(ended, count);
        // What comes now is for somebody else: no request is left that would take it.
        for (std::size_t i = 0; i < count; ++i) {
            pipes[i].write();
            int left = 0;
            ::ioctl(pipes[i].out.get(), FIONREAD, &left);
            ASSERT_EQ(left, 1);
            ASSERT_EQ(bytes[i], 0);
        }
    }
}

// ---- L12 ----

TEST(scheduler_on_a_ring, L12_an_item_that_comes_at_any_step_of_the_end_runs_or_is_refused) {
    using test::point;
    for (const point step :
         {point::stop_seen, point::draining, point::drain_round, point::nothing_in_flight,
          point::closing, point::exited}) {
        int ran = 0;
        bool taken = false;
        call item{[&] { ++ran; }};
        scheduler loop;
        test::script play;
        auto& reached = play.once(
            step, [&] { std::thread{[&] { taken = loop.post(item); }}.join(); }, &loop
        );
        loop.stop();
        loop.run();
        EXPECT_TRUE(reached.reached());
        EXPECT_EQ(ran, taken ? 1 : 0) << static_cast<int>(step);
        EXPECT_EQ(taken, step == point::stop_seen) << static_cast<int>(step);
    }
}

#endif

// ---- L16 ----

/// A socket that listens on `port` (0: any), without SO_REUSEADDR. Result: empty, and errno says
/// why.
unique_fd listen_on(in_port_t port) {
    unique_fd made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = port;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(made.get(), 16) < 0)
        made.reset();
    return made;
}
in_port_t port_of(const unique_fd& socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return address.sin_port;
}

void accept_until_stopped(const scheduler_options& options, const unique_fd& listener) {
    std::deque<sample_operation> accepts;
    for (int i = 0; i < 4; ++i)
        accepts.emplace_back([fd = listener.get()](io_uring_sqe& sqe) {
            io_uring_prep_accept(&sqe, fd, nullptr, nullptr, SOCK_CLOEXEC);
        });
    scheduler_thread_options wanted;
    wanted.scheduler = options;
    scheduler_thread thread{wanted};
    thread.start();
    on(*thread, [&] {
        for (auto& each : accepts)
            thread->start(each);
    });
    thread.stop();
    ASSERT_TRUE(thread.join());
    for (const auto& each : accepts)
        ASSERT_EQ(each.end(), -ECANCELED);
}

TEST(join, L16_returns_when_every_port_can_be_bound_again_at_once) {
    for (const auto& options : ring_kinds()) {
        unique_fd listener = listen_on(0);
        ASSERT_TRUE(listener);
        const in_port_t port = port_of(listener);
        for (int round = 0; round < 100; ++round) {
            accept_until_stopped(options, listener);
            listener.reset();
            listener = listen_on(port);
            ASSERT_TRUE(listener) << "round " << round << ", errno " << errno;
        }
    }
}

} // namespace
} // namespace coronet::end_rules_tests

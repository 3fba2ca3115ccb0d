// SPDX-License-Identifier: BSL-1.0
//
// Waits that are interrupted change nothing: by a wrapper that answers every n-th with EINTR, and
// by real signals.
#include "faulty_ring.hpp"
#include "support/pairs.hpp"
#include "support/watchdog.hpp"
#include "unit/lib/ring_loop.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/net/tcp_stream.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

// ---- one scenario ----

struct outcome {
    std::size_t echoed = 0;
    bool same = true; // what came back is what was sent
    std::vector<int> timers;
    int timed_out = 0;
    std::vector<std::string> errors;

    bool operator==(const outcome&) const = default;
    void note(std::error_code error) {
        if (error) errors.push_back(error.message());
    }
};

constexpr int message_count = 100;
constexpr std::size_t message_size = 512;
using message = std::array<std::byte, message_size>;

task<void> echo(tcp_listener* listener, outcome* seen) {
    auto peer = co_await listener->accept();
    if (!peer) {
        seen->note(peer.error());
        co_return;
    }
    message buffer;
    for (;;) {
        const auto received = co_await peer->read_some(buffer);
        seen->note(received.error());
        if (!received || *received == 0) co_return;
        const auto answer = std::span(buffer).first(*received);
        const auto sent = co_await peer->write_all(answer);
        seen->note(sent.error);
    }
}

task<void> talk(tcp_stream stream, outcome* seen) {
    message sent;
    message received;
    for (int round = 0; round < message_count; ++round) {
        sent.fill(std::byte(round));
        const auto written = co_await stream.write_all(sent);
        seen->note(written.error);
        const auto read = co_await stream.read_exactly(received);
        seen->note(read.error);
        seen->echoed += read.bytes;
        seen->same = seen->same && sent == received;
    }
    const auto closed = co_await stream.close();
    seen->note(closed.error());
}

task<void> sleep_and_note(int number, outcome* seen) {
    const auto begin = clock::now();
    const auto slept = co_await sleep_for(number * 5ms);
    seen->note(slept.error());
    if (clock::now() - begin < number * 5ms) seen->errors.emplace_back("a timer was early");
    seen->timers.push_back(number);
}

task<void> read_in_vain(const pipe_pair* quiet, outcome* seen) {
    message buffer;
    const auto got = co_await with_timeout(7ms, async::read(quiet->reader.get(), buffer));
    if (got.error() == std::errc::timed_out)
        ++seen->timed_out;
    else
        seen->errors.emplace_back("a read ended otherwise: " + got.error().message());
}

task<void> everything(
    scope children, tcp_listener* listener, tcp_stream client, pipe_pair* quiet, outcome* seen
) {
    children.spawn(echo, listener, seen);
    children.spawn(talk, std::move(client), seen);
    for (int number = 1; number <= 8; ++number)
        children.spawn(sleep_and_note, number, seen);
    for (int i = 0; i < 20; ++i)
        children.spawn(read_in_vain, quiet, seen);
    co_return;
}

task<void> scenario(tcp_listener* listener, tcp_stream client, pipe_pair* quiet, outcome* seen) {
    co_await with_scope(everything, listener, std::move(client), quiet, seen);
}

outcome play(bool sqpoll) {
    tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::connect(client.get(), at.data(), at.size()), 0);
    pipe_pair quiet;
    outcome seen;
    run_options options;
    if (sqpoll) options.scheduler.sqpoll.emplace().idle = 1ms;
    run(scenario(&listener, tcp_stream{std::move(client)}, &quiet, &seen), options);
    return seen;
}

class interrupted_waits : public ::testing::TestWithParam<bool> {
protected:
    void TearDown() override { faulty_ring::interrupt_every = 0; }
    watchdog limit_{[] { return std::string("waits are interrupted"); }, 50s};
};

TEST_P(interrupted_waits, H7_change_no_result) {
    const outcome expected = play(GetParam());
    EXPECT_EQ(expected.echoed, message_count * message_size);
    EXPECT_EQ(expected.errors, std::vector<std::string>{});
    for (const int every : {2, 3, 7}) {
        faulty_ring::interruptions = 0;
        faulty_ring::interrupt_every = every;
        const outcome seen = play(GetParam());
        faulty_ring::interrupt_every = 0;
        EXPECT_EQ(seen, expected) << every << ": "
                                  << (seen.errors.empty() ? "" : seen.errors.front());
        EXPECT_GT(faulty_ring::interruptions, 10);
    }
}

// ---- the loop itself ----

TEST_P(interrupted_waits, L14_are_resumed_with_the_time_that_is_left) {
    scheduler_options options;
    if (GetParam()) options.sqpoll.emplace().idle = 1ms;
    scheduler loop{options};
    std::vector<duration> fired;
    const time_point begin = clock::now();
    const auto note = [&] { fired.push_back(clock::now() - begin); };
    coronet::testing::alarm first{note}, second{note}, end{[&] { loop.stop(); }};
    faulty_ring::interruptions = 0;
    faulty_ring::interrupt_every = 2;
    loop.arm(first, 40ms);
    loop.arm(second, 80ms);
    loop.arm(end, 120ms);
    loop.run();
    ASSERT_EQ(fired.size(), 2U);
    EXPECT_GE(fired[0], 40ms);
    EXPECT_GE(fired[1], 80ms);
    EXPECT_GE(faulty_ring::interruptions, 3);
    EXPECT_LE(loop.stats().turns, 40U); // each interruption is one more turn, and no storm of them
}

TEST_P(interrupted_waits, L14_lose_no_wake_up) {
    scheduler_options options;
    if (GetParam()) options.sqpoll.emplace().idle = 1ms;
    scheduler loop{options};
    faulty_ring::interrupt_every = 2;
    coronet::testing::running thread{loop};
    for (int round = 0; round < 500; ++round)
        coronet::testing::on(loop, [] {});
    thread.stop();
}

void ignore(int) {}

/// Signals come as fast as they are taken, to the thread that waits.
TEST_P(interrupted_waits, L14_by_real_signals_end_no_operation_and_no_timer_early) {
    struct sigaction action {};
    action.sa_handler = &ignore; // and no SA_RESTART
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR2, &action, &before), 0);
    scheduler_options options;
    if (GetParam()) options.sqpoll.emplace().idle = 1ms;
    coronet::testing::empty_pipe quiet;
    char byte = 0;
    {
        scheduler loop{options};
        coronet::testing::sample_operation read = coronet::testing::read_of(quiet, byte);
        duration waited{};
        const time_point begin = clock::now();
        coronet::testing::alarm end{[&] {
            waited = clock::now() - begin;
            loop.stop();
        }};
        std::atomic<bool> over{false};
        std::thread owner{[&] {
            loop.start(read);
            loop.arm(end, 200ms);
            loop.run();
            over = true;
        }};
        int signals = 0;
        for (; !over; ++signals) {
            ::pthread_kill(owner.native_handle(), SIGUSR2);
            std::this_thread::sleep_for(200us);
        }
        owner.join();
        EXPECT_GE(waited, 200ms);
        EXPECT_GT(signals, 20);
        EXPECT_EQ(read.results, std::vector{-ECANCELED}); // by the stop
        EXPECT_EQ(read.prepared_count, 1);
    }
    ::sigaction(SIGUSR2, &before, nullptr);
}

std::string ring_name(const ::testing::TestParamInfo<bool>& kind) {
    return kind.param ? "sqpoll" : "plain";
}
INSTANTIATE_TEST_SUITE_P(rings, interrupted_waits, ::testing::Bool(), ring_name);

} // namespace
} // namespace coronet

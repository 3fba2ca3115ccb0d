// SPDX-License-Identifier: BSL-1.0
//
// Property: whenever a stream of connections is cancelled, closed or abandoned while clients
// connect, no descriptor is lost: each was given to somebody, or closed, or stayed in the backlog.
#include "support/open_files.hpp"
#include "support/rounds.hpp"
#include "support/spin.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Clients that connect and go, one after the other, until the end.
class load {
public:
    explicit load(endpoint to) : to_(to) {}
    ~load() {
        over_ = true;
        thread_.join();
    }
    load(const load&) = delete;
    load& operator=(const load&) = delete;
    [[nodiscard]] long connected() const { return connected_.load(); }

private:
    void run() {
        for (int turn = 0; !over_; ++turn) {
            const unique_fd client{::socket(to_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
            // Gone without TIME_WAIT, or the ports would be used up.
            const ::linger at_once{1, 0};
            ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            if (::connect(client.get(), to_.data(), to_.size()) == 0) ++connected_;
            spin(turn % 16 * 50);
        }
    }

    endpoint to_;
    std::atomic<bool> over_{false};
    std::atomic<long> connected_{0};
    std::thread thread_{[this] { run(); }};
};

struct tally {
    std::array<int, 3> ended{}; // cancelled, closed, abandoned
    long taken = 0;
    std::size_t before = 0;
    std::size_t after = 0;
};

/// Takes some connections, then ends the stream in one of three ways, at any instant.
task<void> one_round(tcp_listener* listener, int round, tally* seen) {
    auto connections = listener->accept_multishot();
    for (int i = 0; i < round % 4; ++i) {
        const auto next = co_await with_timeout(5ms, connections.next());
        if (next) ++seen->taken;
    }
    const auto pause = co_await sleep_for(std::chrono::microseconds(round * 7 % 200));
    static_cast<void>(pause);
    ++seen->ended[static_cast<std::size_t>(round % 3)];
    if (round % 3 == 1) co_await connections.close();
    if (round % 3 == 0) {
        connections.cancel();
        for (;;) {
            const auto next = co_await connections.next();
            if (!next) break;
            ++seen->taken;
        }
    }
}

task<void> nothing_in_flight() {
    const auto deadline = clock::now() + 10s;
    while (scheduler::current()->in_flight_count() > 0) {
        if (clock::now() > deadline) throw std::logic_error("an abandoned stream does not end");
        const auto slept = co_await sleep_for(100us);
        static_cast<void>(slept);
    }
}

task<void> under_load(int rounds, tally* seen, watchdog* dog) {
    const auto open = co_await async::nop(); // whatever the scheduler opens is open
    static_cast<void>(open);
    seen->before = open_file_count();
    {
        tcp_listener listener{endpoint::v4_loopback(0)};
        {
            const load clients{*listener.local_endpoint()};
            for (int round = 0; round < rounds; ++round) {
                co_await one_round(&listener, round, seen);
                dog->pat();
            }
            if (clients.connected() == 0) throw std::logic_error("nobody connected");
        }
        const auto closed = co_await listener.close();
        closed.value();
    }
    co_await nothing_in_flight();
    seen->after = open_file_count();
}

TEST(multishot_accept, T_C6_cancelled_under_connection_load_loses_no_descriptor) {
    const int rounds = test::rounds(1'500, 50'000);
    tally seen;
    watchdog dog{[&] { return "taken " + std::to_string(seen.taken); }};
    run_options quiet;
    quiet.handle_signals = false;
    run(under_load(rounds, &seen, &dog), quiet);
    EXPECT_EQ(seen.after, seen.before);
    EXPECT_EQ(seen.ended[0] + seen.ended[1] + seen.ended[2], rounds);
    EXPECT_GT(seen.taken, 0);
    RecordProperty("taken", std::to_string(seen.taken));
}

} // namespace
} // namespace coronet

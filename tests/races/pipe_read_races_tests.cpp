// SPDX-License-Identifier: BSL-1.0
//
// Property: a read of a pipe that is cancelled while another thread writes ends exactly once, with
// the byte, or cancelled and the byte still in the pipe. Nothing is lost and nothing comes twice.
#include "rival.hpp"
#include "support/pairs.hpp"
#include "support/rounds.hpp"
#include "support/spin.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct tally {
    int read = 0;
    int cancelled = 0;
    int wrong = 0;

    /// `writer` has written by now.
    void note(const result<std::size_t>& outcome, std::errc expected, const pipe_pair& pipe) {
        const std::size_t left = drain(pipe.reader.get());
        if (outcome && *outcome == 1 && left == 0)
            ++read;
        else if (outcome.error() == expected && left == 1)
            ++cancelled;
        else
            ++wrong;
    }
};

struct arena {
    pipe_pair pipe;
    std::array<std::byte, 4> room{};
    std::unique_ptr<inplace_stop_source> source;
    tally seen;

    void write() const {
        if (::write(pipe.writer.get(), "x", 1) != 1) std::abort();
    }
    /// The read itself may be over before the rival has spun: vary who has the lead.
    static int lead(int round) { return round * 7 % 1'000; }
};

task<void> limit_against_writer(arena* at, int rounds) {
    rival writer{[at](int round) {
        spin(arena::lead(round));
        at->write();
    }};
    for (int round = 0; round < rounds; ++round) {
        writer.go();
        const auto limit = std::chrono::microseconds(round % 40);
        const auto got = co_await with_timeout(limit, async::read(at->pipe.reader.get(), at->room));
        writer.wait();
        at->seen.note(got, std::errc::timed_out, at->pipe);
    }
}

task<void> token_against_writer(arena* at, int rounds) {
    rival writer{[at](int round) {
        // Now the stop has the lead, now the byte.
        if (round % 2 == 0) at->source->request_stop();
        spin(arena::lead(round));
        at->write();
        if (round % 2 == 1) at->source->request_stop();
    }};
    for (int round = 0; round < rounds; ++round) {
        at->source = std::make_unique<inplace_stop_source>();
        const auto token = at->source->get_token();
        writer.go();
        const auto got = co_await with_stop(token, async::read(at->pipe.reader.get(), at->room));
        writer.wait();
        at->seen.note(got, std::errc::operation_canceled, at->pipe);
    }
}

task<void> sibling_against_writer(arena* at, int rounds) {
    rival writer{[at](int round) {
        spin(arena::lead(round));
        at->write();
    }};
    for (int round = 0; round < rounds; ++round) {
        writer.go();
        const auto pause = std::chrono::microseconds(round % 40);
        const auto got =
            co_await when_any(async::read(at->pipe.reader.get(), at->room), sleep_for(pause));
        writer.wait();
        at->seen.note(std::get<0>(got.results), std::errc::operation_canceled, at->pipe);
    }
}

using contest = task<void> (*)(arena*, int);

void expect_one_end_each(contest fight) {
    for (const bool sqpoll : {false, true}) {
        // A submission thread is one thread more that wants a CPU: fewer rounds.
        const int rounds = sqpoll ? test::rounds(200, 6'000) : test::rounds(2'000, 60'000);
        arena at;
        run_options options;
        if (sqpoll) options.scheduler.sqpoll = sqpoll_options{};
        run(fight(&at, rounds), options);
        EXPECT_EQ(at.seen.wrong, 0);
        EXPECT_EQ(at.seen.read + at.seen.cancelled, rounds);
        ::testing::Test::RecordProperty(sqpoll ? "read_sqpoll" : "read", at.seen.read);
        ::testing::Test::RecordProperty(
            sqpoll ? "cancelled_sqpoll" : "cancelled", at.seen.cancelled
        );
    }
}

TEST(pipe_read, against_a_time_limit_and_a_writer_ends_once_and_loses_nothing) {
    expect_one_end_each(limit_against_writer);
}

TEST(pipe_read, against_a_token_and_a_writer_ends_once_and_loses_nothing) {
    expect_one_end_each(token_against_writer);
}

TEST(pipe_read, against_a_sibling_and_a_writer_ends_once_and_loses_nothing) {
    expect_one_end_each(sibling_against_writer);
}

} // namespace
} // namespace coronet

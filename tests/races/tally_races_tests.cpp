// SPDX-License-Identifier: BSL-1.0
//
// Property: an operation that is cancelled while it may go on ends exactly once, with what it was
// to bring or cancelled with everything where it was. No third outcome, on no kind of ring; no
// byte, connection or descriptor is lost.
#include "contestants.hpp"
#include "support/open_files.hpp"
#include "tally.hpp"

#include <gtest/gtest.h>

#include <array>

namespace coronet {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct ring_kind {
    const char* name;
    scheduler_options options;
};

std::array<ring_kind, 3> ring_kinds() {
    std::array<ring_kind, 3> kinds{{{"plain", {}}, {"defer", {}}, {"sqpoll", {}}}};
    kinds[0].options.movable_owner = true; // without SINGLE_ISSUER and DEFER_TASKRUN
    kinds[2].options.sqpoll.emplace();
    kinds[2].options.sqpoll->idle = 1ms; // else it takes one of two CPUs from the rivals
    return kinds;
}

enum class expectation { both_outcomes, either_outcome };

template <class Contestant>
void expect_one_end_each(const char* name, expectation wanted = expectation::both_outcomes) {
    const int rounds = test::rounds(2'000, 60'000) / Contestant::weight;
    for (const ring_kind& kind : ring_kinds()) {
        const auto files = open_file_count();
        tally seen;
        {
            contest<Contestant> fight;
            run_options options;
            options.scheduler = kind.options;
            options.handle_signals = false;
            run(fight.fight(rounds), options);
            seen = fight.seen;
        }
        seen.print(name, kind.name);
        const int ended_early = seen.of(cancelled) + seen.of(timed_out);
        EXPECT_EQ(seen.of(won) + ended_early, rounds) << kind.name;
        EXPECT_EQ(open_file_count(), files) << kind.name;
        if (wanted == expectation::either_outcome) continue;
        EXPECT_GT(seen.of(won), 0) << kind.name << ": this was no race";
        EXPECT_GT(ended_early, 0) << kind.name << ": this was no race";
    }
}

TEST(tally, C5_a_read_ends_once_and_no_byte_is_lost) {
    expect_one_end_each<reading_contestant>("read");
}
TEST(tally, C5_a_recv_ends_once_and_no_byte_is_lost) {
    expect_one_end_each<receiving_contestant>("recv");
}
TEST(tally, C5_an_accept_ends_once_and_no_connection_is_lost) {
    expect_one_end_each<accepting_contestant>("accept");
}
TEST(tally, C5_a_connect_ends_once_and_no_connection_is_lost) {
    expect_one_end_each<connecting_contestant>("connect", expectation::either_outcome);
}
TEST(tally, C5_a_connect_to_a_full_port_ends_once_and_no_connection_is_lost) {
    expect_one_end_each<queueing_contestant>("connect to a full port");
}
TEST(tally, C5_a_poll_ends_once_and_takes_nothing) {
    expect_one_end_each<polling_contestant>("poll");
}
TEST(tally, C5_a_sleep_ends_once) {
    expect_one_end_each<sleeping_contestant>("sleep");
}
TEST(tally, C5_a_splice_ends_once_and_no_byte_is_lost) {
    expect_one_end_each<moving_contestant>("splice");
}
TEST(tally, C5_an_openat_ends_once_and_no_descriptor_is_lost) {
    expect_one_end_each<opening_contestant>("openat", expectation::either_outcome);
}

} // namespace
} // namespace coronet

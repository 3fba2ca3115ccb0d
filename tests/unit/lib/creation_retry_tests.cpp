// SPDX-License-Identifier: BSL-1.0
//
// Which failure to create a thread deserves another attempt, and when.
#include "thread_creation.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <vector>

namespace creation_retry_tests {
namespace {

using namespace std::chrono_literals;
using coronet::classify_creation_error;
using coronet::creation_failure;
using coronet::creation_retry;
using coronet::duration;
using coronet::time_point;

constexpr time_point start{1h};

/// The pauses of a thread that never comes, each a little longer than asked for.
std::vector<duration> pauses_until_the_end(creation_retry retry, int error) {
    std::vector<duration> pauses;
    time_point now = start;
    while (const auto pause = retry.pause_after(error, now)) {
        pauses.push_back(*pause);
        now += *pause + 100us;
    }
    return pauses;
}

TEST(creation_retry, W7_sorts_errors_into_three_kinds) {
    for (const int error : {EINTR, 512, 513, 514, 516})
        EXPECT_EQ(classify_creation_error(error), creation_failure::interrupted) << error;
    for (const int error : {EAGAIN, ENOMEM})
        EXPECT_EQ(classify_creation_error(error), creation_failure::resource) << error;
    for (const int error : {EPERM, EINVAL, ENOSYS, 515, 517, EBADF})
        EXPECT_EQ(classify_creation_error(error), creation_failure::fatal) << error;
}

TEST(creation_retry, W7_pauses_five_times_for_resources) {
    for (const int error : {EAGAIN, ENOMEM})
        EXPECT_EQ(
            pauses_until_the_end(creation_retry{}, error),
            (std::vector<duration>{5ms, 10ms, 20ms, 40ms, 80ms})
        );
}

TEST(creation_retry, W7_takes_another_number_of_retries_for_resources) {
    EXPECT_TRUE(pauses_until_the_end(creation_retry{0}, EAGAIN).empty());
    EXPECT_EQ(pauses_until_the_end(creation_retry{2}, EAGAIN), (std::vector<duration>{5ms, 10ms}));
}

TEST(creation_retry, W7_tries_every_millisecond_after_interruptions_for_a_second) {
    for (const int error : {EINTR, 512, 513, 514, 516}) {
        const auto pauses = pauses_until_the_end(creation_retry{}, error);
        ASSERT_EQ(pauses.size(), 910U) << error; // of 1.1 ms each
        for (const duration each : pauses)
            ASSERT_EQ(each, 1ms);
    }
}

TEST(creation_retry, W7_never_tries_again_after_a_fatal_error) {
    for (const int error : {EPERM, EINVAL, ENOSYS, EBADF})
        EXPECT_TRUE(pauses_until_the_end(creation_retry{}, error).empty()) << error;
    creation_retry late; // not after others either
    EXPECT_TRUE(late.pause_after(EAGAIN, start).has_value());
    EXPECT_EQ(late.pause_after(EPERM, start), std::nullopt);
}

TEST(creation_retry, W7_counts_interruptions_and_shortages_apart) {
    creation_retry retry;
    EXPECT_EQ(retry.pause_after(EAGAIN, start), 5ms);
    EXPECT_EQ(retry.pause_after(EINTR, start + 5ms), 1ms);
    EXPECT_EQ(retry.pause_after(ENOMEM, start + 6ms), 10ms);
    EXPECT_EQ(retry.pause_after(512, start + 1004ms), 1ms);
    EXPECT_EQ(retry.pause_after(EINTR, start + 1005ms), std::nullopt);
    EXPECT_EQ(retry.pause_after(EAGAIN, start + 1005ms), 20ms);
}

} // namespace
} // namespace creation_retry_tests

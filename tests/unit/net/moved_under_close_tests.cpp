// SPDX-License-Identifier: BSL-1.0
//
// A socket whose close() has not ended is not moved, and nothing is moved into it: close() would
// report on another stream than the one it was called for.
#include "connected.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <optional>

namespace coronet::moved_under_close_tests {
namespace {

using namespace test;

task<void> close_one(tcp_stream* which) {
    const auto closed = co_await which->close();
    static_cast<void>(closed);
}
task<void> assign(tcp_stream* to, tcp_stream* from) {
    *to = std::move(*from);
    co_return;
}
task<void> move_out_of(tcp_stream* from) {
    const tcp_stream taken{std::move(*from)};
    co_return;
}

TEST(moved_under_close_death, a_stream_that_is_being_closed_is_not_assigned_to) {
    connected<tcp_stream> one;
    auto tasks = when_all(close_one(&one.here), assign(&one.here, &one.there));
    EXPECT_DEATH(run(std::move(tasks)), "being_closed_");
}

TEST(moved_under_close_death, a_stream_that_is_being_closed_is_not_assigned_from) {
    connected<tcp_stream> one;
    auto tasks = when_all(close_one(&one.here), assign(&one.there, &one.here));
    EXPECT_DEATH(run(std::move(tasks)), "being_closed_");
}

TEST(moved_under_close_death, a_stream_that_is_being_closed_is_not_moved_from) {
    connected<tcp_stream> one;
    auto tasks = when_all(close_one(&one.here), move_out_of(&one.here));
    EXPECT_DEATH(run(std::move(tasks)), "being_closed_");
}

task<void> close_and_use_again(tcp_stream* which, tcp_stream* other) {
    const auto closed = co_await which->close();
    static_cast<void>(closed);
    *which = std::move(*other);
}

TEST(moved_under_close, a_stream_that_has_been_closed_takes_another_one) {
    connected<tcp_stream> one;
    run(close_and_use_again(&one.here, &one.there));
    EXPECT_TRUE(one.here.is_open());
    EXPECT_FALSE(one.there.is_open());
}

} // namespace
} // namespace coronet::moved_under_close_tests

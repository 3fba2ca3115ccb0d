// SPDX-License-Identifier: BSL-1.0
//
// Time limits on operations and on tasks: who wins, what it is called, and that nothing is lost.
#include "support/pairs.hpp"
#include "support/text.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

namespace coronet::timeout_tests {
namespace {

using namespace std::chrono_literals;
using test::pipe_pair;

struct fixture {
    pipe_pair pipe;
    std::array<std::byte, 8> room{};
    void write(std::string_view text) const {
        EXPECT_EQ(
            ::write(pipe.writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size())
        );
    }
};

template <class Limit>
task<result<std::size_t>> read_within(fixture* on, Limit limit) {
    co_return co_await with_timeout(limit, async::read(on->pipe.reader.get(), on->room));
}

TEST(with_timeout, gives_timed_out_when_the_operation_takes_longer) {
    fixture on;
    const auto begin = clock::now();
    EXPECT_EQ(run(read_within(&on, 20ms)).error(), std::errc::timed_out);
    EXPECT_GE(clock::now() - begin, 20ms);
}

TEST(with_timeout, takes_a_point_in_time) {
    fixture on;
    const auto deadline = clock::now() + 20ms;
    EXPECT_EQ(run(read_within(&on, deadline)).error(), std::errc::timed_out);
    EXPECT_GE(clock::now(), deadline);
}

TEST(with_timeout, of_zero_or_less_asks_for_the_end_at_once) {
    fixture on;
    EXPECT_EQ(run(read_within(&on, 0s)).error(), std::errc::timed_out);
    EXPECT_EQ(run(read_within(&on, -1h)).error(), std::errc::timed_out);
    EXPECT_EQ(run(read_within(&on, clock::now() - 1h)).error(), std::errc::timed_out);
    EXPECT_EQ(run(read_within(&on, time_point::min())).error(), std::errc::timed_out);
}

TEST(with_timeout, gives_the_value_that_came_first) {
    fixture on;
    on.write("abc");
    EXPECT_EQ(*run(read_within(&on, 1h)), 3u);
    on.write("ab");
    EXPECT_EQ(*run(read_within(&on, duration::max())), 2u);
}

TEST(with_timeout, of_zero_still_gives_what_was_there_already) {
    fixture on;
    on.write("abc");
    EXPECT_EQ(*run(read_within(&on, 0s)), 3u);
}

TEST(with_timeout, leaves_data_that_came_too_late_where_it_was) {
    fixture on;
    EXPECT_EQ(run(read_within(&on, 1ms)).error(), std::errc::timed_out);
    on.write("late");
    EXPECT_EQ(test::drain(on.pipe.reader.get()), 4u);
}

task<result<std::size_t>> many_limits(fixture* on, int rounds) {
    std::size_t total = 0;
    for (int i = 0; i < rounds; ++i) {
        on->write("x");
        const auto got = co_await with_timeout(1h, async::read(on->pipe.reader.get(), on->room));
        if (!got) co_return got.error();
        total += *got;
    }
    const scheduler& here = *scheduler::current();
    if (here.outstanding_work() > 2) throw std::logic_error("timers are left");
    co_return total;
}

TEST(with_timeout, leaves_no_timer_behind) {
    fixture on;
    run_options quiet;
    quiet.handle_signals = false;
    EXPECT_EQ(*run(many_limits(&on, 1'000), quiet), 1'000u);
}

// ---- tasks ----

task<int> seven_after(duration delay) {
    const auto slept = co_await sleep_for(delay);
    if (!slept) throw std::system_error(slept.error());
    co_return 7;
}
task<result<int>> seven_within(duration delay, duration limit) {
    co_return co_await with_timeout(limit, seven_after(delay));
}

TEST(with_timeout, makes_a_result_of_a_task_that_is_none) {
    EXPECT_EQ(*run(seven_within(1ms, 1h)), 7);
    EXPECT_EQ(run(seven_within(1h, 1ms)).error(), std::errc::timed_out);
}

task<int> stubborn(duration delay) {
    const auto slept = co_await sleep_for(delay);
    static_cast<void>(slept);
    co_return 8;
}
task<result<int>> stubborn_within(duration limit) {
    co_return co_await with_timeout(limit, stubborn(1h));
}

TEST(with_timeout, gives_the_value_of_a_task_that_made_one_although_cancelled) {
    EXPECT_EQ(*run(stubborn_within(1ms)), 8);
}

task<std::error_code> error_of_a_sleep(duration delay) {
    const auto slept = co_await sleep_for(delay);
    co_return slept.error();
}
task<std::error_code> error_within(duration delay, duration limit) {
    co_return co_await with_timeout(limit, error_of_a_sleep(delay));
}

TEST(with_timeout, keeps_an_error_code_an_error_code_and_names_the_limit_in_it) {
    EXPECT_EQ(run(error_within(1ms, 1h)), std::error_code{});
    EXPECT_EQ(run(error_within(1h, 1ms)), std::errc::timed_out);
}

task<std::error_code> own_error() {
    co_return std::make_error_code(std::errc::permission_denied);
}
task<std::error_code> own_error_within(duration limit) {
    co_return co_await with_timeout(limit, own_error());
}

TEST(with_timeout, leaves_an_error_code_alone_that_is_not_the_limits) {
    EXPECT_EQ(run(own_error_within(0s)), std::errc::permission_denied);
}

task<void> throwing() {
    throw std::runtime_error("own");
    co_return;
}
task<result<void>> throwing_within() {
    co_return co_await with_timeout(1h, throwing());
}

TEST(with_timeout, lets_exceptions_through) {
    EXPECT_THROW(static_cast<void>(run(throwing_within())), std::runtime_error);
}

// ---- limits within limits ----

task<result<std::size_t>> inner(fixture* on, duration limit) {
    co_return co_await with_timeout(limit, async::read(on->pipe.reader.get(), on->room));
}
task<result<std::size_t>> nested(fixture* on, duration outer_limit, duration inner_limit) {
    co_return co_await with_timeout(outer_limit, inner(on, inner_limit));
}

TEST(with_timeout, reports_whichever_limit_was_shorter) {
    fixture on;
    EXPECT_EQ(run(nested(&on, 1ms, 1h)).error(), std::errc::timed_out);
    EXPECT_EQ(run(nested(&on, 1h, 1ms)).error(), std::errc::timed_out);
    on.write("ab");
    EXPECT_EQ(*run(nested(&on, 1h, 1h)), 2u);
}

task<result<std::size_t>> limit_of_a_limit(fixture* on) {
    const int fd = on->pipe.reader.get();
    co_return co_await with_timeout(1ms, with_timeout(1h, async::read(fd, on->room)));
}

TEST(with_timeout, limits_another_limit) {
    fixture on;
    EXPECT_EQ(run(limit_of_a_limit(&on)).error(), std::errc::timed_out);
}

task<void> note_error(std::error_code* into) {
    const auto slept = co_await sleep_for(1h);
    *into = slept.error();
}
task<std::error_code> limit_of_all(std::array<std::error_code, 2>* seen) {
    const auto all =
        co_await with_timeout(5ms, when_all(note_error(seen->data()), note_error(&seen->back())));
    co_return all.error();
}

TEST(with_timeout, ends_everything_below_it) {
    std::array<std::error_code, 2> seen;
    EXPECT_EQ(run(limit_of_all(&seen)), std::error_code{}); // two voids: they tell nothing
    EXPECT_EQ(seen[0], std::errc::operation_canceled);
    EXPECT_EQ(seen[1], std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::timeout_tests

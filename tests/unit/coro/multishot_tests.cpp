// SPDX-License-Identifier: BSL-1.0
//
// Streams of results from one request, on a driver that follows a script: the order of completions
// is ours.
#include "scripted_coroutines.hpp"

#include <coronet/coro/multishot.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <memory>
#include <optional>
#include <vector>

namespace coronet::multishot_tests {
namespace {

using namespace std::chrono_literals;
using test::fresh_descriptor;
using test::is_open;

using scripted_multishot = test::scripted_coroutines;

struct received {
    std::vector<int> values;
    std::error_code end;
};

task<received> read_to_the_end(async::accept_stream* from) {
    received all;
    for (;;) {
        auto next = co_await from->next();
        if (!next) {
            all.end = next.error();
            co_return all;
        }
        all.values.push_back(next->release());
    }
}

TEST_F(scripted_multishot, gives_each_result_and_then_the_error_that_ended_it) {
    script.on(IORING_OP_ACCEPT).first(11).first(12).complete(-EMFILE);
    auto stream = async::accept_multishot(5);
    const auto all = finish(read_to_the_end(&stream));
    EXPECT_EQ(all.values, (std::vector{11, 12}));
    EXPECT_EQ(all.end, std::errc::too_many_files_open);
}

TEST_F(scripted_multishot, begins_again_after_an_error) {
    script.on(IORING_OP_ACCEPT).first(11).complete(-EMFILE);
    script.on(IORING_OP_ACCEPT).first(12).complete(-ENFILE);
    auto stream = async::accept_multishot(5);
    const auto first = finish(read_to_the_end(&stream));
    const auto second = finish(read_to_the_end(&stream));
    EXPECT_EQ(first.end, std::errc::too_many_files_open);
    EXPECT_EQ(second.values, (std::vector{12}));
}

TEST_F(scripted_multishot, begins_again_when_the_kernel_ended_it_without_an_error) {
    script.on(IORING_OP_ACCEPT).first(11).complete(12); // no F_MORE
    script.on(IORING_OP_ACCEPT).first(13).complete(-EMFILE);
    auto stream = async::accept_multishot(5);
    const auto all = finish(read_to_the_end(&stream));
    EXPECT_EQ(all.values, (std::vector{11, 12, 13}));
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 2u);
}

TEST_F(scripted_multishot, asks_for_one_at_a_time_where_the_kernel_knows_no_multishot) {
    script.on(IORING_OP_ACCEPT).complete(-EINVAL);
    script.on(IORING_OP_ACCEPT).complete(11);
    script.on(IORING_OP_ACCEPT).complete(12);
    script.on(IORING_OP_ACCEPT).complete(-EINVAL); // now it means what it says
    auto stream = async::accept_multishot(5);
    const auto all = finish(read_to_the_end(&stream));
    EXPECT_EQ(all.values, (std::vector{11, 12}));
    EXPECT_EQ(all.end, std::errc::invalid_argument);
}

TEST_F(scripted_multishot, is_submitted_again_when_it_was_interrupted) {
    script.on(IORING_OP_ACCEPT).first(11).complete(-EINTR);
    script.on(IORING_OP_ACCEPT).first(12).complete(-EMFILE);
    auto stream = async::accept_multishot(5);
    EXPECT_EQ(finish(read_to_the_end(&stream)).values, (std::vector{11, 12}));
}

task<received> read_after(async::accept_stream* from, duration pause) {
    auto first = co_await from->next();
    const auto slept = co_await sleep_for(pause);
    static_cast<void>(slept);
    auto rest = co_await read_to_the_end(from);
    if (first) rest.values.insert(rest.values.begin(), first->release());
    co_return rest;
}

TEST_F(scripted_multishot, keeps_what_comes_while_nobody_asks) {
    script.on(IORING_OP_ACCEPT).first(11).first(12).first(13).complete(-EMFILE).after(1ms);
    auto stream = async::accept_multishot(5);
    const auto all = finish(read_after(&stream, 1s));
    EXPECT_EQ(all.values, (std::vector{11, 12, 13}));
    EXPECT_EQ(all.end, std::errc::too_many_files_open);
}

// ---- cancelled ----

task<received> cancel_and_read(async::accept_stream* from) {
    auto first = co_await from->next();
    from->cancel();
    auto rest = co_await read_to_the_end(from);
    if (first) rest.values.insert(rest.values.begin(), first->release());
    co_return rest;
}

TEST_F(scripted_multishot, C10_a_cancelled_stream_gives_what_came_before_its_end_and_then_ends) {
    script.on(IORING_OP_ACCEPT).first(11).first(12).first(13).never();
    auto stream = async::accept_multishot(5);
    const auto all = finish(cancel_and_read(&stream));
    EXPECT_EQ(all.values, (std::vector{11, 12, 13}));
    EXPECT_EQ(all.end, std::errc::operation_canceled);
}

task<received> cancel_before_reading(async::accept_stream* from) {
    from->cancel();
    auto none = co_await read_to_the_end(from);
    auto some = co_await read_to_the_end(from);
    if (none.values.empty() && none.end == std::errc::operation_canceled) co_return some;
    co_return none;
}

TEST_F(scripted_multishot, tells_once_that_it_was_cancelled_also_when_nothing_was_in_flight) {
    script.on(IORING_OP_ACCEPT).first(11).complete(-EMFILE);
    auto stream = async::accept_multishot(5);
    const auto all = finish(cancel_before_reading(&stream));
    EXPECT_EQ(all.values, (std::vector{11}));
    EXPECT_EQ(all.end, std::errc::too_many_files_open);
}

TEST_F(scripted_multishot, C5_a_connection_that_comes_with_the_end_of_a_cancelled_stream_is_given) {
    script.on(IORING_OP_ACCEPT).first(11).never().cancel_answered(-EALREADY, 12);
    auto stream = async::accept_multishot(5);
    const auto all = finish(cancel_and_read(&stream));
    EXPECT_EQ(all.values, (std::vector{11, 12}));
    EXPECT_EQ(all.end, std::errc::operation_canceled);
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 1u) << "a cancelled stream began again by itself";
}

TEST_F(scripted_multishot, that_has_kept_many_pauses_until_they_are_taken) {
    constexpr int burst = 129; // one is taken at once
    auto& connections = script.on(IORING_OP_ACCEPT);
    for (int i = 0; i < burst; ++i)
        connections.first(1000 + i);
    connections.never();
    script.on(IORING_OP_ACCEPT).first(2000).complete(-EMFILE);
    auto stream = async::accept_multishot(5);
    const auto all = finish(read_to_the_end(&stream));
    ASSERT_EQ(all.values.size(), std::size_t{burst} + 1);
    EXPECT_EQ(all.values.back(), 2000);
    EXPECT_EQ(all.end, std::errc::too_many_files_open);
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 1u);
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 2u);
}

/// Asks again inside the call that tells it.
class asking_again final : public detail::result_wait {
public:
    asking_again(detail::multishot& source, scheduler& loop) : source_(source), loop_(loop) {}
    void ask() {
        std::int32_t res = 0;
        while (source_.take(res))
            told.push_back(res);
        source_.wait(*this, loop_);
    }
    void arrive(std::int32_t res) noexcept override {
        told.push_back(res);
        if (again && res >= 0) ask();
    }
    void cancel() noexcept override {}
    void run() noexcept override {}
    [[nodiscard]] std::string_view name() const noexcept override { return "accept"; }
    bool again = false;
    std::vector<std::int32_t> told;

private:
    detail::multishot& source_;
    scheduler& loop_;
};

TEST_F(scripted_multishot, that_pauses_begins_once_if_a_connection_comes_with_its_end) {
    auto& connections = script.on(IORING_OP_ACCEPT);
    for (int i = 0; i < 129; ++i)
        connections.first(1000 + i);
    connections.never().cancel_answered(0, 3000);
    script.on(IORING_OP_ACCEPT).first(4000).complete(-EMFILE);
    auto* source = new detail::accept_multishot(5);
    asking_again asker{*source, test.loop};
    source->wait(asker, test.loop);
    test.turn();
    asker.again = true;
    asker.ask();
    settle();
    ASSERT_EQ(asker.told.size(), 132u);
    EXPECT_EQ(asker.told.back(), -EMFILE);
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 2u);
    source->abandon();
}

task<std::error_code> one_and_leave(std::unique_ptr<async::accept_stream> stream) {
    const auto first = co_await stream->next();
    co_return first.error();
}

TEST_F(scripted_multishot, C5_a_descriptor_that_arrives_for_an_abandoned_stream_is_closed) {
    const int taken = fresh_descriptor();
    const int kept = fresh_descriptor();
    const int late = fresh_descriptor();
    script.on(IORING_OP_ACCEPT).first(taken).first(kept).never().cancel_answered(-EALREADY, late);
    auto stream = std::make_unique<async::accept_stream>(async::accept_multishot(5));
    EXPECT_EQ(finish(one_and_leave(std::move(stream))), std::error_code{});
    EXPECT_FALSE(is_open(kept));
    EXPECT_TRUE(is_open(late)) << "its completion has not come yet";
    settle();
    EXPECT_FALSE(is_open(late));
}

TEST_F(scripted_multishot, that_is_abandoned_before_it_began_asks_the_kernel_for_nothing) {
    { const auto unused = async::accept_multishot(5); }
    test.turn();
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 0u);
}

task<received> close_and_read(async::accept_stream* from, std::size_t* in_flight) {
    const auto first = co_await from->next();
    co_await from->close();
    *in_flight = scheduler::current()->in_flight_count();
    auto rest = co_await read_to_the_end(from);
    if (first) rest.values.push_back(first->get());
    co_return rest;
}

TEST_F(scripted_multishot, C10_close_waits_for_the_terminal_completion_and_closes_what_is_left) {
    const int taken = fresh_descriptor();
    const int kept = fresh_descriptor();
    const int late = fresh_descriptor();
    script.on(IORING_OP_ACCEPT).first(taken).first(kept).never().cancel_answered(-EALREADY, late);
    auto stream = async::accept_multishot(5);
    std::size_t in_flight = 99;
    const auto all = finish(close_and_read(&stream, &in_flight));
    EXPECT_EQ(in_flight, 0u);
    EXPECT_EQ(all.values, (std::vector{taken}));
    EXPECT_EQ(all.end, std::errc::operation_canceled);
    EXPECT_FALSE(is_open(kept));
    EXPECT_FALSE(is_open(late));
}

task<void> close_later(async::accept_stream* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    co_await which->close();
}
task<std::error_code> closed_under_next(async::accept_stream* which) {
    const auto both = co_await when_all(which->next(), close_later(which));
    co_return std::get<0>(both).error();
}

TEST_F(scripted_multishot, close_ends_a_next_that_waits) {
    auto stream = async::accept_multishot(5);
    EXPECT_EQ(finish(closed_under_next(&stream)), std::errc::operation_canceled);
}

TEST_F(scripted_multishot, C5_a_connection_that_meets_close_goes_to_the_next_that_waits) {
    script.on(IORING_OP_ACCEPT).never().cancel_answered(-EALREADY, fresh_descriptor());
    auto stream = async::accept_multishot(5);
    EXPECT_EQ(finish(closed_under_next(&stream)), std::error_code{});
}

task<std::array<std::error_code, 2>> limited_then_not(async::accept_stream* from) {
    const auto first = co_await with_timeout(1ms, from->next());
    const auto second = co_await from->next();
    co_return std::array{first.error(), second.error()};
}

TEST_F(scripted_multishot, goes_on_when_a_next_is_cancelled) {
    script.on(IORING_OP_ACCEPT).complete(fresh_descriptor()).after(10ms);
    auto stream = async::accept_multishot(5);
    const auto errors = finish(limited_then_not(&stream));
    EXPECT_EQ(errors[0], std::errc::timed_out);
    EXPECT_EQ(errors[1], std::error_code{});
    EXPECT_EQ(script.count(IORING_OP_ACCEPT), 1u);
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 0u);
}

task<std::array<std::error_code, 2>> read_when_stopped(async::accept_stream* from) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    const auto kept = co_await from->next();
    const auto none = co_await from->next();
    co_return std::array{kept.error(), none.error()};
}
task<std::array<std::error_code, 2>> stopped_with_one_kept(async::accept_stream* from) {
    const auto first = co_await from->next();
    static_cast<void>(first);
    inplace_stop_source source;
    source.request_stop();
    co_return co_await with_stop(source.get_token(), read_when_stopped(from));
}

TEST_F(scripted_multishot, gives_what_was_kept_also_to_a_branch_that_is_stopped) {
    script.on(IORING_OP_ACCEPT).first(fresh_descriptor()).first(fresh_descriptor()).never();
    auto stream = async::accept_multishot(5);
    const auto errors = finish(stopped_with_one_kept(&stream));
    EXPECT_EQ(errors[0], std::error_code{});
    EXPECT_EQ(errors[1], std::errc::operation_canceled);
}

task<void> destroyed_under_next() {
    auto stream = std::make_unique<async::accept_stream>(async::accept_multishot(0));
    const auto drop = [](std::unique_ptr<async::accept_stream>* which) -> task<void> {
        const auto turn = co_await async::nop();
        static_cast<void>(turn);
        which->reset();
    };
    const auto both = co_await when_all(stream->next(), drop(&stream));
    static_cast<void>(both);
}

TEST(scripted_multishot_death, destroyed_under_a_next_ends_the_program) {
    // A fixture of its own: a forked child cannot use its parent's scheduler.
    class fixture final : public test::scripted_coroutines {
    public:
        using scripted_coroutines::finish;

    private:
        void TestBody() override {}
    };
    const auto destroy = [] { fixture{}.finish(destroyed_under_next()); };
    EXPECT_DEATH(destroy(), "a stream was destroyed while this await on it");
}

} // namespace
} // namespace coronet::multishot_tests

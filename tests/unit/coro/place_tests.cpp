// SPDX-License-Identifier: BSL-1.0
//
// Whatever a frame is suspended on knows the await in the source: for reports of what a program
// waits for.
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <coroutine>
#include <source_location>
#include <string_view>

#include <poll.h>

namespace coronet::place_tests {
namespace {

using namespace std::chrono_literals;

struct seen_await {
    const detail::promise_base* frame = nullptr;
    std::uint32_t line = 0; // of the await
};

/// Tells which frame awaits it.
class own_promise {
public:
    explicit own_promise(seen_await* into) noexcept : into_(into) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <detail::coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) const noexcept {
        into_->frame = &frame.promise();
        return false;
    }
    void await_resume() const noexcept {}

private:
    seen_await* into_;
};

std::uint32_t line_here(std::source_location here = std::source_location::current()) {
    return here.line();
}

task<void> sleeps(seen_await* seen) {
    co_await own_promise(seen);
    seen->line = line_here() + 1;
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
}
task<void> polls(seen_await* seen) {
    const test::pipe_pair pipe;
    co_await own_promise(seen);
    seen->line = line_here() + 1;
    const auto polled = co_await async::poll(pipe.reader.get(), POLLIN);
    static_cast<void>(polled);
}
task<void> waits_for_two(seen_await* seen) {
    co_await own_promise(seen);
    seen->line = line_here() + 1;
    const auto both = co_await when_all(sleep_for(1h), sleep_for(1h));
    static_cast<void>(both);
}
task<void> joins(scope children, seen_await* seen) {
    children.spawn([]() -> task<void> {
        const auto slept = co_await sleep_for(1h);
        static_cast<void>(slept);
    });
    co_await own_promise(seen);
    seen->line = line_here() + 1;
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}
task<void> joins_in_a_scope(seen_await* seen) {
    co_await with_scope(joins, seen);
}

struct report {
    std::string_view name;
    std::source_location place;
};
task<void> look(const seen_await* seen, report* into) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    const auto& awaited = seen->frame->awaiting();
    *into = {awaited.name(), awaited.place()};
    scheduler::current()->stop();
}
task<void> look_at(task<void> waiting, const seen_await* seen, report* into) {
    const auto both = co_await when_all(std::move(waiting), look(seen, into));
    static_cast<void>(both);
}
void expect_place(task<void> (*waiting)(seen_await*), std::string_view name) {
    seen_await seen;
    report made;
    run(look_at(waiting(&seen), &seen, &made));
    EXPECT_EQ(made.name, name);
    EXPECT_EQ(made.place.line(), seen.line) << name;
    EXPECT_TRUE(std::string_view(made.place.file_name()).ends_with("place_tests.cpp"));
}

TEST(place, of_an_operation_is_its_await) {
    expect_place(polls, "poll");
}
TEST(place, of_a_sleep_is_its_await) {
    expect_place(sleeps, "sleep");
}
TEST(place, of_a_group_is_the_await_that_waits_for_it) {
    expect_place(waits_for_two, "tasks");
}
TEST(place, of_a_join_is_its_await) {
    expect_place(joins_in_a_scope, "join");
}

struct never_awaited final : pending_work {
    void run() noexcept override {}
    void cancel() noexcept override {}
    [[nodiscard]] std::string_view name() const noexcept override { return "nothing"; }
};

TEST(place, of_what_nobody_awaits_is_nowhere) {
    EXPECT_EQ(never_awaited{}.place().line(), 0u);
    EXPECT_EQ(sleep_for(1h).place().line(), 0u);
    EXPECT_EQ(static_cast<const pending_work&>(async::nop{}).place().line(), 0u);
}

} // namespace
} // namespace coronet::place_tests

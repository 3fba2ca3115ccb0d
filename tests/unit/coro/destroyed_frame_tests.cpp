// SPDX-License-Identifier: BSL-1.0
//
// A frame belongs to itself until it has ended. If somebody destroys it all the same while it
// waits, the program ends with a message that names the await, whatever it waits for: the kernel,
// or a task, would write into memory that is gone.
#include "support/pairs.hpp"

#include <coronet/coro/async_generator.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/shield.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/worker_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <coroutine>
#include <optional>
#include <thread>

namespace coronet::destroyed_frame_tests {
namespace {

using namespace std::chrono_literals;

/// Tells which frame awaits it.
class own_frame {
public:
    explicit own_frame(std::coroutine_handle<>* into) noexcept : into_(into) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <detail::coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) const noexcept {
        *into_ = frame;
        return false;
    }
    void await_resume() const noexcept {}

private:
    std::coroutine_handle<>* into_;
};

task<void> destroy(std::coroutine_handle<>* victim) {
    const auto turn = co_await async::nop(); // it waits meanwhile
    static_cast<void>(turn);
    victim->destroy();
}

/// Destroys the frame of `waiting` in its await.
using waiting_task = task<void> (*)(std::coroutine_handle<>* self);
task<void> waiting_and_destroyed(waiting_task waiting) {
    std::coroutine_handle<> victim;
    const auto both = co_await when_all(waiting(&victim), destroy(&victim));
    static_cast<void>(both);
}
void wait_and_be_destroyed(waiting_task waiting) {
    run_options quiet;
    quiet.handle_signals = false;
    run(waiting_and_destroyed(waiting), quiet);
}

std::string death_at(const char* what, const char* function) {
    return std::string(what) + ".*\n.*destroyed_frame_tests.cpp:[0-9]+ in .*" + function;
}

task<void> waits_for_an_operation(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    const test::pipe_pair pipe;
    std::array<std::byte, 8> room;
    const auto received = co_await async::read(pipe.reader.get(), room);
    static_cast<void>(received);
}

TEST(destroyed_frame, names_the_await_of_an_operation) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_an_operation),
        death_at("while this await's operation was in flight", "waits_for_an_operation")
    );
}

task<void> waits_for_a_worker(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    const auto stay = [](inplace_stop_token token) {
        while (!token.stop_requested())
            std::this_thread::yield();
    };
    const auto done = co_await scheduler::current()->pool().run(stay);
    static_cast<void>(done);
}

TEST(destroyed_frame, names_the_await_of_a_worker) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_worker),
        death_at("while this await was in flight", "waits_for_a_worker")
    );
}

task<void> waits_for_a_limited_operation(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    const test::pipe_pair pipe;
    std::array<std::byte, 8> room;
    const auto received = co_await with_timeout(1h, async::read(pipe.reader.get(), room));
    static_cast<void>(received);
}

TEST(destroyed_frame, names_the_await_of_an_operation_with_a_limit) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_limited_operation),
        death_at("while this await's operation was in flight", "waits_for_a_limited_operation")
    );
}

task<void> waits_for_a_sleep(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
}

TEST(destroyed_frame, names_the_await_of_a_sleep) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_sleep),
        death_at("while this await was in flight", "waits_for_a_sleep")
    );
}

task<void> sleep_long() {
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
}
task<void> waits_for_a_group(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    const auto both = co_await when_all(sleep_long(), sleep_long());
    static_cast<void>(both);
}

TEST(destroyed_frame, names_the_await_of_a_group) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_group),
        death_at("while this await's tasks were running", "waits_for_a_group")
    );
}

task<void> waits_for_a_shield(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    co_await shield(sleep_long());
}

TEST(destroyed_frame, names_the_await_of_a_shield) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_shield),
        death_at("while this await's tasks were running", "waits_for_a_shield")
    );
}

task<void> only_spawn(scope children) {
    children.spawn(sleep_long);
    co_return;
}
task<void> waits_for_children(std::coroutine_handle<>* self) {
    co_await own_frame(self);
    co_await with_scope(only_spawn);
}

TEST(destroyed_frame, names_the_await_of_a_scope_whose_body_has_ended) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_children),
        death_at("while this await's tasks were running", "waits_for_children")
    );
}

task<void> spawn_and_join(scope children, std::coroutine_handle<>* self) {
    co_await own_frame(self);
    children.spawn(sleep_long);
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}
task<void> waits_for_a_join(std::coroutine_handle<>* self) {
    co_await with_scope(spawn_and_join, self);
}

TEST(destroyed_frame, names_the_await_of_a_join) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_a_join),
        death_at("while this await was in flight", "spawn_and_join")
    );
}

async_generator<int> sleeping_numbers() {
    const auto slept = co_await sleep_for(1h);
    co_yield slept ? 1 : 2;
}
task<void> waits_for_an_element(std::coroutine_handle<>* self) {
    auto numbers = sleeping_numbers();
    co_await own_frame(self);
    const auto number = co_await numbers.next();
    static_cast<void>(number);
}

TEST(destroyed_frame, names_the_await_inside_a_generator_that_has_a_next_in_flight) {
    EXPECT_DEATH(
        wait_and_be_destroyed(waits_for_an_element),
        death_at("while the next.. that it awaits was in flight", "sleeping_numbers")
    );
}

task<void> read_one(async_generator<int>* from) {
    const auto number = co_await from->next();
    static_cast<void>(number);
}
task<void> drop_later(std::optional<async_generator<int>>* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    which->reset();
}
task<void> drop_while_reading() {
    std::optional<async_generator<int>> numbers{sleeping_numbers()};
    const auto both = co_await when_all(read_one(&*numbers), drop_later(&numbers));
    static_cast<void>(both);
}

TEST(async_generator, destroyed_while_next_is_in_flight_ends_the_program_and_names_the_await) {
    EXPECT_DEATH(
        run(drop_while_reading()),
        death_at("destroyed while its next.. was in flight", "sleeping_numbers")
    );
}

} // namespace
} // namespace coronet::destroyed_frame_tests

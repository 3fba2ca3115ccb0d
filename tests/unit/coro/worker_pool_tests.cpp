// SPDX-License-Identifier: BSL-1.0
//
// Coroutines that await a worker pool.
#include "support/rounds.hpp"
#include "support/schedulers.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/shield.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/when_any.hpp>
#include <coronet/coro/worker_pool.hpp>
#include <coronet/interruptible.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace coronet::worker_pool_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

worker_pool& pool_here() {
    return scheduler::current()->pool();
}

int add(int a, int b) {
    return a + b;
}
int obey(inplace_stop_token token, int answer) {
    while (!token.stop_requested())
        std::this_thread::yield();
    return answer;
}
result<int> obey_and_say_so(inplace_stop_token token) {
    obey(token, 0);
    return std::errc::operation_canceled;
}
bool is_worker() {
    return scheduler::current() == nullptr;
}

// ---- results ----

task<int> sum_of_a_worker() {
    auto sum = co_await pool_here().run(add, 2, 3);
    co_return sum.value();
}

TEST(pool_run, gives_what_the_function_gives) {
    EXPECT_EQ(run(sum_of_a_worker()), 5);
}

task<bool> where_it_runs() {
    auto on_worker = co_await pool_here().run(is_worker);
    auto bounded = co_await pool_here().run_bounded(is_worker);
    const bool back_here = scheduler::current() != nullptr;
    co_return on_worker.value() && bounded.value() && back_here;
}

TEST(pool_run, runs_on_a_worker_and_goes_on_at_home) {
    EXPECT_TRUE(run(where_it_runs()));
}

std::unique_ptr<int> doubled(std::unique_ptr<int> number) {
    *number *= 2;
    return number;
}
task<int> with_moved_arguments() {
    auto number = std::make_unique<int>(21);
    auto answer = co_await pool_here().run(doubled, std::move(number));
    co_return **answer;
}

TEST(pool_run, moves_its_arguments_and_its_result) {
    EXPECT_EQ(run(with_moved_arguments()), 42);
}

result<int> refuse() {
    return std::errc::no_such_file_or_directory;
}
void set(std::atomic<bool>* flag) {
    *flag = true;
}
task<std::error_code> error_of_a_result() {
    result<int> refused = co_await pool_here().run(refuse); // not a result of a result
    co_return refused.error();
}
task<bool> of_nothing() {
    std::atomic<bool> flag{false};
    result<void> done = co_await pool_here().run(set, &flag);
    co_return done.has_value() && flag;
}

TEST(pool_run, keeps_results_as_they_are) {
    EXPECT_EQ(run(error_of_a_result()), std::errc::no_such_file_or_directory);
    EXPECT_TRUE(run(of_nothing()));
}

int fail() {
    throw std::runtime_error("of the function");
}
task<std::string> what_is_thrown() {
    try {
        auto never = co_await pool_here().run(fail);
        static_cast<void>(never);
    } catch (const std::runtime_error& thrown) {
        co_return thrown.what();
    }
    co_return "nothing";
}

TEST(pool_run, W23_throws_what_the_function_throws) {
    EXPECT_EQ(run(what_is_thrown()), "of the function");
}

// ---- order ----

task<void> append(std::vector<int>* to, int number) {
    const auto push = [](std::vector<int>* all, int each) { all->push_back(each); };
    auto done = co_await pool_here().run_serialized(to, push, to, number);
    done.value();
}
task<void> append_all(std::vector<int>* to, int count) {
    std::vector<task<void>> all;
    for (int i = 0; i < count; ++i)
        all.push_back(append(to, i));
    co_await when_all(std::move(all));
}

TEST(pool_run_serialized, runs_those_of_a_key_in_their_order) {
    std::vector<int> numbers;
    run(append_all(&numbers, 100));
    ASSERT_EQ(numbers.size(), 100U);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(numbers[static_cast<std::size_t>(i)], i);
}

// ---- cancelling ----

task<int> obedience_within(duration limit) {
    auto answer = co_await with_timeout(limit, pool_here().run(obey, 7));
    co_return std::move(answer).value_or(-1);
}
/// What had not begun in time was never called: again, with more time.
task<int> limited_obedience() {
    int answer = -1;
    for (duration limit = 5ms; answer == -1 && limit < 10s; limit *= 2)
        answer = co_await obedience_within(limit);
    co_return answer;
}
task<std::error_code> limited_and_says_so() {
    auto answer = co_await with_timeout(5ms, pool_here().run(obey_and_say_so));
    co_return answer.error();
}

TEST(pool_run, that_is_cancelled_stops_its_token_and_gives_what_the_function_gives) {
    EXPECT_EQ(run(limited_obedience()), 7);
    EXPECT_EQ(run(limited_and_says_so()), std::errc::timed_out);
}

task<std::error_code> run_in_a_stopped_branch(std::atomic<bool>* called) {
    inplace_stop_source stopped;
    stopped.request_stop();
    auto never = co_await with_stop(stopped.get_token(), pool_here().run(set, called));
    co_return never.error();
}

TEST(pool_run, in_a_branch_that_was_stopped_calls_nothing) {
    std::atomic<bool> called{false};
    EXPECT_EQ(run(run_in_a_stopped_branch(&called)), std::errc::operation_canceled);
    EXPECT_FALSE(called);
}

task<std::error_code> wait_for_readiness(int fd) {
    const auto wait = [](int descriptor) { return interruptible_wait(descriptor, POLLIN); };
    auto come = co_await with_timeout(5ms, pool_here().run(wait, fd));
    co_return come.error();
}

TEST(pool_run, that_waits_interruptibly_ends_with_its_limit) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    EXPECT_EQ(run(wait_for_readiness(ends[0])), std::errc::timed_out);
    ::close(ends[0]);
    ::close(ends[1]);
}

int obey_from_now_on(inplace_stop_token token, std::atomic<bool>* runs) {
    *runs = true;
    return obey(token, 1);
}
task<void> as_soon_as(std::atomic<bool>* runs) {
    while (!*runs)
        co_await pause();
}
task<std::size_t> first_of_two() {
    std::atomic<bool> runs{false};
    auto first = co_await when_any(pool_here().run(obey_from_now_on, &runs), as_soon_as(&runs));
    EXPECT_EQ(std::get<0>(first.results).value(), 1); // it was waited for
    co_return first.index;
}

TEST(pool_run, that_loses_is_asked_and_waited_for) {
    EXPECT_EQ(run(first_of_two()), 1U);
}

// ---- the end ----

task<void> hold_up(std::vector<int>* key, std::binary_semaphore* until) {
    const auto wait = [](std::binary_semaphore* gate) { gate->acquire(); };
    auto done = co_await pool_here().run_serialized(key, wait, until);
    done.value();
}
task<void> drain_then_shut_down(scope children, std::vector<int>* numbers) {
    worker_pool& pool = pool_here();
    std::binary_semaphore gate{0};
    children.spawn(hold_up, numbers, &gate);
    children.spawn(append_all, numbers, 20);
    while (pool.item_count() < 21)
        co_await pause();
    gate.release();
    auto idle = co_await pool.drain();
    EXPECT_TRUE(idle);
    EXPECT_EQ(numbers->size(), 20U);
    auto ended = co_await pool.shutdown();
    EXPECT_TRUE(ended);
    auto again = co_await pool.shutdown();
    EXPECT_TRUE(again);
    auto refused = co_await pool.run(add, 1, 1);
    EXPECT_EQ(refused.error(), errc::stopped);
    EXPECT_TRUE(pool.ended());
}

TEST(pool_shutdown, ends_the_pool_and_what_comes_later_is_refused) {
    std::vector<int> numbers;
    run(with_scope(drain_then_shut_down, &numbers));
}

task<std::error_code> shut_down_another(worker_pool* pool) {
    auto ended = co_await pool->shutdown();
    co_return ended.error();
}
task<std::error_code> impatient_drain() {
    worker_pool& pool = pool_here();
    auto both =
        co_await when_all(with_timeout(20ms, pool.run(obey, 1)), with_timeout(1ms, pool.drain()));
    co_return std::get<1>(both).error();
}

TEST(pool_shutdown, belongs_to_the_owner) {
    scheduler_thread other;
    other.start();
    EXPECT_EQ(run(shut_down_another(&other->pool())), errc::wrong_thread);
    EXPECT_FALSE(other->pool().ended());
}

TEST(pool_drain, that_is_cancelled_leaves_the_pool_alone) {
    EXPECT_EQ(run(impatient_drain()), std::errc::timed_out);
}

task<void> work_for_ever(std::atomic<int>* done) {
    for (;;) {
        auto sum = co_await pool_here().run(add, done->load(), 1);
        if (!sum) co_return;
        *done = *sum;
    }
}
task<void> obey_in_a_shield(bool* obeyed) {
    auto answer = co_await shield(pool_here().run(obey, 1));
    *obeyed = answer && *answer == 1;
}
task<void> many(scope children, std::atomic<int>* done, bool* obeyed) {
    for (int i = 0; i < 8; ++i)
        children.spawn(work_for_ever, done);
    children.spawn(obey_in_a_shield, obeyed);
    auto joined = co_await children.join();
    static_cast<void>(joined);
}

TEST(pool_run, ends_with_its_scheduler) {
    std::atomic<int> done{0};
    bool obeyed = false;
    scheduler_thread thread;
    thread.start();
    auto work = begin_on(*thread, task<void>(detail::as_task(with_scope(many, &done, &obeyed))));
    while (done < 100)
        std::this_thread::yield();
    thread.stop();
    ASSERT_TRUE(thread.join());
    work.get();
    EXPECT_TRUE(obeyed);
    EXPECT_TRUE(thread->pool().ended());
}

// ---- another scheduler's pool ----

task<int> on_anothers_pool(worker_pool* pool) {
    auto sum = co_await pool->run(add, 1, 2);
    co_return sum.value();
}
task<std::error_code> cancelled_on_anothers_pool(worker_pool* pool) {
    auto answer = co_await with_timeout(2ms, pool->run(obey_and_say_so));
    co_return answer.error();
}

TEST(pool_run, on_the_pool_of_another_scheduler_comes_home) {
    scheduler_thread other;
    other.start();
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(run(on_anothers_pool(&other->pool())), 3);
    EXPECT_EQ(run(cancelled_on_anothers_pool(&other->pool())), std::errc::timed_out);
}

task<std::error_code> wait_for_a_stopped_pool(worker_pool* pool) {
    auto sum = co_await pool->run(add, 1, 2);
    co_return sum.error();
}

TEST(pool_run, on_a_pool_that_has_ended_with_its_scheduler_is_stopped) {
    scheduler_thread other;
    other.start();
    worker_pool& pool = other->pool();
    other.stop();
    ASSERT_TRUE(other.join());
    EXPECT_EQ(run(wait_for_a_stopped_pool(&pool)), errc::stopped);
}

TEST(pool_run, on_a_pool_that_is_asked_for_after_the_end_is_stopped) {
    scheduler_thread other;
    other.start();
    other.stop();
    ASSERT_TRUE(other.join());
    EXPECT_EQ(run(wait_for_a_stopped_pool(&other->pool())), errc::stopped);
}

} // namespace
} // namespace coronet::worker_pool_tests

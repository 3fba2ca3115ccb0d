// SPDX-License-Identifier: BSL-1.0
//
// What one await costs, by kind. Each benchmark is one coroutine on a scheduler of its own thread;
// the loop of the benchmark is inside it, so that starting a scheduler is not measured. Names are
// those of the other micro programs, which do the same without Coronet.
#include <coronet/coro/channel.hpp>
#include <coronet/coro/mutex.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/worker_pool.hpp>
#include <coronet/runtime.hpp>

#include <benchmark/benchmark.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using coronet::task;

constexpr int batch = 32;            // coroutines side by side
constexpr long rounds_of_one = 1000; // awaits of each of them between two looks at the clock

template <class Body>
void run_inside(benchmark::State& state, Body body) {
    coronet::run_options options;
    options.handle_signals = false;
    coronet::run(body(&state), options);
}

// ---- NOPs through the ring ----

task<void> await_nops(benchmark::State* state) {
    for (auto _ : *state) {
        auto done = co_await coronet::async::nop();
        benchmark::DoNotOptimize(done);
    }
}

task<void> await_many_nops() {
    for (long i = 0; i < rounds_of_one; ++i) {
        auto done = co_await coronet::async::nop();
        benchmark::DoNotOptimize(done);
    }
}

task<void> await_batches(coronet::scope children, benchmark::State* state) {
    while (state->KeepRunningBatch(batch * rounds_of_one)) {
        for (int i = 0; i < batch; ++i)
            children.spawn(await_many_nops);
        auto joined = co_await children.join();
        benchmark::DoNotOptimize(joined);
    }
}

task<void> await_nops_side_by_side(benchmark::State* state) {
    co_await coronet::with_scope(await_batches, state);
}

task<void> await_nops_with_a_limit(benchmark::State* state) {
    for (auto _ : *state) {
        auto done = co_await coronet::with_timeout(1h, coronet::async::nop());
        benchmark::DoNotOptimize(done);
    }
}

// ---- tasks ----

task<long> add_one(long number) {
    co_return number + 1;
}

task<void> await_nested_tasks(benchmark::State* state) {
    long sum = 0;
    for (auto _ : *state) {
        sum = co_await add_one(sum);
        benchmark::DoNotOptimize(sum);
    }
}

task<void> put_next(long* sum) {
    ++*sum;
    co_return;
}

task<void> spawn_and_join_each(coronet::scope children, benchmark::State* state) {
    long sum = 0;
    for (auto _ : *state) {
        children.spawn(put_next, &sum);
        auto joined = co_await children.join();
        benchmark::DoNotOptimize(joined);
    }
}

task<void> spawn_and_join(benchmark::State* state) {
    co_await coronet::with_scope(spawn_and_join_each, state);
}

task<void> let_others_run(benchmark::State* state) {
    coronet::scheduler& here = *coronet::scheduler::current();
    for (auto _ : *state) {
        auto back = co_await coronet::schedule_on(here);
        benchmark::DoNotOptimize(back);
    }
}

// ---- between coroutines ----

task<void> send_many(coronet::channel<long>* to, long count) {
    for (long i = 0; i < count; ++i) {
        auto sent = co_await to->send(i);
        benchmark::DoNotOptimize(sent);
    }
}

task<void> receive_from(coronet::scope children, benchmark::State* state) {
    coronet::channel<long> values{64};
    while (state->KeepRunningBatch(rounds_of_one)) {
        children.spawn(send_many, &values, rounds_of_one);
        for (long i = 0; i < rounds_of_one; ++i) {
            auto value = co_await values.receive();
            benchmark::DoNotOptimize(value);
        }
    }
}

task<void> pass_values(benchmark::State* state) {
    co_await coronet::with_scope(receive_from, state);
}

task<void> lock_and_unlock(benchmark::State* state) {
    coronet::mutex free;
    for (auto _ : *state) {
        auto guard = co_await free.lock();
        benchmark::DoNotOptimize(guard);
    }
}

long one_more(long number) {
    return number + 1;
}

task<void> call_on_worker(benchmark::State* state) {
    coronet::worker_pool& workers = coronet::scheduler::current()->pool();
    long sum = 0;
    for (auto _ : *state) {
        auto called = co_await workers.run(one_more, sum);
        sum = called.value();
    }
}

task<void> hop_to(benchmark::State* state, coronet::scheduler* other) {
    long sum = 0;
    for (auto _ : *state) {
        auto added = co_await coronet::run_on(*other, add_one, sum);
        sum = added.value();
    }
}

void run_on(benchmark::State& state) {
    coronet::runtime_options options;
    options.threads = 1;
    coronet::runtime others{options};
    coronet::scheduler* other = &others.at(0);
    run_inside(state, [other](benchmark::State* each) { return hop_to(each, other); });
}

BENCHMARK_CAPTURE(run_inside, nop_1, await_nops)->Name("nop_1");
BENCHMARK_CAPTURE(run_inside, nop_32, await_nops_side_by_side)->Name("nop_32");
BENCHMARK_CAPTURE(run_inside, nop_limit, await_nops_with_a_limit)->Name("nop_limit");
BENCHMARK_CAPTURE(run_inside, nested, await_nested_tasks)->Name("nested");
BENCHMARK_CAPTURE(run_inside, spawn_join, spawn_and_join)->Name("spawn_join");
BENCHMARK_CAPTURE(run_inside, resume, let_others_run)->Name("resume");
BENCHMARK_CAPTURE(run_inside, channel, pass_values)->Name("channel");
BENCHMARK_CAPTURE(run_inside, mutex, lock_and_unlock)->Name("mutex");
BENCHMARK_CAPTURE(run_inside, pool, call_on_worker)->Name("pool")->UseRealTime();
BENCHMARK(run_on)->UseRealTime();

} // namespace

BENCHMARK_MAIN();

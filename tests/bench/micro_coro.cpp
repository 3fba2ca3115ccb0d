// SPDX-License-Identifier: BSL-1.0
//
// What one await costs, by kind: a nop through the ring, a nested task, a timer armed and given up,
// a hop to another thread and back. Each benchmark is one coroutine on a scheduler of its own
// thread; the loop of the benchmark is inside it, so that starting a scheduler is not measured.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/runtime.hpp>

#include <benchmark/benchmark.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using coronet::task;

template <class Body>
void run_inside(benchmark::State& state, Body body) {
    coronet::run_options options;
    options.handle_signals = false;
    coronet::run(body(&state), options);
}

task<void> await_nops(benchmark::State* state) {
    for (auto _ : *state) {
        auto done = co_await coronet::async::nop();
        benchmark::DoNotOptimize(done);
    }
}

task<void> await_nops_with_a_limit(benchmark::State* state) {
    for (auto _ : *state) {
        auto done = co_await coronet::with_timeout(1h, coronet::async::nop());
        benchmark::DoNotOptimize(done);
    }
}

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

task<long> nop_inside(long number) {
    auto done = co_await coronet::async::nop();
    co_return done ? number + 1 : number;
}

task<void> await_nops_in_nested_tasks(benchmark::State* state) {
    long sum = 0;
    for (auto _ : *state) {
        sum = co_await nop_inside(sum);
        benchmark::DoNotOptimize(sum);
    }
}

task<void> hop_to(benchmark::State* state, coronet::scheduler* other) {
    long sum = 0;
    for (auto _ : *state) {
        auto added = co_await coronet::run_on(*other, add_one, sum);
        sum = added.value();
    }
}

void await_nop(benchmark::State& state) {
    run_inside(state, await_nops);
}
void await_nop_with_timeout(benchmark::State& state) {
    run_inside(state, await_nops_with_a_limit);
}
void await_nested_task(benchmark::State& state) {
    run_inside(state, await_nested_tasks);
}
void await_nested_nop(benchmark::State& state) {
    run_inside(state, await_nops_in_nested_tasks);
}

void run_on_other_thread(benchmark::State& state) {
    coronet::runtime_options options;
    options.threads = 1;
    coronet::runtime others{options};
    coronet::scheduler* other = &others.at(0);
    run_inside(state, [other](benchmark::State* each) { return hop_to(each, other); });
}

BENCHMARK(await_nop);
BENCHMARK(await_nop_with_timeout);
BENCHMARK(await_nested_task);
BENCHMARK(await_nested_nop);
BENCHMARK(run_on_other_thread)->UseRealTime();

} // namespace

BENCHMARK_MAIN();

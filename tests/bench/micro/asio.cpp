// SPDX-License-Identifier: BSL-1.0
//
// What Asio's users pay for the same: names are those of the other micro programs. There is no NOP
// in Asio; a wait for a time that has passed is what comes nearest.
#include "pin.hpp"

#include <asio.hpp>
#include <asio/experimental/channel.hpp>
#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace {

using asio::use_awaitable;

template <class Body>
void run_inside(benchmark::State& state, Body body) {
    asio::io_context context(1);
    asio::co_spawn(context, body(&state), asio::detached);
    context.run();
}

asio::awaitable<long> add_one(long number) {
    co_return number + 1;
}

asio::awaitable<void> await_nested(benchmark::State* state) {
    long sum = 0;
    for (auto _ : *state) {
        sum = co_await add_one(sum);
        benchmark::DoNotOptimize(sum);
    }
}

asio::awaitable<void> spawn_and_join(benchmark::State* state) {
    const auto here = co_await asio::this_coro::executor;
    long sum = 0;
    for (auto _ : *state)
        sum = co_await asio::co_spawn(here, add_one(sum), use_awaitable);
    benchmark::DoNotOptimize(sum);
}

asio::awaitable<void> let_others_run(benchmark::State* state) {
    const auto here = co_await asio::this_coro::executor;
    for (auto _ : *state)
        co_await asio::post(here, use_awaitable);
}

using channel_of_longs = asio::experimental::channel<void(asio::error_code, long)>;

asio::awaitable<void> send_many(channel_of_longs* to, long count) {
    const asio::error_code none;
    for (long i = 0; i < count; ++i)
        co_await to->async_send(none, i, use_awaitable);
}

asio::awaitable<void> pass_values(benchmark::State* state) {
    const auto here = co_await asio::this_coro::executor;
    constexpr long count = 1000;
    channel_of_longs values(here, 64);
    while (state->KeepRunningBatch(count)) {
        asio::co_spawn(here, send_many(&values, count), asio::detached);
        for (long i = 0; i < count; ++i) {
            const long value = co_await values.async_receive(use_awaitable);
            benchmark::DoNotOptimize(value);
        }
    }
}

asio::awaitable<void> call_on_pool(benchmark::State* state) {
    asio::thread_pool workers(1);
    long sum = 0;
    for (auto _ : *state)
        sum = co_await asio::co_spawn(workers, add_one(sum), use_awaitable);
    benchmark::DoNotOptimize(sum);
    workers.join();
}

// Cancels one of 100,000 timers and arms it again; the loop has a turn after every 64.
void timer(benchmark::State& state) {
    constexpr std::size_t many = 100'000;
    asio::io_context context(1);
    std::vector<asio::steady_timer> timers;
    unsigned seed = 12345;
    const auto random = [&seed] {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        return seed;
    };
    const auto arm = [&](asio::steady_timer& each) {
        each.expires_after(std::chrono::milliseconds(100'000 + random() % 60'000)); // cancels, too
        each.async_wait([](std::error_code) {});
    };
    timers.reserve(many);
    for (std::size_t i = 0; i < many; ++i)
        arm(timers.emplace_back(context));
    int count = 0;
    for (auto _ : state) {
        arm(timers[random() % many]);
        if (++count % 64 == 0) context.poll();
    }
    timers.clear();
}

void play(std::size_t second_cpu, long hops) {
    asio::io_context left, right;
    auto left_stays = asio::make_work_guard(left), right_stays = asio::make_work_guard(right);
    long remaining = hops;
    const auto over = [&] {
        left_stays.reset();
        right_stays.reset();
    };
    std::function<void()> at_left, at_right;
    at_left = [&] { remaining-- > 0 ? asio::post(right, [&] { at_right(); }) : over(); };
    at_right = [&] { remaining-- > 0 ? asio::post(left, [&] { at_left(); }) : over(); };
    asio::post(left, [&] { at_left(); });
    const auto serve = [](asio::io_context& context, std::size_t cpu) {
        return std::thread{[&context, cpu] {
            pin(cpu);
            context.run();
        }};
    };
    std::thread first = serve(left, 0), second = serve(right, second_cpu);
    first.join();
    second.join();
}

void wake(benchmark::State& state, std::size_t second_cpu, long hops) {
    while (state.KeepRunningBatch(hops))
        play(second_cpu, hops);
}

BENCHMARK_CAPTURE(run_inside, nested, await_nested)->Name("nested");
BENCHMARK_CAPTURE(run_inside, spawn_join, spawn_and_join)->Name("spawn_join");
BENCHMARK_CAPTURE(run_inside, resume, let_others_run)->Name("resume");
BENCHMARK_CAPTURE(run_inside, channel, pass_values)->Name("channel");
BENCHMARK_CAPTURE(run_inside, pool, call_on_pool)->Name("pool")->UseRealTime();
BENCHMARK(timer);
BENCHMARK_CAPTURE(wake, one_cpu, std::size_t{0}, 10'000L)
    ->Name("wake_one_cpu")
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(wake, two_cpus, std::size_t{1}, 4'000L)->Name("wake_two_cpus")->UseRealTime();

} // namespace

BENCHMARK_MAIN();

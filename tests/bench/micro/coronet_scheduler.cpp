// SPDX-License-Identifier: BSL-1.0
//
// What the scheduler below the coroutines costs: a timer given up and armed again among 100,000,
// and a hop between two parked schedulers on threads of their own.
#include "pin.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/timer.hpp>
#include <coronet/work.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace {

using coronet::scheduler;

// ---- timers ----

class idle_limit final : public coronet::timer {
    void expire() noexcept override {}
};

class delays {
public:
    std::uint32_t number() noexcept {
        seed_ ^= seed_ << 13;
        seed_ ^= seed_ >> 17;
        seed_ ^= seed_ << 5;
        return seed_;
    }
    // None ends while this runs.
    std::chrono::milliseconds next() noexcept {
        return std::chrono::milliseconds{100'000 + number() % 60'000};
    }

private:
    std::uint32_t seed_ = 12345;
};

class nothing final : public coronet::work {
    void run() noexcept override {}
};

// The loop has a turn after every 64, in which what was armed finds its place. Something is ready
// then, so that the turn does not wait: a wait of no length is not what is measured.
void timer(benchmark::State& state) {
    constexpr std::size_t many = 100'000;
    scheduler loop;
    std::vector<idle_limit> limits(many);
    delays some;
    for (idle_limit& each : limits)
        loop.arm(each, some.next());
    nothing item;
    const auto turn = [&] {
        loop.ready(item);
        loop.run_once(coronet::clock::now());
    };
    turn();
    int count = 0;
    for (auto _ : state) {
        idle_limit& one = limits[some.number() % many];
        loop.disarm(one);
        loop.arm(one, some.next());
        if (++count % 64 == 0) turn();
    }
    for (idle_limit& each : limits)
        loop.disarm(each);
    loop.shutdown();
}

// ---- wake-ups ----

class ball final : public coronet::work {
public:
    void meet(scheduler& there, ball& other, long hops) noexcept {
        there_ = &there;
        other_ = &other;
        left_ = hops;
    }

private:
    void run() noexcept override {
        const bool over = left_-- == 0;
        if (over) {
            scheduler::current()->stop();
            there_->stop();
        } else if (!there_->post(*other_)) {
            scheduler::current()->stop(); // the other side is over already
        }
    }

    scheduler* there_ = nullptr;
    ball* other_ = nullptr;
    long left_ = 0;
};

std::thread serve(scheduler& loop, std::size_t cpu) {
    return std::thread{[&loop, cpu] {
        pin(cpu);
        loop.run();
    }};
}

void play(std::size_t second_cpu, long hops) {
    scheduler left, right;
    ball at_left, at_right;
    at_left.meet(right, at_right, hops / 2);
    at_right.meet(left, at_left, hops);
    std::thread first = serve(left, 0), second = serve(right, second_cpu);
    const bool thrown = left.post(at_left);
    benchmark::DoNotOptimize(thrown);
    first.join();
    second.join();
}

void wake(benchmark::State& state, std::size_t second_cpu, long hops) {
    while (state.KeepRunningBatch(hops))
        play(second_cpu, hops);
}

BENCHMARK(timer);
BENCHMARK_CAPTURE(wake, one_cpu, std::size_t{0}, 10'000L)
    ->Name("wake_one_cpu")
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(wake, two_cpus, std::size_t{1}, 4'000L)->Name("wake_two_cpus")->UseRealTime();

} // namespace

BENCHMARK_MAIN();

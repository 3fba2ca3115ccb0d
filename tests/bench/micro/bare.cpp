// SPDX-License-Identifier: BSL-1.0
//
// What C++20 coroutines cost without a library: starting one and reading its result, awaiting a
// nested one by symmetric transfer, resuming one that has suspended. Frames come from a list that
// the thread keeps; those named `heap_` come from malloc.
#include <benchmark/benchmark.h>

#include <array>
#include <coroutine>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace {

struct heap_frames {
    static void* get(std::size_t size) { return std::malloc(size); }
    static void put(void* frame, std::size_t) { std::free(frame); }
};

struct cached_frames {
    struct node {
        node* next;
    };
    static inline thread_local std::array<node*, 32> lists{}; // by size class
    static void* get(std::size_t size) {
        const std::size_t kind = (size + 63) / 64;
        if (kind < lists.size() && lists[kind])
            return std::exchange(lists[kind], lists[kind]->next);
        return std::malloc(kind * 64);
    }
    static void put(void* frame, std::size_t size) {
        const std::size_t kind = (size + 63) / 64;
        if (kind >= lists.size()) {
            std::free(frame);
            return;
        }
        lists[kind] = ::new (frame) node{lists[kind]};
    }
};

template <class Frames>
class task {
public:
    struct promise_type {
        std::coroutine_handle<> parent = std::noop_coroutine();
        long value = 0;

        static void* operator new(std::size_t size) { return Frames::get(size); }
        static void operator delete(void* frame, std::size_t size) { Frames::put(frame, size); }
        task get_return_object() {
            return task{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct to_parent {
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended
            ) noexcept {
                return ended.promise().parent;
            }
            void await_resume() noexcept {}
        };
        to_parent final_suspend() noexcept { return {}; }
        void return_value(long given) noexcept { value = given; }
        void unhandled_exception() { std::terminate(); }
    };

    explicit task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&&) = delete;
    ~task() {
        if (frame_) frame_.destroy();
    }
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
        frame_.promise().parent = parent;
        return frame_;
    }
    long await_resume() noexcept { return frame_.promise().value; }

    void resume() { frame_.resume(); }
    long value() { return frame_.promise().value; }

private:
    std::coroutine_handle<promise_type> frame_;
};

struct pause {
    std::coroutine_handle<>* where;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) noexcept { *where = frame; }
    void await_resume() noexcept {}
};

template <class Frames>
[[gnu::noinline]] task<Frames> add_one(long number) {
    co_return number + 1;
}

template <class Frames>
[[gnu::noinline]] task<Frames> await_nested(benchmark::State* state) {
    long sum = 0;
    for (auto _ : *state) {
        sum = co_await add_one<Frames>(sum);
        benchmark::DoNotOptimize(sum);
    }
    co_return sum;
}

template <class Frames>
[[gnu::noinline]] task<Frames> pause_for_ever(std::coroutine_handle<>* where) {
    pause here{where};
    for (;;)
        co_await here;
}

template <class Frames>
void spawn_join(benchmark::State& state) {
    long sum = 0;
    for (auto _ : state) {
        auto spawned = add_one<Frames>(sum);
        spawned.resume();
        sum = spawned.value();
        benchmark::DoNotOptimize(sum);
    }
}

template <class Frames>
void nested(benchmark::State& state) {
    auto parent = await_nested<Frames>(&state);
    parent.resume();
}

template <class Frames>
void resume(benchmark::State& state) {
    std::coroutine_handle<> where;
    auto paused = pause_for_ever<Frames>(&where);
    paused.resume();
    for (auto _ : state)
        where.resume();
}

BENCHMARK_TEMPLATE(spawn_join, cached_frames)->Name("spawn_join");
BENCHMARK_TEMPLATE(nested, cached_frames)->Name("nested");
BENCHMARK_TEMPLATE(resume, cached_frames)->Name("resume");
BENCHMARK_TEMPLATE(spawn_join, heap_frames)->Name("heap_spawn_join");
BENCHMARK_TEMPLATE(nested, heap_frames)->Name("heap_nested");

} // namespace

BENCHMARK_MAIN();

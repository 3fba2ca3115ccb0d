// SPDX-License-Identifier: BSL-1.0
//
// Contexts that are destroyed while Coronet's tasks wait in them, for whatever it be: each await
// ends once, each frame is gone, no handler is called.
#include "native_pair.hpp"
#include "support/schedulers.hpp"
#include "which_asio.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/steady_timer.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/use_coro.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace coronet::asiox::bridge_end_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

/// What becomes of awaits and frames.
struct ends {
    int resumed = 0;
    int aborted = 0;
    int frames = 0;
    bool called = false;
};
/// A local of a frame.
class alive {
public:
    explicit alive(ends& counts) : counts_(&counts) { ++counts.frames; }
    alive(const alive& other) : counts_(other.counts_) { ++counts_->frames; }
    alive& operator=(const alive&) = delete;
    ~alive() { --counts_->frames; }

private:
    ends* counts_;
};

using waiting = task<void> (*)(net::io_context*, ends*);

task<void> counts(task<void> job, ends* seen) {
    const alive frame(*seen);
    try {
        co_await std::move(job);
    } catch (const system_error& error) {
        if (error.code() == net::error::operation_aborted) ++seen->aborted;
    }
    ++seen->resumed;
}

task<void> for_a_timer(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    net::steady_timer timer(*context, 1h);
    co_await timer.async_wait(use_coro);
}
task<void> for_a_socket(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    test::tcp::acceptor listening(*context, test::any_port());
    test::tcp::socket one(*context);
    const test::tcp::endpoint where = listening.local_endpoint();
    one.connect(where);
    const test::tcp::socket other = listening.accept();
    std::array<char, 8> bytes{};
    const std::size_t count = co_await net::async_read(one, buffer(bytes), use_coro);
    static_cast<void>(count);
}
task<void> for_a_native_socket(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    const asiox::executor executor(context->get_executor());
    tcp::acceptor listening(executor, test::any_port());
    tcp::socket one(executor);
    const tcp::endpoint where = listening.local_endpoint();
    one.connect(where);
    tcp::socket other(executor);
    listening.accept(other);
    std::array<char, 8> bytes{};
    const std::size_t count = co_await net::async_read(one, buffer(bytes), use_coro);
    static_cast<void>(count);
}
task<void> for_posted_handlers(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    for (;;)
        co_await net::post(*context, use_coro);
}
task<void> for_a_resolver(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    test::tcp::resolver resolver(*context);
    for (;;) {
        const auto found = co_await resolver.async_resolve("127.0.0.1", "1", use_coro);
        static_cast<void>(found);
    }
}
task<void> for_a_signal(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    net::signal_set signals(*context, SIGUSR2);
    const int number = co_await signals.async_wait(use_coro);
    static_cast<void>(number);
}
task<void> waits_for(event* never) {
    const auto came = co_await never->wait();
    if (!came) throw system_error(net::error::operation_aborted);
}
task<void> for_another_task(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    event never;
    const auto both = co_await when_all(waits_for(&never), for_a_timer(context, seen));
    static_cast<void>(both);
}
/// Whose operation no stop can end.
task<void> for_what_cannot_be_cancelled(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    net::steady_timer timer(*context, 1h);
    const net::cancellation_slot none;
    co_await timer.async_wait(net::bind_cancellation_slot(none, use_coro));
}
task<void> for_a_native_timer_without_cancellation(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    steady_timer timer(asiox::executor(context->get_executor()), 1h);
    const net::cancellation_slot none;
    co_await timer.async_wait(net::bind_cancellation_slot(none, use_coro));
}
net::awaitable<void> asios_coroutine(ends* seen) {
    const alive frame(*seen);
    const auto here = co_await net::this_coro::executor;
    net::steady_timer timer(here, 1h);
    co_await timer.async_wait(net::use_awaitable);
}
task<void> for_asios_coroutine(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    co_await net::co_spawn(*context, asios_coroutine(seen), use_coro);
}

struct named_wait {
    const char* name;
    waiting wait;
};
class asio_end : public ::testing::TestWithParam<named_wait> {};

TEST_P(asio_end, AD4_a_context_that_ends_ends_each_await_once_and_destroys_all_frames) {
    ends seen;
    {
        io_context context;
        async_run(
            context, counts(GetParam().wait(&context, &seen), &seen),
            [&seen, held = alive(seen)](std::exception_ptr) { seen.called = true; }
        );
        context.poll_one();
        context.poll_one();
        context.run_one_for(5ms);
        EXPECT_GT(seen.frames, 1);
        EXPECT_EQ(seen.resumed, 0);
    }
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.aborted, 1);
    EXPECT_EQ(seen.frames, 0);
    EXPECT_FALSE(seen.called);
}

INSTANTIATE_TEST_SUITE_P(
    all, asio_end,
    ::testing::Values(
        named_wait{"timer", for_a_timer}, named_wait{"socket", for_a_socket},
        named_wait{"native_socket", for_a_native_socket},
        named_wait{"posted_handlers", for_posted_handlers}, named_wait{"resolver", for_a_resolver},
        named_wait{"signal", for_a_signal}, named_wait{"another_task", for_another_task},
        named_wait{"what_cannot_be_cancelled", for_what_cannot_be_cancelled},
        named_wait{"native_timer_without_cancellation", for_a_native_timer_without_cancellation},
        named_wait{"asios_coroutine", for_asios_coroutine}
    ),
    [](const auto& instance) { return std::string(instance.param.name); }
);

// ---- what the last coroutines do ----

/// Does not give in at once.
task<void> goes_on(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    for (int i = 0; i < 3; ++i) {
        error_code error;
        net::steady_timer timer(*context, 1h);
        const auto into = net::redirect_error(use_coro, error);
        co_await timer.async_wait(into);
        seen->aborted += error == net::error::operation_aborted ? 1 : 0;
    }
    net::post(*context, [seen, held = alive(*seen)] { seen->called = true; });
    ++seen->resumed;
}

TEST(asio_end_of_tasks, AD4_a_task_that_goes_on_is_refused_what_it_awaits_and_posts_in_vain) {
    ends seen;
    {
        io_context context;
        async_run(context, goes_on(&context, &seen), net::detached);
        context.run_for(5ms);
    }
    EXPECT_EQ(seen.aborted, 3);
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.frames, 0);
    EXPECT_FALSE(seen.called);
}

TEST(asio_end_of_tasks, AD4_a_task_that_was_never_begun_begins_and_ends) {
    ends seen;
    {
        io_context context;
        async_run(context, counts(for_a_timer(&context, &seen), &seen), net::detached);
    }
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.aborted, 1);
    EXPECT_EQ(seen.frames, 0);
}

net::awaitable<void> waits_for_a_task(net::io_context* context, ends* seen) {
    const alive frame(*seen);
    co_await as_operation(counts(for_a_timer(context, seen), seen))(net::use_awaitable);
    seen->called = true;
}

TEST(asio_end_of_tasks, AD4_what_awaits_a_task_in_asios_coroutines_is_destroyed_after_it) {
    ends seen;
    {
        io_context context;
        net::co_spawn(context, waits_for_a_task(&context, &seen), net::detached);
        context.run_for(5ms);
        EXPECT_EQ(seen.frames, 3);
    }
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.frames, 0);
    EXPECT_FALSE(seen.called);
}

task<void> sleeps_long(std::promise<void>* told, ends* seen) {
    const alive frame(*seen);
    told->set_value();
    const auto slept = co_await sleep_for(1h);
    if (!slept) ++seen->aborted;
    ++seen->resumed;
}

TEST(asio_end_of_tasks, AD4_a_thread_pool_ends_its_tasks_as_well) {
    ends seen;
    {
        net::thread_pool pool(2);
        std::promise<void> begun;
        async_run(pool, sleeps_long(&begun, &seen), net::detached);
        begun.get_future().wait();
        pool.stop();
    }
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.aborted, 1);
    EXPECT_EQ(seen.frames, 0);
}

task<void> tells_that_it_waits(net::steady_timer* timer, ends* seen, std::promise<void>* told) {
    const alive frame(*seen);
    told->set_value();
    co_await timer->async_wait(use_coro);
}

TEST(asio_end_of_tasks, AD4_tasks_of_other_schedulers_are_told_of_the_end) {
    ends seen;
    scheduler_thread mine;
    mine.start();
    std::promise<void> waits;
    std::future<void> ended;
    {
        // A plain one.
        auto context = std::make_unique<net::io_context>();
        auto timer = std::make_unique<net::steady_timer>(*context, 1h);
        auto wait = tells_that_it_waits(timer.get(), &seen, &waits);
        ended = coronet::test::begin_on(*mine, counts(std::move(wait), &seen));
        waits.get_future().wait();
        coronet::test::settle(*mine);
        timer.reset(); // which cancels; its handler is in the context's queue, never called
        context.reset();
    }
    ended.get();
    EXPECT_EQ(seen.resumed, 1);
    EXPECT_EQ(seen.aborted, 1);
    EXPECT_EQ(seen.frames, 0);
}

// ---- mistakes ----

/// Tells which frame awaits it.
class own_frame {
public:
    explicit own_frame(std::coroutine_handle<>* into) noexcept : into_(into) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet::detail::coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) const noexcept {
        *into_ = frame;
        return false;
    }
    void await_resume() const noexcept {}

private:
    std::coroutine_handle<>* into_;
};

task<void> waits_for_asios_timer(net::io_context* context, std::coroutine_handle<>* self) {
    co_await own_frame(self);
    net::steady_timer timer(*context, 1h);
    co_await timer.async_wait(use_coro);
}
task<void> destroys(std::coroutine_handle<>* victim) {
    const auto slept = co_await sleep_for(1ms);
    static_cast<void>(slept);
    victim->destroy();
}
task<void> waits_and_is_destroyed(net::io_context* context) {
    std::coroutine_handle<> victim;
    const auto both = co_await when_all(waits_for_asios_timer(context, &victim), destroys(&victim));
    static_cast<void>(both);
}
void destroy_a_waiting_frame() {
    io_context context;
    async_run(context, waits_and_is_destroyed(&context), net::detached);
    context.run_for(10s);
}

TEST(asio_end_of_tasks, AD4_a_frame_that_is_destroyed_while_it_waits_names_its_await) {
    EXPECT_DEATH(
        destroy_a_waiting_frame(),
        "while this await was in flight.*\n.*bridge_end_tests.cpp:[0-9]+ "
        "in .*waits_for_asios_timer"
    );
}

} // namespace
} // namespace coronet::asiox::bridge_end_tests

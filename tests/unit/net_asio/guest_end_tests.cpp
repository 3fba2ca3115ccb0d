// SPDX-License-Identifier: BSL-1.0
//
// The end of a guest one of whose tasks waits for an operation of its own context: the operation's
// handler is the context's to call, and whoever could call it may be who waits for the end.
#include "which_asio.hpp"

#include <coronet/clock.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/asio/guest.hpp>
#include <coronet/net/asio/use_coro.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

namespace coronet::asiox::guest_end_tests {
namespace {

using namespace std::chrono_literals;

/// A task that waits for a timer of the context, and who waits for the task.
struct waiting_task {
    waiting_task(net::io_context& host, scheduler& ring)
        : asks{[this, &host, &ring] { sync_wait(ring, waits(&host)); }} {}
    ~waiting_task() { asks.join(); }
    waiting_task(const waiting_task&) = delete;
    waiting_task& operator=(const waiting_task&) = delete;

    void runs_until_it_waits(net::io_context& host) const {
        const auto limit = clock::now() + 9s;
        while (!waiting && clock::now() < limit)
            host.run_one_for(1ms);
    }
    task<void> waits(net::io_context* host) {
        net::steady_timer timer{*host, 1h};
        error_code error;
        auto into = net::redirect_error(use_coro, error);
        waiting = true;
        co_await timer.async_wait(into);
        aborted = error == net::error::operation_aborted;
    }

    std::atomic<bool> waiting{false};
    std::atomic<bool> aborted{false};
    std::thread asks;
};

/// Whether any thread may run it. (A handler that has been waiting for long tells that none does.)
struct asio_guest_end : ::testing::TestWithParam<bool> {
    asio_guest_end() { options.movable_owner = GetParam(); }
    void begins() {
        coronet = std::make_unique<guest>(*host, options);
        task.emplace(*host, coronet->ring());
        task->runs_until_it_waits(*host);
    }

    scheduler_options options;
    std::unique_ptr<net::io_context> host = std::make_unique<net::io_context>();
    net::executor_work_guard<net::io_context::executor_type> open = net::make_work_guard(*host);
    std::unique_ptr<guest> coronet;
    std::optional<waiting_task> task;
};

TEST_P(asio_guest_end, AG1_a_task_that_waits_for_the_context_ends_with_the_guest) {
    begins();
    coronet.reset();
    EXPECT_TRUE(task->aborted);
    EXPECT_FALSE(host->stopped());
}

TEST_P(asio_guest_end, AG1_a_task_that_waits_for_the_context_ends_when_that_is_stopped) {
    begins();
    host->stop();
    coronet.reset();
    EXPECT_TRUE(task->aborted);
    EXPECT_TRUE(host->stopped());
}

TEST_P(asio_guest_end, AG1_a_task_that_waits_for_the_context_ends_with_that) {
    begins();
    open.reset();
    host.reset();
    EXPECT_TRUE(task->aborted);
}

TEST_P(asio_guest_end, AG1_a_task_that_waits_for_the_context_ends_by_a_stop) {
    begins();
    coronet->ring().stop();
    host->run_one_for(9s);
    EXPECT_TRUE(task->aborted);
    EXPECT_FALSE(host->stopped());
}

TEST_P(asio_guest_end, AG1_a_task_that_waits_for_the_context_ends_in_a_handler_of_that) {
    begins();
    net::post(*host, [this] { coronet.reset(); });
    host->run_one_for(9s);
    EXPECT_TRUE(task->aborted);
}

TEST_P(asio_guest_end, AG1_a_guest_goes_in_a_handler_that_its_end_runs) {
    begins();
    coronet->ring().stop();
    auto* const told = new net::steady_timer{*host, 1h};
    told->async_wait([this, told](error_code) {
        delete told;
        coronet.reset();
    });
    net::post(*host, [told] { told->cancel(); }); // after the turn that ends the ring
    const auto limit = clock::now() + 9s;
    while (coronet && clock::now() < limit)
        host->run_one_for(1ms);
    EXPECT_TRUE(task->aborted);
}

TEST_P(asio_guest_end, AG1_what_a_handler_throws_in_the_end_run_throws) {
    begins();
    net::post(*host, [] { throw std::runtime_error("a handler's own"); });
    coronet.reset();
    EXPECT_TRUE(task->aborted);
    EXPECT_THROW(host->run_for(9s), std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(rings, asio_guest_end, ::testing::Bool(), [](const auto& each) {
    return each.param ? "any_thread" : "one_thread";
});

TEST(asio_guest_ends, AG1_the_thread_that_runs_the_context_is_not_kept_from_it) {
    net::io_context host;
    auto open = net::make_work_guard(host);
    std::thread runner{[&] { host.run_for(20s); }};
    auto coronet = std::make_unique<guest>(host);
    {
        waiting_task task{host, coronet->ring()};
        const auto limit = clock::now() + 9s;
        while (!task.waiting && clock::now() < limit)
            std::this_thread::yield();
        coronet.reset();
        EXPECT_TRUE(task.aborted);
    }
    open.reset();
    runner.join();
}

} // namespace
} // namespace coronet::asiox::guest_end_tests

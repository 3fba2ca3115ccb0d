// SPDX-License-Identifier: BSL-1.0
//
// Tasks that are stopped while they await an operation of Asio's: each await ends exactly once, by
// its result or as aborted, whichever came first.
#include "native_pair.hpp"
#include "support/rounds.hpp"
#include "support/schedulers.hpp"
#include "support/spin.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/when_any.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/use_coro.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace coronet::asiox::bridge_cancel_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;
using test::as_tuple;

using told = std::tuple<error_code>;

task<error_code> waits_for(net::steady_timer* timer) {
    const told answer = co_await timer->async_wait(as_tuple(use_coro));
    co_return std::get<0>(answer);
}
task<error_code> reads(test::tcp::socket* socket) {
    std::array<char, 8> bytes{};
    error_code error;
    const auto into = net::redirect_error(use_coro, error);
    const std::size_t count = co_await net::async_read(*socket, buffer(bytes), into);
    static_cast<void>(count);
    co_return error;
}
task<error_code> reads_from_the_ring(tcp::socket* socket) {
    std::array<char, 8> bytes{};
    error_code error;
    const auto into = net::redirect_error(use_coro, error);
    const std::size_t count = co_await net::async_read(*socket, buffer(bytes), into);
    static_cast<void>(count);
    co_return error;
}
task<void> stops_soon(inplace_stop_source* source) {
    co_await coronet::test::pause();
    source->request_stop();
}

/// Runs what `stopped` gives, and stops it when it waits.
template <class Job>
task<error_code> stopped_while_waiting(Job waiting) {
    inplace_stop_source source;
    const auto all =
        co_await when_all(with_stop(source.get_token(), std::move(waiting)), stops_soon(&source));
    co_return std::get<0>(all);
}

template <class Job>
error_code outcome_in(io_context& context, Job job) {
    error_code ended;
    async_run(context, std::move(job), [&](std::exception_ptr, error_code error) {
        ended = error;
    });
    context.run_for(10s);
    return ended;
}

TEST(asio_use_coro_cancel, AD2_a_stop_ends_a_wait_for_a_timer) {
    io_context context;
    net::steady_timer timer(context, 1h);
    EXPECT_EQ(
        outcome_in(context, stopped_while_waiting(waits_for(&timer))), net::error::operation_aborted
    );
}

TEST(asio_use_coro_cancel, AD2_a_stop_ends_composed_reads_of_both_kinds_of_sockets) {
    io_context context;
    test::native_pair pair(context);
    test::tcp::acceptor listening(context, test::any_port());
    test::tcp::socket one(context);
    one.connect(listening.local_endpoint());
    test::tcp::socket other = listening.accept();
    other.write_some(buffer("abc", 3)); // 8 are wanted
    pair.other.write_some(buffer("abc", 3));
    EXPECT_EQ(
        outcome_in(context, stopped_while_waiting(reads(&one))), net::error::operation_aborted
    );
    context.restart();
    EXPECT_EQ(
        outcome_in(context, stopped_while_waiting(reads_from_the_ring(&pair.one))),
        net::error::operation_aborted
    );
}

/// Notes on which scheduler's thread it is cancelled.
struct notes_where {
    std::atomic<const scheduler*>* where;
    std::atomic<int>* count;
    void operator()(net::cancellation_type) const {
        *where = scheduler::current();
        ++*count;
    }
};
struct cancelled_where {
    std::atomic<const scheduler*> where{nullptr};
    std::atomic<int> count{0};
};
task<void> never_begins(cancelled_where* seen, std::atomic<bool>* waits, net::io_context* other) {
    const auto begin = [&](auto token) {
        return net::async_initiate<decltype(token), void(error_code)>(
            [&](auto handler) {
                auto slot = net::get_associated_cancellation_slot(handler);
                slot.template emplace<notes_where>(&seen->where, &seen->count);
                net::post(*other, [seen, kept = std::move(handler)]() mutable {
                    while (seen->count == 0)
                        std::this_thread::yield();
                    std::move(kept)(error_code());
                });
            },
            token
        );
    };
    waits->store(true);
    co_await begin(use_coro);
}

TEST(asio_use_coro_cancel, AD2_the_cancellation_is_emitted_once_and_on_the_schedulers_thread) {
    net::io_context other;
    auto work = net::make_work_guard(other);
    std::jthread runner{[&other] { other.run(); }};
    scheduler_thread mine;
    mine.start();
    cancelled_where seen;
    std::atomic<bool> waits{false};
    inplace_stop_source source;
    auto ended = coronet::test::begin_on(
        *mine,
        coronet::detail::as_task(with_stop(source.get_token(), never_begins(&seen, &waits, &other)))
    );
    while (!waits)
        std::this_thread::yield();
    coronet::test::settle(*mine); // it has begun
    source.request_stop();
    source.request_stop();
    EXPECT_NO_THROW(ended.get()); // its result came after all
    EXPECT_EQ(seen.where.load(), &*mine);
    EXPECT_EQ(seen.count, 1);
    work.reset();
}

task<std::string> refused(io_context* context, inplace_stop_source* source) {
    source->request_stop();
    const auto slept = co_await sleep_for(1h); // it has arrived
    static_cast<void>(slept);
    bool begun = false;
    const auto begin = [&](auto token) {
        return net::async_initiate<decltype(token), void(error_code)>(
            [&](auto) { begun = true; }, token
        );
    };
    const told first = co_await begin(as_tuple(use_coro));
    error_code second;
    const auto into = net::redirect_error(use_coro, second);
    co_await begin(into);
    std::string all = std::get<0>(first) == net::error::operation_aborted ? "told " : "";
    all += second == net::error::operation_aborted ? "left " : "";
    try {
        co_await net::post(*context, use_coro);
    } catch (const system_error& error) {
        all += error.code() == net::error::operation_aborted ? "thrown" : "";
    }
    co_return begun ? "begun" : all;
}
task<std::string> refused_in_a_stopped_branch(io_context* context) {
    inplace_stop_source source;
    co_return co_await with_stop(source.get_token(), refused(context, &source));
}

TEST(asio_use_coro_cancel, AD2_after_a_stop_nothing_is_begun) {
    io_context context;
    std::string said;
    async_run(context, refused_in_a_stopped_branch(&context), [&](auto, std::string all) {
        said = std::move(all);
    });
    context.run_for(10s);
    EXPECT_EQ(said, "told left thrown");
}

task<void> throws_when_stopped(net::steady_timer* timer) {
    co_await timer->async_wait(use_coro);
}
task<void> stopping_body(scope children, net::steady_timer* timer) {
    children.spawn(throws_when_stopped, timer);
    co_await coronet::test::pause();
    children.request_stop();
}
task<void> scope_that_is_stopped(net::steady_timer* timer) {
    co_await with_scope(stopping_body, timer);
}

TEST(asio_use_coro_cancel, AD2_what_a_stopped_await_throws_is_no_failure_to_a_scope) {
    io_context context;
    net::steady_timer timer(context, 1h);
    std::exception_ptr thrown = std::make_exception_ptr(1);
    async_run(context, scope_that_is_stopped(&timer), [&](std::exception_ptr error) {
        thrown = std::move(error);
    });
    context.run_for(10s);
    EXPECT_EQ(thrown, nullptr);
}

// ---- results and stops that meet ----

/// Counts those that live.
struct counted {
    static inline std::atomic<int> alive{0};
    counted() { ++alive; }
    counted(const counted&) { ++alive; }
    counted& operator=(const counted&) = default;
    ~counted() { --alive; }
};

struct tally {
    std::atomic<int> ended{0};
    int results = 0;
    int aborted = 0;
};

task<void> one_round(net::steady_timer* timer, tally* all) {
    const counted life;
    const told answer = co_await timer->async_wait(as_tuple(use_coro));
    ++all->ended;
    ++(std::get<0>(answer) ? all->aborted : all->results);
}
task<void> one_stoppable_round(inplace_stop_token token, net::steady_timer* timer, tally* all) {
    co_await with_stop(token, one_round(timer, all));
}

/// What a thread is to stop, and what it has stopped.
struct victims {
    std::atomic<inplace_stop_source*> next{nullptr};
    std::atomic<int> stopped{0};
};
/// The timer is another thread's; a third one stops the await.
task<void> race(net::io_context* other, tally* all, victims* offered) {
    const int rounds = coronet::test::rounds(10'000, 1'000'000);
    net::steady_timer timer(*other);
    int taken = 0;
    for (int i = 0; i < rounds; ++i) {
        inplace_stop_source source;
        timer.expires_after(std::chrono::nanoseconds(i % 64 * 100));
        offered->next = &source;
        co_await one_stoppable_round(source.get_token(), &timer, all);
        if (!offered->next.exchange(nullptr)) ++taken;
        while (offered->stopped != taken)
            std::this_thread::yield();
    }
}

TEST(asio_use_coro_cancel, AD2_a_result_and_a_stop_that_race_have_one_outcome) {
    net::io_context other;
    auto work = net::make_work_guard(other);
    std::jthread runner{[&other] { other.run(); }};
    scheduler_thread mine;
    mine.start();
    tally all;
    victims offered;
    std::jthread stopper{[&](std::stop_token over) {
        for (int turns = 0; !over.stop_requested(); turns = (turns + 7) % 500) {
            auto* source = offered.next.exchange(nullptr);
            if (!source) continue;
            coronet::test::spin(turns);
            source->request_stop();
            ++offered.stopped;
        }
    }};
    sync_wait(*mine, race(&other, &all, &offered));
    EXPECT_EQ(all.ended, coronet::test::rounds(10'000, 1'000'000));
    EXPECT_GT(all.results, 0);
    EXPECT_GT(all.aborted, 0);
    EXPECT_EQ(all.results + all.aborted, all.ended);
    EXPECT_EQ(counted::alive, 0);
    work.reset();
}

} // namespace
} // namespace coronet::asiox::bridge_cancel_tests

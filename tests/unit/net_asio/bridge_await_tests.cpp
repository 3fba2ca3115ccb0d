// SPDX-License-Identifier: BSL-1.0
//
// Operations of Asio's in Coronet's coroutines: what an await gives, where it resumes, and what it
// costs.
#include "steady_state/allocation_count.hpp"
#include "support/schedulers.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/coro/timeout.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/use_coro.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet::asiox::bridge_await_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;
using test::as_tuple;

/// Runs `job` in `context`, and gives what it gives.
template <class T>
T run_in(io_context& context, task<T> job) {
    std::optional<T> given;
    std::exception_ptr thrown;
    async_run(context, std::move(job), [&](std::exception_ptr error, T value) {
        thrown = std::move(error);
        given.emplace(std::move(value));
    });
    context.restart();
    context.run_for(10s);
    if (thrown) std::rethrow_exception(thrown);
    return std::move(given).value(); // throws if it has not ended
}

/// An operation whose handler a test calls, or drops, when it likes.
template <class Signature>
class held_operation;
template <class... T>
class held_operation<void(T...)> {
public:
    template <class Token>
    auto begin(Token&& token) {
        return net::async_initiate<Token, void(T...)>(
            [this](auto handler) { hold(std::move(handler)); }, token
        );
    }
    [[nodiscard]] bool begun() const noexcept { return held_ != nullptr; }
    void call(T... arguments) {
        auto called = std::move(held_);
        called->call(std::move(arguments)...);
    }
    void drop() { held_.reset(); }

private:
    struct holder {
        virtual ~holder() = default;
        virtual void call(T... arguments) = 0;
    };
    template <class Handler>
    void hold(Handler handler) {
        struct one final : holder {
            explicit one(Handler&& given) : kept(std::move(given)) {}
            void call(T... arguments) override { std::move(kept)(std::move(arguments)...); }
            Handler kept;
        };
        held_ = std::make_unique<one>(std::move(handler));
    }
    std::unique_ptr<holder> held_;
};

// ---- what an await gives ----

task<std::string> echo_of(io_context* context) {
    test::tcp::acceptor listening(*context, test::any_port());
    test::tcp::socket one(*context);
    const test::tcp::endpoint where = listening.local_endpoint();
    one.connect(where);
    auto other = co_await listening.async_accept(use_coro);
    const std::string words = "hello\nand no more";
    const std::size_t sent = co_await net::async_write(one, buffer(words), use_coro);
    std::string line;
    auto into = net::dynamic_buffer(line);
    const std::size_t count = co_await net::async_read_until(other, into, '\n', use_coro);
    one.close();
    std::size_t rest = 0;
    error_code end;
    const auto ended = net::redirect_error(use_coro, end);
    rest = co_await net::async_read(other, into, ended);
    if (end != net::error::eof || sent != words.size()) co_return "lost";
    if (line.size() != words.size()) co_return "lost " + std::to_string(rest);
    co_return line.substr(0, count);
}

TEST(asio_use_coro, AD1_single_and_composed_operations_give_what_their_handlers_are_told) {
    io_context context;
    EXPECT_EQ(run_in(context, echo_of(&context)), "hello\n");
}

task<error_code> refused_connection(io_context* context) {
    test::tcp::socket socket(*context);
    const test::tcp::endpoint nobody(net::ip::address_v4::loopback(), 1);
    try {
        co_await socket.async_connect(nobody, use_coro);
    } catch (const system_error& error) {
        co_return error.code();
    }
    co_return error_code();
}
task<error_code> refused_connection_in_a_variable(io_context* context) {
    test::tcp::socket socket(*context);
    const test::tcp::endpoint nobody(net::ip::address_v4::loopback(), 1);
    error_code error;
    const auto told = net::redirect_error(use_coro, error);
    co_await socket.async_connect(nobody, told);
    co_return error;
}
task<error_code> refused_connection_in_a_tuple(io_context* context) {
    test::tcp::socket socket(*context);
    const test::tcp::endpoint nobody(net::ip::address_v4::loopback(), 1);
    const std::tuple<error_code> told = co_await socket.async_connect(nobody, as_tuple(use_coro));
    co_return std::get<0>(told);
}

TEST(asio_use_coro, AD1_an_error_is_thrown_unless_the_token_says_otherwise) {
    io_context context;
    const error_code refused = net::error::connection_refused;
    EXPECT_EQ(run_in(context, refused_connection(&context)), refused);
    EXPECT_EQ(run_in(context, refused_connection_in_a_variable(&context)), refused);
    EXPECT_EQ(run_in(context, refused_connection_in_a_tuple(&context)), refused);
}

task<int> values_of_all_kinds(io_context* context) {
    held_operation<void(error_code, int, std::string)> two;
    held_operation<void(std::exception_ptr, std::unique_ptr<int>)> moved;
    net::post(*context, [&] { two.call({}, 1, "x"); });
    const std::tuple<int, std::string> pair = co_await two.begin(use_coro);
    net::post(*context, [&] { moved.call(nullptr, std::make_unique<int>(2)); });
    const std::unique_ptr<int> second = co_await moved.begin(use_coro);
    net::post(*context, [&] {
        moved.call(std::make_exception_ptr(std::out_of_range("thrown")), nullptr);
    });
    int third = 0;
    try {
        const auto nothing = co_await moved.begin(use_coro);
        static_cast<void>(nothing);
    } catch (const std::out_of_range&) {
        third = 3;
    }
    co_return std::get<0>(pair) + *second + third;
}

TEST(asio_use_coro, AD1_several_values_come_as_a_tuple_and_exceptions_are_thrown) {
    io_context context;
    EXPECT_EQ(run_in(context, values_of_all_kinds(&context)), 6);
}

task<int> with_everything_bound(io_context* context) {
    net::steady_timer timer(*context, 1ms);
    net::cancellation_signal signal;
    const auto strand = net::make_strand(*context);
    co_await timer.async_wait(net::bind_executor(strand, use_coro));
    co_await timer.async_wait(net::bind_allocator(std::allocator<int>(), use_coro));
    timer.expires_after(1h);
    net::post(*context, [&] { signal.emit(net::cancellation_type::total); });
    auto bound = net::bind_cancellation_slot(signal.slot(), as_tuple(use_coro));
    const auto told = co_await timer.async_wait(bound);
    co_return std::get<0>(told) == net::error::operation_aborted ? 1 : 0;
}

TEST(asio_use_coro, AD1_executors_allocators_and_slots_can_be_bound) {
    io_context context;
    EXPECT_EQ(run_in(context, with_everything_bound(&context)), 1);
}

net::awaitable<int> in_asios_coroutine() {
    auto here = co_await net::this_coro::executor;
    co_await net::post(here, net::use_awaitable);
    co_return 7;
}
task<int> awaits_asios_coroutine(io_context* context) {
    co_return co_await net::co_spawn(*context, in_asios_coroutine(), use_coro);
}

TEST(asio_use_coro, AD1_coroutines_of_asio_can_be_awaited) {
    io_context context;
    EXPECT_EQ(run_in(context, awaits_asios_coroutine(&context)), 7);
}

task<bool> limited(io_context* context) {
    net::steady_timer timer(*context, 1h);
    const result<void> waited = co_await with_timeout(1ms, timer.async_wait(use_coro));
    co_return !waited && waited.error() == std::errc::timed_out;
}

TEST(asio_use_coro, AD1_an_operation_can_be_given_a_time_limit_of_coronets) {
    io_context context;
    EXPECT_TRUE(run_in(context, limited(&context)));
}

task<bool> initiation_throws() {
    const auto throwing = [](auto) { throw std::length_error("no room"); };
    const auto begin = [&](auto token) {
        return net::async_initiate<decltype(token), void(error_code)>(throwing, token);
    };
    try {
        co_await begin(use_coro);
    } catch (const std::length_error&) {
        co_return true;
    }
    co_return false;
}

TEST(asio_use_coro, AD1_what_the_initiation_throws_is_thrown_by_the_await) {
    io_context context;
    EXPECT_TRUE(run_in(context, initiation_throws()));
}

task<std::string> dropped(io_context* context) {
    held_operation<void(error_code, std::string)> held;
    const auto drop = [&] { held.drop(); };
    std::string all;
    net::post(*context, drop);
    try {
        all = co_await held.begin(use_coro);
    } catch (const system_error& error) {
        all += error.code() == net::error::operation_aborted ? "thrown" : "other";
    }
    net::post(*context, drop);
    const auto told = co_await held.begin(as_tuple(use_coro));
    if (std::get<0>(told) == net::error::operation_aborted) all += " told";
    net::post(*context, drop);
    error_code error;
    const auto into = net::redirect_error(use_coro, error);
    const std::string nothing = co_await held.begin(into);
    if (error == net::error::operation_aborted && nothing.empty()) all += " left";
    co_return all;
}

TEST(asio_use_coro, AD1_a_handler_that_is_destroyed_ends_its_await_as_aborted) {
    io_context context;
    EXPECT_EQ(run_in(context, dropped(&context)), "thrown told left");
}

// ---- where it resumes ----

task<int> hops(io_context* other, std::thread::id mine) {
    int here = 0;
    net::steady_timer timer(*other);
    for (int i = 0; i < 100; ++i) {
        timer.expires_after(i % 2 == 0 ? 0us : 50us);
        co_await timer.async_wait(use_coro);
        here += std::this_thread::get_id() == mine ? 1 : 0;
        co_await net::post(*other, net::bind_executor(other->get_executor(), use_coro));
        here += std::this_thread::get_id() == mine ? 1 : 0;
    }
    co_return here;
}
task<int> hops_from_here(io_context* other) {
    co_return co_await hops(other, std::this_thread::get_id());
}

TEST(asio_use_coro, AD1_the_coroutine_resumes_on_its_own_thread_whoever_runs_the_handler) {
    io_context other;
    auto work = net::make_work_guard(other);
    std::jthread one{[&other] { other.run(); }};
    std::jthread two{[&other] { other.run(); }};
    scheduler_thread mine;
    mine.start();
    EXPECT_EQ(sync_wait(*mine, hops_from_here(&other)), 200);
    work.reset();
}

task<bool> resumes_in_the_ring(io_context* context) {
    bool always = true;
    for (int i = 0; i < 10; ++i) {
        co_await net::post(*context, use_coro);
        always = always && scheduler::current() == &context->ring();
    }
    co_return always;
}

TEST(asio_use_coro, AD1_under_an_io_context_it_resumes_in_a_turn_of_its_ring) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::jthread other{[&context] { context.run(); }};
    auto in_ring = async_run(context, resumes_in_the_ring(&context), net::use_future);
    EXPECT_TRUE(in_ring.get());
    work.reset();
}

// ---- what it costs ----

/// Counts what is allocated by it and its copies.
template <class T>
class counting_allocator {
public:
    using value_type = T;
    explicit counting_allocator(int& count) noexcept : count_(&count) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) noexcept : count_(other.count_) {}

    T* allocate(std::size_t count) {
        ++*count_;
        return std::allocator<T>().allocate(count);
    }
    void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
    friend bool operator==(const counting_allocator& a, const counting_allocator& b) noexcept {
        return a.count_ == b.count_;
    }

private:
    template <class>
    friend class counting_allocator;
    int* count_;
};

task<int> allocations_by_asio(io_context* context, int awaits) {
    net::steady_timer timer(*context);
    int count = 0;
    const counting_allocator<void*> counting(count);
    for (int i = 0; i < awaits; ++i) {
        timer.expires_after(0s);
        co_await timer.async_wait(net::bind_allocator(counting, use_coro));
    }
    co_return count;
}

TEST(asio_use_coro, AD5_an_await_allocates_its_operation_and_nothing_else_by_its_allocator) {
    io_context context;
    EXPECT_EQ(run_in(context, allocations_by_asio(&context, 10)), 10);
}

task<std::size_t> allocations_of_reads(io_context* context) {
    test::tcp::acceptor listening(*context, test::any_port());
    test::tcp::socket one(*context);
    const test::tcp::endpoint where = listening.local_endpoint();
    one.connect(where);
    test::tcp::socket other = co_await listening.async_accept(use_coro);
    net::steady_timer timer(*context);
    std::array<char, 64> bytes{};
    std::size_t before = 0;
    constexpr int warm_up = 100;
    for (int i = 0; i < warm_up + 1000; ++i) {
        if (i == warm_up) before = coronet::test::allocation_count();
        timer.expires_after(0s);
        co_await timer.async_wait(use_coro);
        const std::size_t sent = co_await one.async_write_some(buffer(bytes), use_coro);
        const std::size_t came = co_await other.async_read_some(buffer(bytes), use_coro);
        if (sent != came) co_return std::size_t{999'999};
    }
    co_return coronet::test::allocation_count() - before;
}

TEST(asio_use_coro, AD5_awaits_take_nothing_from_the_heap_in_the_long_run) {
    io_context context;
    EXPECT_EQ(run_in(context, allocations_of_reads(&context)), 0u);
}

TEST(asio_use_coro, AD5_nor_do_they_on_a_scheduler_of_their_own) {
    io_context other;
    auto work = net::make_work_guard(other);
    std::jthread runner{[&other] { other.run(); }};
    scheduler_thread mine;
    mine.start();
    // A block that the other thread gives back may come home late once or twice.
    EXPECT_LT(sync_wait(*mine, allocations_of_reads(&other)), 10u);
    work.reset();
}

} // namespace
} // namespace coronet::asiox::bridge_await_tests

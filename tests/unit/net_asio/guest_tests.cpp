// SPDX-License-Identifier: BSL-1.0
//
// A ring as the guest of a plain io_context: it makes progress whatever wakes it, leaves the
// context its own ways, and ends before or with it. Only what old Asios have is used here.
#include "lib/call.hpp"
#include "lib/ring_loop.hpp"
#include "lib/sample_operation.hpp"
#include "which_asio.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/asio/guest.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet::asiox::guest_tests {
namespace {

using namespace std::chrono_literals;
using testing::alarm;
using testing::call;
using testing::empty_pipe;
using testing::read_of;
using testing::sample_operation;

/// How a ring is set up.
struct setup {
    const char* name;
    scheduler_options (*options)();
};
const setup one_thread{"one_thread", [] { return scheduler_options{}; }};
const setup any_thread{"any_thread", &guest::for_any_thread};
const setup submission_thread{"submission_thread", [] {
                                  scheduler_options options;
                                  options.sqpoll.emplace().idle = 1ms;
                                  return options;
                              }};
const setup on_epoll{"on_epoll", [] {
                         scheduler_options options;
                         options.driver = driver_choice::epoll;
                         return options;
                     }};

class asio_guest : public ::testing::TestWithParam<setup> {
protected:
    /// Runs the context until nothing is left to do; false if that takes 10 s.
    bool runs_to_its_end() {
        host.restart();
        const auto began = clock::now();
        host.run_for(10s);
        return clock::now() - began < 9s;
    }

    // Its loop is in use already: no other one could be put under it.
    net::io_context host;
    net::steady_timer used{host, 1h};
};

/// A read of an empty pipe, begun in a turn of the guest's.
struct waiting_read {
    explicit waiting_read(scheduler& ring) : begins{[this, &ring] { ring.start(read); }} {
        EXPECT_TRUE(ring.post(begins));
    }
    empty_pipe source;
    char byte = 0;
    sample_operation read = read_of(source, byte);
    call begins;
};

TEST_P(asio_guest, AG1_an_operation_that_waits_is_told_and_keeps_run_until_then) {
    guest coronet{host, GetParam().options()};
    waiting_read wait{coronet.ring()};
    net::steady_timer later{host, 20ms};
    later.async_wait([&wait](error_code) { wait.source.write(); });
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_EQ(wait.read.end(), 1);
    EXPECT_EQ(wait.byte, 'x');
}

TEST_P(asio_guest, AG1_a_timer_of_coronets_expires_and_keeps_run_until_then) {
    guest coronet{host, GetParam().options()};
    bool expired = false;
    alarm soon{[&expired] { expired = true; }};
    call arms{[&] { coronet.ring().arm(soon, 20ms); }};
    EXPECT_TRUE(coronet.ring().post(arms));
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(expired);
}

TEST_P(asio_guest, AG1_an_idle_guest_lets_run_return) {
    guest coronet{host, GetParam().options()};
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(runs_to_its_end());
}

TEST_P(asio_guest, AG1_a_timer_given_up_no_longer_keeps_run) {
    guest coronet{host, GetParam().options()};
    alarm late{[] {}};
    call arms{[&] { coronet.ring().arm(late, 1h); }};
    call gives_up{[&] { coronet.ring().disarm(late); }};
    EXPECT_TRUE(coronet.ring().post(arms));
    net::steady_timer soon{host, 5ms}; // by then it is waited for
    soon.async_wait([&](error_code) { EXPECT_TRUE(coronet.ring().post(gives_up)); });
    EXPECT_TRUE(runs_to_its_end());
}

TEST_P(asio_guest, AG1_the_contexts_own_work_goes_on_beside_it) {
    guest coronet{host, GetParam().options()};
    EXPECT_TRUE(runs_to_its_end()); // it is idle now
    bool expired = false;
    net::steady_timer soon{host, 5ms};
    soon.async_wait([&expired](error_code error) { expired = !error; });
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(expired);
}

TEST_P(asio_guest, AG1_an_idle_guest_is_woken_from_another_thread) {
    guest coronet{host, GetParam().options()};
    auto open = net::make_work_guard(host);
    std::atomic<int> ran{0};
    call item{[&ran] { ++ran; }};
    const auto limit = clock::now() + 9s;
    std::thread other{[&] {
        for (int i = 1; i <= 100; ++i) {
            EXPECT_TRUE(coronet.ring().post(item));
            while (ran < i && clock::now() < limit)
                std::this_thread::yield();
        }
        open.reset();
    }};
    EXPECT_TRUE(runs_to_its_end());
    other.join();
    EXPECT_EQ(ran, 100);
}

/// A byte there and back, a number of times: each answer comes from another thread.
task<int> talk(int fd, int rounds) {
    std::array<std::byte, 1> byte{};
    for (int i = 0; i < rounds; ++i) {
        auto written = co_await async::write(fd, byte);
        if (!written) co_return i;
        auto received = co_await async::read(fd, byte);
        if (!received || *received != 1) co_return i;
    }
    co_return rounds;
}

TEST_P(asio_guest, AG1_a_coroutine_talks_with_another_thread) {
    auto coronet = std::make_unique<guest>(host, GetParam().options());
    auto open = net::make_work_guard(host);
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const unique_fd one{ends[0]};
    unique_fd other{ends[1]};
    std::thread echo{[end = std::move(other)] {
        char byte = 0;
        while (::read(end.get(), &byte, 1) == 1 && ::write(end.get(), &byte, 1) == 1) {
        }
    }};
    int rounds = 0;
    std::thread asks{[&] {
        rounds = sync_wait(coronet->ring(), talk(one.get(), 100));
        ::shutdown(one.get(), SHUT_RDWR);
        open.reset();
    }};
    EXPECT_TRUE(runs_to_its_end());
    coronet.reset(); // ends the talk, should it not have come to its end
    asks.join();
    echo.join();
    EXPECT_EQ(rounds, 100);
}

TEST_P(asio_guest, AG1_more_than_a_turns_work_leaves_no_handler_waiting) {
    guest coronet{host, GetParam().options()};
    bool expired = false;
    int turns = 0;
    std::optional<call> again;
    again.emplace([&] { // for ever, if it were for it alone
        if (!expired && ++turns < 10'000'000) coronet.ring().ready(*again);
    });
    EXPECT_TRUE(coronet.ring().post(*again));
    net::steady_timer soon{host, 5ms};
    soon.async_wait([&expired](error_code error) { expired = !error; });
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(expired);
    EXPECT_LT(turns, 10'000'000);
}

TEST_P(asio_guest, AG1_what_is_in_flight_ends_with_the_guest) {
    auto coronet = std::make_unique<guest>(host, GetParam().options());
    waiting_read wait{coronet->ring()};
    host.run_for(10ms);
    EXPECT_FALSE(wait.read.ended());
    coronet.reset();
    EXPECT_EQ(wait.read.end(), -ECANCELED);
    EXPECT_TRUE(runs_to_its_end()); // the context has nothing of it any more
}

TEST_P(asio_guest, AG1_what_is_in_flight_ends_with_the_context) {
    auto context = std::make_unique<net::io_context>();
    guest coronet{*context, GetParam().options()};
    waiting_read wait{coronet.ring()};
    context->run_for(10ms);
    EXPECT_FALSE(wait.read.ended());
    context.reset();
    EXPECT_EQ(wait.read.end(), -ECANCELED);
}

TEST_P(asio_guest, AG1_a_guest_that_never_had_a_turn_ends) {
    auto context = std::make_unique<net::io_context>();
    guest coronet{*context, GetParam().options()};
    { const guest short_lived{*context, GetParam().options()}; }
    context.reset();
}

TEST_P(asio_guest, AG1_a_stop_ends_its_scheduler_and_nothing_else) {
    guest coronet{host, GetParam().options()};
    waiting_read wait{coronet.ring()};
    net::steady_timer soon{host, 5ms};
    soon.async_wait([&](error_code) { coronet.ring().stop(); });
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_EQ(wait.read.end(), -ECANCELED);
    bool expired = false;
    net::steady_timer later{host, 1ms};
    later.async_wait([&expired](error_code error) { expired = !error; });
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(expired);
}

/// No further descriptor, until it goes.
class without_descriptors {
public:
    without_descriptors() {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        const rlimit none{0, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    ~without_descriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
    without_descriptors(const without_descriptors&) = delete;
    without_descriptors& operator=(const without_descriptors&) = delete;

private:
    rlimit before_{};
};

TEST_P(asio_guest, AG1_a_turn_that_throws_is_not_the_last) {
    guest coronet{host, GetParam().options()};
    bool ran = false;
    call item{[&ran] { ran = true; }};
    {
        const without_descriptors now;
        EXPECT_THROW(host.run_for(10s), std::system_error);
        EXPECT_THROW(host.run_for(10s), std::system_error);
    }
    EXPECT_TRUE(coronet.ring().post(item));
    EXPECT_TRUE(runs_to_its_end());
    EXPECT_TRUE(ran);
}

INSTANTIATE_TEST_SUITE_P(
    rings, asio_guest, ::testing::Values(one_thread, any_thread, submission_thread, on_epoll),
    [](const auto& each) { return each.param.name; }
);

task<result<void>> nap(std::chrono::milliseconds pause) {
    co_return co_await sleep_for(pause);
}

TEST(asio_guests, AG1_several_threads_run_the_context_of_two) {
    net::io_context host;
    guest first{host};
    guest second{host};
    auto open = net::make_work_guard(host);
    std::vector<std::thread> runners;
    for (int i = 0; i < 3; ++i)
        runners.emplace_back([&host] { host.run_for(10s); });
    std::atomic<int> ran{0};
    std::deque<call> items;
    for (int i = 0; i < 500; ++i)
        items.emplace_back([&ran] { ++ran; });
    for (std::size_t i = 0; i < items.size(); ++i)
        EXPECT_TRUE((i % 2 == 0 ? first : second).ring().post(items[i]));
    const auto slept = sync_wait(first.ring(), nap(5ms));
    EXPECT_TRUE(slept);
    const auto limit = clock::now() + 9s;
    while (ran < 500 && clock::now() < limit)
        std::this_thread::yield();
    open.reset();
    for (std::thread& each : runners)
        each.join();
    EXPECT_EQ(ran, 500);
}

} // namespace
} // namespace coronet::asiox::guest_tests

// SPDX-License-Identifier: BSL-1.0
//
// An await that was kept and is awaited again begins anew, as an operation or a sleep does: nothing
// is left in it of the first time.
#include "support/watchdog.hpp"

#include <coronet/coro/channel.hpp>
#include <coronet/coro/event.hpp>
#include <coronet/coro/latch.hpp>
#include <coronet/coro/mutex.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/semaphore.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace coronet::awaited_again_tests {
namespace {

using namespace std::chrono_literals;

const std::string first_value = "a first value that is long enough for the heap";
const std::string second_value = "a second value that is long enough for the heap";

class awaited_again : public ::testing::Test {
    test::watchdog limit_{[] { return std::string("an await did not end"); }};
};

// ---- channels ----

struct two_values {
    std::string first;
    std::string second;
    std::error_code third;
};

template <class Await>
task<std::error_code> outcome_of(Await* kept) {
    const auto ended = co_await *kept;
    co_return ended.error();
}

task<two_values> receive_twice_with_one_await(channel<std::string>* from) {
    two_values all;
    auto kept = from->receive();
    auto first = co_await kept;
    all.first = std::move(*first);
    auto second = co_await kept;
    all.second = std::move(*second);
    all.third = co_await with_timeout(1ms, outcome_of(&kept));
    co_return all;
}
task<void> send_two(channel<std::string>* to) {
    co_await sleep_for(1ms); // the receiver waits
    auto first = first_value;
    const auto sent = co_await to->send(std::move(first));
    sent.value();
    auto second = second_value;
    const auto sent_too = co_await to->send(std::move(second));
    sent_too.value();
}
task<two_values> receive_what_is_sent(channel<std::string>* what) {
    auto both = co_await when_all(receive_twice_with_one_await(what), send_two(what));
    co_return std::move(std::get<0>(both));
}

TEST_F(awaited_again, a_receive_takes_the_next_value) {
    channel<std::string> what{2};
    what.try_send(std::string(first_value)).value();
    what.try_send(std::string(second_value)).value();
    const auto received = run(receive_twice_with_one_await(&what));
    EXPECT_EQ(received.first, first_value);
    EXPECT_EQ(received.second, second_value);
    EXPECT_EQ(received.third, std::errc::timed_out) << "there was no third value";
}

TEST_F(awaited_again, a_receive_waits_for_the_next_sender) {
    channel<std::string> what{0};
    const auto received = run(receive_what_is_sent(&what));
    EXPECT_EQ(received.first, first_value);
    EXPECT_EQ(received.second, second_value);
    EXPECT_EQ(received.third, std::errc::timed_out) << "there was no third value";
}

task<void> send_twice_with_one_await(channel<std::string>* to) {
    auto kept = to->send(std::string(first_value));
    const auto sent = co_await kept;
    sent.value();
    const auto sent_again = co_await kept;
    static_cast<void>(sent_again);
}

TEST(awaited_again_death, a_send_that_has_delivered_its_value_has_no_second_one) {
    channel<std::string> what{2};
    EXPECT_DEATH(run(send_twice_with_one_await(&what)), "sent_");
}

task<result<std::string>> send_when_there_is_room(channel<std::string>* to) {
    auto kept = to->send(std::string(second_value));
    const auto in_vain = co_await with_timeout(1ms, outcome_of(&kept));
    if (in_vain != std::errc::timed_out) co_return in_vain;
    static_cast<void>(to->try_receive().value());
    const auto sent = co_await kept;
    if (!sent) co_return sent.error();
    co_return to->try_receive();
}

TEST_F(awaited_again, a_send_that_was_in_vain_still_has_its_value) {
    channel<std::string> what{1};
    what.try_send(std::string(first_value)).value();
    EXPECT_EQ(run(send_when_there_is_room(&what)).value(), second_value);
}

// ---- the others ----

task<std::error_code> lock_twice(mutex* wanted) {
    auto kept = wanted->lock();
    {
        const auto guard = co_await kept;
        const auto in_vain = co_await with_timeout(1ms, outcome_of(&kept));
        if (in_vain != std::errc::timed_out) co_return in_vain; // the guard holds it
    }
    const auto guard = co_await kept;
    co_return guard.error();
}

TEST_F(awaited_again, a_lock_is_taken_again) {
    mutex wanted;
    EXPECT_EQ(run(lock_twice(&wanted)), std::error_code{});
    EXPECT_TRUE(wanted.try_lock());
}

task<std::error_code> acquire_twice(semaphore* source) {
    auto kept = source->acquire();
    const auto one = co_await kept;
    one.value();
    const auto in_vain = co_await with_timeout(1ms, outcome_of(&kept));
    if (in_vain != std::errc::timed_out) co_return in_vain;
    source->release(2);
    const auto another = co_await kept;
    co_return another.error();
}

TEST_F(awaited_again, a_permit_is_taken_again) {
    semaphore source{1};
    EXPECT_EQ(run(acquire_twice(&source)), std::error_code{});
    EXPECT_EQ(source.available(), 1u);
}

task<std::error_code> wait_twice(event* awaited) {
    auto kept = awaited->wait();
    const auto in_vain = co_await with_timeout(1ms, outcome_of(&kept));
    if (in_vain != std::errc::timed_out) co_return in_vain;
    awaited->set();
    const auto set = co_await kept;
    set.value();
    awaited->reset();
    const auto in_vain_again = co_await with_timeout(1ms, outcome_of(&kept));
    co_return in_vain_again;
}

TEST_F(awaited_again, an_event_is_waited_for_again) {
    event awaited;
    EXPECT_EQ(run(wait_twice(&awaited)), std::errc::timed_out);
}

task<std::error_code> stopped_the_first_time(latch* awaited) {
    auto kept = awaited->wait();
    const auto in_vain = co_await with_timeout(1ms, outcome_of(&kept));
    if (in_vain != std::errc::timed_out) co_return in_vain;
    awaited->count_down();
    const auto down = co_await kept;
    co_return down.error();
}

TEST_F(awaited_again, a_latch_is_waited_for_again) {
    latch awaited{1};
    EXPECT_EQ(run(stopped_the_first_time(&awaited)), std::error_code{});
}

} // namespace
} // namespace coronet::awaited_again_tests

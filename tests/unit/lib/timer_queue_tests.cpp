// SPDX-License-Identifier: BSL-1.0
//
// Timers expire in the order of their deadlines, once, and not when they were disarmed.
#include "call.hpp"
#include "timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace timer_queue_tests {
namespace {

using namespace std::chrono_literals;
using coronet::time_point;
using coronet::timer_queue;
using coronet::testing::alarm;

constexpr time_point start{1h};

TEST(timer_queue, is_empty_at_first) {
    timer_queue timers;
    EXPECT_TRUE(timers.empty());
    EXPECT_EQ(timers.size(), 0U);
    EXPECT_EQ(timers.next_deadline(), time_point::max());
}

TEST(timer_queue, expires_in_the_order_of_deadlines) {
    std::vector<int> expired;
    alarm a{[&] { expired.push_back(1); }}, b{[&] { expired.push_back(2); }},
        c{[&] { expired.push_back(3); }};
    timer_queue timers;
    timers.arm(b, start + 20ms);
    timers.arm(c, start + 30ms);
    timers.arm(a, start + 10ms);
    EXPECT_EQ(timers.next_deadline(), start + 10ms);
    timers.expire(start + 20ms); // its own deadline is not after now
    EXPECT_EQ(expired, (std::vector{1, 2}));
    EXPECT_EQ(timers.size(), 1U);
    timers.expire(start + 1h);
    EXPECT_EQ(expired, (std::vector{1, 2, 3}));
    EXPECT_TRUE(timers.empty());
}

TEST(timer_queue, counts_a_delay_from_when_it_is_settled) {
    int expired = 0;
    alarm late{[&] { ++expired; }};
    timer_queue timers;
    timers.arm(late, 10ms);
    EXPECT_TRUE(late.armed());
    EXPECT_TRUE(timers.unsettled());
    EXPECT_EQ(timers.size(), 1U);
    timers.settle(start);
    EXPECT_FALSE(timers.unsettled());
    EXPECT_EQ(timers.next_deadline(), start + 10ms);
    timers.expire(start + 9ms);
    EXPECT_EQ(expired, 0);
    timers.expire(start + 10ms);
    EXPECT_EQ(expired, 1);
    EXPECT_FALSE(late.armed());
}

TEST(timer_queue, takes_a_negative_delay_for_none_and_an_endless_one_for_never) {
    alarm now{[] {}}, never{[] {}};
    timer_queue timers;
    timers.arm(now, -5s);
    timers.arm(never, coronet::duration::max());
    timers.settle(start);
    EXPECT_EQ(timers.next_deadline(), start);
    timers.expire(start);
    EXPECT_EQ(timers.next_deadline(), time_point::max());
    EXPECT_TRUE(never.armed());
    timers.disarm(never);
}

TEST(timer_queue, forgets_a_timer_that_is_disarmed_fresh_or_settled) {
    alarm fresh{[] { FAIL(); }}, settled{[] { FAIL(); }};
    timer_queue timers;
    timers.arm(fresh, 1ms);
    timers.arm(settled, start + 1ms);
    timers.disarm(fresh);
    timers.disarm(settled);
    timers.disarm(settled); // again: nothing
    EXPECT_FALSE(fresh.armed() || settled.armed());
    EXPECT_TRUE(timers.empty());
    timers.settle(start);
    timers.expire(start + 1h);
}

TEST(timer_queue, lets_a_timer_arm_itself_again_when_it_expires) {
    int expired = 0;
    timer_queue timers;
    alarm every{[&] {
        if (++expired < 3) timers.arm(every, start + 10ms * (expired + 1));
    }};
    timers.arm(every, start + 10ms);
    for (int turn = 1; turn <= 5; ++turn)
        timers.expire(start + 10ms * turn);
    EXPECT_EQ(expired, 3);
}

TEST(timer_queue, lets_a_timer_disarm_another_of_the_same_deadline) {
    int expired = 0;
    timer_queue timers;
    std::unique_ptr<alarm> a, b;
    a = std::make_unique<alarm>([&] { ++expired, timers.disarm(*b); });
    b = std::make_unique<alarm>([&] { ++expired, timers.disarm(*a); });
    timers.arm(*a, start);
    timers.arm(*b, start);
    timers.expire(start);
    EXPECT_EQ(expired, 1);
    EXPECT_TRUE(timers.empty());
}

TEST(timer_queue, aborts_when_a_timer_is_armed_twice) {
    alarm twice{[] {}};
    timer_queue timers;
    timers.arm(twice, start);
    EXPECT_DEATH(timers.arm(twice, start), "assertion failed: !t.armed");
    timers.disarm(twice);
}

TEST(timer, aborts_when_it_is_destroyed_armed) {
    timer_queue timers;
    EXPECT_DEATH(
        {
            alarm gone{[] {}};
            timers.arm(gone, start);
        },
        "assertion failed: !armed"
    );
}

/// The same, done slowly and simply.
class reference_model {
public:
    void arm(std::size_t which, time_point deadline) { deadlines_[which] = deadline; }
    void disarm(std::size_t which) { deadlines_.erase(which); }
    [[nodiscard]] bool armed(std::size_t which) const { return deadlines_.contains(which); }
    [[nodiscard]] std::size_t size() const { return deadlines_.size(); }
    [[nodiscard]] time_point next_deadline() const {
        time_point next = time_point::max();
        for (const auto& each : deadlines_)
            next = std::min(next, each.second);
        return next;
    }
    std::vector<std::size_t> expire(time_point now) {
        std::vector<std::size_t> due;
        for (const auto& each : deadlines_)
            if (each.second <= now) due.push_back(each.first);
        for (const std::size_t each : due)
            deadlines_.erase(each);
        return due;
    }

private:
    std::map<std::size_t, time_point> deadlines_;
};

/// Each tells its number when it expires.
std::deque<alarm> alarms_that_tell(std::vector<std::size_t>& expired, std::size_t count) {
    std::deque<alarm> alarms;
    for (std::size_t n = 0; n < count; ++n)
        alarms.emplace_back([&expired, n] { expired.push_back(n); });
    return alarms;
}

TEST(timer_queue, agrees_with_a_simple_model_over_100000_random_steps) {
    constexpr std::size_t count = 100;
    timer_queue timers;
    reference_model model;
    std::vector<std::size_t> expired;
    std::deque<alarm> alarms = alarms_that_tell(expired, count);

    std::minstd_rand random{20};
    time_point now = start;
    for (int step = 0; step < 100'000; ++step) {
        const std::size_t which = random() % count;
        alarm& chosen = alarms[which];
        ASSERT_EQ(chosen.armed(), model.armed(which));
        if (chosen.armed()) {
            timers.disarm(chosen);
            model.disarm(which);
        } else if (random() % 2 == 0) {
            const time_point deadline = now + std::chrono::microseconds{random() % 1000};
            timers.arm(chosen, deadline);
            model.arm(which, deadline);
        } else {
            const std::chrono::microseconds delay{random() % 1000};
            timers.arm(chosen, delay);
            timers.settle(now);
            model.arm(which, now + delay);
        }
        ASSERT_EQ(timers.size(), model.size());
        ASSERT_LE(
            timers.next_deadline(), model.next_deadline()
        ); // of one that was disarmed, perhaps

        if (random() % 8 != 0) continue;
        now += std::chrono::microseconds{random() % 200};
        expired.clear();
        timers.expire(now);
        std::ranges::sort(expired);
        ASSERT_EQ(expired, model.expire(now));
    }
    for (alarm& each : alarms)
        timers.disarm(each);
}

/// Of every order of magnitude, from nothing to weeks.
coronet::duration some_delay(std::minstd_rand& random) {
    const std::uint64_t longest = std::uint64_t{1} << random() % 51;
    const std::uint64_t chosen = std::uint64_t{random()} * random() % longest;
    return std::chrono::nanoseconds{static_cast<std::int64_t>(chosen)};
}

TEST(timer_queue, expires_each_timer_of_any_length_at_its_time_and_wakes_up_for_nothing_else) {
    timer_queue timers;
    std::minstd_rand random{5};
    std::map<std::size_t, time_point> wanted;
    time_point now = start;
    std::size_t expired = 0;
    std::deque<alarm> alarms;
    for (std::size_t n = 0; n < 2000; ++n)
        alarms.emplace_back([&, n] {
            ASSERT_EQ(wanted.at(n), now);
            wanted.erase(n);
            ++expired;
        });
    for (std::size_t n = 0; n < alarms.size(); ++n) {
        wanted[n] = now + some_delay(random);
        timers.arm(alarms[n], wanted[n]);
    }
    timers.expire(now);
    while (!timers.empty()) {
        now = timers.next_deadline();
        const std::size_t before = expired;
        timers.expire(now);
        ASSERT_GT(expired, before); // with nothing disarmed no wake-up is in vain
    }
    EXPECT_EQ(expired, alarms.size());
    EXPECT_TRUE(wanted.empty());
}

TEST(timer_queue, agrees_with_a_simple_model_over_weeks) {
    constexpr std::size_t count = 200;
    timer_queue timers;
    reference_model model;
    std::vector<std::size_t> expired;
    std::deque<alarm> alarms = alarms_that_tell(expired, count);

    std::minstd_rand random{21};
    time_point now = start;
    for (int step = 0; step < 100'000; ++step) {
        const std::size_t which = random() % count;
        if (alarms[which].armed()) {
            timers.disarm(alarms[which]);
            model.disarm(which);
        } else {
            const coronet::duration delay = some_delay(random);
            timers.arm(alarms[which], delay);
            timers.settle(now);
            model.arm(which, now + delay);
        }
        ASSERT_EQ(timers.size(), model.size());
        ASSERT_LE(timers.next_deadline(), model.next_deadline()); // never late

        if (random() % 8 != 0) continue;
        // As a loop would: not beyond what is next, or a little late.
        now = std::min(now + some_delay(random), timers.next_deadline());
        if (random() % 4 == 0) now += some_delay(random) / 1000;
        expired.clear();
        timers.expire(now);
        std::ranges::sort(expired);
        ASSERT_EQ(expired, model.expire(now));
    }
    for (alarm& each : alarms)
        timers.disarm(each);
    EXPECT_TRUE(timers.empty());
}

TEST(timer_queue, forgets_the_deadlines_of_timers_that_were_given_up_long_ago) {
    timer_queue timers;
    alarm given_up{[] { FAIL(); }}, later{[] {}};
    for (const coronet::duration width :
         {coronet::duration{8388608ns}, 536870912ns + 0ns, 34s + 0ns}) {
        timers.arm(given_up, start + width);
        timers.disarm(given_up);
        // The same slot, one time round.
        const time_point now = start + 70 * width;
        timers.expire(now);
        for (int step = 1; step < 64; ++step) {
            timers.arm(later, now + step * width);
            ASSERT_GT(timers.next_deadline(), now);
            timers.disarm(later);
        }
    }
}

TEST(timer_queue, expires_in_order_what_has_become_due_together) {
    timer_queue timers;
    std::minstd_rand random{7};
    std::vector<time_point> expired;
    std::deque<alarm> alarms;
    std::vector<time_point> wanted;
    for (std::size_t n = 0; n < 500; ++n) {
        wanted.push_back(start + some_delay(random));
        alarms.emplace_back([&, n] { expired.push_back(wanted[n]); });
        timers.arm(alarms.back(), wanted.back());
    }
    timers.expire(start + std::chrono::hours{10'000});
    EXPECT_EQ(expired.size(), wanted.size());
    EXPECT_TRUE(std::ranges::is_sorted(expired));
}

} // namespace
} // namespace timer_queue_tests

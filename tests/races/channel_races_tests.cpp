// SPDX-License-Identifier: BSL-1.0
//
// Property: of several producers and consumers on several schedulers, whoever is stopped at any
// instant, each value whose send succeeded is received once, no other one is, and the values of one
// producer reach a consumer in their order.
#include "support/chaos.hpp"
#include "support/rounds.hpp"
#include "support/schedulers.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/channel.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr int producers = 4;
constexpr int consumers = 3;

struct item {
    int producer;
    int number;
};

/// What has become of each value.
struct ledger {
    explicit ledger(std::size_t capacity, int each_producer)
        : line(capacity), each(each_producer), received(producers) {
        for (auto& row : received)
            row = std::deque<std::atomic<int>>(static_cast<std::size_t>(each));
    }

    /// How often this value was received, and perhaps a mark.
    [[nodiscard]] std::atomic<int>& of(item value) {
        const auto row = static_cast<std::size_t>(value.producer);
        return received[row][static_cast<std::size_t>(value.number)];
    }
    [[nodiscard]] std::string report() const {
        return std::to_string(sent_count) + " sent, " + std::to_string(received_count) +
               " received, " + std::to_string(line.size()) + " in the channel, " +
               std::to_string(given_up) + " gave up";
    }

    channel<item> line;
    const int each;
    std::vector<std::deque<std::atomic<int>>> received;
    std::atomic<int> sent_count{0}, received_count{0}, disordered{0}, strange{0}, given_up{0};
};

/// One consumer's view.
class order_check {
public:
    /// Whether `value` comes after all that this producer sent before.
    bool follows(item value) {
        const auto row = static_cast<std::size_t>(value.producer);
        return std::exchange(last_[row], value.number) < value.number;
    }

private:
    std::vector<int> last_ = std::vector<int>(producers, -1);
};

void note(ledger* at, order_check* order, item value) {
    ++at->of(value);
    ++at->received_count;
    if (!order->follows(value)) ++at->disordered;
}

// ---- nobody is stopped ----

task<void> produce(ledger* at, int producer) {
    for (int i = 0; i < at->each; ++i) {
        const item value{producer, i};
        const auto sent = co_await at->line.send(value);
        if (sent) ++at->sent_count;
    }
}
task<void> consume(ledger* at) {
    order_check order;
    for (;;) {
        const auto value = co_await at->line.receive();
        if (!value && value.error() != errc::closed) ++at->strange;
        if (!value) co_return;
        note(at, &order, *value);
    }
}

/// Runs four producers and three consumers on four threads, until all that was sent is received.
template <class Produce, class Consume>
void trade(ledger& at, Produce produce_numbered, Consume consume_numbered) {
    runtime all{threads(4)};
    std::vector<std::future<void>> producing, consuming;
    for (int i = 0; i < consumers; ++i)
        consuming.push_back(begin_on(all.at(static_cast<std::size_t>(3 - i)), consume_numbered(i)));
    for (int i = 0; i < producers; ++i)
        producing.push_back(begin_on(all.at(static_cast<std::size_t>(i)), produce_numbered(i)));
    for (auto& each : producing)
        each.get();
    at.line.close();
    for (auto& each : consuming)
        each.get();
}

class channel_races : public testing::TestWithParam<std::size_t> {};

TEST_P(channel_races, every_value_is_received_once_and_in_its_producers_order) {
    const chaos disturbed;
    ledger at{GetParam(), rounds(20'000, 1'000'000) / producers};
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    trade(
        at, [&](int i) { return produce(&at, i); }, [&](int) { return consume(&at); }
    );
    EXPECT_EQ(at.sent_count, at.each * producers);
    EXPECT_EQ(at.received_count, at.each * producers);
    EXPECT_EQ(at.disordered, 0);
    EXPECT_EQ(at.strange, 0);
    for (const auto& row : at.received)
        ASSERT_TRUE(std::all_of(row.begin(), row.end(), [](const auto& n) { return n == 1; }));
}

// ---- everybody is, at times ----

duration some_time(std::minstd_rand* random) {
    return std::chrono::microseconds{(*random)() % 200};
}

void note_failure(ledger* at, std::error_code error) {
    if (error == std::errc::timed_out || error == std::errc::operation_canceled)
        ++at->given_up;
    else
        ++at->strange;
}

/// A value in the ledger is 100 if its send succeeded, and 1 more each time it is received.
constexpr int sent_mark = 100;

task<void> produce_impatiently(ledger* at, int producer, unsigned seed) {
    std::minstd_rand random{seed};
    for (int i = 0; i < at->each; ++i) {
        const item value{producer, i};
        const auto sent = co_await with_timeout(some_time(&random), at->line.send(value));
        if (sent) {
            at->of(value) += sent_mark;
            ++at->sent_count;
        } else {
            note_failure(at, sent.error());
        }
    }
}
task<result<item>> receive_or_pause(channel<item>* from, duration patience) {
    auto first = co_await when_any(from->receive(), sleep_for(patience));
    co_return std::get<0>(std::move(first.results));
}
/// As long as producers have patience: some of them give up.
task<void> stay_away(std::minstd_rand* random) {
    const auto slept = co_await sleep_for(some_time(random));
    slept.value();
}
task<void> consume_impatiently(ledger* at, unsigned seed) {
    std::minstd_rand random{seed};
    order_check order;
    for (int i = 0;; ++i) {
        if (i % 16 == 0) co_await stay_away(&random);
        const duration patience = some_time(&random);
        auto value = result<item>{std::errc::state_not_recoverable};
        if (i % 2 == 0)
            value = co_await with_timeout(patience, at->line.receive());
        else
            value = co_await receive_or_pause(&at->line, patience);
        if (value)
            note(at, &order, *value);
        else if (value.error() == errc::closed)
            co_return;
        else
            note_failure(at, value.error());
    }
}

TEST_P(channel_races, stops_at_any_instant_neither_lose_nor_double_a_value) {
    const chaos disturbed;
    ledger at{GetParam(), rounds(8'000, 400'000) / producers};
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    const auto seed = static_cast<unsigned>(disturbed.seed());
    trade(
        at, [&](int i) { return produce_impatiently(&at, i, seed + static_cast<unsigned>(i)); },
        [&](int i) { return consume_impatiently(&at, seed + 10 + static_cast<unsigned>(i)); }
    );
    EXPECT_EQ(at.sent_count, at.received_count);
    EXPECT_GT(at.sent_count, 0);
    EXPECT_GT(at.given_up, 0);
    EXPECT_EQ(at.disordered, 0);
    EXPECT_EQ(at.strange, 0);
    for (const auto& row : at.received)
        ASSERT_TRUE(std::all_of(row.begin(), row.end(), [](const auto& n) {
            return n == 0 || n == sent_mark + 1;
        }));
}

INSTANTIATE_TEST_SUITE_P(
    capacity, channel_races, testing::Values(0, 1, 16),
    [](const auto& chosen) { return std::to_string(chosen.param); }
);

} // namespace
} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// However many coroutines yield in a loop, whoever is woken by something else has his turn soon.
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/work.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include <unistd.h>

namespace coronet::busy_scheduler_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct latencies {
    duration completion{};
    duration cancel{};
    duration post{};
    duration timer{};
    [[nodiscard]] duration longest() const { return std::max({completion, cancel, post, timer}); }
};

struct busy_scheduler {
    bool over = false;
    pipe_pair pipe;
    pipe_pair quiet;
    inplace_stop_source source;
    std::array<std::byte, 1> room{};
    std::atomic<time_point> asked{};
    std::uint64_t yields = 0;
    latencies seen;
};

task<void> yield_until_over(busy_scheduler* all, scheduler* here) {
    while (!all->over) {
        ++all->yields;
        const auto went = co_await schedule_on(*here);
        if (!went) co_return;
    }
}

/// On another thread, and notes when.
template <class Act>
std::thread elsewhere(busy_scheduler* all, Act act) {
    return std::thread{[all, act] {
        all->asked = clock::now();
        act();
    }};
}
duration since_asked(const busy_scheduler* all) {
    return clock::now() - all->asked.load();
}

task<void> measure_completion(busy_scheduler* all) {
    auto other = elsewhere(all, [all] {
        if (::write(all->pipe.writer.get(), "x", 1) != 1) std::abort();
    });
    const auto got = co_await async::read(all->pipe.reader.get(), all->room);
    all->seen.completion = got ? since_asked(all) : duration::max();
    other.join();
}
task<void> measure_cancel(busy_scheduler* all) {
    auto other = elsewhere(all, [all] { all->source.request_stop(); });
    const auto token = all->source.get_token();
    const int fd = all->quiet.reader.get();
    const auto got = co_await with_stop(token, async::read(fd, all->room));
    all->seen.cancel = got ? duration::max() : since_asked(all);
    other.join();
}
task<void> measure_timer(busy_scheduler* all) {
    all->asked = clock::now() + 5ms;
    const auto slept = co_await sleep_for(5ms);
    all->seen.timer = slept ? since_asked(all) : duration::max();
}

class noting final : public work {
public:
    explicit noting(busy_scheduler* all) : all_(all) {}
    void run() noexcept override {
        all_->seen.post = since_asked(all_);
        ran = true;
    }
    bool ran = false;

private:
    busy_scheduler* all_;
};

task<void> measure_post(busy_scheduler* all, scheduler* here) {
    noting item{all};
    auto other = elsewhere(all, [&item, here] {
        if (!here->post(item)) std::abort();
    });
    while (!item.ran) {
        const auto went = co_await schedule_on(*here);
        went.value();
    }
    other.join();
}

task<void> measure_all(scope children, busy_scheduler* all, scheduler* here) {
    for (int i = 0; i < 1'000; ++i)
        children.spawn(yield_until_over, all, here);
    co_await measure_completion(all);
    co_await measure_cancel(all);
    co_await measure_post(all, here);
    co_await measure_timer(all);
    all->over = true;
}
task<void> with_a_thousand_yielding(busy_scheduler* all) {
    scheduler* here = scheduler::current();
    co_await with_scope(measure_all, all, here);
}

TEST(busy_scheduler, L23_serves_a_post_a_timer_a_cancel_and_a_completion_within_50_ms) {
    latencies best;
    best.completion = duration::max();
    // On a crowded machine one try may be late for reasons that are not ours.
    for (int attempt = 0; attempt < 5 && best.longest() > 50ms; ++attempt) {
        busy_scheduler all;
        run(with_a_thousand_yielding(&all));
        EXPECT_GT(all.yields, 4'000U);
        if (all.seen.longest() < best.longest()) best = all.seen;
    }
    EXPECT_LE(best.completion, 50ms);
    EXPECT_LE(best.cancel, 50ms);
    EXPECT_LE(best.post, 50ms);
    EXPECT_LE(best.timer, 50ms);
}

} // namespace
} // namespace coronet::busy_scheduler_tests

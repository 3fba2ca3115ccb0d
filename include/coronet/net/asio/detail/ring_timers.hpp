// SPDX-License-Identifier: BSL-1.0
//
// The timers of Asio objects on the ring: Asio's own queues of them, and the moment up to which the
// thread that waits in the ring may do so. No timer is the kernel's, so that what a cancel has
// counted never ends as expired.
//
//   nobody waits       a timer is entered, and that is all: who waits next looks here first
//   waiting until T    the owner is in a turn; who enters a timer that expires before T makes that
//                      the new T and interrupts the owner, once
//
// The queues and T are under one lock, which nobody keeps while it waits.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/net/asio/config.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/timer_queue_base.hpp>
#include <boost/asio/detail/timer_queue_set.hpp>
#include <boost/asio/detail/wait_op.hpp>
#else
#include <asio/detail/op_queue.hpp>
#include <asio/detail/scheduler.hpp>
#include <asio/detail/timer_queue_base.hpp>
#include <asio/detail/timer_queue_set.hpp>
#include <asio/detail/wait_op.hpp>
#endif

namespace coronet::asiox::detail {

namespace asio_detail = net::detail;

class ring_timers {
public:
    using operation_queue = asio_detail::op_queue<asio_detail::scheduler_operation>;

    explicit ring_timers(asio_detail::scheduler& asio) noexcept : asio_(asio) {}
    ring_timers(const ring_timers&) = delete;
    ring_timers& operator=(const ring_timers&) = delete;

    // ---- any thread ----

    /// Whoever waits in the ring by now does not know of it, and has to be interrupted.
    void add(asio_detail::timer_queue_base& queue) {
        const std::scoped_lock lock{mutex_};
        queues_.insert(&queue);
        has_queues_.store(true, std::memory_order_relaxed); // an interruption follows
    }
    void remove(asio_detail::timer_queue_base& queue) {
        const std::scoped_lock lock{mutex_};
        queues_.erase(&queue);
    }
    /// Enters `wait`, which counts as work from here on. Whether the owner is to be interrupted.
    template <class Queue, class Time, class Timer>
    [[nodiscard]] bool
    enter(Queue& queue, const Time& expiry, Timer& timer, asio_detail::wait_op& wait) {
        const std::scoped_lock lock{mutex_};
        if (ended_) {
            asio_.post_immediate_completion(&wait, false);
            return false;
        }
        const bool is_first = queue.enqueue_timer(expiry, timer, &wait);
        asio_.work_started();
        return is_first && moves_the_end_of_the_wait();
    }
    /// Lets `function` take waits out of their queue, and calls their handlers next. What it
    /// returns.
    template <class Function>
    std::size_t take(Function&& function) {
        operation_queue taken;
        std::unique_lock lock{mutex_};
        const std::size_t count = std::forward<Function>(function)(taken);
        lock.unlock();
        asio_.post_deferred_completions(taken);
        return count;
    }

    // ---- the ring's owner ----

    /// There has been one.
    [[nodiscard]] bool are_used() const noexcept {
        return has_queues_.load(std::memory_order_relaxed);
    }
    /// How long it may wait, if it may until `limit`. collect() comes after the wait.
    [[nodiscard]] time_point wait_until(time_point limit) {
        if (limit == time_point::min() || !are_used()) return limit;
        const std::scoped_lock lock{mutex_};
        const time_point first = queues_.all_empty() ? time_point::max() : first_expiry();
        return waits_until_ = std::min(limit, first);
    }
    /// It does not wait any more. What has expired goes to `expired`.
    void collect(operation_queue& expired) {
        if (!are_used()) return;
        const std::scoped_lock lock{mutex_};
        waits_until_ = nobody_waits;
        queues_.get_ready_timers(expired);
    }
    /// In a forked child: who waited does so in the parent.
    void begin_again_in_child() noexcept { waits_until_ = nobody_waits; }
    /// What waits goes to `abandoned`, and nothing is entered from now on.
    void end(operation_queue& abandoned) {
        const std::scoped_lock lock{mutex_};
        ended_ = true;
        queues_.get_all_timers(abandoned);
    }

private:
    static constexpr time_point nobody_waits = time_point::min();

    /// Looked at again after five minutes, as Asio does: somebody may set the clock of some of
    /// them. A microsecond later than told: what is told has been rounded down.
    [[nodiscard]] time_point first_expiry() const {
        constexpr long longest = 5 * 60 * 1'000'000;
        return clock::now() + std::chrono::microseconds{queues_.wait_duration_usec(longest) + 1};
    }
    [[nodiscard]] bool moves_the_end_of_the_wait() {
        if (waits_until_ == nobody_waits) return false;
        const time_point first = first_expiry();
        if (first >= waits_until_) return false;
        waits_until_ = first;
        return true;
    }

    asio_detail::scheduler& asio_;
    std::mutex mutex_;
    std::atomic<bool> has_queues_{false};
    asio_detail::timer_queue_set queues_;
    time_point waits_until_ = nobody_waits;
    bool ended_ = false;
};

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// What is below Asio's timers of Coronet's executor: Asio's queue of timers, whose first one bounds
// the wait in the ring (ring_timers.hpp). Setting and cancelling is no system call.
//
// What waits on one timer is apart from the timer object, so that a cancellation slot still finds
// it when the object has moved, and does no harm when it is gone.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/on_ring.hpp>
#include <coronet/net/asio/detail/ring_timers.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include <sys/time.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#include <boost/asio/detail/timer_queue.hpp>
#include <boost/asio/detail/wait_handler.hpp>
#else
#include <asio/associated_cancellation_slot.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/detail/socket_ops.hpp>
#include <asio/detail/timer_queue.hpp>
#include <asio/detail/wait_handler.hpp>
#endif

namespace coronet::asiox::detail {

#if CORONET_ASIO_VERSION >= 103500
template <class Traits>
struct timer_queue final : asio_detail::timer_queue<Traits, std::allocator<void>> {
    timer_queue() : asio_detail::timer_queue<Traits, std::allocator<void>>({}, 0) {}
};
#else
template <class Traits>
using timer_queue = asio_detail::timer_queue<Traits>;
#endif

/// `Traits` are Asio's, of a clock.
template <class Traits>
class ring_timer_service final
    : private on_ring,
      public asio_detail::execution_context_service_base<ring_timer_service<Traits>> {
    using queue = timer_queue<Traits>;

    struct waits {
        typename queue::per_timer_data on_timer;
        std::uintptr_t last_number = 0; // of those with a slot
    };

public:
    using time_type = typename Traits::time_type;
    using duration_type = typename Traits::duration_type;

    struct implementation_type {
        time_type expiry{};
        std::shared_ptr<waits> waiting; // null before the first wait
    };

    explicit ring_timer_service(net::execution_context& context)
        : on_ring(context),
          asio_detail::execution_context_service_base<ring_timer_service>(context) {
        ring().add(queue_);
    }
    ~ring_timer_service() override { ring().timers().remove(queue_); }
    ring_timer_service(const ring_timer_service&) = delete;
    ring_timer_service& operator=(const ring_timer_service&) = delete;

    void shutdown() override {}

    // ---- the life of a timer ----

    void construct(implementation_type& timer) noexcept { timer.expiry = time_type(); }
    void destroy(implementation_type& timer) { cancel_at_most(timer, all); }
    void move_construct(implementation_type& to, implementation_type& from) noexcept {
        to.expiry = std::exchange(from.expiry, time_type());
        to.waiting = std::move(from.waiting);
    }
    void
    move_assign(implementation_type& to, ring_timer_service& /*other*/, implementation_type& from) {
        destroy(to);
        move_construct(to, from);
    }
    void converting_move_construct(
        implementation_type& to, ring_timer_service& /*other*/, implementation_type& from
    ) noexcept {
        move_construct(to, from);
    }
    void converting_move_assign(
        implementation_type& to, ring_timer_service& other, implementation_type& from
    ) {
        move_assign(to, other, from);
    }

    // ---- when it expires ----

    time_type expiry(const implementation_type& timer) const { return timer.expiry; }
    time_type expires_at(const implementation_type& timer) const { return timer.expiry; }
    duration_type expires_from_now(const implementation_type& timer) const {
        return Traits::subtract(timer.expiry, Traits::now());
    }
    std::size_t expires_at(implementation_type& timer, const time_type& expiry, error_code& error) {
        const std::size_t count = cancel(timer, error);
        timer.expiry = expiry;
        return count;
    }
    std::size_t
    expires_after(implementation_type& timer, const duration_type& length, error_code& error) {
        return expires_at(timer, Traits::add(Traits::now(), length), error);
    }
    std::size_t
    expires_from_now(implementation_type& timer, const duration_type& length, error_code& error) {
        return expires_after(timer, length, error);
    }

    // ---- cancelling: how many ----

    std::size_t cancel(implementation_type& timer, error_code& error) {
        error = error_code();
        return cancel_at_most(timer, all);
    }
    std::size_t cancel_one(implementation_type& timer, error_code& error) {
        error = error_code();
        return cancel_at_most(timer, 1);
    }

    // ---- waiting ----

    void wait(implementation_type& timer, error_code& error) {
        error = error_code();
        for (auto now = Traits::now(); !error && Traits::less_than(now, timer.expiry);
             now = Traits::now()) {
            const auto left = Traits::to_posix_duration(Traits::subtract(timer.expiry, now));
            ::timeval limit{left.total_seconds(), left.total_microseconds() % 1'000'000};
            asio_detail::socket_ops::select(0, nullptr, nullptr, nullptr, &limit, error);
        }
    }
    template <class Handler, class IoExecutor>
    void async_wait(implementation_type& timer, Handler& handler, const IoExecutor& executor) {
        using op = asio_detail::wait_handler<Handler, IoExecutor>;
        if (!timer.waiting) timer.waiting = std::make_shared<waits>();
        auto slot = net::get_associated_cancellation_slot(handler);
        typename op::ptr memory = {std::addressof(handler), op::ptr::allocate(handler), nullptr};
        memory.p = new (memory.v) op(handler, executor);
        if (slot.is_connected()) {
            const std::uintptr_t number = ++timer.waiting->last_number;
            memory.p->cancellation_key_ = key(number);
            slot.template emplace<slot_cancellation>(*this, timer.waiting, number);
        }
        const bool is_first_to_expire =
            ring().timers().enter(queue_, timer.expiry, timer.waiting->on_timer, *memory.p);
        memory.v = memory.p = nullptr;
        if (is_first_to_expire) ring().interrupt();
    }

private:
    static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

    /// What Asio's queue knows a wait by. It is compared, and that is all.
    [[nodiscard]] static void* key(std::uintptr_t number) noexcept {
        return reinterpret_cast<void*>(number); // NOLINT(performance-no-int-to-ptr)
    }

    std::size_t cancel_at_most(implementation_type& timer, std::size_t most) {
        if (!timer.waiting) return 0;
        return ring().timers().take([&](auto& taken) {
            return queue_.cancel_timer(timer.waiting->on_timer, taken, most);
        });
    }
    void cancel_number(waits& waiting, std::uintptr_t number) {
        ring().timers().take([&](auto& taken) {
            queue_.cancel_timer_by_key(&waiting.on_timer, taken, key(number));
            return std::size_t{0};
        });
    }

    /// In the cancellation slot of a handler: ends its wait.
    class slot_cancellation {
    public:
        slot_cancellation(
            ring_timer_service& service, std::shared_ptr<waits> waiting, std::uintptr_t number
        ) noexcept
            : service_(service), waiting_(std::move(waiting)), number_(number) {}

        void operator()(net::cancellation_type_t asked) const {
            using kind = net::cancellation_type;
            if (!!(asked & (kind::terminal | kind::partial | kind::total)))
                service_.cancel_number(*waiting_, number_);
        }

    private:
        ring_timer_service& service_;
        std::shared_ptr<waits> waiting_;
        std::uintptr_t number_;
    };

    queue queue_;
};

} // namespace coronet::asiox::detail

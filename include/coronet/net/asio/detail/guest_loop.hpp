// SPDX-License-Identifier: BSL-1.0
//
// A scheduler whose turns are handlers of somebody else's io_context, by what Asio documents and
// nothing else (but where that is left out: ASIO_NO_TS_EXECUTORS). Two waits of Asio's call for a
// turn: one for the scheduler's descriptor, and one for its next deadline.
//
//   fresh    → watching  the first handler, in the first thread that runs the context
//   watching → ended     the guest is destroyed, or the context; or the scheduler was stopped
//   fresh    → ended     the same, before that; or any, in a forked child: it is the parent's
//
// Who has the lock owns the scheduler, until it ends: then who ends it does, and the others keep
// away without the lock, as the end may need the context's handlers. Asio counts its waits as work,
// and would not let run() return while one is under way. While nothing of Coronet's is, the wait
// for the descriptor is taken out of that count; it is counted again before its handler returns, as
// Asio does it then.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/guest_service.hpp>
#include <coronet/net/asio/detail/work_count.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
// clang-format off: not before the others
#include <boost/asio/detail/reactor.hpp>
// clang-format on
#else
#include <asio/detail/scheduler.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/steady_timer.hpp>
// clang-format off: not before the others
#include <asio/detail/reactor.hpp>
// clang-format on
#endif

namespace coronet::asiox::detail {

class guest_loop : public std::enable_shared_from_this<guest_loop> {
public:
    /// Throws std::system_error.
    guest_loop(net::io_context& host, const scheduler_options& options)
        : ring_(options),
          has_one_thread_(!options.movable_owner),
          context_(host),
          host_(host.get_executor()),
          counted_(host_),
          watched_(std::in_place, host),
          alarm_(std::in_place, host),
          service_(net::use_service<guest_service>(static_cast<net::execution_context&>(host))) {}
    guest_loop(const guest_loop&) = delete;
    guest_loop& operator=(const guest_loop&) = delete;

    [[nodiscard]] scheduler& ring() noexcept { return ring_; }

    void begin() {
        service_.add(*this);
        const std::scoped_lock lock{owner_}; // others may run the context already
        turn_soon();
    }
    /// The guest is gone.
    void leave() {
        if (!ring_.in_forked_child()) end();
        if (!host_ends_) service_.remove(*this);
    }
    /// From here on nobody runs the context any more.
    void host_ends() noexcept { host_ends_ = true; }
    /// In a forked child: the guest is the parent's.
    void stay_behind() {
        ended_ = true;
        end_waits();
    }
    /// The context is.
    void leave_host() {
        if (!ring_.in_forked_child()) end();
    }

private:
    // ---- what calls for a turn; the lock is taken ----

    void turn_soon() {
        if (turns_soon_) return;
        net::post(host_, [self = shared_from_this()] {
            std::unique_lock owner{self->owner_};
            self->turns_soon_ = false;
            self->turn(owner);
        });
        turns_soon_ = true; // once it has been posted
    }
    /// Pending until something is told.
    void watch() {
        if (std::exchange(watching_, true)) return;
        watched_->async_wait(
            net::posix::stream_descriptor::wait_read,
            [self = shared_from_this()](const error_code& error) {
                std::unique_lock owner{self->owner_};
                self->count_watch(true);
                self->watching_ = false;
                if (!error) self->turn(owner);
            }
        );
    }
    void wake_at(time_point deadline) {
        if (std::exchange(alarm_at_, deadline) == deadline) return;
        if (deadline == time_point::max()) {
            alarm_->cancel();
            return;
        }
        alarm_->expires_at(deadline);
        alarm_->async_wait([self = shared_from_this()](const error_code& error) {
            std::unique_lock owner{self->owner_};
            if (error) return; // there is another deadline, or none
            self->alarm_at_ = time_point::max();
            self->turn(owner);
        });
    }

    // ---- a turn ----

    /// What it throws run() does; there is another turn all the same.
    void turn(std::unique_lock<std::mutex>& owner) {
        if (ended_ || ring_.in_forked_child()) return; // of a ring that is the parent's
        try {
            take_turn();
        } catch (...) {
            turn_soon();
            throw;
        }
        if (!ring_.stop_requested()) return;
        ended_ = true;
        owner.unlock();
        end_ring();
        if (ring_.failure()) throw std::system_error(ring_.failure(), "the ring of a guest");
    }
    void take_turn() {
        ring_.run_once(time_point::min());
        if (ring_.stop_requested()) return;
        if (!watched_->is_open()) open();
        const time_point until = ring_.begin_outer_wait();
        const bool busy = ring_.outstanding_work() > 0;
        watch();
        count_watch(busy);
        wake_at(busy && until != time_point::min() ? until : time_point::max());
        if (until == time_point::min()) turn_soon();
    }
    /// The scheduler's descriptor stays the scheduler's.
    void open() {
        const int fd = ::fcntl(ring_.wait_descriptor().value(), F_DUPFD_CLOEXEC, 0);
        if (fd < 0) throw std::system_error(errno, std::generic_category(), "fcntl");
        watched_->assign(fd);
    }

    /// Whether the wait for the descriptor keeps run() from returning. Never more than one of it.
    void count_watch(bool wanted) {
        if (std::exchange(watch_counts_, wanted) == wanted) return;
        if (wanted)
            counted_.on_work_started();
        else
            counted_.on_work_finished();
    }

    // ---- the end ----

    void end() {
        const bool within = ender_ == std::this_thread::get_id(); // in a handler that the end runs
        CORONET_ASSERT(within || scheduler::current() != &ring_); // not by one of its own tasks
        if (within) return;
        std::unique_lock owner{owner_};
        const bool ends_already = std::exchange(ended_, true);
        owner.unlock();
        if (ends_already)
            over_.wait(false);
        else
            end_ring();
    }
    /// Everything of Coronet's ends, then the two waits of Asio's. Without the lock.
    void end_ring() {
        ender_ = std::this_thread::get_id();
        ring_.set_end_helper(&end_of_hosts_);
        ring_.shutdown();
        const std::scoped_lock owner{owner_};
        end_waits();
        ender_ = std::thread::id{};
        over_ = true;
        over_.notify_all();
    }
    /// In each round of the ring's end: its tasks may wait for operations of the context, which
    /// have been cancelled, and whose handlers are to be called or destroyed for that.
    void help_to_end() noexcept {
        if (host_ends_)
            destroy_handlers();
        else if (has_one_thread_ || host_.running_in_this_thread() || nobody_runs_host())
            run_handlers();
    }
    void destroy_handlers() noexcept {
        net::use_service<net::detail::scheduler>(context_).shutdown(); // its queue
        const time_point now = clock::now();
        if (end_began_ == time_point{}) end_began_ = now;
        if (now - end_began_ < patience) return;
        net::use_service<net::detail::reactor>(context_).shutdown(); // what cannot be cancelled
    }
    /// A handler has been waiting for its turn for long.
    [[nodiscard]] bool nobody_runs_host() {
        if (probes_.exchange(true)) return clock::now() - probed_at_ > patience_with_threads;
        probed_at_ = clock::now();
        net::post(host_, [self = shared_from_this()] { self->probes_ = false; });
        return false;
    }
    /// The context is as stopped afterwards as before.
    void run_handlers() {
        const bool was_stopped = context_.stopped();
        if (was_stopped) context_.restart();
        counted_.on_work_started(); // or it would be stopped when nothing is left
        try {
            context_.poll();
        } catch (...) {
            net::post(host_, [what = std::current_exception()] { std::rethrow_exception(what); });
        }
        net::post(host_, [] {}); // the same, for the line below
        counted_.on_work_finished();
        if (was_stopped) context_.stop();
    }
    void end_waits() {
        if (watching_) count_watch(true);
        watched_.reset();
        alarm_.reset();
    }

    class ending_help final : public work {
    public:
        explicit ending_help(guest_loop& of) noexcept : of_(of) {}
        void run() noexcept override { of_.help_to_end(); }

    private:
        guest_loop& of_;
    };

    scheduler ring_;
    const bool has_one_thread_;
    net::io_context& context_;
    net::io_context::executor_type host_;
    work_count counted_;
    std::mutex owner_;
    // Made before the service below: their services end after it.
    std::optional<net::posix::stream_descriptor> watched_;
    std::optional<net::steady_timer> alarm_;
    guest_service& service_;
    time_point alarm_at_ = time_point::max();
    bool turns_soon_ = false;
    bool watching_ = false;
    bool watch_counts_ = true;
    bool ended_ = false;     // or ends
    bool host_ends_ = false; // then the executor is not used, and afterwards no service is

    // Who ends the ring; and whether that is over.
    ending_help end_of_hosts_{*this};
    std::atomic<std::thread::id> ender_{};
    std::atomic<bool> over_{false};
    std::atomic<bool> probes_{false};
    time_point probed_at_{};
    time_point end_began_{};
    static constexpr std::chrono::milliseconds patience{50};
    static constexpr std::chrono::milliseconds patience_with_threads{500};
};

inline void guest_service::shutdown() {
    // What ends here may destroy handlers of the context, and these may hold guests.
    std::vector<std::shared_ptr<guest_loop>> ending;
    for (guest_loop* each : guests_)
        ending.push_back(each->shared_from_this());
    for (const auto& each : ending)
        each->host_ends();
    for (const auto& each : ending)
        each->leave_host();
}
inline void guest_service::notify_fork(net::execution_context::fork_event event) {
    if (event != net::execution_context::fork_child) return;
    for (guest_loop* each : guests_)
        each->stay_behind();
}

} // namespace coronet::asiox::detail

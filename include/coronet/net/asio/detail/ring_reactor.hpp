// SPDX-License-Identifier: BSL-1.0
//
// What an Asio scheduler runs when it has no handler to run: here a turn of Coronet's ring, in
// place of a wait on Asio's epoll set. It is that reactor, too, and Asio finds it as such: sockets,
// timers and descriptors of Asio's own register with it as ever. Their epoll set is one more
// descriptor that the ring polls; only when something has happened there does Asio look at it.
//
// The end of its context. No handler is called any more; a coroutine whose handler is destroyed
// goes on with operation_aborted.
//   1. Asio shuts services down, those made last first. All but Asio's scheduler come before this
//      one. Some destroy their handlers now (resolvers, signal sets, channels, strands); those of
//      sockets and timers are still registered here.
//   2. shutdown(): Coronet's scheduler drains. In each of its rounds all coroutines are stopped,
//      and emit the cancellation of what they await; the ring's operations are asked to end; then
//      what stands in Asio's queue (what was posted, and what has been cancelled) is destroyed.
//      Operations of the ring are destroyed in the turn in which they complete, never before.
//   3. Coroutines that are left after `patience` await what cannot be cancelled: every operation
//      of Asio's sockets and timers is destroyed, as its reactor does when it ends.
//   4. Nothing is in flight and no coroutine is left: the ring is closed, Asio's reactor ends, and
//      then its scheduler, with what the last coroutines have posted.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/error.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/epoll_descriptor.hpp>
#include <coronet/net/asio/detail/epoll_watch.hpp>
#include <coronet/net/asio/detail/first_look.hpp>
#include <coronet/net/asio/detail/hosted_ring.hpp>
#include <coronet/net/asio/detail/member_of_ring.hpp>
#include <coronet/net/asio/detail/requirements.hpp>
#include <coronet/net/asio/detail/ring_timers.hpp>
#include <coronet/work.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/execution_context.hpp>
#else
#include <asio/detail/epoll_reactor.hpp>
#include <asio/detail/op_queue.hpp>
#include <asio/detail/scheduler.hpp>
#include <asio/execution_context.hpp>
#endif

namespace coronet::asiox::detail {

namespace asio_detail = net::detail;

class ring_reactor final : public asio_detail::epoll_reactor {
    using base = asio_detail::epoll_reactor;

public:
    using operation_queue = asio_detail::op_queue<asio_detail::scheduler_operation>;

    /// Throws std::system_error.
    ring_reactor(net::execution_context& context, const scheduler_options& options)
        : base(context),
          asio_(net::use_service<asio_detail::scheduler>(context)),
          hosted_(options),
          timers_(asio_) {}

    [[nodiscard]] scheduler& ring() noexcept { return hosted_.ring(); }
    /// Those of Coronet's executor; add() is here. (Others are in the epoll set.)
    [[nodiscard]] ring_timers& timers() noexcept { return timers_; }
    void add(asio_detail::timer_queue_base& queue) {
        timers_.add(queue);
        init_task(); // from here on somebody waits here, or looks
        interrupt();
    }

    // ---- operations of the ring; any thread ----

    /// Begins `op`, which counts as work until its handler has been called.
    template <class Operation>
    void begin(Operation& op) noexcept {
        asio_.work_started();
        hosted_.run_as_owner(op);
    }
    /// The same in a turn of the ring, which the context's threads run from now on; one that has
    /// been stopped refuses.
    template <class Operation>
    void begin_in_turn(Operation& op) {
        asio_.work_started();
        init_task();
        tasks_.fetch_add(1, std::memory_order_relaxed);
        if (ring().post(op)) return;
        tasks_.fetch_sub(1, std::memory_order_relaxed);
        op.refuse(errc::stopped);
        asio_.post_deferred_completion(&op);
    }
    /// How often the context has been told of a fork.
    [[nodiscard]] unsigned forks() const noexcept { return forks_.load(std::memory_order_relaxed); }
    /// Its handler is next, without it having been begun.
    void complete_at_once(asio_detail::scheduler_operation& op, bool is_continuation) {
        if (phase_ == phase::ending)
            abandon(op);
        else
            asio_.post_immediate_completion(&op, is_continuation);
    }
    /// Calls `function` as the ring's owner, after what this thread has begun.
    template <class Function>
    void as_owner(Function&& function) {
        hosted_.as_owner(std::forward<Function>(function));
    }
    /// The same, if that needs no waiting to become the owner. Whether it did.
    template <class Function>
    bool try_as_owner(Function&& function) {
        return hosted_.try_as_owner(std::forward<Function>(function));
    }
    /// The same, at once or soon.
    template <class Function>
    void soon_as_owner(Function function) {
        hosted_.soon_as_owner(std::move(function));
    }
    /// Owner. What has been begun, or asked to end, is the kernel's from here on.
    void submit() noexcept {
        try {
            while (!ring().submit())
                std::this_thread::yield(); // the kernel is busy
        } catch (const std::system_error&) {
            // A forked child that was not told so: run() will say it.
        }
    }
    /// The context ends: what completes is not begun again.
    [[nodiscard]] bool ending() const noexcept { return phase_ != phase::running; }
    /// Owner. The handler of an operation that has been begun is next.
    void completed(asio_detail::scheduler_operation& op) noexcept {
        if (phase_ == phase::ending)
            abandon(op);
        else if (completed_)
            completed_->push(&op);
        else
            asio_.post_deferred_completion(&op);
    }
    /// Owner. The same for one that was begun in a turn.
    void over(asio_detail::scheduler_operation& op) noexcept {
        tasks_.fetch_sub(1, std::memory_order_relaxed);
        completed(op);
    }
    /// Owner. The ring has had a turn: it has all that it executes with.
    [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
    /// Owner. `member` ends with the ring, unless it was removed before.
    void add(member_of_ring& member) noexcept { members_.push_back(member); }
    void remove(member_of_ring& member) noexcept { members_.erase(member); }
    /// Owner. Operations that a worker of the kernel may be at.
    void worker_may_begin() noexcept { ++of_workers_; }
    void worker_has_ended() noexcept { --of_workers_; }

    // ---- Asio's scheduler_task ----

    void run(long microseconds, operation_queue& completed) override {
        if (ring().stop_requested()) [[unlikely]]
            run_without_ring(microseconds, completed);
        else if (!look_first(completed) && wait_for_ring(microseconds, completed))
            base::run(0, completed);
    }
    void interrupt() override {
        hosted_.interrupt();
        if (ring().stop_requested()) [[unlikely]]
            base::interrupt();
    }

    // ---- Asio's service ----

    void shutdown() override {
        phase_ = phase::ending; // no thread is in run() any more
        ring().set_end_helper(&end_of_asio_);
        hosted_.end();
        phase_ = phase::ended;
        destroy_abandoned();
        destroy_timers();
        base::shutdown();
    }
    void notify_fork(net::execution_context::fork_event event) override {
        if (event == net::execution_context::fork_prepare) prepare_fork();
        base::notify_fork(event);
        if (event != net::execution_context::fork_child) return;
        timers_.begin_again_in_child();
        hosted_.begin_again_in_child();
        has_begun_ = false;
        for (auto* each = members_.front(); each; each = members_.after(*each))
            each->ring_is_parents();
        leave_tasks_to_parent();
    }

private:
    // ---- a fork ----

    /// Asio tries at initiation; the ring does so now, or both processes would carry out what has
    /// been begun. Handlers that are queued are called in both, as ever.
    void prepare_fork() {
        if (ring().stop_requested() || ring().in_forked_child()) return;
        if (scheduler::current() == &ring()) {
            submit(); // a turn has no turns in it
        } else {
            operation_queue completed;
            as_owner([&] { complete_what_can_be(completed); });
            asio_.post_deferred_completions(completed);
        }
        forks_.fetch_add(1, std::memory_order_relaxed);
    }
    /// Owner. What a worker of the kernel is at cannot be taken back: it has a while to end.
    void complete_what_can_be(operation_queue& completed) {
        const collecting into{*this, completed};
        hosted_.see_to_requests();
        hosted_.turn(time_point::min());
        const time_point limit = clock::now() + patience_with_workers;
        while (of_workers_ > 0 && clock::now() < limit)
            hosted_.turn(limit);
    }
    /// They neither go on nor end here, and are no work of this process.
    void leave_tasks_to_parent() {
        const bool was_stopped = asio_.stopped();
        for (auto left = tasks_.exchange(0, std::memory_order_relaxed); left > 0; --left)
            asio_.work_finished();
        if (!was_stopped) asio_.restart(); // the last one has stopped it
    }

    /// Whether something was found in the epoll set, so that nothing has to be waited for.
    [[nodiscard]] bool look_first(operation_queue& completed) {
        if (!first_look_.is_due()) return false;
        base::run(0, completed);
        first_look_.has_been(!completed.empty());
        return !completed.empty();
    }
    /// Whether something has happened in the epoll set.
    [[nodiscard]] bool wait_for_ring(long microseconds, operation_queue& completed) {
        const auto owner = hosted_.own();
        const collecting into{*this, completed};
        watch_.arm(ring(), epoll());
        hosted_.see_to_requests();
        // What these have ended has handlers to be called.
        const time_point limit = completed.empty() ? deadline_of(microseconds) : time_point::min();
        hosted_.turn(timers_.wait_until(limit));
        has_begun_ = true;
        timers_.collect(completed);
        const bool fired = watch_.take_fired();
        if (fired && !ring_is_used()) first_look_.after_poll();
        return fired;
    }
    /// It was stopped, or (which is thrown) its submission thread has died. What is Asio's goes on.
    void run_without_ring(long microseconds, operation_queue& completed) {
        if (ring().failure())
            throw std::system_error(ring().failure(), "the ring of an io_context");
        base::run(microseconds_until(timers_.wait_until(deadline_of(microseconds))), completed);
        timers_.collect(completed);
    }
    /// Asio's: below 0 is for ever.
    [[nodiscard]] static time_point deadline_of(long microseconds) {
        if (microseconds < 0) return time_point::max();
        if (microseconds == 0) return time_point::min();
        return clock::now() + std::chrono::microseconds{microseconds};
    }
    [[nodiscard]] static long microseconds_until(time_point deadline) {
        if (deadline == time_point::max()) return -1;
        if (deadline == time_point::min()) return 0;
        const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - clock::now());
        return std::max(0L, static_cast<long>(left.count()));
    }
    /// Owner. By more than the poll of the epoll set.
    [[nodiscard]] bool ring_is_used() noexcept {
        return ring().in_flight_count() > 0 || tasks_ > 0 || timers_.are_used();
    }
    [[nodiscard]] int epoll() const noexcept { return this->*member(epoll_descriptor{}); }

    // ---- the end ----

    /// Operations that are not called any more. They are destroyed in the run of a turn: while
    /// completions are read, or inside a call of its owner's, an operation cannot go.
    void abandon(asio_detail::scheduler_operation& op) noexcept {
        const bool is_first = abandoned_.empty();
        abandoned_.push(&op);
        if (is_first && !ring().in_forked_child()) ring().ready(destruction_);
    }
    void destroy_abandoned() noexcept {
        operation_queue doomed; // destroys what it holds, and calls nothing
        doomed.push(abandoned_);
    }
    /// In each round of the ring's end.
    void end_what_is_asios() noexcept {
        for (auto* each = members_.front(); each; each = members_.after(*each))
            each->ring_ends();
        asio_.shutdown(); // its queue; Asio does the same once more when this is over
        const time_point now = clock::now();
        if (end_began_ == time_point{}) end_began_ = now;
        if (now - end_began_ < patience) return;
        destroy_timers();
        base::shutdown();
    }
    void destroy_timers() noexcept {
        operation_queue doomed;
        timers_.end(doomed);
    }
    template <void (ring_reactor::*Member)() noexcept>
    class calling final : public work {
    public:
        explicit calling(ring_reactor& here) noexcept : here_(here) {}
        void run() noexcept override { (here_.*Member)(); }

    private:
        ring_reactor& here_;
    };

    /// What completes meanwhile goes to `completed`.
    class collecting {
    public:
        collecting(ring_reactor& here, operation_queue& completed) noexcept : here_(here) {
            here.completed_ = &completed;
        }
        ~collecting() { here_.completed_ = nullptr; }
        collecting(const collecting&) = delete;
        collecting& operator=(const collecting&) = delete;

    private:
        ring_reactor& here_;
    };

    asio_detail::scheduler& asio_;
    hosted_ring hosted_;
    ring_timers timers_;
    epoll_watch watch_;
    first_look first_look_;
    operation_queue* completed_ = nullptr;                    // the owner's
    bool has_begun_ = false;                                  // the owner's
    std::size_t of_workers_ = 0;                              // the owner's
    coronet::detail::intrusive_list<member_of_ring> members_; // the owner's
    std::atomic<std::size_t> tasks_{0};                       // begun in a turn, and not over
    std::atomic<unsigned> forks_{0};
    static constexpr std::chrono::milliseconds patience_with_workers{20};

    enum class phase : std::uint8_t { running, ending, ended };
    phase phase_ = phase::running;
    operation_queue abandoned_; // while it ends; not empty: destruction_ is on its way
    calling<&ring_reactor::destroy_abandoned> destruction_{*this};
    calling<&ring_reactor::end_what_is_asios> end_of_asio_{*this};
    time_point end_began_{};
    static constexpr std::chrono::milliseconds patience{50};
};

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// A scheduler below somebody else's loop: that one calls turn() when it has nothing else to do, on
// whichever of its threads that is. It knows no Asio.
//
// Who has the lock owns the scheduler: the thread in turn(), also while it waits there, or any that
// starts something between two turns. Whoever finds it taken leaves a request and interrupts the
// owner; or it claims the lock, and the loop lets it pass. Requests come first: whoever becomes the
// owner sees to them before anything else, so that nothing overtakes what the same thread asked for
// before.
//
// A forked child has one thread and perhaps a lock that no thread of its own holds: it does
// without.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace coronet::asiox::detail {

class hosted_ring {
public:
    /// Sets the scheduler up; its owner is movable. Throws std::system_error.
    explicit hosted_ring(const scheduler_options& options);
    hosted_ring(const hosted_ring&) = delete;
    hosted_ring& operator=(const hosted_ring&) = delete;

    [[nodiscard]] scheduler& ring() noexcept { return *scheduler_; }

    /// This thread is the owner as long as it has the lock. For the host's loop.
    [[nodiscard]] std::unique_lock<std::mutex> own();
    /// Owner. What others have asked for; before each turn, which is not to wait if that was
    /// enough.
    void see_to_requests() noexcept;
    /// Owner. One turn of the scheduler: waits until `deadline` if nothing is ready. Throws
    /// std::system_error in a forked child that was not told so.
    void turn(time_point deadline) { scheduler_->run_once(deadline); }
    /// A turn() that waits ends, or the next one does not wait. Any thread; takes no lock.
    void interrupt() noexcept { scheduler_->wake(); }

    /// Runs `item` as the owner: at once, if nobody else is; else soon. Any thread.
    void run_as_owner(work& item) noexcept;
    /// Calls `function` as the owner, which it waits to become if it has to: no longer than a turn
    /// takes that is interrupted. Any thread.
    template <class Function>
    void as_owner(Function&& function) {
        const auto owner = claim();
        see_to_requests();
        function();
    }

    /// Calls `function` as the owner, if nobody else is one. Whether it did. Any thread.
    template <class Function>
    bool try_as_owner(Function&& function) {
        std::unique_lock<std::mutex> owner{locks_->owner, std::defer_lock};
        if (!needs_no_lock() && !owner.try_lock()) return false;
        see_to_requests();
        function();
        return true;
    }
    /// Calls `function` as the owner, in its turn among the requests of this thread; at once if
    /// nobody else is the owner. Waits for nobody (unless memory is short): what the owner runs
    /// may wait for this thread. Any thread.
    template <class Function>
    void soon_as_owner(Function function) {
        if (auto* made = new (std::nothrow) request<Function>(function))
            run_as_owner(*made);
        else
            as_owner(std::move(function));
    }

    /// Cancels what is in flight and waits for it, then closes the ring; in a forked child, forgets
    /// it. What is started from now on ends as cancelled.
    void end();
    /// In a forked child: leaves the ring to the parent and makes another one. What is in flight
    /// completes here with operation::left_to_parent. Throws std::system_error.
    void begin_again_in_child();

private:
    /// Frees itself.
    template <class Function>
    class request final : public work {
    public:
        explicit request(const Function& function) : function_(function) {}

    private:
        void run() noexcept override {
            const std::unique_ptr<request> ended{this};
            function_();
        }
        Function function_;
    };

    [[nodiscard]] bool needs_no_lock() const noexcept {
        return scheduler::current() == scheduler_.get() || scheduler_->in_forked_child();
    }
    /// The lock, where it is needed.
    [[nodiscard]] std::unique_lock<std::mutex> claim();

    const scheduler_options options_;
    std::unique_ptr<scheduler> scheduler_;
    // A forked child gets others: these may be held by a thread that is not there.
    struct locks {
        std::mutex owner;
        std::mutex requests;
        std::atomic<unsigned> claims{0};
    };
    std::unique_ptr<locks> locks_ = std::make_unique<locks>();
    work_queue requests_; // under its lock
    std::atomic<bool> requested_{false};
};

} // namespace coronet::asiox::detail

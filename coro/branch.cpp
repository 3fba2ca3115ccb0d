// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/branch.hpp>
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/detail/promise.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/result.hpp>

#include <new>
#include <utility>

namespace coronet::detail {

/// Made before a branch leaves home for the first time, and there until it ends.
struct branch::journey final : resident {
    struct stop_message final : work {
        explicit stop_message(branch& asked) noexcept : asked_(asked) {}
        void run() noexcept override { asked_.receive_stop(); }

    private:
        branch& asked_;
    };

    explicit journey(branch& travelling) noexcept : traveller(travelling), stop(travelling) {}

    static void* operator new(std::size_t size, const std::nothrow_t&) noexcept try {
        return allocate_frame(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    static void operator delete(void* freed) noexcept { free_frame(freed); }
    static void operator delete(void* freed, const std::nothrow_t&) noexcept { free_frame(freed); }

    /// The scheduler where it is ends.
    void cancel_all() noexcept override { traveller.stop_here(); }

    branch& traveller;
    scheduler* target = nullptr; // where it is moving to

    // A stop sent after the branch to another scheduler. It has arrived when that scheduler has
    // dealt with it, or it is back home because the branch had left. The branch does not end
    // before.
    stop_message stop;
    scheduler* stop_sent_to = nullptr;
    std::atomic<bool> stop_arrived{true};
};

branch::branch(group& starter) noexcept : group_(starter), where_(&starter.home()) {}

branch::~branch() {
    if (list_hook<group>::linked()) [[unlikely]]
        die("a coroutine was destroyed while this await's tasks were running", group_.place());
}

void branch::start(promise_base& root, std::coroutine_handle<> handle) noexcept {
    root.run_as_root_of(*this);
    next_ = handle;
    group_.add(*this);
    where().ready(*this);
}

std::error_code
branch::start_on(scheduler& first, promise_base& root, std::coroutine_handle<> handle) noexcept {
    if (&first == &group_.home()) {
        start(root, handle);
        return {};
    }
    root.run_as_root_of(*this);
    group_.add(*this);
    const auto refused = move_to(first, handle);
    if (refused) group_.branch_ended(*this);
    return refused;
}

void branch::run() noexcept {
    switch (step_) {
    case step::begin:
        break;
    case step::arrive:
        settle(*journey_->target);
        clear_leaf();
        break;
    case step::come_home:
        settle(group_.home());
        report_end();
        return;
    }
    resume(next_);
}

void branch::finish() noexcept {
    if (at_home()) {
        report_end();
        return;
    }
    leave();
    step_ = step::come_home;
    const bool taken = group_.home().post_internal(*this);
    CORONET_ASSERT(taken); // home cannot end before its groups have
}

void branch::report_end() noexcept {
    ended_ = true;
    if (!journey_ || journey_->stop_arrived.load(std::memory_order_acquire))
        group_.branch_ended(*this);
}

// ---- moving ----

std::error_code branch::move_to(scheduler& target, std::coroutine_handle<> leaf) noexcept {
    if (!prepare_to_leave()) return std::make_error_code(std::errc::not_enough_memory);
    scheduler& here = where();
    next_ = leaf;
    step_ = step::arrive;
    journey_->target = &target;
    leave();
    const bool going_home = &target == &group_.home();
    // Taken, it may be gone already: nothing of it is touched then.
    if (going_home ? target.post_internal(*this) : target.post(*this)) return {};
    settle(here);
    return errc::stopped;
}

bool branch::prepare_to_leave() noexcept {
    if (!journey_) journey_.reset(new (std::nothrow) journey{*this});
    return journey_ != nullptr;
}

void branch::leave() noexcept {
    if (!at_home()) where().dismiss(*journey_);
    where_.store(nullptr);
}

void branch::settle(scheduler& here) noexcept {
    where_.store(&here);
    if (!at_home()) here.admit(*journey_);
    if (stop_wanted_.load()) stopped_ = true;
}

bool branch::at_home() const noexcept {
    return &where() == &group_.home();
}

// ---- stopping ----

void branch::request_stop() noexcept {
    if (stop_wanted_.load(std::memory_order_relaxed)) return; // only home sets it
    stop_source_.request_stop(); // first: where an await is refused, the token has been stopped
    stop_wanted_.store(true);
    for (;;) {
        scheduler* at = where_.load();
        if (!at) return; // it will look when it arrives
        if (at == &group_.home()) {
            stop_here();
            return;
        }
        journey& sent = *journey_;
        sent.stop_sent_to = at;
        sent.stop_arrived.store(false, std::memory_order_relaxed);
        if (at->post_internal(sent.stop)) return;
        sent.stop_arrived.store(true, std::memory_order_relaxed);
        // That scheduler has ended, so the branch has left it meanwhile: look again.
    }
}

void branch::receive_stop() noexcept {
    scheduler* home = &group_.home();
    journey& sent = *journey_;
    if (sent.stop_sent_to != home && where_.load() == sent.stop_sent_to) {
        stop_here();
        sent.stop_arrived.store(true, std::memory_order_release);
    } else if (sent.stop_sent_to != home) {
        sent.stop_sent_to = home; // the branch has left, and sees stop_wanted_ wherever it goes
        const bool taken = home->post_internal(sent.stop);
        CORONET_ASSERT(taken);
    } else {
        sent.stop_arrived.store(true, std::memory_order_release);
        if (ended_) group_.branch_ended(*this);
    }
}

void branch::stop_here() noexcept {
    stopped_ = true;
    CORONET_HOOK(stop_requested, this);
    stop_source_.request_stop(); // if it is not home that asks but the scheduler where it is
    if (leaf_) leaf_->awaiting().cancel();
}

} // namespace coronet::detail

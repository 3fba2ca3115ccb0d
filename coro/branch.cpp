// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/branch.hpp>
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/detail/promise.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/detail/hooks.hpp>

#include <utility>

namespace coronet::detail {

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

bool branch::start_on(
    scheduler& first, promise_base& root, std::coroutine_handle<> handle
) noexcept {
    if (&first == &group_.home()) {
        start(root, handle);
        return true;
    }
    root.run_as_root_of(*this);
    group_.add(*this);
    if (move_to(first, handle)) return true;
    group_.branch_ended(*this);
    return false;
}

void branch::run() noexcept {
    switch (step_) {
    case step::begin:
        break;
    case step::arrive:
        settle(*target_);
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
    if (stop_arrived_.load(std::memory_order_acquire)) group_.branch_ended(*this);
}

// ---- moving ----

bool branch::move_to(scheduler& target, std::coroutine_handle<> leaf) noexcept {
    scheduler& here = where();
    next_ = leaf;
    step_ = step::arrive;
    target_ = &target;
    leave();
    const bool going_home = &target == &group_.home();
    if (going_home ? target.post_internal(*this) : target.post(*this)) return true;
    settle(here);
    return false;
}

void branch::leave() noexcept {
    if (!at_home()) where().dismiss(*this);
    where_.store(nullptr);
}

void branch::settle(scheduler& here) noexcept {
    where_.store(&here);
    if (!at_home()) here.admit(*this);
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
        stop_sent_to_ = at;
        stop_arrived_.store(false, std::memory_order_relaxed);
        if (at->post_internal(stop_message_)) return;
        stop_arrived_.store(true, std::memory_order_relaxed);
        // That scheduler has ended, so the branch has left it meanwhile: look again.
    }
}

void branch::receive_stop() noexcept {
    scheduler* home = &group_.home();
    if (stop_sent_to_ != home && where_.load() == stop_sent_to_) {
        stop_here();
        stop_arrived_.store(true, std::memory_order_release);
    } else if (stop_sent_to_ != home) {
        stop_sent_to_ = home; // the branch has left, and sees stop_wanted_ wherever it goes
        const bool taken = home->post_internal(stop_message_);
        CORONET_ASSERT(taken);
    } else {
        stop_arrived_.store(true, std::memory_order_release);
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

// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"
#include "notify_signal.hpp"
#include "worker_account.hpp"

#include <coronet/detail/pool_wait.hpp>
#include <coronet/worker_pool.hpp>

#include <algorithm>
#include <thread>

namespace coronet {

namespace {

using detail::worker_account;

constexpr unsigned unbounded_cap = 1024;

worker_account::limits limits_of(const worker_pool_options& wanted, pool_account which) noexcept {
    const duration idle = detail::to_limit(wanted.idle);
    if (which == pool_account::unbounded) {
        const unsigned max = std::clamp(wanted.unbounded_max, 1U, unbounded_cap);
        return {max, std::min(wanted.unbounded_min, max), idle};
    }
    const unsigned cpus = std::max(std::thread::hardware_concurrency(), 1U);
    const unsigned max = wanted.bounded_max != 0 ? wanted.bounded_max : 4 * cpus;
    return {max, std::min(wanted.bounded_min, max), idle};
}

} // namespace

/// Tells the owner that nothing is left to do.
class worker_pool::quiet_errand final : public work {
public:
    explicit quiet_errand(worker_pool& pool) noexcept : pool_(pool) {}
    void run() noexcept override {
        pool_.quiet_sent_.store(false);
        pool_.look_at_waits();
    }

private:
    worker_pool& pool_;
};

worker_pool::worker_pool(detail::engine& owner)
    : engine_(owner), quiet_errand_(std::make_unique<quiet_errand>(*this)) {
    const worker_pool_options& wanted = owner.options.workers;
    const int signal = notify_signal::install(wanted.notify_signal);
    for (const auto which : {pool_account::bounded, pool_account::unbounded})
        (which == pool_account::bounded ? bounded_ : unbounded_) =
            std::make_unique<worker_account>(*this, owner, which, limits_of(wanted, which), signal);
}

worker_pool::~worker_pool() {
    CORONET_ASSERT(waits_.empty());
    CORONET_ASSERT(unfinished_.load() == 0);
}

// ---- items; any thread ----

void worker_pool::submit(pool_item& item, scheduler& home, pool_account where) noexcept {
    submit_to(where == pool_account::bounded ? *bounded_ : *unbounded_, item, home, nullptr);
}

void worker_pool::submit_serialized(pool_item& item, scheduler& home, serial_key key) noexcept {
    submit_to(*unbounded_, item, home, &key);
}

void worker_pool::submit_to(
    worker_account& where, pool_item& item, scheduler& home, const serial_key* key
) noexcept {
    if (engine_.in_forked_child()) { // it will not go on
        home.ready(item);
        return;
    }
    const detail::engine::visit inside{engine_};
    unfinished_.fetch_add(1);
    where.submit(item, home, key);
}

void worker_pool::item_ended() noexcept {
    const bool last = unfinished_.fetch_sub(1) == 1;
    if (!last || !watched_.load() || quiet_sent_.exchange(true)) return;
    // Refused: the owner has seen for itself, and has ended.
    static_cast<void>(engine_.post(engine_.internal, *quiet_errand_));
}

void worker_pool::cancel(std::uint64_t id) noexcept {
    if (engine_.in_forked_child()) return;
    const detail::engine::visit inside{engine_};
    ((id & 1U) != 0 ? *bounded_ : *unbounded_).cancel(id);
}

void worker_pool::cancel_all() noexcept {
    if (engine_.in_forked_child()) return;
    const detail::engine::visit inside{engine_};
    bounded_->cancel_all();
    unbounded_->cancel_all();
}

// ---- owner ----

result<void> worker_pool::require_owner() const noexcept {
    if (engine_.in_forked_child()) return errc::stopped;
    if (engine_.owned_by_this_thread()) return {}; // on a worker of another pool perhaps
    return detail::worker_thread::current() ? errc::would_deadlock : errc::wrong_thread;
}

result<void> worker_pool::refresh_context() noexcept {
    if (const auto allowed = require_owner(); !allowed) {
        const bool child = allowed.error() == errc::stopped;
        return child ? allowed : result<void>{errc::wrong_thread};
    }
    bounded_->new_generation();
    unbounded_->new_generation();
    return {};
}

result<void> worker_pool::request_shutdown() noexcept {
    if (const auto allowed = require_owner(); !allowed) return allowed;
    begin_shutdown();
    return {};
}

// 1. Nothing is taken any more; what is queued ends (errc::stopped), free workers leave.
// 2. Pending attempts to create a worker are withdrawn; requests that are on their way find that
//    the pool ends.
// 3. Items that run are asked to end, and waited for.
// 4. Each worker that leaves is joined. With the last one, and with the last message, it has ended.

void worker_pool::begin_shutdown() noexcept {
    if (exiting_) return;
    exiting_ = true;
    watched_.store(true);
    bounded_->begin_exit();
    unbounded_->begin_exit();
    look_at_waits();
}

void worker_pool::look_at_waits() noexcept {
    const bool idle = unfinished_.load() == 0;
    if (exiting_ && !ended_ && idle && !quiet_sent_.load() && bounded_->empty() &&
        unbounded_->empty()) {
        ended_ = true;
        bounded_->end_exit();
        unbounded_->end_exit();
    }
    for (detail::pool_wait* each = waits_.front(); each;) {
        detail::pool_wait* const next = waits_.after(*each);
        if (each->wanted_ == detail::pool_wait::until::idle ? idle : ended_) {
            waits_.erase(*each);
            engine_.make_ready(*each);
        }
        each = next;
    }
    watched_.store(!waits_.empty() || (exiting_ && !ended_));
}

worker_stats worker_pool::stats() const noexcept {
    worker_stats sum;
    bounded_->add_to(sum);
    unbounded_->add_to(sum);
    return sum;
}

std::string worker_pool::report() const {
    return bounded_->report() + unbounded_->report();
}

// ---- waits ----

namespace detail {

bool pool_wait::begin() noexcept {
    if (const auto allowed = pool_->require_owner(); !allowed) {
        error_ = allowed.error();
        return false;
    }
    if (wanted_ == until::ended) pool_->begin_shutdown();
    pool_->waits_.push_back(*this);
    pool_->watched_.store(true);
    pool_->look_at_waits();
    return true;
}

void pool_wait::cancel() noexcept {
    if (!linked()) return; // it has been answered
    pool_->waits_.erase(*this);
    error_ = std::make_error_code(std::errc::operation_canceled);
    pool_->engine_.make_ready(*this);
}

result<void> pool_wait::answer() const noexcept {
    if (error_) return error_;
    return {};
}

} // namespace detail

} // namespace coronet

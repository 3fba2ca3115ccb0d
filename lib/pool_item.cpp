// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"
#include "worker_account.hpp"

#include <coronet/pool_item.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <memory>

namespace coronet {

void pool_item::prepare(
    detail::worker_account& account, scheduler& home, std::uint64_t id
) noexcept {
    CORONET_ASSERT(stage_ == stage::idle);
    account_ = &account;
    home_ = &home;
    id_ = id;
    error_ = {};
    outcome_ = outcome::none;
    submitted_ = true;
    asked_ = false;
    if (!stop_.stop_requested()) return;
    std::destroy_at(&stop_); // from its last time
    std::construct_at(&stop_);
}

void pool_item::conclude(outcome how, std::error_code why) noexcept {
    stage_ = stage::over;
    outcome_ = how;
    error_ = why;
}

void pool_item::cancel() noexcept {
    if (!submitted_ || home_->engine_->in_forked_child()) return;
    detail::worker_account::cancel(account_, *this);
}

void pool_item::go_home() noexcept {
    worker_pool& pool = account_->pool;
    scheduler& home = *home_;
    if (scheduler::current() == &home) {
        home.ready(*this);
    } else {
        const bool taken = home.post_internal(*this);
        CORONET_ASSERT(taken); // it cannot end before what waits there has
    }
    pool.item_ended();
}

void pool_item::run() noexcept {
    submitted_ = false;
    stage_ = stage::idle;
    may_wait_again();
    complete();
}

} // namespace coronet

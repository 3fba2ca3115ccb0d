// SPDX-License-Identifier: BSL-1.0
//
// How items end that are not just executed: cancelled, given up, asked to end. Under the lock an
// item is unlinked, or held so that it stays; its home, its stop callbacks and the signal's
// receiver learn of it afterwards.
#include "engine.hpp"
#include "worker_account.hpp"

#include <coronet/detail/hooks.hpp>
#include <coronet/worker_pool.hpp>

#include <mutex>
#include <optional>
#include <utility>

namespace coronet::detail {

namespace {

std::error_code error_of(pool_item::outcome how, int creation_error = 0) noexcept {
    switch (how) {
    case pool_item::outcome::cancelled:
        return std::make_error_code(std::errc::operation_canceled);
    case pool_item::outcome::unavailable:
        return worker_unavailable_for(creation_error);
    case pool_item::outcome::stopped:
        return errc::stopped;
    default:
        return {};
    }
}

} // namespace

void worker_account::end_order(pool_item& item) noexcept {
    if (!std::exchange(item.serial_, false)) return;
    if (serial_link* const first = order_.leave(item))
        behind_.move_to(queue_, static_cast<pool_item&>(*first));
}

void worker_account::end(
    pool_item& item, cancel_batch& ended, pool_item::outcome how, int creation_error
) noexcept {
    const auto answer = ended.cancel(item);
    CORONET_ASSERT(answer == cancel_batch::answer::claimed);
    item.conclude(how, error_of(how, creation_error));
    end_order(item);
}

/// All that are queued, those behind others first so that nobody moves up.
void worker_account::end_all(
    cancel_batch& ended, pool_item::outcome how, int creation_error
) noexcept {
    for (waiter_list* each : {&behind_, &queue_})
        while (listed_waiter* first = each->front())
            end(static_cast<pool_item&>(*first), ended, how, creation_error);
}

void worker_account::cancel(worker_account* at, pool_item& item) noexcept {
    cancel_batch ended{at};
    sending out;
    bool asked = false;
    std::optional<engine::visit> inside; // the item may be all that keeps the pool
    {
        const std::scoped_lock lock{list_lock::of(at)};
        if (item.stage_ != pool_item::stage::queued && item.stage_ != pool_item::stage::running)
            return;
        inside.emplace(at->owner);
        asked = at->end_or_ask(item, ended, out);
    }
    ended.call_back();
    at->send(out);
    if (asked) at->tell_to_end(item);
}

/// Under the lock. True if it is to be told to end, after the lock.
bool worker_account::end_or_ask(pool_item& item, cancel_batch& ended, sending& out) noexcept {
    if (item.stage_ == pool_item::stage::queued) {
        end(item, ended, pool_item::outcome::cancelled);
        see_to_queue(out);
        return false;
    }
    if (item.asked_) return false;
    item.asked_ = true;
    ++item.holders_; // it stays until it has been told
    return true;
}

void worker_account::tell_to_end(pool_item& asked) noexcept {
    asked.stop_.request_stop();
    CORONET_HOOK(item_asked, &asked);
    sending out;
    bool last_holder = false;
    {
        const std::scoped_lock lock{lock_};
        if (asked.stage_ == pool_item::stage::running && asked.worker_->interruptible) {
            notify(*asked.worker_);
            want(&errands::interrupt, out);
        }
        last_holder = --asked.holders_ == 0;
    }
    if (last_holder) asked.go_home();
    send(out);
}

void worker_account::notify(worker_thread& worker) noexcept {
    worker.notify();
    ++notified_;
}

pool_item* worker_account::find(std::uint64_t id) noexcept {
    for (waiter_list* among : {&queue_, &behind_})
        for (listed_waiter* each = among->front(); each; each = among->after(*each))
            if (auto& item = static_cast<pool_item&>(*each); item.id_ == id) return &item;
    for (worker_thread* each = workers_.front(); each; each = workers_.after(*each))
        if (each->item && each->item->id_ == id) return each->item;
    return nullptr;
}

void worker_account::cancel(std::uint64_t id) noexcept {
    cancel_batch ended{this};
    sending out;
    pool_item* asked = nullptr;
    {
        const std::scoped_lock lock{lock_};
        pool_item* const found = find(id);
        if (found && end_or_ask(*found, ended, out)) asked = found;
    }
    ended.call_back();
    send(out);
    if (asked) tell_to_end(*asked);
}

void worker_account::cancel_all() noexcept {
    cancel_batch ended{this};
    std::uint64_t last_id = 0;
    {
        const std::scoped_lock lock{lock_};
        last_id = last_id_;
        end_all(ended, pool_item::outcome::cancelled);
    }
    ended.call_back();
    ask_all(last_id);
}

/// Those that run and came not after `last_id`.
void worker_account::ask_all(std::uint64_t last_id) noexcept {
    while (pool_item* asked = ask_one(last_id))
        tell_to_end(*asked);
}

pool_item* worker_account::ask_one(std::uint64_t last_id) noexcept {
    const std::scoped_lock lock{lock_};
    for (worker_thread* each = workers_.front(); each; each = workers_.after(*each)) {
        pool_item* const item = each->item;
        if (!item || item->asked_ || item->id_ >> 1 > last_id) continue;
        item->asked_ = true;
        ++item->holders_;
        return item;
    }
    return nullptr;
}

} // namespace coronet::detail

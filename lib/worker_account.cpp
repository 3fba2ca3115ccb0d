// SPDX-License-Identifier: BSL-1.0
#include "worker_account.hpp"

#include "engine.hpp"

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

worker_account::worker_account(
    worker_pool& whole, engine& machine, pool_account which, const limits& wanted, int notify_signal
)
    : pool(whole),
      owner(machine),
      kind(which),
      signal(notify_signal),
      lock_(list_lock::of(this)),
      limits_(wanted),
      recruiter_(*this) {}

worker_account::~worker_account() {
    CORONET_ASSERT(count_ == 0);
    CORONET_ASSERT(!errand_sent_);
}

// ---- submitting; any thread ----

void worker_account::submit(pool_item& item, scheduler& home, const serial_key* key) noexcept {
    sending out;
    bool refused = false;
    {
        const std::scoped_lock lock{lock_};
        refused = exiting_;
        item.prepare(*this, home, ++last_id_ << 1 | (kind == pool_account::bounded ? 1U : 0U));
        if (refused)
            item.conclude(pool_item::outcome::stopped, error_of(pool_item::outcome::stopped));
        else
            enqueue(item, key, out);
    }
    CORONET_HOOK(enqueued, this);
    if (refused)
        item.go_home();
    else
        send(out);
}

void worker_account::enqueue(pool_item& item, const serial_key* key, sending& out) noexcept {
    item.stage_ = pool_item::stage::queued;
    item.serial_ = key != nullptr;
    if (key && !order_.enter(item, key->value())) {
        behind_.add(item);
        return;
    }
    queue_.add(item);
    see_to_queue(out);
}

void worker_account::see_to_queue(sending& out) noexcept {
    if (queue_.empty() || exiting_) return;
    if (worker_thread* picked = free_.pop_front()) {
        set_active(*picked, true);
        picked->token().store(1, std::memory_order_relaxed);
        out.token = &picked->token();
        return;
    }
    if (count_ >= limits_.max || create_pending_) return;
    if (kind == pool_account::unbounded || active_ == 0) {
        create_pending_ = true;
        want(&errands::create, out);
    } else if (!watched_) {
        watched_ = true;
        want(&errands::watch, out);
    }
}

// ---- errands ----

void worker_account::want(bool errands::*which, sending& out) noexcept {
    wanted_.*which = true;
    if (!std::exchange(errand_sent_, true)) out.errand = true;
}

void worker_account::send(const sending& what) noexcept {
    if (what.token) worker_thread::wake(*what.token);
    if (!what.errand) return;
    CORONET_HOOK(errand_sending, this);
    if (owner.owned_by_this_thread())
        serve();
    else if (!owner.post(owner.internal, errand_))
        abandon();
}

/// Owner.
void worker_account::serve() noexcept {
    CORONET_HOOK(errand_arrived, this);
    errands now;
    {
        const std::scoped_lock lock{lock_};
        now = std::exchange(wanted_, {});
        errand_sent_ = false;
    }
    if (now.create) recruiter_.create();
    if (now.watch) recruiter_.watch();
    if (now.interrupt) recruiter_.interrupt();
    pool.look_at_waits();
}

/// There is no owner and there will be none: its start has failed.
void worker_account::abandon() noexcept {
    cancel_batch ended{this};
    {
        const std::scoped_lock lock{lock_};
        wanted_ = {};
        errand_sent_ = create_pending_ = watched_ = false;
        end_all(ended, pool_item::outcome::stopped);
    }
    ended.call_back();
}

// ---- workers ----

pool_item* worker_account::next(worker_thread& me, pool_item* done) noexcept {
    bool idle_for_long = false;
    for (;;) {
        sending out;
        bool was_asked = false;
        bool last_holder = false;
        step what{};
        time_point deadline = time_point::max();
        {
            const std::scoped_lock lock{lock_};
            if (!static_cast<list_hook<all_workers>&>(me).linked()) begin(me);
            if (done) last_holder = finish(me, *done, was_asked);
            clear_link_or_token(me, idle_for_long);
            what = look(me, idle_for_long, out);
            if (what == step::wait && count_ > limits_.min) deadline = clock::now() + limits_.idle;
        }
        if (was_asked) me.forget_notifications();
        if (last_holder) done->go_home();
        done = nullptr;
        send(out);
        if (what == step::take) return me.item;
        if (what == step::leave) return nullptr;
        CORONET_HOOK(idle, &me);
        me.sleep(deadline);
        idle_for_long = clock::now() >= deadline;
        CORONET_HOOK(idle_over, &me);
    }
}

void worker_account::begin(worker_thread& me) noexcept {
    workers_.push_back(me);
    ++begun_;
}

/// True if the caller is the last who uses `done`.
bool worker_account::finish(worker_thread& me, pool_item& done, bool& was_asked) noexcept {
    me.item = nullptr;
    was_asked = done.asked_;
    done.conclude(pool_item::outcome::executed, {});
    end_order(done); // this worker is about to look at the queue
    return --done.holders_ == 0;
}

void worker_account::clear_link_or_token(worker_thread& me, bool& idle_for_long) noexcept {
    if (me.token().exchange(0, std::memory_order_relaxed) != 0) {
        idle_for_long = false; // somebody counts on it
    } else if (static_cast<list_hook<free_workers>&>(me).linked()) {
        free_.erase(me);
        set_active(me, true);
    }
}

worker_account::step
worker_account::look(worker_thread& me, bool idle_for_long, sending& out) noexcept {
    const bool able = me.generation() == generation_;
    if (able && !queue_.empty()) {
        take(me, out);
        return step::take;
    }
    if (!able || exiting_ || (idle_for_long && count_ > limits_.min)) {
        leave(me, out);
        return step::leave;
    }
    free_.push_front(me); // who came last is warmest, and the others may leave
    set_active(me, false);
    return step::wait;
}

void worker_account::take(worker_thread& me, sending& out) noexcept {
    auto& item = static_cast<pool_item&>(*queue_.front());
    queue_.take(item);
    item.stage_ = pool_item::stage::running;
    item.worker_ = &me;
    item.holders_ = 1;
    me.item = &item;
    see_to_queue(out);
}

void worker_account::leave(worker_thread& me, sending& out) noexcept {
    workers_.erase(me);
    uncount(me.generation());
    see_to_queue(out);
}

void worker_account::uncount(std::uint64_t generation) noexcept {
    --count_;
    if (generation != generation_) return;
    --able_;
    --active_;
}

void worker_account::set_active(const worker_thread& me, bool now) noexcept {
    if (me.generation() != generation_) return;
    active_ += now ? 1U : ~0U;
}

void worker_account::begin_blocking(worker_thread& me) noexcept {
    sending out;
    {
        const std::scoped_lock lock{lock_};
        if (me.blocking_depth++ > 0) return;
        set_active(me, false);
        see_to_queue(out);
    }
    send(out);
}

void worker_account::end_blocking(worker_thread& me) noexcept {
    const std::scoped_lock lock{lock_};
    if (--me.blocking_depth == 0) set_active(me, true);
}

bool worker_account::asked(const worker_thread& me) const noexcept {
    const std::scoped_lock lock{lock_};
    return me.item->asked_;
}

bool worker_account::set_interruptible(worker_thread& me, bool now) noexcept {
    sending out;
    bool asked = false;
    {
        const std::scoped_lock lock{lock_};
        me.interruptible = now;
        asked = me.item->asked_;
        if (now && asked) want(&errands::interrupt, out);
    }
    send(out);
    return asked;
}

// ---- ending items ----

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

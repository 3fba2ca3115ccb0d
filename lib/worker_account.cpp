// SPDX-License-Identifier: BSL-1.0
#include "worker_account.hpp"

#include "engine.hpp"

#include <coronet/detail/hooks.hpp>
#include <coronet/worker_pool.hpp>

#include <mutex>
#include <utility>

namespace coronet::detail {

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
            item.conclude(pool_item::outcome::stopped, errc::stopped);
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
        bool last_holder = false;
        step what{};
        time_point deadline = time_point::max();
        {
            const std::scoped_lock lock{lock_};
            if (!static_cast<list_hook<all_workers>&>(me).linked()) begin(me);
            if (done) last_holder = finish(me, *done);
            clear_link_or_token(me, idle_for_long);
            what = look(me, idle_for_long, out);
            if (what == step::wait && count_ > limits_.min)
                deadline = later(clock::now(), limits_.idle);
        }
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
bool worker_account::finish(worker_thread& me, pool_item& done) noexcept {
    me.item = nullptr;
    CORONET_ASSERT(!me.interruptible); // no signal is on its way
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
    return me.item && me.item->asked_;
}

bool worker_account::set_interruptible(worker_thread& me, bool now) noexcept {
    sending out;
    bool asked = false;
    {
        const std::scoped_lock lock{lock_};
        me.interruptible = now && me.item;
        asked = me.item && me.item->asked_;
        if (now && asked) want(&errands::interrupt, out);
    }
    send(out);
    return asked;
}

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"

#include "forks.hpp"
#include "futex.hpp"
#include "log.hpp"

#include <coronet/detail/buffer_pool.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/error.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace coronet::detail {

namespace {

using namespace std::chrono_literals;
using phase = run_state::phase;

// Where entries are left that the kernel would not take, the loop looks again after this time.
constexpr duration backlog_pause = 1ms;

} // namespace

engine::engine(scheduler& face, const scheduler_options& wanted, std::unique_ptr<driver> executor)
    : self(face),
      options(wanted),
      driver_(std::move(executor)),
      dispatcher_(face, *driver_, timers, stats) {
    buffer_pool::check(options.receive_buffers);
    driver_->belong_to(face);
}

// ---- the loop ----

void engine::claim() {
    leave_in_forked_child();
    const phase now = state.current_phase();
    CORONET_ASSERT(now != phase::exited); // a scheduler runs once
    const thread_number here = this_thread_number();
    if (now == phase::fresh || now == phase::starting || now == phase::failed) {
        driver_->enable();
        dispatcher_.do_without_workers(driver_->lacks_kernel_workers());
        owner = here;
        enter(phase::running);
    }
    if (options.movable_owner) owner = here;
    CORONET_ASSERT(owner.load() == here); // the loop of one scheduler, run by two threads
}

/// In a forked child: out of the loop, without a look at the ring or at what waits for it.
void engine::leave_in_forked_child() const {
    if (!in_forked_child()) [[likely]]
        return;
    throw std::system_error(
        errc::stopped, "a forked child in a scheduler of its parent: after fork, exec or _exit"
    );
}

void engine::run() {
    const auto alive = shared_from_this(); // whoever waits for the end may destroy the scheduler
    claim();
    std::exception_ptr escaped;
    try {
        while (pass_head())
            turn(time_point::max());
    } catch (...) {
        if (in_forked_child()) throw;
        escaped = std::current_exception();
        state.set_stop();
        while (pass_head()) {
        }
    }
    drain();
    if (escaped) std::rethrow_exception(escaped);
    if (failure) throw std::system_error(failure, "scheduler");
}

std::size_t engine::run_once(time_point deadline) {
    claim();
    end_outer_wait();
    while (state.next_order() == run_state::order::park)
        stand_still();
    const std::size_t ran = turn(deadline);
    // Nobody knows when the next turn will be.
    driver_->send_wakes();
    return ran;
}

result<int> engine::wait_descriptor() {
    claim();
    const int fd = driver_->wait_descriptor();
    if (fd < 0) return std::error_code(-fd, std::generic_category());
    return fd;
}

/// To others the loop sleeps from here on, as it does in wait(): who comes wakes the driver.
time_point engine::begin_outer_wait() {
    claim();
    end_turn();
    dispatcher_.pump();
    driver_->send_wakes();
    const time_point deadline = driver_->wait_outside(next_deadline());
    if (!ready.empty() || handed_over > 0) return time_point::min();
    return state.try_sleep() ? deadline : time_point::min();
}

void engine::end_outer_wait() noexcept {
    if (state.sleeping()) [[unlikely]]
        state.wake_up();
}

bool engine::submit() {
    if (ended() && !in_forked_child()) return true;
    claim();
    dispatcher_.pump();
    return driver_->submit_all();
}

void engine::shut_down() {
    if (state.current_phase() == phase::exited) return;
    const auto alive = shared_from_this();
    claim();
    end_outer_wait();
    state.set_stop();
    while (pass_head()) {
    }
    drain();
}

bool engine::pass_head() {
    CORONET_HOOK(loop_head, &self);
    for (;;) {
        switch (state.next_order()) {
        case run_state::order::park:
            stand_still();
            break;
        case run_state::order::drain:
            CORONET_HOOK(stop_seen, &self);
            if (state.try_drain()) return false;
            break;
        case run_state::order::run:
            CORONET_HOOK(head_passed, &self);
            return true;
        }
    }
}

std::size_t engine::turn(time_point deadline) {
    ++stats.turns;
    if (collect_mail()) deadline = time_point::min(); // wake() perhaps, and no item
    end_turn();
    dispatcher_.pump();
    submit_and_perhaps_wait(deadline);
    dispatcher_.note_time(driver_->coarse_now());
    driver_->reap(dispatcher_);
    if (driver_->dead()) [[unlikely]]
        end_dead();
    expire_timers();
    collect_mail();
    const std::size_t ran = run_ready();
    leave_in_forked_child(); // what ran may have forked
    return ran;
}

/// Whether anybody notified us.
bool engine::collect_mail() noexcept {
    if (!state.take_notified()) return false;
    CORONET_HOOK(taking_mail, &self);
    work_queue arrived;
    external.take_all(arrived);
    internal.take_all(arrived);
    while (work* item = arrived.pop())
        make_ready(*item);
    return true;
}

/// The last one, before what it has begun is submitted.
void engine::end_turn() noexcept {
    while (work* item = turn_end.pop())
        item->run();
}

void engine::submit_and_perhaps_wait(time_point deadline) noexcept {
    const bool busy = !ready.empty() || handed_over > 0;
    if (!busy)
        wait(deadline);
    else if (driver_->wants_enter())
        driver_->submit_and_wait(time_point::min());
}

/// Of timers, and of what has found no slot.
time_point engine::next_deadline() noexcept {
    if (timers.unsettled()) timers.settle(driver_->now());
    const time_point expires = timers.next_deadline();
    return dispatcher_.backlogged() ? std::min(expires, driver_->now() + backlog_pause) : expires;
}

void engine::wait(time_point deadline) noexcept {
    deadline = std::min(deadline, next_deadline());
    CORONET_HOOK(before_sleep, &self);
    if (!state.try_sleep()) {
        if (driver_->wants_enter()) driver_->submit_and_wait(time_point::min());
        return;
    }
    CORONET_HOOK(asleep, &self);
    ++stats.sleeps;
    CORONET_HOOK(entering, &self);
    driver_->submit_and_wait(deadline);
    CORONET_HOOK(entered, &self);
    state.wake_up();
}

/// The submission thread has died, and with it all that the ring could do.
void engine::end_dead() noexcept {
    if (failure) return;
    failure = errc::sq_thread_dead;
    log::warn("the submission thread of the ring has died: the scheduler ends");
    dispatcher_.fail_all(operation::no_submission_thread);
    state.set_stop();
}

void engine::expire_timers() noexcept {
    if (timers.empty()) return;
    const time_point now = driver_->now();
    timers.settle(now);
    timers.expire(now);
}

std::size_t engine::run_ready() noexcept {
    if (sink) return std::exchange(handed_over, 0);
    std::size_t ran = 0;
    const std::size_t budget = options.run_budget;
    const unsigned forks_before = forks::count();
    for (; ran < budget; ++ran) {
        work* item = forks::count() == forks_before ? ready.pop() : nullptr;
        if (!item) break;
        item->run();
    }
    return ran;
}

void engine::set_sink(ready_sink* wanted) noexcept {
    sink = wanted;
    handed_over = 0;
    if (!sink) return;
    while (work* item = ready.pop())
        make_ready(*item);
}

// ---- the end ----
//
// 1. Nothing new comes in from outside; operations that are started now complete as cancelled.
// 2. Residents cancel what they have below them; then every operation that is left is asked to end
//    (the canceller repeats itself); then an embedder does what only it can.
// 3. Turns, until nothing is left; step 2 again before each, because what was between two awaits
//    may have arrived.
// 4. After a second without progress the log tells what is waited for. It is waited for all the
//    same: the kernel may still write to it.
// 5. When nothing else is left, the pool is shut down, in the same way.
// 6. What still stands in the internal lane is run; the driver gives everything back to the kernel;
//    then, and only then, those who wait for the end are told.

void engine::drain() {
    constexpr duration first_pause = 10ms;
    constexpr duration longest_pause = 100ms;
    constexpr duration patience = 1s;

    close_outer_lane();
    CORONET_HOOK(draining, &self);
    duration pause = first_pause;
    time_point last_progress = driver_->now();
    bool reported = false;
    for (;;) {
        CORONET_HOOK(drain_round, &self);
        if (finished() && pool_ended()) break;
        cancel_everything();
        const std::size_t before = dispatcher_.in_flight_count();
        const bool progress =
            turn(driver_->now() + pause) > 0 || dispatcher_.in_flight_count() != before;
        pause = progress ? first_pause : std::min(2 * pause, longest_pause);
        if (progress) last_progress = driver_->now();
        if (!reported && driver_->now() - last_progress > patience) {
            reported = true;
            tell_survivors();
        }
    }
    CORONET_HOOK(nothing_in_flight, &self);
    close();
}

void engine::tell_survivors() const noexcept {
    try {
        log::warn("stopping: still waiting\n" + report());
    } catch (const std::bad_alloc&) {
        log::warn("stopping: still waiting, and no memory to tell for what");
    }
}

void engine::close_outer_lane() noexcept {
    sink = nullptr; // nobody empties it meanwhile: from now on what is ready runs here
    handed_over = 0;
    work_queue last;
    external.close(last);
    while (work* item = last.pop())
        make_ready(*item);
    dispatcher_.refuse_new();
}

void engine::cancel_everything() noexcept {
    for (resident* each = residents.front(); each; each = residents.after(*each))
        each->cancel_all();
    dispatcher_.request_cancel_of_all();
    if (end_helper) end_helper->run();
}

bool engine::finished() const noexcept {
    return dispatcher_.in_flight_count() == 0 && resident_count == 0 && ready.empty() &&
           turn_end.empty() && handed_over == 0 && internal.empty();
}

/// Asked when nothing else is left that could use it: then it is to end. Its workers' last messages
/// come through the internal lane.
bool engine::pool_ended() noexcept {
    worker_pool* const used = last_pool();
    if (!used) return true;
    used->begin_shutdown();
    return used->ended();
}

/// If there is none, whoever asks for one from now on is given one that has ended: nobody would see
/// to the end of its workers.
worker_pool* engine::last_pool() noexcept {
    const std::scoped_lock lock{pool_mutex_};
    no_more_pools_ = !own_pool_;
    return own_pool_.get();
}

void engine::close() {
    work_queue last;
    internal.close(last);
    while (work* item = last.pop())
        make_ready(*item);
    do {
        run_ready();
        leave_in_forked_child();
        end_turn();
    } while (!ready.empty() || !turn_end.empty());
    CORONET_HOOK(closing, &self);
    wait_for_callers(); // those to come find nobody asleep, and leave the driver alone
    stats.enters = driver_->enters();
    if (buffers_) std::exchange(buffers_, nullptr)->owner_leaves();
    driver_->close();
    owner = 0;
    enter(phase::exited);
}

// ---- its pool, its buffers ----

worker_pool& engine::pool() {
    if (worker_pool* made = pool_if_any()) return *made;
    if (in_forked_child()) throw std::system_error(errc::stopped, "a pool in a forked child");
    const std::scoped_lock lock{pool_mutex_};
    if (!own_pool_) {
        auto made = std::make_unique<worker_pool>(*this);
        if (no_more_pools_) made->begin_shutdown(); // with nothing in it: it has ended
        own_pool_ = std::move(made);
        pool_.store(own_pool_.get(), std::memory_order_release);
    }
    return *own_pool_;
}

buffer_pool& engine::receive_buffers() {
    if (buffers_) [[likely]]
        return *buffers_;
    if (!in_loop()) throw std::system_error(errc::stopped, "receive buffers outside of the loop");
    buffers_ = new buffer_pool{*this};
    return *buffers_;
}

bool engine::owned_by_this_thread() const noexcept {
    if (options.movable_owner) return scheduler::current() == &self;
    return owner.load() == this_thread_number();
}

// ---- from anywhere ----

bool engine::post(mailbox& lane, work& item) noexcept {
    if (ended()) return false;
    callers_.fetch_add(1, std::memory_order_acq_rel);
    CORONET_HOOK(pushing, &self);
    const bool taken = lane.push(item);
    if (taken) {
        CORONET_HOOK(pushed, &self);
        driver* const carrier = messenger();
        wake_if(state.set_notified(carrier != nullptr), carrier);
    }
    callers_.fetch_sub(1, std::memory_order_acq_rel);
    return taken;
}

void engine::wake() noexcept {
    if (ended()) return;
    callers_.fetch_add(1, std::memory_order_acq_rel);
    wake_if(state.set_woken(), nullptr);
    callers_.fetch_sub(1, std::memory_order_acq_rel);
}

void engine::stop() noexcept {
    if (ended()) return;
    callers_.fetch_add(1, std::memory_order_acq_rel);
    wake_if(state.set_stop(), nullptr);
    if (has_own_thread && !was_started()) futex::wake_all(state.word()); // nobody else will
    callers_.fetch_sub(1, std::memory_order_acq_rel);
}

void engine::wake_if(run_state::must_wake needed, driver* from) noexcept {
    if (!needed) return;
    if (driver_->wake(from)) wakes.fetch_add(1, std::memory_order_relaxed);
}

/// Whose ring may carry a wake-up: that of the loop that this thread is in, if it will soon enter.
driver* engine::messenger() const noexcept {
    const scheduler* here = scheduler::current();
    if (!here || here == &self) return nullptr;
    const engine& sender = *here->engine_;
    const phase now = sender.state.current_phase();
    if (now != phase::running && now != phase::draining) return nullptr;
    if (!driver_->carries_wakes() || !sender.driver_->carries_wakes()) return nullptr;
    return sender.driver_.get();
}

void engine::wait_for_callers() const noexcept {
    while (callers_.load(std::memory_order_acquire) != 0)
        std::this_thread::yield();
}

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
#include "dispatcher.hpp"
#include "driver.hpp"
#include "log.hpp"
#include "mailbox.hpp"
#include "run_state.hpp"
#include "timer_queue.hpp"

#include <coronet/scheduler.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace coronet {

namespace {

using namespace std::chrono_literals;
using phase = run_state::phase;

thread_local scheduler* current_scheduler = nullptr;

/// This thread is in the loop of `entered` until the end of the scope.
class in_loop_of {
public:
    explicit in_loop_of(scheduler& entered) noexcept
        : outer_(std::exchange(current_scheduler, &entered)) {}
    ~in_loop_of() { current_scheduler = outer_; }
    in_loop_of(const in_loop_of&) = delete;
    in_loop_of& operator=(const in_loop_of&) = delete;

private:
    scheduler* outer_;
};

// Where entries are left that the kernel would not take, the loop looks again after this time.
constexpr duration backlog_pause = 1ms;

} // namespace

class scheduler::engine {
public:
    engine(scheduler& self, const scheduler_options& wanted, std::unique_ptr<driver> executor)
        : options(wanted),
          driver_(std::move(executor)),
          dispatcher_(self, *driver_, timers, stats) {}

    void claim() {
        CORONET_ASSERT(state.current_phase() != phase::exited); // a scheduler runs once
        const auto here = std::this_thread::get_id();
        if (state.current_phase() == phase::fresh) {
            driver_->enable();
            state.enter(phase::running);
            owner = here;
        }
        if (options.movable_owner) owner = here;
        CORONET_ASSERT(owner == here); // the loop of one scheduler, run by two threads
    }

    std::size_t turn(time_point deadline);
    void drain();

    void make_ready(work& item) noexcept {
        if (sink) [[unlikely]] {
            ++handed_over;
            sink->push(item);
        } else {
            ready.push(item);
        }
    }

    bool post(mailbox& lane, work& item) noexcept;
    /// Whoever comes now is too late, and is not waited for.
    [[nodiscard]] bool ended() const noexcept { return state.current_phase() == phase::exited; }
    void wake_if(run_state::must_wake needed, driver* from) noexcept {
        if (!needed) return;
        wakes.fetch_add(1, std::memory_order_relaxed);
        driver_->wake(from);
    }

    const scheduler_options options;
    run_state state;
    mailbox external;
    mailbox internal;
    work_queue ready;
    timer_queue timers;
    scheduler_stats stats;
    std::unique_ptr<driver> driver_;
    dispatcher dispatcher_;
    detail::intrusive_list<resident> residents;
    std::size_t resident_count = 0;
    ready_sink* sink = nullptr;
    std::size_t handed_over = 0;
    std::thread::id owner;
    // Threads inside post(), wake() or stop(): the driver is not closed under them.
    std::atomic<unsigned> callers{0};
    std::atomic<std::uint64_t> wakes{0};

private:
    bool collect_mail() noexcept;
    void submit_and_perhaps_wait(time_point deadline) noexcept;
    void wait(time_point deadline) noexcept;
    void expire_timers() noexcept;
    std::size_t run_ready() noexcept;
    [[nodiscard]] bool finished() const noexcept;
    void close() noexcept;
};

// ---- a turn ----

std::size_t scheduler::engine::turn(time_point deadline) {
    ++stats.turns;
    if (collect_mail()) deadline = time_point::min(); // wake() perhaps, and no item
    dispatcher_.pump();
    submit_and_perhaps_wait(deadline);
    driver_->reap(dispatcher_);
    expire_timers();
    collect_mail();
    return run_ready();
}

/// Whether anybody notified us.
bool scheduler::engine::collect_mail() noexcept {
    if (!state.take_notified()) return false;
    work_queue arrived;
    external.take_all(arrived);
    internal.take_all(arrived);
    while (work* item = arrived.pop())
        make_ready(*item);
    return true;
}

void scheduler::engine::submit_and_perhaps_wait(time_point deadline) noexcept {
    const bool busy = !ready.empty() || handed_over > 0;
    if (!busy)
        wait(deadline);
    else if (driver_->wants_enter())
        driver_->submit_and_wait(time_point::min());
}

void scheduler::engine::wait(time_point deadline) noexcept {
    if (timers.unsettled()) timers.settle(driver_->now());
    deadline = std::min(deadline, timers.next_deadline());
    if (dispatcher_.backlogged()) deadline = std::min(deadline, driver_->now() + backlog_pause);
    if (!state.try_sleep()) {
        if (driver_->wants_enter()) driver_->submit_and_wait(time_point::min());
        return;
    }
    ++stats.sleeps;
    driver_->submit_and_wait(deadline);
    state.wake_up();
}

void scheduler::engine::expire_timers() noexcept {
    if (timers.empty()) return;
    const time_point now = driver_->now();
    timers.settle(now);
    timers.expire(now);
}

std::size_t scheduler::engine::run_ready() noexcept {
    if (sink) return std::exchange(handed_over, 0);
    std::size_t ran = 0;
    for (; ran < options.run_budget; ++ran) {
        work* item = ready.pop();
        if (!item) break;
        item->run();
    }
    return ran;
}

// ---- the end ----
//
// 1. Nothing new comes in from outside; operations that are started now complete as cancelled.
// 2. Residents cancel what they have below them; then every operation that is left is asked to end
// (the canceller
//    repeats itself).
// 3. Turns, until nothing is left; step 2 again after each, because what was between two awaits may
// have arrived.
// 4. What still stands in the internal lane is run; the driver gives everything back to the kernel.

void scheduler::engine::drain() {
    constexpr duration first_pause = 10ms;
    constexpr duration longest_pause = 100ms;
    constexpr duration patience = 1s;

    state.enter(phase::draining);
    sink = nullptr; // nobody empties it meanwhile: from now on what is ready runs here
    handed_over = 0;
    work_queue last;
    external.close(last);
    while (work* item = last.pop())
        make_ready(*item);
    dispatcher_.refuse_new();

    duration pause = first_pause;
    time_point last_progress = driver_->now();
    bool reported = false;
    while (!finished()) {
        for (resident* each = residents.front(); each; each = residents.after(*each))
            each->cancel_all();
        dispatcher_.request_cancel_of_all();

        const bool progress = turn(driver_->now() + pause) > 0;
        pause = progress ? first_pause : std::min(2 * pause, longest_pause);
        if (progress) last_progress = driver_->now();
        if (!reported && driver_->now() - last_progress > patience) {
            reported = true;
            log::warn(
                "stopping: still waiting for " + std::to_string(dispatcher_.in_flight_count()) +
                " operations and " + std::to_string(resident_count) + " tasks"
            );
        }
    }
    close();
}

bool scheduler::engine::finished() const noexcept {
    return dispatcher_.in_flight_count() == 0 && resident_count == 0 && ready.empty() &&
           handed_over == 0 && internal.empty();
}

void scheduler::engine::close() noexcept {
    work_queue last;
    internal.close(last);
    while (work* item = last.pop())
        make_ready(*item);
    while (!ready.empty())
        run_ready();
    state.enter(phase::exited);
    while (callers.load(std::memory_order_acquire) != 0)
        std::this_thread::yield();
    stats.enters = driver_->enters();
    driver_->close();
}

bool scheduler::engine::post(mailbox& lane, work& item) noexcept {
    if (ended()) return false;
    // Counted before the control word is touched: an owner that has seen the notification sees the
    // caller, too.
    callers.fetch_add(1, std::memory_order_acq_rel);
    const bool taken = lane.push(item);
    if (taken) {
        driver* from = current_scheduler ? current_scheduler->engine_->driver_.get() : nullptr;
        wake_if(state.set_notified(), from == driver_.get() ? nullptr : from);
    }
    callers.fetch_sub(1, std::memory_order_acq_rel);
    return taken;
}

// ---- the public face ----

std::unique_ptr<driver> scheduler::default_driver(const scheduler_options& options) {
    const bool shares = options.sqpoll && options.sqpoll->share_with;
    return make_uring_driver(
        options, shares ? options.sqpoll->share_with->engine_->driver_.get() : nullptr
    );
}

scheduler::scheduler(const scheduler_options& options)
    : scheduler(options, default_driver(options)) {}

scheduler::scheduler(const scheduler_options& options, std::unique_ptr<driver> executor)
    : engine_(std::make_unique<engine>(*this, options, std::move(executor))) {}

scheduler::~scheduler() {
    switch (engine_->state.current_phase()) {
    case phase::exited:
        break;
    case phase::fresh:
        if (outstanding_work() == 0) {
            engine_->driver_->close();
            break;
        }
        [[fallthrough]]; // it was given something before its first turn
    default:
        try {
            shutdown();
        } catch (const std::exception& error) {
            detail::die(error.what()); // work that was given to it can neither run nor be dropped
        }
    }
    while (engine_->callers.load(std::memory_order_acquire) != 0)
        std::this_thread::yield();
}

scheduler* scheduler::current() noexcept {
    return current_scheduler;
}

void scheduler::run() {
    const in_loop_of entered{*this};
    engine_->claim();
    while (!engine_->state.stop_requested())
        engine_->turn(time_point::max());
    engine_->drain();
}

std::size_t scheduler::run_once(time_point deadline) {
    const in_loop_of entered{*this};
    engine_->claim();
    const std::size_t ran = engine_->turn(deadline);
    // Nobody knows when the next turn will be.
    if (engine_->driver_->owes_wakes()) engine_->driver_->submit_and_wait(time_point::min());
    return ran;
}

void scheduler::shutdown() {
    if (engine_->state.current_phase() == phase::exited) return;
    const in_loop_of entered{*this};
    engine_->claim();
    engine_->state.set_stop();
    engine_->drain();
}

bool scheduler::post(work& item) noexcept {
    return engine_->post(engine_->external, item);
}
bool scheduler::post_internal(work& item) noexcept {
    return engine_->post(engine_->internal, item);
}

void scheduler::wake() noexcept {
    if (engine_->ended()) return;
    engine_->callers.fetch_add(1, std::memory_order_acq_rel);
    engine_->wake_if(engine_->state.set_woken(), nullptr);
    engine_->callers.fetch_sub(1, std::memory_order_acq_rel);
}

void scheduler::stop() noexcept {
    if (engine_->ended()) return;
    engine_->callers.fetch_add(1, std::memory_order_acq_rel);
    engine_->wake_if(engine_->state.set_stop(), nullptr);
    engine_->callers.fetch_sub(1, std::memory_order_acq_rel);
}

bool scheduler::stop_requested() const noexcept {
    return engine_->state.stop_requested();
}

void scheduler::start(operation& op) noexcept {
    engine_->dispatcher_.start(op);
}
std::size_t scheduler::cancel_operations_on(int fd) noexcept {
    return engine_->dispatcher_.request_cancel_on(fd);
}
void scheduler::ready(work& item) noexcept {
    engine_->make_ready(item);
}
void scheduler::arm(timer& t, duration delay) noexcept {
    engine_->timers.arm(t, delay);
}
void scheduler::arm(timer& t, time_point deadline) noexcept {
    engine_->timers.arm(t, deadline);
}
void scheduler::disarm(timer& t) noexcept {
    engine_->timers.disarm(t);
}

void scheduler::admit(resident& guest) noexcept {
    engine_->residents.push_back(guest);
    ++engine_->resident_count;
}
void scheduler::dismiss(resident& guest) noexcept {
    engine_->residents.erase(guest);
    --engine_->resident_count;
}

void scheduler::set_ready_sink(ready_sink* sink) noexcept {
    engine_->sink = sink;
    engine_->handed_over = 0;
    if (!sink) return;
    while (work* item = engine_->ready.pop())
        engine_->make_ready(*item);
}

std::size_t scheduler::in_flight_count() const noexcept {
    return engine_->dispatcher_.in_flight_count();
}
std::size_t scheduler::outstanding_work() const noexcept {
    const bool posted = !engine_->external.empty() || !engine_->internal.empty();
    return in_flight_count() + engine_->timers.size() + engine_->resident_count +
           (posted || !engine_->ready.empty() ? 1 : 0);
}
int scheduler::socket_flags() const noexcept {
    return engine_->driver_->socket_flags();
}

scheduler_stats scheduler::stats() const noexcept {
    scheduler_stats now = engine_->stats;
    now.in_flight = in_flight_count();
    if (engine_->state.current_phase() != phase::exited) now.enters = engine_->driver_->enters();
    now.wakes = engine_->wakes.load(std::memory_order_relaxed);
    return now;
}

// ---- operation ----

void operation::complete(std::int32_t res, std::uint32_t) noexcept {
    res_ = res;
    scheduler_->ready(*this);
}

void operation::cancel() noexcept {
    if (!idle()) scheduler_->engine_->dispatcher_.request_cancel(*this);
}

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"

#include <coronet/detail/assert.hpp>
#include <coronet/scheduler.hpp>

#include <exception>
#include <utility>

namespace coronet {

namespace {

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

time_point after(duration limit) noexcept {
    return detail::later(clock::now(), limit);
}

} // namespace

std::unique_ptr<driver> scheduler::default_driver(const scheduler_options& options) {
    return make_driver(options);
}

scheduler::scheduler(const scheduler_options& options)
    : scheduler(options, default_driver(options)) {}

scheduler::scheduler(const scheduler_options& options, std::unique_ptr<driver> executor)
    : engine_(std::make_shared<detail::engine>(*this, options, std::move(executor))) {}

scheduler::~scheduler() {
    if (engine_->in_forked_child()) {
        // The ring, and what it works on, belong to the parent: here it is only forgotten.
        static_cast<void>(new std::shared_ptr<detail::engine>(std::move(engine_)));
        return;
    }
    switch (engine_->state.current_phase()) {
    case phase::exited:
        break;
    case phase::fresh:
    case phase::failed:
        if (outstanding_work() == 0) {
            engine_->end_unused();
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
    engine_->wait_for_callers();
}

scheduler* scheduler::current() noexcept {
    return current_scheduler;
}

// ---- running ----

void scheduler::run() {
    const in_loop_of entered{*this};
    engine_->run();
}

std::size_t scheduler::run_once(time_point deadline) {
    const in_loop_of entered{*this};
    return engine_->run_once(deadline);
}

result<int> scheduler::wait_descriptor() {
    return engine_->wait_descriptor();
}

time_point scheduler::begin_outer_wait() {
    const in_loop_of entered{*this};
    return engine_->begin_outer_wait();
}

void scheduler::shutdown() {
    const in_loop_of entered{*this};
    engine_->shut_down();
}

// ---- from any thread ----

bool scheduler::post(work& item) noexcept {
    return engine_->post(engine_->external, item);
}
bool scheduler::post_internal(work& item) noexcept {
    return engine_->post(engine_->internal, item);
}
void scheduler::wake() noexcept {
    engine_->wake();
}
void scheduler::stop() noexcept {
    engine_->stop();
}
bool scheduler::stop_requested() const noexcept {
    return engine_->state.stop_requested();
}

result<park_guard> scheduler::park() {
    return engine_->park(time_point::max());
}
result<park_guard> scheduler::park_for(duration limit) {
    return engine_->park(after(limit));
}
result<void> scheduler::join() noexcept {
    return engine_->join(time_point::max());
}
result<void> scheduler::join_for(duration limit) noexcept {
    return engine_->join(after(limit));
}
bool scheduler::may_wait_here() const noexcept {
    return engine_->may_wait_here();
}
worker_pool& scheduler::pool() {
    return engine_->pool();
}
detail::buffer_pool& scheduler::receive_buffers() {
    return engine_->receive_buffers();
}
std::string scheduler::report() const {
    return engine_->report();
}

// ---- owner ----

void scheduler::start(operation& op) noexcept {
    engine_->dispatcher_.start(op);
}
bool scheduler::submit() {
    return engine_->submit();
}
bool scheduler::in_forked_child() const noexcept {
    return engine_->in_forked_child();
}
std::size_t scheduler::cancel_operations_on(int fd) noexcept {
    return engine_->dispatcher_.request_cancel_on(fd);
}
void scheduler::ready(work& item) noexcept {
    engine_->make_ready(item);
}
void scheduler::at_turn_end(work& item) noexcept {
    engine_->turn_end.push(item);
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
    engine_->set_sink(sink);
}

void scheduler::set_end_helper(work* helper) noexcept {
    engine_->end_helper = helper;
}

std::size_t scheduler::in_flight_count() const noexcept {
    return engine_->dispatcher_.in_flight_count();
}
std::size_t scheduler::outstanding_work() const noexcept {
    const bool posted = !engine_->external.empty() || !engine_->internal.empty();
    const worker_pool* const pool = engine_->pool_if_any();
    return in_flight_count() + engine_->timers.size() + engine_->resident_count +
           (pool ? pool->item_count() : 0) +
           (posted || !engine_->ready.empty() || !engine_->turn_end.empty() ? 1 : 0);
}
int scheduler::socket_flags() const noexcept {
    return engine_->driver_->socket_flags();
}
bool scheduler::shares_submission_thread() const noexcept {
    return engine_->driver_->shares_submission_thread();
}
void scheduler::leave_to_parent() noexcept {
    CORONET_ASSERT(engine_->in_forked_child());
    engine_->dispatcher_.fail_all(operation::left_to_parent);
}
std::error_code scheduler::failure() const noexcept {
    return engine_->failure;
}

scheduler_stats scheduler::stats() const noexcept {
    scheduler_stats now = engine_->stats;
    now.in_flight = in_flight_count();
    now.operations = engine_->dispatcher_.started_count();
    if (engine_->state.current_phase() != phase::exited) now.enters = engine_->driver_->enters();
    now.wakes = engine_->wakes.load(std::memory_order_relaxed);
    if (const worker_pool* pool = engine_->pool_if_any()) now.workers = pool->stats();
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

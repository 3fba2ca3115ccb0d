// SPDX-License-Identifier: BSL-1.0
#include "recruiter.hpp"

#include "engine.hpp"
#include "worker_account.hpp"
#include "worker_thread.hpp"

#include <coronet/detail/hooks.hpp>
#include <coronet/worker_cap.hpp>
#include <coronet/worker_pool.hpp>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include <unistd.h>

namespace coronet::detail {

namespace {
using namespace std::chrono_literals;

constexpr duration pause_of_failures = 100ms;
constexpr duration patience_with_queue = 5ms;
constexpr duration first_interruption = 1ms;
constexpr duration longest_between_interruptions = 50ms;

} // namespace

recruiter::recruiter(worker_account& account)
    : account_(account),
      options_(account.owner.options.workers),
      retry_(options_.creation_retries) {}

// ---- creation ----

void recruiter::create() noexcept {
    // Under way, or others serve and a creation has just failed: what is queued is looked at then.
    const bool later = retrying_.armed() || (pausing_.armed() && account_.has_able(0));
    if (later)
        account_.drop_request();
    else
        begin();
}

void recruiter::begin() noexcept {
    if (!account_.begin_creation()) return;
    if (const auto begun = account_.begun_count(); begun != begun_before_) {
        begun_before_ = begun;
        begin_anew();
    }
    attempt();
}

void recruiter::begin_anew() noexcept {
    retry_ = creation_retry{options_.creation_retries};
}

void recruiter::attempt() noexcept {
    CORONET_HOOK(creating, &account_);
    const int error = start_worker();
    CORONET_HOOK(creation_tried, &account_);
    if (error != 0) {
        failed(error);
        return;
    }
    ++stats_.created;
    account_.creation_succeeded();
}

int recruiter::start_worker() noexcept {
    worker_cap* const cap = options_.cap.get();
    // One for each account: what is queued there must not wait for another pool.
    if (cap && !cap->take(!account_.has_able(1))) return EAGAIN;
    const int error = worker_thread::create(account_, options_.stack_size);
    if (error == 0)
        ++unjoined_;
    else if (cap)
        cap->give_back();
    return error;
}

/// A creation that is counted.
void recruiter::failed(int error) noexcept {
    if (const auto pause = pause_after(error)) {
        ++stats_.retried;
        arm(retrying_, *pause);
        CORONET_HOOK(retry_armed, &account_);
        return;
    }
    ++stats_.failed;
    begin_anew(); // whatever is queued from here on
    if (classify_creation_error(error) == creation_failure::interrupted) error = EINTR;
    if (account_.creation_failed(error) && !account_.exiting() && !pausing_.armed())
        arm(pausing_, pause_of_failures);
}

std::optional<duration> recruiter::pause_after(int error) noexcept {
    if (retrying_.armed() || account_.exiting() || account_.owner.state.stop_requested())
        return std::nullopt;
    return retry_.pause_after(error, account_.owner.driver_->now());
}

void recruiter::try_again() noexcept {
    CORONET_HOOK(retrying, &account_);
    if (account_.still_wanted())
        attempt();
    else
        begin_anew();
}

void recruiter::pause_over() noexcept {
    if (!retrying_.armed()) begin();
}

void recruiter::reap(worker_thread& leaving) noexcept {
    const auto generation = leaving.generation();
    const int error = leaving.start_error;
    leaving.join();
    delete &leaving;
    --unjoined_;
    if (options_.cap) options_.cap->give_back();
    if (error != 0 && account_.count_again(generation)) failed(error);
    account_.pool.look_at_waits();
}

void recruiter::begin_exit() noexcept {
    if (retrying_.armed()) {
        disarm(retrying_);
        const bool wanted = account_.still_wanted();
        CORONET_ASSERT(!wanted);
    }
    disarm(pausing_);
    disarm(watching_);
}

void recruiter::end() noexcept {
    disarm(interrupting_);
}

// ---- a queue that does not move ----

void recruiter::watch() noexcept {
    oldest_seen_ = account_.oldest_ticket();
    if (oldest_seen_ != 0 && !watching_.armed()) arm(watching_, patience_with_queue);
}

void recruiter::look_at_queue() noexcept {
    const auto oldest = account_.oldest_ticket();
    if (oldest == 0) return;
    if (oldest == oldest_seen_ && !retrying_.armed() && !pausing_.armed()) begin();
    watch();
}

// ---- blocking calls ----

void recruiter::interrupt() noexcept {
    // It comes as soon as it may: those who ask again and again do not put it off for the others.
    if (interrupting_.armed() && next_interruption_ == first_interruption) return;
    disarm(interrupting_);
    next_interruption_ = first_interruption;
    arm(interrupting_, next_interruption_);
}

void recruiter::interrupt_again() noexcept {
    if (!account_.notify_asked()) return;
    next_interruption_ = std::min<duration>(2 * next_interruption_, longest_between_interruptions);
    arm(interrupting_, next_interruption_);
}

// ---- the owner's loop ----

void recruiter::arm(call& which, duration delay) noexcept {
    account_.owner.timers.arm(which, delay);
}
void recruiter::disarm(call& which) noexcept {
    account_.owner.timers.disarm(which);
}

void recruiter::add_to(worker_stats& sum) const noexcept {
    sum.created += stats_.created;
    sum.retried += stats_.retried;
    sum.failed += stats_.failed;
}

} // namespace coronet::detail

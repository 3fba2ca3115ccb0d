// SPDX-License-Identifier: BSL-1.0
//
// What the owner asks of an account and tells it: which workers are to be created, that there are
// none, that a new generation or the end has come.
#include "engine.hpp"
#include "worker_account.hpp"

#include <coronet/worker_pool.hpp>

#include <mutex>
#include <source_location>
#include <string>
#include <utility>

namespace coronet::detail {

// ---- creation ----

bool worker_account::wanted() const noexcept {
    return !exiting_ && !queue_.empty() && free_.empty();
}

bool worker_account::begin_creation() noexcept {
    const std::scoped_lock lock{lock_};
    create_pending_ = false;
    if (!wanted() || count_ >= limits_.max) return false;
    count_creation();
    return true;
}

void worker_account::count_creation() noexcept {
    ++count_;
    ++able_;
    ++active_;
    counted_ = true;
}

/// It was created, but could not begin.
bool worker_account::count_again(std::uint64_t generation) noexcept {
    const std::scoped_lock lock{lock_};
    uncount(generation);
    if (counted_) return false; // another attempt is on its way
    count_creation();
    return true;
}

void worker_account::drop_request() noexcept {
    const std::scoped_lock lock{lock_};
    create_pending_ = false;
}

bool worker_account::still_wanted() noexcept {
    const std::scoped_lock lock{lock_};
    if (wanted()) return true;
    counted_ = false;
    uncount(generation_);
    return false;
}

void worker_account::creation_succeeded() noexcept {
    const std::scoped_lock lock{lock_};
    counted_ = false;
}

bool worker_account::creation_failed(int error) noexcept {
    cancel_batch ended{this};
    bool others_serve = true;
    {
        const std::scoped_lock lock{lock_};
        counted_ = false;
        uncount(generation_);
        others_serve = able_ > 0;
        if (!others_serve) end_all(ended, pool_item::outcome::unavailable, error);
    }
    ended.call_back();
    return others_serve;
}

bool worker_account::has_able(unsigned besides) const noexcept {
    const std::scoped_lock lock{lock_};
    return able_ > besides;
}

bool worker_account::exiting() const noexcept {
    const std::scoped_lock lock{lock_};
    return exiting_;
}

std::uint64_t worker_account::begun_count() const noexcept {
    const std::scoped_lock lock{lock_};
    return begun_;
}

std::uint64_t worker_account::generation() const noexcept {
    const std::scoped_lock lock{lock_};
    return generation_;
}

std::uint64_t worker_account::oldest_ticket() noexcept {
    const std::scoped_lock lock{lock_};
    watched_ = !exiting_ && !queue_.empty() && count_ < limits_.max;
    return watched_ ? waiter_list::ticket_of(*queue_.front()) : 0;
}

bool worker_account::notify_asked() noexcept {
    const std::scoped_lock lock{lock_};
    bool any = false;
    for (worker_thread* each = workers_.front(); each; each = workers_.after(*each)) {
        if (!each->interruptible || !each->item || !each->item->asked_) continue;
        notify(*each);
        any = true;
    }
    return any;
}

// ---- generations and the end ----

/// Under the lock. They look at what has changed.
void worker_account::wake_all_free() noexcept {
    while (worker_thread* each = free_.pop_front()) {
        set_active(*each, true);
        each->token().store(1, std::memory_order_relaxed);
        worker_thread::wake(each->token());
    }
}

void worker_account::new_generation() noexcept {
    sending out;
    {
        const std::scoped_lock lock{lock_};
        wake_all_free();
        ++generation_;
        able_ = active_ = counted_ ? 1 : 0;
        see_to_queue(out);
    }
    send(out);
}

void worker_account::begin_exit() noexcept {
    cancel_batch ended{this};
    {
        const std::scoped_lock lock{lock_};
        exiting_ = true;
        end_all(ended, pool_item::outcome::stopped);
        wake_all_free();
    }
    recruiter_.begin_exit();
    ended.call_back();
    ask_all(UINT64_MAX);
}

void worker_account::end_exit() noexcept {
    recruiter_.end();
}

bool worker_account::empty() const noexcept {
    const std::scoped_lock lock{lock_};
    return count_ == 0 && !errand_sent_ && recruiter_.empty();
}

// ---- telling ----

void worker_account::add_to(worker_stats& sum) const noexcept {
    recruiter_.add_to(sum);
    const std::scoped_lock lock{lock_};
    sum.workers += count_;
    sum.notifications += notified_;
}

namespace {

template <class List>
std::size_t length_of(List& list) noexcept {
    std::size_t length = 0;
    for (auto* each = list.front(); each; each = list.after(*each))
        ++length;
    return length;
}

} // namespace

std::string worker_account::described(const pool_item& running) {
    std::string line = "    an item runs";
    if (running.asked_) line += ", asked to end";
    const std::source_location place = running.place();
    if (*place.file_name())
        line += ", awaited at " + std::string{place.file_name()} + ":" +
                std::to_string(place.line()) + " in " + place.function_name();
    return line + "\n";
}

std::string worker_account::report() {
    unsigned count = 0;
    std::size_t free = 0;
    std::size_t queued = 0;
    std::size_t behind = 0;
    std::string running;
    {
        const std::scoped_lock lock{lock_};
        count = count_;
        free = length_of(free_);
        queued = length_of(queue_);
        behind = length_of(behind_);
        for (worker_thread* each = workers_.front(); each; each = workers_.after(*each))
            if (each->item) running += described(*each->item);
    }
    const char* const name = kind == pool_account::bounded ? "bounded" : "unbounded";
    return std::string{"  workers, "} + name + ": " + std::to_string(count) + " (" +
           std::to_string(free) + " free); items queued: " + std::to_string(queued) +
           ", behind others of their key: " + std::to_string(behind) + "\n" + running;
}

} // namespace coronet::detail

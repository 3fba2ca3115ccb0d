// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/asio/detail/hosted_ring.hpp>

#include <thread>
#include <utility>

namespace coronet::asiox::detail {

namespace {

scheduler_options movable(scheduler_options options) {
    options.movable_owner = true;
    return options;
}

} // namespace

hosted_ring::hosted_ring(const scheduler_options& options)
    : options_(movable(options)), scheduler_(std::make_unique<scheduler>(options_)) {}

/// A claim is announced and the owner interrupted; only then is the lock waited for. The loop's
/// thread stays out of the way until no claim is left.
std::unique_lock<std::mutex> hosted_ring::claim() {
    if (needs_no_lock()) return {};
    locks_->claims.fetch_add(1, std::memory_order_seq_cst);
    interrupt();
    std::unique_lock<std::mutex> owner{locks_->owner};
    locks_->claims.fetch_sub(1, std::memory_order_relaxed);
    return owner;
}

std::unique_lock<std::mutex> hosted_ring::own() {
    if (scheduler_->in_forked_child()) return {};
    while (locks_->claims.load(std::memory_order_seq_cst) > 0)
        std::this_thread::yield();
    return std::unique_lock{locks_->owner};
}

/// An interruption comes after the request: a turn that has not seen it does not wait.
void hosted_ring::see_to_requests() noexcept {
    if (!requested_.load(std::memory_order_acquire) || scheduler_->in_forked_child()) return;
    work_queue taken;
    {
        const std::scoped_lock lock{locks_->requests};
        requested_.store(false, std::memory_order_relaxed);
        while (work* item = requests_.pop())
            taken.push(*item);
    }
    while (work* item = taken.pop())
        item->run();
}

void hosted_ring::run_as_owner(work& item) noexcept {
    if (try_as_owner([&item] { item.run(); })) return;
    {
        const std::scoped_lock lock{locks_->requests};
        requests_.push(item);
        requested_.store(true, std::memory_order_release);
    }
    interrupt();
}

void hosted_ring::end() {
    const auto owner = claim();
    if (scheduler_->in_forked_child()) {
        scheduler_->leave_to_parent();
        return;
    }
    see_to_requests();
    scheduler_->shutdown();
}

void hosted_ring::begin_again_in_child() {
    auto parents = std::exchange(scheduler_, std::make_unique<scheduler>(options_));
    static_cast<void>(locks_.release()); // one that is held cannot be destroyed
    locks_ = std::make_unique<locks>();
    parents->leave_to_parent();
    static_cast<void>(parents.release()); // the parent's coroutines refer to it
}

} // namespace coronet::asiox::detail

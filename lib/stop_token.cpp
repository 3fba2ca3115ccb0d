// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/assert.hpp>
#include <coronet/stop_token.hpp>

namespace coronet::detail {

bool stop_state::request() noexcept {
    if (!lock_and_request()) return false;
    requester_ = std::this_thread::get_id();
    while (stop_callback_base* callback = callbacks_) {
        callbacks_ = callback->next_;
        if (callbacks_) callbacks_->link_ = &callbacks_;
        callback->link_ = nullptr;

        bool destroyed = false;
        callback->destroyed_in_call_ = &destroyed;
        unlock();
        callback->invoke_(*callback);
        if (!destroyed) {
            callback->destroyed_in_call_ = nullptr;
            // Release: whoever destroys the callback sees all that it did. Nothing of it is touched
            // afterwards.
            callback->returned_.store(true, std::memory_order_release);
        }
        lock();
    }
    unlock();
    return true;
}

bool stop_state::add(stop_callback_base& callback) noexcept {
    if (!requested()) {
        lock();
        if (!requested()) {
            callback.next_ = callbacks_;
            callback.link_ = &callbacks_;
            if (callbacks_) callbacks_->link_ = &callback.next_;
            callbacks_ = &callback;
            unlock();
            return true;
        }
        unlock();
    }
    callback.invoke_(callback);
    return false;
}

void stop_state::remove(stop_callback_base& callback) noexcept {
    lock();
    if (callback.link_) {
        *callback.link_ = callback.next_;
        if (callback.next_) callback.next_->link_ = callback.link_;
        callback.link_ = nullptr;
        unlock();
        return;
    }
    const bool called_here = requester_ == std::this_thread::get_id();
    unlock();

    // request() took it off the list: it runs, or has run.
    if (called_here) {
        if (callback.destroyed_in_call_) *callback.destroyed_in_call_ = true;
        return;
    }
    while (!callback.returned_.load(std::memory_order_acquire))
        std::this_thread::yield();
}

bool stop_state::lock_and_request() noexcept {
    unsigned char expected = bits_.load(std::memory_order_relaxed);
    for (;;) {
        if (expected & requested_bit) return false;
        if (expected & locked_bit) {
            std::this_thread::yield();
            expected = bits_.load(std::memory_order_relaxed);
        } else if (bits_.compare_exchange_weak(
                       expected, requested_bit | locked_bit, std::memory_order_acq_rel,
                       std::memory_order_relaxed
                   )) {
            return true;
        }
    }
}

void stop_state::lock() noexcept {
    unsigned char expected = bits_.load(std::memory_order_relaxed);
    for (;;) {
        if (expected & locked_bit) {
            std::this_thread::yield();
            expected = bits_.load(std::memory_order_relaxed);
        } else if (bits_.compare_exchange_weak(
                       expected, static_cast<unsigned char>(expected | locked_bit),
                       std::memory_order_acquire, std::memory_order_relaxed
                   )) {
            return;
        }
    }
}

void stop_state::unlock() noexcept {
    bits_.fetch_and(static_cast<unsigned char>(~locked_bit), std::memory_order_release);
}

} // namespace coronet::detail

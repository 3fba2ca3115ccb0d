// SPDX-License-Identifier: BSL-1.0
//
// Standing still: while a scheduler is parked its owner runs no user code and makes no call to its
// ring. For looking at it, for a fork, for changing who belongs to what. Cancelling and ring calls
// are not done under park but by the owner itself (post(), run_on()).
#pragma once

#include <coronet/detail/intrusive_list.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace coronet {

class scheduler;
namespace detail {
class engine;
}

/// Holds a scheduler parked until it is destroyed or released. Guards nest: it goes on when the
/// last one is gone. The thread that took it cannot wait for the scheduler's end meanwhile; where
/// it is handed to another thread, that one must know not to.
class [[nodiscard]] park_guard {
public:
    park_guard(park_guard&& other) noexcept = default;
    park_guard& operator=(park_guard&& other) noexcept {
        if (this != &other) {
            release();
            parked_ = std::move(other.parked_);
            taker_ = other.taker_;
        }
        return *this;
    }
    ~park_guard() { release(); }

    /// Lets it go on, unless others hold it. Does nothing the second time. Thread: any.
    void release() noexcept;

private:
    friend class detail::engine;
    park_guard(std::shared_ptr<detail::engine> parked, std::uint64_t taker) noexcept
        : parked_(std::move(parked)), taker_(taker) {}

    std::shared_ptr<detail::engine> parked_;
    std::uint64_t taker_; // the number of the thread that took it
};

/// Somebody who waits for a scheduler to be parked, or to end, without blocking a thread. It is
/// told once, by whichever thread brings it about; or it leaves the list before.
class state_waiter : public detail::list_hook<state_waiter> {
public:
    /// `reached`: what was waited for has come; else it never will. Any thread; no lock is held.
    virtual void told(bool reached) noexcept = 0;

protected:
    ~state_waiter() = default;

private:
    friend class detail::engine;
    bool claimed_ = false; // guarded by the lock of the list: it is about to be told
};

} // namespace coronet

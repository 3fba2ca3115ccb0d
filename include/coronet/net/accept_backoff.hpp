// SPDX-License-Identifier: BSL-1.0
//
// What to do after an accept() that failed. Where descriptors or memory are short, the next attempt
// would fail at once, too, and a loop that knows no better would turn for nothing until something
// comes free. So it pauses, and goes on as soon as this process closes a descriptor.
//
//   plenty → short   an accept failed for want of something: that is logged, and from here on the
//                    library tells of each descriptor that it closes. The next attempt comes at
//                    once, as one may have been closed before it did.
//   short  → short   another one failed: a pause of 50, 100 ... 1000 ms, or until a descriptor is
//                    closed, whichever is shorter
//   short  → plenty  one succeeded, a second or more after the last that did not
//
// Owner thread.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>

#include <system_error>

namespace coronet {

/// For a loop of your own; accept_all() has one.
class accept_backoff {
public:
    accept_backoff() noexcept = default;
    accept_backoff(const accept_backoff&) = delete;
    accept_backoff& operator=(const accept_backoff&) = delete;
    ~accept_backoff();

    /// An accept() has succeeded.
    void accepted() noexcept {
        pause_ = pause_min;
        if (short_) [[unlikely]]
            look_for_the_end();
    }

    /// Waits until it makes sense to try again after `failure`.
    ///
    /// Result: nothing: try again. Else the error that ends the loop: `failure` if no later attempt
    /// can succeed (it was cancelled; the listener is closed, or does not listen);
    /// std::errc::operation_canceled, when the pause ended early.
    /// Cancel: total.
    /// Lifetime: this object outlives the await.
    /// Thread: owner.
    [[nodiscard]] task<std::error_code> after(std::error_code failure);

private:
    static constexpr duration pause_min = std::chrono::milliseconds{50};
    static constexpr duration pause_max = std::chrono::seconds{1};

    void begin(const std::error_code& failure);
    void look_for_the_end() noexcept;
    void end() noexcept;

    duration pause_ = pause_min;
    bool short_ = false;
    time_point last_{}; // failure, while it is short
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Waiting on one scheduler until another stands still or has ended, without blocking a thread. The
// other one's owner tells it, as a message to this one; or it is cancelled before.
//
//   begin() → answered at once, or told() later by any thread, or cancel()led on the owner;
//   whichever comes first under the target's lock, and nothing after it
#pragma once

#include <coronet/park_guard.hpp>
#include <coronet/result.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

#include <cstdint>
#include <system_error>

namespace coronet::detail {

class state_change : public pending_work, private state_waiter {
public:
    enum class to : std::uint8_t { parked, ended };

    /// Owner of the waiter's scheduler.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override {
        return wanted_ == to::parked ? "park" : "join";
    }

protected:
    state_change(scheduler& target, to wanted) noexcept : target_(&target), wanted_(wanted) {}
    state_change(const state_change& other) noexcept
        : state_change(*other.target_, other.wanted_) {}
    state_change& operator=(const state_change&) = delete;
    ~state_change() = default;

    /// False: the answer is there, and run() will not be called.
    [[nodiscard]] bool begin(scheduler& home);
    void refuse(std::error_code why) noexcept { error_ = why; }

    [[nodiscard]] result<park_guard> guard();
    [[nodiscard]] result<void> end() const noexcept;

private:
    void told(bool reached) noexcept override;

    scheduler* target_;
    scheduler* home_ = nullptr;
    std::uint64_t taker_ = 0;
    std::error_code error_; // written by whoever answers, before it hands this over
    to wanted_;
};

} // namespace coronet::detail

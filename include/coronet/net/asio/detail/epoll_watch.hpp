// SPDX-License-Identifier: BSL-1.0
//
// A poll of somebody's epoll set, from the ring: once something has happened there it has to be
// armed again. Owner thread.
#pragma once

#include <coronet/operation.hpp>
#include <coronet/scheduler.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace coronet::asiox::detail {

class epoll_watch final : public operation {
public:
    /// Polls `epoll`, if it does not poll already.
    void arm(scheduler& ring, int epoll) noexcept {
        if (!idle()) return;
        epoll_ = epoll;
        ring.start(*this);
    }
    /// Whether something has happened. So it says after an error, too: whoever looks will see.
    [[nodiscard]] bool take_fired() noexcept { return std::exchange(fired_, false); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t /*res*/, std::uint32_t /*flags*/) noexcept override {
        fired_ = true;
    }
    void run() noexcept override {} // complete() puts it on no queue
    [[nodiscard]] std::string_view name() const noexcept override { return "poll of an epoll set"; }
    [[nodiscard]] subject on() const noexcept override { return {epoll_, 0}; }
    [[nodiscard]] bool never_needs_kernel_worker() const noexcept override { return true; }

    int epoll_ = -1;
    bool fired_ = false;
};

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// A ring as others see it: what they use to wake its owner. It outlives the owner while a message
// is under way, so that the descriptor's number cannot mean another file by then.
#pragma once

#include "../ring.hpp"

#include <coronet/clock.hpp>
#include <coronet/unique_fd.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace coronet {

struct port {
    /// Throws std::system_error.
    port(const scheduler_options& options, const ring* share_thread_with);

    /// Any thread: ends the wait of the owner, through the read of the eventfd that is armed.
    void signal() const noexcept;
    /// Owner, where the ring executes nothing any more: waits for signal(), until `deadline`.
    void wait_for_signal(time_point deadline) const noexcept;

    ring target;
    unique_fd event;
    std::uint64_t event_count = 0; // where the armed read puts it
    std::atomic<bool> deaf{false}; // set by the owner: no message reaches it, only signal()
};

struct attached_port {
    std::shared_ptr<port> own;
    bool shares_thread = false; // really: the kernel was asked which thread it is
};

/// In the group that the options name, if any. Throws std::system_error.
[[nodiscard]] attached_port make_port(const scheduler_options& options);

} // namespace coronet

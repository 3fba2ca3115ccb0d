// SPDX-License-Identifier: BSL-1.0
//
// What a handler's awaits and a server's drain need of the stream below a connection, without its
// type. The loop of a connection does not go through here: it knows its stream. Owner thread.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <span>

namespace coronet::http {

class buffer;

class transport {
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    /// Appends what comes, at least a byte, to `into`, which has some room (and gets more if need
    /// be). Gives how much; 0 when the peer has finished sending. Errors: timed_out, recv(2).
    [[nodiscard]] virtual task<result<std::size_t>> receive(buffer* into, duration timeout) = 0;

    /// Sends all of `data`; `timeout` is for each step of progress. Errors: timed_out, send(2).
    [[nodiscard]] virtual task<result<void>>
    send(std::span<const std::byte> data, duration timeout) = 0;

    /// Makes reads give what has come already, then 0.
    virtual void stop_receiving() noexcept = 0;

protected:
    ~transport() = default;
};

} // namespace coronet::http

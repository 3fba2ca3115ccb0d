// SPDX-License-Identifier: BSL-1.0
//
// Connections of a listener as they come, by one request for all. The request is in the listener's
// list of what is in flight, so that close() of the listener ends it and waits for it, also when
// the stream was destroyed before; without close(), it keeps the descriptor until it has ended.
#pragma once

#include <coronet/coro/multishot.hpp>
#include <coronet/net/basic_socket.hpp>

#include <cstdint>

namespace coronet::detail {

class socket_accept_multishot final : private may_outlive_descriptor, public accept_multishot {
public:
    explicit socket_accept_multishot(basic_socket& listener) noexcept
        : may_outlive_descriptor(listener),
          accept_multishot(listener.native_handle()),
          is_open_(listener.is_open()),
          generation_(listener.generation()) {}

    [[nodiscard]] bool usable() const noexcept override {
        return is_open_ && generation_ == whose().generation();
    }

private:
    void on_armed() noexcept override { began(*this); }
    void on_resting() noexcept override { may_outlive_descriptor::ended(); }
    void on_abandoned() noexcept override { let_go(); }

    bool is_open_;
    std::uint32_t generation_; // of its listener, when it was made
};

} // namespace coronet::detail

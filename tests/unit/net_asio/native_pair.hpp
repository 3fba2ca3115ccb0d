// SPDX-License-Identifier: BSL-1.0
//
// Two connected sockets on the ring of one context.
#pragma once

#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace coronet::asiox::test {

struct native_pair {
    explicit native_pair(io_context& context)
        : executor{context.get_executor()}, one{executor}, other{executor} {
        asiox::tcp::acceptor listening{executor, any_port()};
        one.connect(listening.local_endpoint());
        listening.accept(other);
    }
    asiox::executor executor;
    asiox::tcp::socket one;
    asiox::tcp::socket other;
};

/// Runs what is ready and what becomes so, until nothing is left or 10 s have passed.
inline void run_to_the_end(io_context& context) {
    context.restart();
    context.run_for(std::chrono::seconds{10});
}

} // namespace coronet::asiox::test

// SPDX-License-Identifier: BSL-1.0
//
// What a connection allocates while messages go round, once it has warmed up.
#pragma once

#include "allocation_count.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/unix_stream.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace coronet::test {

constexpr int warm_up = 200;
constexpr int rounds = 10'000;

using message = std::array<std::byte, 64>;
using round_of = task<bool> (*)(unix_stream* peer, message* buffer);

inline task<std::size_t> allocations_of(round_of one_round, unix_stream* peer) {
    message buffer{};
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const bool done = co_await one_round(peer, &buffer);
        if (!done) co_return std::size_t{999'999};
    }
    const std::size_t made = allocation_count() - before;
    const auto finished = co_await peer->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return made;
}
inline task<std::size_t>
allocations_of_both(round_of one_round, task<void> server, unix_stream* client) {
    auto rounds_of_client = allocations_of(one_round, client);
    const auto both = co_await when_all(std::move(rounds_of_client), std::move(server));
    co_return std::get<0>(both);
}

} // namespace coronet::test

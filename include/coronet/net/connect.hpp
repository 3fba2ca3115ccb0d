// SPDX-License-Identifier: BSL-1.0
//
// Connects to a host that has several addresses, some of which may not answer: they race (RFC 8305,
// "happy eyeballs"). IPv6 and IPv4 take turns; an attempt that has not succeeded after a while gets
// a rival, one that fails is followed at once; the first connection wins.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/resolver.hpp>
#include <coronet/net/tcp_stream.hpp>
#include <coronet/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace coronet {

struct connect_options {
    /// Until an attempt that is still waiting gets a rival (RFC 8305, section 5).
    duration attempt_delay = std::chrono::milliseconds{250};
    address_family family = address_family::any;
};

/// Looks `host` up and connects to one of its addresses, with TCP_NODELAY.
///
/// Result: the stream. `remote_endpoint()` tells which address it was.
/// Errors: those of resolver::resolve(); if no address answers, the most telling error of all
///         attempts: that of a machine that answered (connection_refused) before a silent one's
///         (timed_out), and that before one that could not even be tried (network_unreachable).
/// Cancel: total: no stream comes of it. Attempts have been ended when it resumes.
/// Lifetime: the resolver outlives the await.
/// Thread: owner.
/// Kernel: getaddrinfo(3); IORING_OP_CONNECT.
[[nodiscard]] task<result<tcp_stream>>
connect(resolver* names, std::string host, std::uint16_t port, connect_options options = {});

/// The same for addresses that are known, the best first.
///
/// Errors: as above; invalid_argument if there are none.
[[nodiscard]] task<result<tcp_stream>>
connect_to_any(std::vector<endpoint> peers, connect_options options = {});

} // namespace coronet

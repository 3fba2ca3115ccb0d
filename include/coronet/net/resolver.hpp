// SPDX-License-Identifier: BSL-1.0
//
// Names to addresses, by getaddrinfo(3): whatever this machine is told to look them up with
// (/etc/nsswitch.conf) is used. That call blocks, for half a minute where no name server answers,
// and nothing ends it: it goes on after an EINTR, and a thread cannot be cancelled in it without
// losing memory and locks of the C library.
//
// So each lookup has a thread of its own, made by a worker of the scheduler's pool, which waits
// for it. When the lookup is cancelled the worker returns, at once, and leaves the thread behind
// with all that it works on; nobody reads what it finds. So a scheduler's end does not wait for
// name servers either, and its pool is joined as always. Threads that were left behind count as
// running until they have ended; at the end of the process they end with it.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/resolve_error.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace coronet {

namespace detail {
class lookup_limit;
}

struct resolver_options {
    std::size_t at_once_max = 16; ///< lookups that run, those left behind among them; others wait
};

/// Which addresses are wanted. `any` leaves out those of a family in which this machine has no
/// address itself.
enum class address_family { any, v4, v6 };

/// Thread: its coroutines may be on any scheduler.
class resolver {
public:
    explicit resolver(const resolver_options& options = {});
    ~resolver();
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;

    /// The addresses of `host`, a name or a numeric address, with `port`.
    ///
    /// Result: at least one, the best first (RFC 6724), each once.
    /// Errors: resolve_errc; errc::worker_unavailable; errc::stopped. Throws what scheduler::pool()
    ///         throws.
    /// Cancel: total, at once.
    /// Lifetime: the resolver outlives the await, not what was left behind.
    /// Kernel: getaddrinfo(3), on a thread; numeric ones without.
    [[nodiscard]] task<result<std::vector<endpoint>>>
    resolve(std::string host, std::uint16_t port, address_family family = address_family::any);

    /// Lookups that were cancelled and whose threads have not ended yet. Thread: any.
    [[nodiscard]] std::size_t left_behind_count() const noexcept;

private:
    std::shared_ptr<detail::lookup_limit> limit_;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Socket options by type: the type knows level, name and form of the value, so that none of the
// three can be mixed up. They are answered at once by setsockopt(2) and getsockopt(2), never
// through the ring; any thread may ask.
#pragma once

#include <coronet/result.hpp>

#include <chrono>
#include <optional>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace coronet {

/// An option that is on or off.
template <int Level, int Name>
class flag_option {
public:
    using kernel_type = int;
    static constexpr int level = Level;
    static constexpr int name = Name;

    constexpr flag_option() noexcept = default;
    constexpr explicit flag_option(bool on) noexcept : on_{on} {}

    [[nodiscard]] constexpr bool value() const noexcept { return on_; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return on_; }

    [[nodiscard]] constexpr kernel_type to_kernel() const noexcept { return on_ ? 1 : 0; }
    [[nodiscard]] static constexpr flag_option from_kernel(kernel_type raw) noexcept {
        return flag_option{raw != 0};
    }

private:
    bool on_ = false;
};

/// An option that is a plain number.
template <int Level, int Name>
class number_option {
public:
    using kernel_type = int;
    static constexpr int level = Level;
    static constexpr int name = Name;

    constexpr number_option() noexcept = default;
    constexpr explicit number_option(int number) noexcept : number_{number} {}

    [[nodiscard]] constexpr int value() const noexcept { return number_; }

    [[nodiscard]] constexpr kernel_type to_kernel() const noexcept { return number_; }
    [[nodiscard]] static constexpr number_option from_kernel(kernel_type raw) noexcept {
        return number_option{raw};
    }

private:
    int number_ = 0;
};

/// An option that is a time, which the kernel counts in units of `Duration`.
template <int Level, int Name, class Duration>
class duration_option {
public:
    using kernel_type = int;
    static constexpr int level = Level;
    static constexpr int name = Name;

    constexpr duration_option() noexcept = default;
    constexpr explicit duration_option(Duration time) noexcept : time_{time} {}

    [[nodiscard]] constexpr Duration value() const noexcept { return time_; }

    [[nodiscard]] constexpr kernel_type to_kernel() const noexcept {
        return static_cast<kernel_type>(time_.count());
    }
    [[nodiscard]] static constexpr duration_option from_kernel(kernel_type raw) noexcept {
        return duration_option{Duration{raw}};
    }

private:
    Duration time_{};
};

/// SO_LINGER: how long close waits for unsent data; without a time it does not wait, and with a
/// time of zero it resets the connection.
class linger {
public:
    using kernel_type = ::linger;
    static constexpr int level = SOL_SOCKET;
    static constexpr int name = SO_LINGER;

    constexpr linger() noexcept = default;
    constexpr explicit linger(std::chrono::seconds time) noexcept : time_{time} {}

    [[nodiscard]] constexpr std::optional<std::chrono::seconds> value() const noexcept {
        return time_;
    }

    [[nodiscard]] kernel_type to_kernel() const noexcept;
    [[nodiscard]] static linger from_kernel(kernel_type raw) noexcept;

private:
    std::optional<std::chrono::seconds> time_;
};

/// SO_ERROR: the error that waits on the socket; reading it clears it.
class pending_error {
public:
    using kernel_type = int;
    static constexpr int level = SOL_SOCKET;
    static constexpr int name = SO_ERROR;

    [[nodiscard]] std::error_code value() const noexcept { return error_; }
    [[nodiscard]] static pending_error from_kernel(kernel_type raw) noexcept;

private:
    std::error_code error_;
};

/// Binding takes an address that old connections still linger on.
using reuse_address = flag_option<SOL_SOCKET, SO_REUSEADDR>;
/// Several sockets listen on one address and the kernel spreads connections over them.
using reuse_port = flag_option<SOL_SOCKET, SO_REUSEPORT>;
/// Small writes leave at once instead of waiting for an acknowledgement.
using no_delay = flag_option<IPPROTO_TCP, TCP_NODELAY>;
/// Acknowledgements leave at once; the kernel may fall back later (tcp(7)).
using quick_ack = flag_option<IPPROTO_TCP, TCP_QUICKACK>;
/// A silent connection is probed from time to time.
using keep_alive = flag_option<SOL_SOCKET, SO_KEEPALIVE>;
/// How long a connection is silent before the first probe.
using keep_idle = duration_option<IPPROTO_TCP, TCP_KEEPIDLE, std::chrono::seconds>;
/// How long after one probe the next one leaves.
using keep_interval = duration_option<IPPROTO_TCP, TCP_KEEPINTVL, std::chrono::seconds>;
/// How many probes go unanswered before the connection is given up.
using keep_count = number_option<IPPROTO_TCP, TCP_KEEPCNT>;
/// How long sent data may stay unacknowledged before the connection is given up.
using user_timeout = duration_option<IPPROTO_TCP, TCP_USER_TIMEOUT, std::chrono::milliseconds>;
/// Bytes of the kernel's receive buffer. Reads back doubled: the kernel adds its own bookkeeping.
using receive_buffer_size = number_option<SOL_SOCKET, SO_RCVBUF>;
/// Bytes of the kernel's send buffer. Reads back doubled, as receive_buffer_size does.
using send_buffer_size = number_option<SOL_SOCKET, SO_SNDBUF>;
/// An IPv6 socket does not serve IPv4.
using v6_only = flag_option<IPPROTO_IPV6, IPV6_V6ONLY>;
/// A listener reports a connection only once data came, or after about this time.
using defer_accept = duration_option<IPPROTO_TCP, TCP_DEFER_ACCEPT, std::chrono::seconds>;
/// How many connections with data in their first packet a listener keeps waiting.
using fast_open = number_option<IPPROTO_TCP, TCP_FASTOPEN>;
/// The CPU that this socket's packets were last handled on; -1 while unknown.
using incoming_cpu = number_option<SOL_SOCKET, SO_INCOMING_CPU>;
/// Datagrams may be sent to a broadcast address.
using broadcast = flag_option<SOL_SOCKET, SO_BROADCAST>;

namespace detail {

result<void>
set_socket_option(int fd, int level, int name, const void* value, socklen_t size) noexcept;
result<void> get_socket_option(int fd, int level, int name, void* value, socklen_t size) noexcept;

} // namespace detail

/// Sets an option of the socket `fd`: `set_option(fd, no_delay{true})`.
///
/// Errors: those of setsockopt(2).
template <class Option>
[[nodiscard]] result<void> set_option(int fd, const Option& option) noexcept {
    const typename Option::kernel_type raw = option.to_kernel();
    return detail::set_socket_option(fd, Option::level, Option::name, &raw, sizeof(raw));
}

/// Reads an option of the socket `fd`: `get_option<no_delay>(fd)`.
///
/// Errors: those of getsockopt(2); std::errc::protocol_error when the kernel's value has another
/// size.
template <class Option>
[[nodiscard]] result<Option> get_option(int fd) noexcept {
    typename Option::kernel_type raw{};
    const auto answered =
        detail::get_socket_option(fd, Option::level, Option::name, &raw, sizeof(raw));
    if (!answered) return answered.error();
    return Option::from_kernel(raw);
}

} // namespace coronet

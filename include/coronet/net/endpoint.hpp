// SPDX-License-Identifier: BSL-1.0
//
// Where a socket is: an IPv4, IPv6 or unix address as a small value, kept in the very form that the
// kernel takes. Any thread may copy, compare and print one. It is not a resolver: hosts are
// numeric.
#pragma once

#include <coronet/net/address_error.hpp>
#include <coronet/result.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace coronet {

/// The address of a socket: IPv4, IPv6 with a scope, or unix (a path, an abstract name, or
/// unnamed).
class endpoint {
public:
    /// An endpoint of no family; connecting a datagram socket to it dissolves its association.
    endpoint() noexcept;

    /// Reads `127.0.0.1:80`, `[::1]:80`, `[fe80::1%2]:80`, `[fe80::1%eth0]:80`, `unix:/path` or
    /// `unix:@abstract`; `unix:` alone is the unnamed address, for which bind(2) chooses a name.
    ///
    /// Errors: address_errc, which compares equal to std::errc::invalid_argument;
    /// std::errc::filename_too_long for a unix name that does not fit into a sockaddr_un.
    [[nodiscard]] static result<endpoint> parse(std::string_view text);

    /// Takes over an address that the kernel has filled in.
    ///
    /// What has no text form is dropped: padding, and the flow label of IPv6.
    /// Errors: invalid_argument when `size` is too small for the family;
    /// address_family_not_supported when the family is none of the three.
    [[nodiscard]] static result<endpoint> from(const sockaddr* address, socklen_t size) noexcept;

    /// The file at `path`, which may fill sun_path without a terminator (unix(7)).
    ///
    /// Errors: filename_too_long; address_errc::path_has_nul.
    [[nodiscard]] static result<endpoint> unix_path(std::string_view path) noexcept;

    /// The abstract name `name` (without a leading '@'), which may hold any bytes.
    ///
    /// Errors: filename_too_long.
    [[nodiscard]] static result<endpoint> unix_abstract(std::string_view name) noexcept;

    [[nodiscard]] static endpoint v4_loopback(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint v6_loopback(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint any_v4(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint any_v6(std::uint16_t port) noexcept;

    /// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC for a default-constructed endpoint.
    [[nodiscard]] int family() const noexcept;

    /// The port; 0 for an address that has none.
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// The same host at another port. An address without ports comes back as it is.
    [[nodiscard]] endpoint with_port(std::uint16_t port) const noexcept;

    /// The file name of a unix socket; empty for an abstract or unnamed one and for IP.
    ///
    /// Lifetime: refers into this endpoint.
    [[nodiscard]] std::string_view path() const noexcept;

    /// The text that parse() reads back as an equal endpoint. AF_UNSPEC gives `unspecified`, which
    /// does not parse; a relative path that starts with '@' is written as `unix:./@...`, which
    /// names the same file.
    [[nodiscard]] std::string to_string() const;

    /// The address as bind(2) and connect(2) want it, `size()` bytes long.
    [[nodiscard]] const sockaddr* data() const noexcept { return &storage_.any; }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

    [[nodiscard]] friend bool operator==(const endpoint& left, const endpoint& right) noexcept {
        return left.bytes() == right.bytes();
    }

    /// Some total order, for keys of a map; it has no meaning on the wire.
    [[nodiscard]] friend std::strong_ordering
    operator<=>(const endpoint& left, const endpoint& right) noexcept {
        return left.bytes() <=> right.bytes();
    }

private:
    friend struct std::hash<endpoint>;

    union storage {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
        sockaddr_un local;
    };

    endpoint(const in_addr& host, std::uint16_t port) noexcept;
    endpoint(const in6_addr& host, std::uint32_t scope, std::uint16_t port) noexcept;

    [[nodiscard]] static result<endpoint> parse_v4(std::string_view text);
    [[nodiscard]] static result<endpoint> parse_v6(std::string_view text);
    [[nodiscard]] static result<endpoint>
    from_unix(const sockaddr* address, socklen_t size) noexcept;

    [[nodiscard]] std::string_view unix_name() const noexcept;
    [[nodiscard]] std::string unix_to_string() const;
    [[nodiscard]] std::string_view bytes() const noexcept;

    // All bytes up to size_ are meaningful and those that are not part of the address are zero, so
    // that equality and hash can look at bytes.
    storage storage_;
    socklen_t size_;
};

static_assert(sizeof(endpoint) <= 128);

/// The address that the socket `fd` is bound to, as getsockname(2) tells.
[[nodiscard]] result<endpoint> local_endpoint(int fd) noexcept;

/// The address that the socket `fd` is connected to, as getpeername(2) tells.
[[nodiscard]] result<endpoint> remote_endpoint(int fd) noexcept;

} // namespace coronet

template <>
struct std::hash<coronet::endpoint> {
    [[nodiscard]] std::size_t operator()(const coronet::endpoint& each) const noexcept {
        return std::hash<std::string_view>{}(each.bytes());
    }
};

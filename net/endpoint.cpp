// SPDX-License-Identifier: BSL-1.0
//
// The value behind an address: how it is made, taken from the kernel, and compared. Its text form
// is in endpoint_text.cpp. There is no state beside the value; every function may run on any
// thread.
#include <coronet/net/endpoint.hpp>

#include <cerrno>
#include <cstring>

namespace coronet {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t path_max = sizeof(sockaddr_un::sun_path);

std::uint16_t to_network(std::uint16_t value) noexcept {
    return htons(value);
}

using name_call = int (*)(int, sockaddr*, socklen_t*);

result<endpoint> ask_kernel(name_call call, int fd) noexcept {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    if (call(fd, reinterpret_cast<sockaddr*>(&storage), &size) < 0) {
        return std::error_code{errno, std::system_category()};
    }
    return endpoint::from(reinterpret_cast<const sockaddr*>(&storage), size);
}

} // namespace

endpoint::endpoint() noexcept : storage_{}, size_{sizeof(sa_family_t)} {
    std::memset(&storage_, 0, sizeof(storage_));
    storage_.any.sa_family = AF_UNSPEC;
}

endpoint::endpoint(const in_addr& host, std::uint16_t port) noexcept : endpoint{} {
    storage_.v4.sin_family = AF_INET;
    storage_.v4.sin_port = to_network(port);
    storage_.v4.sin_addr = host;
    size_ = sizeof(sockaddr_in);
}

endpoint::endpoint(const in6_addr& host, std::uint32_t scope, std::uint16_t port) noexcept
    : endpoint{} {
    storage_.v6.sin6_family = AF_INET6;
    storage_.v6.sin6_port = to_network(port);
    storage_.v6.sin6_addr = host;
    storage_.v6.sin6_scope_id = scope;
    size_ = sizeof(sockaddr_in6);
}

endpoint endpoint::v4_loopback(std::uint16_t port) noexcept {
    return {in_addr{htonl(INADDR_LOOPBACK)}, port};
}

endpoint endpoint::v6_loopback(std::uint16_t port) noexcept {
    return {in6addr_loopback, 0, port};
}

endpoint endpoint::any_v4(std::uint16_t port) noexcept {
    return {in_addr{htonl(INADDR_ANY)}, port};
}

endpoint endpoint::any_v6(std::uint16_t port) noexcept {
    return {in6addr_any, 0, port};
}

result<endpoint> endpoint::unix_path(std::string_view path) noexcept {
    if (path.size() > path_max) return std::errc::filename_too_long;
    if (path.find('\0') != path.npos) return make_error_code(address_errc::path_has_nul);
    endpoint made;
    made.storage_.local.sun_family = AF_UNIX;
    path.copy(made.storage_.local.sun_path, path.size());
    // The terminator belongs to the address, where there is room for it; an empty path is unnamed.
    const std::size_t terminator = path.empty() || path.size() == path_max ? 0 : 1;
    made.size_ = static_cast<socklen_t>(path_offset + path.size() + terminator);
    return made;
}

result<endpoint> endpoint::unix_abstract(std::string_view name) noexcept {
    if (name.size() > path_max - 1) return std::errc::filename_too_long;
    endpoint made;
    made.storage_.local.sun_family = AF_UNIX;
    name.copy(made.storage_.local.sun_path + 1, name.size());
    made.size_ = static_cast<socklen_t>(path_offset + 1 + name.size());
    return made;
}

result<endpoint> endpoint::from(const sockaddr* address, socklen_t size) noexcept {
    if (size < sizeof(sa_family_t)) return std::errc::invalid_argument;
    switch (address->sa_family) {
    case AF_UNSPEC:
        return endpoint{};
    case AF_INET: {
        sockaddr_in v4;
        if (size < sizeof(v4)) return std::errc::invalid_argument;
        std::memcpy(&v4, address, sizeof(v4));
        return endpoint{v4.sin_addr, ntohs(v4.sin_port)};
    }
    case AF_INET6: {
        sockaddr_in6 v6;
        if (size < sizeof(v6)) return std::errc::invalid_argument;
        std::memcpy(&v6, address, sizeof(v6));
        return endpoint{v6.sin6_addr, v6.sin6_scope_id, ntohs(v6.sin6_port)};
    }
    case AF_UNIX:
        return from_unix(address, size);
    default:
        return std::errc::address_family_not_supported;
    }
}

result<endpoint> endpoint::from_unix(const sockaddr* address, socklen_t size) noexcept {
    const char* name = reinterpret_cast<const char*>(address) + path_offset;
    const std::size_t length = size > path_offset ? size - path_offset : 0;
    if (length == 0) return unix_path({});
    if (name[0] == '\0') return unix_abstract({name + 1, length - 1});
    return unix_path({name, ::strnlen(name, length)});
}

int endpoint::family() const noexcept {
    return storage_.any.sa_family;
}

std::uint16_t endpoint::port() const noexcept {
    switch (family()) {
    case AF_INET:
        return ntohs(storage_.v4.sin_port);
    case AF_INET6:
        return ntohs(storage_.v6.sin6_port);
    default:
        return 0;
    }
}

endpoint endpoint::with_port(std::uint16_t port) const noexcept {
    endpoint moved = *this;
    if (family() == AF_INET) moved.storage_.v4.sin_port = to_network(port);
    if (family() == AF_INET6) moved.storage_.v6.sin6_port = to_network(port);
    return moved;
}

std::string_view endpoint::path() const noexcept {
    const std::string_view name = unix_name();
    return name.substr(0, name.find('\0'));
}

// A path with its terminator, an abstract name with its leading NUL, or nothing.
std::string_view endpoint::unix_name() const noexcept {
    if (family() != AF_UNIX) return {};
    return {storage_.local.sun_path, size_ - path_offset};
}

std::string_view endpoint::bytes() const noexcept {
    return {reinterpret_cast<const char*>(&storage_), size_};
}

result<endpoint> local_endpoint(int fd) noexcept {
    return ask_kernel(&::getsockname, fd);
}

result<endpoint> remote_endpoint(int fd) noexcept {
    return ask_kernel(&::getpeername, fd);
}

} // namespace coronet

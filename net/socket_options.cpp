// SPDX-License-Identifier: BSL-1.0
//
// The two system calls behind every socket option, and the options whose form is their own.
#include <coronet/net/socket_options.hpp>

#include <cerrno>

namespace coronet {

linger::kernel_type linger::to_kernel() const noexcept {
    return {.l_onoff = time_ ? 1 : 0, .l_linger = time_ ? static_cast<int>(time_->count()) : 0};
}

linger linger::from_kernel(kernel_type raw) noexcept {
    return raw.l_onoff == 0 ? linger{} : linger{std::chrono::seconds{raw.l_linger}};
}

pending_error pending_error::from_kernel(kernel_type raw) noexcept {
    pending_error made;
    if (raw != 0) made.error_ = std::error_code{raw, std::system_category()};
    return made;
}

namespace detail {

result<void>
set_socket_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    if (::setsockopt(fd, level, name, value, size) < 0) {
        return std::error_code{errno, std::system_category()};
    }
    return {};
}

result<void> get_socket_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    socklen_t got = size;
    if (::getsockopt(fd, level, name, value, &got) < 0) {
        return std::error_code{errno, std::system_category()};
    }
    if (got != size) return std::errc::protocol_error;
    return {};
}

} // namespace detail
} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/basic_listener.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace coronet::detail {

namespace {

void set_before_bind(int fd, const endpoint& at, const listen_options& options) {
    if (at.family() == AF_UNIX) return;
    set_option(fd, reuse_address{options.reuse_address}).value();
    set_option(fd, reuse_port{options.reuse_port}).value();
    set_option(fd, no_delay{options.no_delay}).value(); // accepted sockets inherit it
}

[[noreturn]] void fail(const char* call, const endpoint& at) {
    throw std::system_error(errno, std::generic_category(), call + (" " + at.to_string()));
}

} // namespace

unique_fd listening_socket(const endpoint& at, const listen_options& options) {
    unique_fd fd{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) fail("socket", at);
    set_before_bind(fd.get(), at, options);
    if (::bind(fd.get(), at.data(), at.size()) < 0) fail("bind", at);
    if (::listen(fd.get(), options.backlog) < 0) fail("listen", at);
    return fd;
}

} // namespace coronet::detail

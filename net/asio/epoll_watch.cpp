// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/asio/detail/epoll_watch.hpp>
#include <coronet/net/asio/detail/prepare.hpp>

#include <poll.h>

namespace coronet::asiox::detail {

void epoll_watch::prepare(io_uring_sqe& sqe) noexcept {
    prepare_poll(sqe, epoll_, POLLIN);
}

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// Receives of the epoll driver into buffers that it chooses itself. A buffer is taken when there is
// data in it: whoever waits holds none. As with the kernel's, one that finds no buffer ends.
#include "epoll.hpp"
#include "plain_call_detail.hpp"

#include <cerrno>

#include <sys/socket.h>

namespace coronet {

using plain_call::outcome;
using plain_call::verdict;

int epoll_driver::offer_buffers(
    io_uring_buf_ring& from, unsigned entries, unsigned flags
) noexcept {
    if (flags != 0) return -EINVAL;
    buffers_.attach(from, entries);
    return 0;
}

void epoll_driver::take_buffers_back() noexcept {
    buffers_.detach();
}

/// A multishot one goes on, but leaves the others their turn.
outcome epoll_driver::attempt_selecting(request& asked) noexcept {
    const io_uring_sqe& entry = *asked.entry;
    const bool goes_on = plain_call::is_multishot(entry);
    watched_descriptor& at = *descriptors_.find(entry.fd); // it waits there
    for (int count = 0; count < plain_call::budget; ++count) {
        if (!room_for_completion()) return {verdict::soon};
        if (buffers_.empty()) return {verdict::ended, -ENOBUFS};
        const io_uring_buf& room = buffers_.front();
        const auto res = plain_call::called(
            SYS_recvfrom, entry.fd, room.addr, room.len, entry.msg_flags | unsigned{MSG_DONTWAIT},
            nullptr, nullptr
        );
        if (res == -EAGAIN) return {verdict::when_readable};
        if (res <= 0) return plain_call::ended(res);
        at.note_received(res, room.len);
        const auto flags = buffers_.take();
        if (!goes_on) return {verdict::ended, static_cast<std::int32_t>(res), flags};
        complete(entry, static_cast<std::int32_t>(res), flags | IORING_CQE_F_MORE);
        if (at.drained) return {verdict::when_readable};
    }
    return {verdict::soon};
}

} // namespace coronet

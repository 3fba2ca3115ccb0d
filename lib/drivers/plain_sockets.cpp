// SPDX-License-Identifier: BSL-1.0
//
// Plain calls on sockets. MSG_DONTWAIT asks each call not to wait; accept(2) and connect(2) have no
// such flag and go by the descriptor's O_NONBLOCK.
#include "plain_call_detail.hpp"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace coronet::plain_call {

namespace {

bool is_stream(int fd) noexcept {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

struct attempted {
    std::int64_t res; // of the last call
    bool complete;    // there is nothing left to transfer
};

/// Calls `once(done)` until all has been transferred (with MSG_WAITALL), or else something has.
template <class Call>
outcome
transfer(const io_uring_sqe& entry, progress& so_far, verdict when_empty, Call once) noexcept {
    for (int count = 0; count < budget; ++count) {
        const attempted got = once(so_far.done);
        if (got.res == -EAGAIN) {
            if (entry.msg_flags & MSG_DONTWAIT) return ended(given_up(so_far, -EAGAIN));
            return {when_empty};
        }
        if (got.res <= 0) return ended(given_up(so_far, static_cast<std::int32_t>(got.res)));
        so_far.done += static_cast<std::uint32_t>(got.res);
        const bool wants_all = (entry.msg_flags & MSG_WAITALL) != 0 && so_far.done < transfer_max;
        if (got.complete || !wants_all || !is_stream(entry.fd)) return ended(so_far.done);
    }
    return {verdict::soon};
}

/// A receiver of messages is full, not the socket: poll(2) says ready, and nobody reports when
/// there is room. The dispatcher, which is told -EAGAIN, asks again after pauses.
outcome unless_receiver_is_full(const io_uring_sqe& entry, outcome came) noexcept {
    if (came.what != verdict::when_writable || is_stream(entry.fd)) return came;
    pollfd one{entry.fd, POLLOUT, 0};
    return ::poll(&one, 1, 0) > 0 ? ended(-EAGAIN) : came;
}

/// Those of call, for a part of the whole.
unsigned part_flags(const io_uring_sqe& entry, unsigned more) noexcept {
    return (entry.msg_flags & ~unsigned{MSG_WAITALL}) | MSG_DONTWAIT | more;
}

/// The buffers of a message from its byte `done` on, as many as fit.
class rest_of_message {
public:
    rest_of_message(const msghdr& whole, std::size_t done) noexcept : header_(whole) {
        std::size_t room = transfer_max - done;
        std::size_t count = 0;
        std::size_t i = 0;
        for (; i < whole.msg_iovlen && count < parts_.size(); ++i) {
            const iovec& part = whole.msg_iov[i];
            const std::size_t skipped = std::min(done, part.iov_len);
            done -= skipped;
            if (skipped == part.iov_len) continue;
            const std::size_t size = std::min(part.iov_len - skipped, room);
            parts_[count++] = {static_cast<std::byte*>(part.iov_base) + skipped, size};
            size_ += size;
            room -= size;
        }
        has_all_ = i == whole.msg_iovlen;
        header_.msg_iov = parts_.data();
        header_.msg_iovlen = count;
        header_.msg_control = nullptr; // went with the first part
        header_.msg_controllen = 0;
    }
    [[nodiscard]] msghdr* header() noexcept { return &header_; }
    [[nodiscard]] bool is_complete_with(std::int64_t res) const noexcept {
        return has_all_ && res == static_cast<std::int64_t>(size_);
    }

private:
    msghdr header_;
    std::array<iovec, 64> parts_;
    std::size_t size_ = 0;
    bool has_all_ = false;
};

std::size_t size_of(const msghdr& message) noexcept {
    std::size_t total = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i)
        total += message.msg_iov[i].iov_len;
    return total;
}

} // namespace

outcome attempt_receive(const io_uring_sqe& entry, progress& so_far) noexcept {
    return transfer(entry, so_far, verdict::when_readable, [&](std::uint32_t done) -> attempted {
        const std::int64_t left = entry.len - done;
        const auto res = called(
            SYS_recvfrom, entry.fd, entry.addr + done, left, part_flags(entry, 0), nullptr, nullptr
        );
        return {res, res == left};
    });
}

outcome attempt_send(const io_uring_sqe& entry, progress& so_far) noexcept {
    const auto once = [&](std::uint32_t done) -> attempted {
        const std::int64_t left = entry.len - done;
        const auto res = called(
            SYS_sendto, entry.fd, entry.addr + done, left, part_flags(entry, MSG_NOSIGNAL), nullptr,
            0
        );
        return {res, res == left};
    };
    return unless_receiver_is_full(entry, transfer(entry, so_far, verdict::when_writable, once));
}

outcome attempt_message(const io_uring_sqe& entry, progress& so_far) noexcept {
    const bool receives = entry.opcode == IORING_OP_RECVMSG;
    const long number = receives ? SYS_recvmsg : SYS_sendmsg;
    const unsigned flags = part_flags(entry, receives ? 0 : unsigned{MSG_NOSIGNAL});
    const verdict when_empty = receives ? verdict::when_readable : verdict::when_writable;
    auto* const whole = at<msghdr>(entry.addr);
    const auto once = [&](std::uint32_t done) -> attempted {
        if (done == 0) {
            const auto res = called(number, entry.fd, whole, flags);
            const bool wants_all = (entry.msg_flags & MSG_WAITALL) != 0;
            return {res, wants_all && res == static_cast<std::int64_t>(size_of(*whole))};
        }
        rest_of_message rest{*whole, done};
        const auto res = called(number, entry.fd, rest.header(), flags);
        return {res, rest.is_complete_with(res)};
    };
    return unless_receiver_is_full(entry, transfer(entry, so_far, when_empty, once));
}

// ---- accept ----

namespace {

bool listens(int fd) noexcept {
    int answer = 0;
    socklen_t size = sizeof answer;
    return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &answer, &size) == 0 && answer != 0;
}

/// Whoever else accepts there, another loop perhaps, may be quicker than we are: poll(2) is no
/// promise. Looked at each time, as the number may mean another file by now.
void make_non_blocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK) && listens(fd))
        ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

} // namespace

outcome attempt_accept(const io_uring_sqe& entry) noexcept {
    make_non_blocking(entry.fd);
    const auto res = called(SYS_accept4, entry.fd, entry.addr, entry.addr2, entry.accept_flags);
    return res == -EAGAIN ? outcome{verdict::when_readable} : ended(res);
}

// ---- connect ----

namespace {

/// With O_NONBLOCK as it is wanted for one call: nobody else uses a socket that is not connected
/// yet.
std::int64_t connect_once(const io_uring_sqe& entry, int wanted) noexcept {
    const int flags = ::fcntl(entry.fd, F_GETFL);
    const bool differs = flags >= 0 && (flags & O_NONBLOCK) != wanted;
    if (differs) ::fcntl(entry.fd, F_SETFL, flags ^ O_NONBLOCK);
    const auto res = called(SYS_connect, entry.fd, entry.addr, entry.addr2);
    if (differs) ::fcntl(entry.fd, F_SETFL, flags);
    return res;
}

} // namespace

outcome attempt_connect(const io_uring_sqe& entry, progress& so_far) noexcept {
    const auto res = connect_once(entry, O_NONBLOCK);
    if (res == -EAGAIN) return {verdict::on_a_worker}; // a full port of a unix socket: no event
    if (res == -EINPROGRESS || (res == -EALREADY && so_far.begun)) {
        so_far.begun = true;
        return {verdict::when_writable};
    }
    return ended(res == -EISCONN && so_far.begun ? 0 : res);
}

std::int32_t perform_connect(const io_uring_sqe& entry) noexcept {
    return static_cast<std::int32_t>(connect_once(entry, 0));
}

} // namespace coronet::plain_call

// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/opcodes.hpp>
#include <coronet/net/zero_copy.hpp>

#include <liburing.h>

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace coronet::detail {

namespace {

constexpr duration patience = std::chrono::seconds{1};

/// It is not sent by reference, and may be sent otherwise. A kernel that lacks the opcode or its
/// flag says -EINVAL.
bool wants_copy(std::int32_t res) noexcept {
    return res == -EOPNOTSUPP || res == -EINVAL || res == -ENOMEM || res == -ENOBUFS;
}

} // namespace

void lent_to_peer::request(io_uring_sqe& sqe) const noexcept {
    if (refused_) return;
    sqe.opcode = sqe.opcode == IORING_OP_SEND ? IORING_OP_SEND_ZC : IORING_OP_SENDMSG_ZC;
    sqe.ioprio = report_zero_copy_usage;
}

lent_to_peer::step lent_to_peer::after(int fd, std::int32_t res, std::uint32_t flags) noexcept {
    if (flags & IORING_CQE_F_MORE) {
        held_ = res > 0; // else it took nothing
        return step::wait;
    }
    if (res == operation::left_to_parent) return step::go_on; // its connection, too
    const bool was_held = std::exchange(held_, false);
    if (was_held && !(flags & IORING_CQE_F_NOTIF)) hang_up(fd);
    if (refused_ || !wants_copy(res)) return step::go_on;
    refused_ = true;
    return step::copy;
}

void lent_to_peer::asked_again(int fd, time_point now) noexcept {
    if (!held_) return;
    if (!asked_) asked_ = now;
    if (now - *asked_ >= patience && !hung_up_) hang_up(fd);
}

/// What is not acknowledged is dropped: the kernel has no more use for its memory.
void lent_to_peer::hang_up(int fd) noexcept {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    // It may be busy with another thread's wait (kernels 6.4 to 6.6): then once more later.
    hung_up_ = ::connect(fd, &nobody, sizeof nobody) == 0 || errno != EBUSY;
}

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
//
// Plain calls on descriptors of any kind: RWF_NOWAIT asks a read or a write not to wait. Where that
// is not known (terminals, timers, pipes before Linux 6.4, some file systems), poll(2) tells when
// there is something, and a worker makes the call.
#include "plain_call_detail.hpp"

#include <array>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace coronet::plain_call {

namespace {

constexpr std::uint64_t own_position = ~std::uint64_t{0};

bool writes(const io_uring_sqe& entry) noexcept {
    return entry.opcode == IORING_OP_WRITE || entry.opcode == IORING_OP_WRITEV;
}
unsigned own_flags(const io_uring_sqe& entry) noexcept {
    return static_cast<unsigned>(entry.rw_flags);
}
bool has_parts(const io_uring_sqe& entry) noexcept {
    return entry.opcode == IORING_OP_READV || entry.opcode == IORING_OP_WRITEV;
}

/// The buffers of an entry from its byte `done` on, as many as fit.
class buffers_of {
public:
    buffers_of(const io_uring_sqe& entry, std::size_t done) noexcept {
        if (has_parts(entry) && done == 0) {
            first_ = at<const iovec>(entry.addr);
            count_ = entry.len;
        } else if (has_parts(entry)) {
            skip(at<const iovec>(entry.addr), entry.len, done);
        } else {
            own_[0] = {at<std::byte>(entry.addr) + done, entry.len - done};
        }
    }
    [[nodiscard]] const iovec* data() const noexcept { return first_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    void skip(const iovec* parts, std::size_t count, std::size_t done) noexcept {
        count_ = 0;
        std::size_t room = transfer_max - std::min(done, transfer_max);
        for (; room > 0 && count > 0 && count_ < own_.size(); --count, ++parts) {
            const std::size_t skipped = std::min(done, parts->iov_len);
            done -= skipped;
            if (skipped < parts->iov_len) {
                const std::size_t size = std::min(parts->iov_len - skipped, room);
                own_[count_++] = {static_cast<std::byte*>(parts->iov_base) + skipped, size};
                room -= size;
            }
        }
    }

    std::array<iovec, 64> own_;
    const iovec* first_ = own_.data();
    std::size_t count_ = 1;
};

std::int64_t call_at(
    const io_uring_sqe& entry, std::size_t done, std::uint64_t offset, unsigned flags
) noexcept {
    const buffers_of rest{entry, done};
    const bool out = writes(entry);
    if (flags == 0 && offset == own_position)
        return called(out ? SYS_writev : SYS_readv, entry.fd, rest.data(), rest.count());
    // The offset's two halves: a 64-bit kernel takes all of it from the first.
    if (flags == 0)
        return called(
            out ? SYS_pwritev : SYS_preadv, entry.fd, rest.data(), rest.count(), offset, 0L
        );
    return called(
        out ? SYS_pwritev2 : SYS_preadv2, entry.fd, rest.data(), rest.count(), offset, 0L, flags
    );
}

/// At the entry's offset, which is ignored, as the kernel's ring does, where there are no offsets.
std::int64_t call_once(
    const io_uring_sqe& entry, const progress& so_far, bool& at_offset, unsigned flags
) noexcept {
    at_offset = entry.off != own_position;
    if (at_offset) {
        const auto res = call_at(entry, so_far.done, entry.off + so_far.done, flags);
        if (res != -ESPIPE) return res;
        at_offset = false;
    }
    return call_at(entry, so_far.done, own_position, flags);
}

bool has_events(int fd, short wanted) noexcept {
    pollfd one{fd, wanted, 0};
    return ::poll(&one, 1, 0) > 0;
}

bool is_non_blocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/// RWF_NOWAIT does not keep these from waiting for the device.
bool waits_for_device(const io_uring_sqe& entry) noexcept {
    if (own_flags(entry) & (RWF_DSYNC | RWF_SYNC | RWF_HIPRI)) return is_file(entry.fd);
    const int flags = ::fcntl(entry.fd, F_GETFL);
    return flags >= 0 && (flags & (O_DIRECT | O_DSYNC)) != 0 && is_file(entry.fd);
}

/// The kernel cannot be told not to wait here.
outcome attempt_blocking(const io_uring_sqe& entry, const progress& so_far) noexcept {
    const verdict later = writes(entry) ? verdict::when_writable : verdict::when_readable;
    if (is_file(entry.fd)) return {verdict::on_a_worker};
    if (is_non_blocking(entry.fd)) {
        bool at_offset = false;
        const auto res = call_once(entry, so_far, at_offset, own_flags(entry));
        return res == -EAGAIN ? outcome{later} : ended(res);
    }
    const short wanted = writes(entry) ? POLLOUT : POLLIN;
    return {has_events(entry.fd, wanted) ? verdict::on_a_worker : later};
}

} // namespace

bool is_file(int fd) noexcept {
    struct ::stat seen {};
    return ::fstat(fd, &seen) == 0 && (S_ISREG(seen.st_mode) || S_ISBLK(seen.st_mode));
}

outcome attempt_read_or_write(const io_uring_sqe& entry, progress& so_far) noexcept {
    const verdict later = writes(entry) ? verdict::when_writable : verdict::when_readable;
    if (so_far.done == 0 && waits_for_device(entry)) return {verdict::on_a_worker};
    for (int count = 0; count < budget; ++count) {
        bool at_offset = false;
        const unsigned flags = own_flags(entry) | RWF_NOWAIT;
        const auto res = call_once(entry, so_far, at_offset, flags);
        if (res == -EAGAIN) return {is_file(entry.fd) ? verdict::on_a_worker : later};
        if (res == -EOPNOTSUPP || res == -ENOSYS) return attempt_blocking(entry, so_far);
        if (res <= 0) return ended(given_up(so_far, static_cast<std::int32_t>(res)));
        so_far.done += static_cast<std::uint32_t>(res);
        const bool all = !has_parts(entry) && so_far.done == entry.len;
        // A file gives all it has, as to the kernel's ring: what is missing was not in memory yet.
        if (all || so_far.done >= transfer_max || !is_file(entry.fd)) return ended(so_far.done);
    }
    return {verdict::on_a_worker};
}

std::int32_t perform_read_or_write(const io_uring_sqe& entry, const progress& so_far) noexcept {
    bool at_offset = false;
    const auto res = call_once(entry, so_far, at_offset, own_flags(entry));
    if (res <= 0) return given_up(so_far, static_cast<std::int32_t>(res));
    return static_cast<std::int32_t>(so_far.done + static_cast<std::uint32_t>(res));
}

// ---- poll ----

outcome attempt_poll(const io_uring_sqe& entry) noexcept {
    if (entry.fd < 0) return ended(-EBADF); // poll(2) would leave it out
    pollfd one{entry.fd, static_cast<short>(entry.poll32_events), 0};
    if (::poll(&one, 1, 0) < 0) return ended(-errno);
    if (one.revents & POLLNVAL) return ended(-EBADF);
    if (one.revents == 0) return {verdict::when_polled};
    return ended(static_cast<unsigned short>(one.revents));
}

// ---- close ----

namespace {

/// A socket that lingers waits for its peer, a file for its device perhaps.
bool may_wait_in_close(int fd) noexcept {
    linger rest{};
    socklen_t size = sizeof rest;
    if (::getsockopt(fd, SOL_SOCKET, SO_LINGER, &rest, &size) == 0)
        return rest.l_onoff != 0 && rest.l_linger > 0;
    struct ::stat seen {};
    return errno == ENOTSOCK && ::fstat(fd, &seen) == 0 && S_ISREG(seen.st_mode);
}

} // namespace

outcome attempt_close(const io_uring_sqe& entry) noexcept {
    if (may_wait_in_close(entry.fd)) return {verdict::on_a_worker};
    return ended(::close(entry.fd) == 0 ? 0 : -errno); // once: also when interrupted
}

} // namespace coronet::plain_call

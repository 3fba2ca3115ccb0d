// SPDX-License-Identifier: BSL-1.0
//
// Which plain call an entry is.
#include "plain_call.hpp"

#include "plain_call_detail.hpp"

#include <coronet/detail/opcodes.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet::plain_call {

namespace {

/// Flags of an entry that change what it does or whom it waits for; nothing here uses them.
constexpr unsigned unknown_flags = IOSQE_FIXED_FILE | IOSQE_IO_DRAIN | IOSQE_IO_LINK |
                                   IOSQE_IO_HARDLINK | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;

/// The offset of one end of a splice: none, or in a variable.
loff_t* offset_in(loff_t& place, std::uint64_t given) noexcept {
    place = static_cast<loff_t>(given);
    return place == -1 ? nullptr : &place;
}

std::int64_t splice(const io_uring_sqe& entry) noexcept {
    loff_t in = 0;
    loff_t out = 0;
    return called(
        SYS_splice, entry.splice_fd_in, offset_in(in, entry.splice_off_in), entry.fd,
        offset_in(out, entry.off), std::size_t{entry.len}, entry.splice_flags | SPLICE_F_NONBLOCK
    );
}

std::int64_t synced(const io_uring_sqe& entry) noexcept {
    const bool data_only = (entry.fsync_flags & IORING_FSYNC_DATASYNC) != 0;
    return called(data_only ? SYS_fdatasync : SYS_fsync, entry.fd);
}

} // namespace

bool is_multishot(const io_uring_sqe& entry) noexcept {
    if (entry.opcode == IORING_OP_ACCEPT) return (entry.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
    if (entry.opcode == IORING_OP_RECV) return (entry.ioprio & IORING_RECV_MULTISHOT) != 0;
    return entry.opcode == IORING_OP_POLL_ADD && (entry.len & IORING_POLL_ADD_MULTI) != 0;
}

bool selects_buffer(const io_uring_sqe& entry) noexcept {
    return entry.opcode == IORING_OP_RECV && (entry.flags & IOSQE_BUFFER_SELECT) != 0;
}

bool is_out_of_band(const io_uring_sqe& entry) noexcept {
    const bool receives = entry.opcode == IORING_OP_RECV || entry.opcode == IORING_OP_RECVMSG;
    return receives && (entry.msg_flags & (MSG_OOB | MSG_ERRQUEUE)) != 0;
}

void send_with_copy(io_uring_sqe& entry) noexcept {
    entry.opcode = entry.opcode == IORING_OP_SEND_ZC ? IORING_OP_SEND : IORING_OP_SENDMSG;
    entry.ioprio = 0;
}

std::int32_t given_up(const progress& so_far, std::int32_t error) noexcept {
    return so_far.done > 0 ? static_cast<std::int32_t>(so_far.done) : error;
}

outcome attempt(const io_uring_sqe& entry, progress& so_far) noexcept {
    if (entry.flags & unknown_flags) [[unlikely]]
        return ended(-EINVAL);
    switch (entry.opcode) {
    case IORING_OP_NOP:
        return ended(0);
    case IORING_OP_RECV:
        if (is_multishot(entry)) return ended(-EINVAL);
        return attempt_receive(entry, so_far);
    case IORING_OP_SEND:
        return attempt_send(entry, so_far);
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG:
        return attempt_message(entry, so_far);
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        return attempt_read_or_write(entry, so_far);
    case IORING_OP_ACCEPT:
        return attempt_accept(entry);
    case IORING_OP_CONNECT:
        return attempt_connect(entry, so_far);
    case IORING_OP_POLL_ADD:
        return attempt_poll(entry);
    case IORING_OP_CLOSE:
        return attempt_close(entry);
    case IORING_OP_SHUTDOWN:
    case IORING_OP_SOCKET:
        return ended(perform(entry, so_far));
    case IORING_OP_FSYNC:
    case IORING_OP_FALLOCATE:
    case detail::op_ftruncate:
    case IORING_OP_OPENAT:
    case IORING_OP_STATX:
    case IORING_OP_FADVISE:
    case IORING_OP_MADVISE:
    case IORING_OP_SYNC_FILE_RANGE:
    case IORING_OP_SPLICE:
    case IORING_OP_TEE:
    case IORING_OP_RENAMEAT:
    case IORING_OP_UNLINKAT:
    case IORING_OP_MKDIRAT:
    case IORING_OP_SYMLINKAT:
    case IORING_OP_LINKAT:
        return {verdict::on_a_worker};
    default:
        return ended(-EINVAL);
    }
}

namespace {

/// Entries that name files: `addr` is a path, `addr2` (`off`) often another.
std::int64_t performed_on_names(const io_uring_sqe& e) noexcept {
    const int second_directory = static_cast<int>(e.len);
    switch (e.opcode) {
    case IORING_OP_OPENAT:
        return called(SYS_openat, e.fd, e.addr, e.open_flags | O_LARGEFILE, e.len);
    case IORING_OP_STATX:
        return called(SYS_statx, e.fd, e.addr, e.statx_flags, e.len, e.addr2);
    case IORING_OP_RENAMEAT:
        return called(SYS_renameat2, e.fd, e.addr, second_directory, e.addr2, e.rename_flags);
    case IORING_OP_UNLINKAT:
        return called(SYS_unlinkat, e.fd, e.addr, e.unlink_flags);
    case IORING_OP_MKDIRAT:
        return called(SYS_mkdirat, e.fd, e.addr, e.len);
    case IORING_OP_SYMLINKAT:
        return called(SYS_symlinkat, e.addr, e.fd, e.addr2);
    case IORING_OP_LINKAT:
        return called(SYS_linkat, e.fd, e.addr, second_directory, e.addr2, e.hardlink_flags);
    default:
        return -EINVAL;
    }
}

} // namespace

std::int32_t perform(const io_uring_sqe& e, const progress& so_far) noexcept {
    switch (e.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        return perform_read_or_write(e, so_far);
    case IORING_OP_CONNECT:
        return perform_connect(e);
    case IORING_OP_SHUTDOWN:
        return static_cast<std::int32_t>(called(SYS_shutdown, e.fd, e.len));
    case IORING_OP_SOCKET:
        return static_cast<std::int32_t>(called(SYS_socket, e.fd, e.off, e.len));
    case IORING_OP_CLOSE:
        return ::close(e.fd) == 0 ? 0 : -errno; // once: also when interrupted
    case IORING_OP_FSYNC:
        return static_cast<std::int32_t>(synced(e));
    case IORING_OP_FALLOCATE:
        return static_cast<std::int32_t>(called(SYS_fallocate, e.fd, e.len, e.off, e.addr));
    case detail::op_ftruncate:
        return static_cast<std::int32_t>(called(SYS_ftruncate, e.fd, e.off));
    case IORING_OP_FADVISE:
        return static_cast<std::int32_t>(
            called(SYS_fadvise64, e.fd, e.off, std::uint64_t{e.len}, e.fadvise_advice)
        );
    case IORING_OP_MADVISE:
        return static_cast<std::int32_t>(
            called(SYS_madvise, e.addr, std::uint64_t{e.len}, e.fadvise_advice)
        );
    case IORING_OP_SYNC_FILE_RANGE:
        return static_cast<std::int32_t>(
            called(SYS_sync_file_range, e.fd, e.off, std::uint64_t{e.len}, e.sync_range_flags)
        );
    case IORING_OP_SPLICE:
        return static_cast<std::int32_t>(splice(e));
    case IORING_OP_TEE:
        return static_cast<std::int32_t>(
            called(SYS_tee, e.splice_fd_in, e.fd, std::size_t{e.len}, e.splice_flags)
        );
    default:
        return static_cast<std::int32_t>(performed_on_names(e));
    }
}

} // namespace coronet::plain_call

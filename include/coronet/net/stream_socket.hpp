// SPDX-License-Identifier: BSL-1.0
//
// A connected byte stream: what TCP and unix stream sockets share. One read and one write may be in
// flight at a time (two of a kind would have their bytes interleaved by the kernel). Owner thread.
#pragma once

#include <coronet/net/basic_socket.hpp>
#include <coronet/net/receive_stream.hpp>
#include <coronet/net/transfers.hpp>
#include <coronet/net/zero_copy.hpp>

#include <cstddef>
#include <span>

#include <sys/socket.h>

namespace coronet {

enum class shutdown_of { receiving = SHUT_RD, sending = SHUT_WR, both = SHUT_RDWR };

// For all awaits here:
// Lifetime: the stream and the buffers outlive the await, which resumes after the kernel has let go
// of them. Thread: owner.
class stream_socket : public basic_socket {
public:
    using basic_socket::basic_socket;

    /// Receives at most `buffer.size()` bytes from the peer.
    ///
    /// Result: bytes received, 1 … buffer.size(); 0 when the peer has finished sending (or `buffer`
    /// is empty). Errors: those of recv(2). Cancel: total. Bytes that came first are reported.
    /// Kernel: IORING_OP_RECV.
    [[nodiscard]] auto read_some(std::span<std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::recv>{*this, buffer};
    }
    /// The same into several buffers, one after the other. Lifetime: the array, too, outlives the
    /// await. Kernel: IORING_OP_RECVMSG.
    [[nodiscard]] auto read_some(std::span<const iovec> buffers) noexcept {
        return detail::descriptor_operation<detail::receive_vectored>{*this, buffers};
    }
    /// What the peer sends, as it comes, in the scheduler's own buffers: by one request for all of
    /// it, instead of one each. Nothing happens until the first next().
    ///
    /// Throws std::bad_alloc.
    /// Lifetime: the stream socket outlives the receive_stream, and is not moved meanwhile. close()
    /// of it ends the request and waits for its end; without, it ends some time after the
    /// receive_stream was destroyed, and the connection stays open until then.
    /// Thread: owner.
    /// Kernel: IORING_OP_RECV with IORING_RECV_MULTISHOT and a ring of buffers, 6.0; a request a
    /// result before.
    [[nodiscard]] receive_stream receive(receive_options options = {}) {
        return receive_stream{*this, options};
    }

    /// Receives until `buffer` is full.
    ///
    /// Result: bytes received, and why not all: errc::end_of_stream when the peer finished sending
    /// before. Errors: those of recv(2); a reset behind the first bytes may be reported as
    /// end_of_stream, as the kernel gives the bytes and forgets the reset. Cancel: partial: `bytes`
    /// tells how many. Kernel: IORING_OP_RECV with MSG_WAITALL.
    [[nodiscard]] auto read_exactly(std::span<std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::receive_all>{*this, buffer};
    }

    /// Sends at most `buffer.size()` bytes to the peer.
    ///
    /// Result: bytes taken by the kernel, 1 … buffer.size().
    /// Errors: those of send(2); never SIGPIPE.
    /// Cancel: total.
    /// Kernel: IORING_OP_SEND.
    [[nodiscard]] auto write_some(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::send>{*this, buffer};
    }
    /// Sends all of `buffer`.
    ///
    /// Result: bytes taken by the kernel, and why not all.
    /// Errors: those of send(2); never SIGPIPE.
    /// Cancel: partial: `bytes` tells how many.
    /// Kernel: IORING_OP_SEND with MSG_WAITALL.
    [[nodiscard]] auto write_all(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::send_all>{*this, buffer};
    }
    /// The same from several buffers, one after the other.
    ///
    /// Lifetime: the array, too, outlives the await; its elements are moved on as they are sent.
    /// Kernel: IORING_OP_SENDMSG with MSG_WAITALL.
    [[nodiscard]] auto write_all(std::span<iovec> buffers) noexcept {
        return detail::descriptor_operation<detail::send_all_vectored>{*this, buffers};
    }

    /// Sends all of `buffer`, and the kernel makes no copy of it where it can do without. The await
    /// ends when the peer has acknowledged the last byte: from then on the buffer may be changed.
    /// Worth it for much at once and over a network only (docs/sending.md).
    ///
    /// Result: bytes taken by the kernel, and why not all.
    /// Errors: those of send(2); never SIGPIPE. Where the kernel has no memory for it, or cannot
    /// send so (a unix socket), it copies.
    /// Cancel: partial: `bytes` tells how many. What the kernel has taken is waited for; a peer
    /// that has not acknowledged it about a second later loses the connection, and the error is
    /// operation_canceled also if all was taken.
    /// Kernel: IORING_OP_SEND_ZC with MSG_WAITALL, 6.2; IORING_OP_SEND before.
    [[nodiscard]] auto write_all_zc(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::zero_copy<detail::send_all>>{*this, buffer};
    }
    /// The same from several buffers, one after the other.
    ///
    /// Lifetime: the array, too, outlives the await; its elements are moved on as they are sent.
    /// Kernel: IORING_OP_SENDMSG_ZC with MSG_WAITALL, 6.2; IORING_OP_SENDMSG before.
    [[nodiscard]] auto write_all_zc(std::span<iovec> buffers) noexcept {
        using send = detail::zero_copy<detail::send_all_vectored>;
        return detail::descriptor_operation<send>{*this, buffers};
    }

    /// Ends one or both directions: the peer's read_some() gives 0 after `sending` (or `both`).
    ///
    /// Errors: those of shutdown(2).
    /// Cancel: total.
    /// Kernel: IORING_OP_SHUTDOWN.
    [[nodiscard]] auto shutdown(shutdown_of what) noexcept {
        return detail::descriptor_operation<async::shutdown>{*this, static_cast<int>(what)};
    }
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// The kernel's operations as awaitables, one function for each: `auto received = co_await
// async::recv(fd, buffer);`. They take plain descriptors and buffers; sockets and files with
// ownership are built on them. Those of files and their names are in
// <coronet/coro/file_operations.hpp>.
//
// For all of them:
// Errors: those of the system call of the same name; std::errc::operation_canceled after a stop or
// a cancel;
//         errc::worker_unavailable if the kernel could not create a thread that the operation
//         needs.
// Cancel: total, if nothing else is said. What came first is delivered.
// Lifetime: descriptor, buffers and other arguments outlive the await. It resumes after the kernel
// has let go of them,
//           also when it was cancelled.
// Thread: owner (any coroutine of Coronet; the operation runs where the coroutine is).
#pragma once

#include <coronet/coro/detail/awaited_operation.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace coronet::async {

/// The offset that means: at the file's own position, and move it.
inline constexpr std::uint64_t current_position = static_cast<std::uint64_t>(-1);

/// Goes to the kernel and back. Kernel: IORING_OP_NOP.
class [[nodiscard]] nop : public detail::awaited_operation {
public:
    nop() noexcept = default;
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "nop"; }
};

namespace detail {
using coronet::detail::awaited_operation;

/// One buffer that the kernel fills.
class reading : public awaited_operation {
public:
    result<std::size_t> await_resume() const noexcept { return count(); }
    /// Nothing to fill: 0 bytes, at once. (A receive of 0 bytes would wait.)
    [[nodiscard]] bool await_ready() const noexcept { return buffer_.empty(); }

protected:
    reading(int fd, std::span<std::byte> buffer) noexcept : fd_(fd), buffer_(buffer) {}
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    int fd_;
    std::span<std::byte> buffer_;
};

/// One buffer that the kernel reads.
class writing : public awaited_operation {
public:
    result<std::size_t> await_resume() const noexcept { return count(); }

protected:
    writing(int fd, std::span<const std::byte> buffer) noexcept : fd_(fd), buffer_(buffer) {}
    [[nodiscard]] subject on() const noexcept override;
    int fd_;
    std::span<const std::byte> buffer_;
};
} // namespace detail

/// Reads at most `buffer.size()` bytes from a file at `offset`, or from a stream.
///
/// Result: bytes read, 0 … buffer.size(); 0 at the end of the file or stream.
/// Cancel: total.
/// Kernel: IORING_OP_READ; read(2), pread(2).
class [[nodiscard]] read : public detail::reading {
public:
    read(int fd, std::span<std::byte> buffer, std::uint64_t offset = current_position) noexcept
        : reading(fd, buffer), offset_(offset) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "read"; }
    std::uint64_t offset_;
};

/// Writes at most `buffer.size()` bytes to a file at `offset`, or to a stream.
///
/// A broken pipe is EPIPE. On a thread of run() or of a runtime it raises no SIGPIPE; elsewhere,
/// ignore that signal.
///
/// Result: bytes written, 0 … buffer.size().
/// Cancel: total.
/// Kernel: IORING_OP_WRITE; write(2), pwrite(2).
class [[nodiscard]] write : public detail::writing {
public:
    write(
        int fd, std::span<const std::byte> buffer, std::uint64_t offset = current_position
    ) noexcept
        : writing(fd, buffer), offset_(offset) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "write"; }
    std::uint64_t offset_;
};

/// read() into several buffers, one after the other.
///
/// Result: bytes read in all.
/// Lifetime: the array of buffers, too, outlives the await.
/// Kernel: IORING_OP_READV; readv(2), preadv(2).
class [[nodiscard]] readv : public coronet::detail::awaited_operation {
public:
    readv(int fd, std::span<const iovec> buffers, std::uint64_t offset = current_position) noexcept
        : fd_(fd), buffers_(buffers), offset_(offset) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "readv"; }
    int fd_;
    std::span<const iovec> buffers_;
    std::uint64_t offset_;
};

/// write() from several buffers, one after the other.
///
/// Result: bytes written in all.
/// Lifetime: the array of buffers, too, outlives the await.
/// Kernel: IORING_OP_WRITEV; writev(2), pwritev(2).
class [[nodiscard]] writev : public coronet::detail::awaited_operation {
public:
    writev(int fd, std::span<const iovec> buffers, std::uint64_t offset = current_position) noexcept
        : fd_(fd), buffers_(buffers), offset_(offset) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "writev"; }
    int fd_;
    std::span<const iovec> buffers_;
    std::uint64_t offset_;
};

/// Receives at most `buffer.size()` bytes from a socket.
///
/// Result: bytes received, 1 … buffer.size(); 0 when the peer has finished sending (or `buffer` is
/// empty). Cancel: total. Kernel: IORING_OP_RECV; recv(2).
class [[nodiscard]] recv : public detail::reading {
public:
    recv(int fd, std::span<std::byte> buffer, int flags = 0) noexcept
        : reading(fd, buffer), flags_(flags) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }
    int flags_;
};

/// Sends at most `buffer.size()` bytes to a connected socket. Never raises SIGPIPE.
///
/// Result: bytes sent, 0 … buffer.size(); all of them with MSG_WAITALL unless an error or a cancel
/// came between. Cancel: total; partial with MSG_WAITALL. Kernel: IORING_OP_SEND; send(2).
class [[nodiscard]] send : public detail::writing {
public:
    send(int fd, std::span<const std::byte> buffer, int flags = 0) noexcept
        : writing(fd, buffer), flags_(flags) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "send"; }
    int flags_;
};

/// Receives a message, with its sender's address and ancillary data, as `message` asks for.
/// Descriptors that are passed come close-on-exec.
///
/// Result: bytes received, 0 … the room in its buffers. `message` holds the rest.
/// Cancel: total.
/// Kernel: IORING_OP_RECVMSG; recvmsg(2).
class [[nodiscard]] recvmsg : public coronet::detail::awaited_operation {
public:
    recvmsg(int fd, msghdr& message, int flags = 0) noexcept
        : fd_(fd), message_(&message), flags_(flags) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recvmsg"; }
    int fd_;
    msghdr* message_;
    int flags_;
};

/// Sends a message from several buffers, to an address, with ancillary data. Never raises SIGPIPE.
///
/// Result: bytes sent, 0 … the size of its buffers.
/// Cancel: total; partial with MSG_WAITALL.
/// Kernel: IORING_OP_SENDMSG; sendmsg(2).
class [[nodiscard]] sendmsg : public coronet::detail::awaited_operation {
public:
    sendmsg(int fd, const msghdr& message, int flags = 0) noexcept
        : fd_(fd), message_(&message), flags_(flags) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "sendmsg"; }
    int fd_;
    const msghdr* message_;
    int flags_;
};

/// Accepts a connection, close-on-exec.
///
/// Result: the connected socket.
/// Cancel: total: a connection that was not accepted stays in the backlog.
/// Lifetime: `address` and `size`, if given, outlive the await.
/// Kernel: IORING_OP_ACCEPT; accept4(2).
class [[nodiscard]] accept : public coronet::detail::awaited_operation {
public:
    explicit accept(int fd, sockaddr* address = nullptr, socklen_t* size = nullptr) noexcept
        : fd_(fd), address_(address), size_(size) {}
    result<unique_fd> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "accept"; }
    int fd_;
    sockaddr* address_;
    socklen_t* size_;
};

/// Connects a socket.
///
/// Cancel: terminal: the socket can only be closed.
/// Kernel: IORING_OP_CONNECT; connect(2).
class [[nodiscard]] connect : public coronet::detail::awaited_operation {
public:
    connect(int fd, const sockaddr* address, socklen_t size) noexcept
        : fd_(fd), address_(address), size_(size) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "connect"; }
    int fd_;
    const sockaddr* address_;
    socklen_t size_;
    bool prepared_ = false;
    bool tried_ = false; // submitted before, and given up by the kernel
};

/// Creates a socket with the flags that this scheduler's driver wants (close-on-exec always).
///
/// Result: the socket.
/// Kernel: IORING_OP_SOCKET, 5.19; socket(2). Where the kernel cannot, the plain call is made: it
/// does not wait.
class [[nodiscard]] socket : public coronet::detail::awaited_operation {
public:
    socket(int domain, int type, int protocol = 0) noexcept
        : domain_(domain), type_(type), protocol_(protocol) {}
    result<unique_fd> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "socket"; }
    int domain_;
    int type_;
    int protocol_;
};

/// Ends one or both directions of a connection.
///
/// Kernel: IORING_OP_SHUTDOWN, 5.11; shutdown(2).
class [[nodiscard]] shutdown : public coronet::detail::awaited_operation {
public:
    shutdown(int fd, int how) noexcept : fd_(fd), how_(how) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "shutdown"; }
    int fd_;
    int how_;
};

/// Closes a descriptor; it is closed afterwards, whatever the result. After a stop the plain call
/// closes it.
///
/// Cancel: none.
/// Kernel: IORING_OP_CLOSE; close(2).
class [[nodiscard]] close : public coronet::detail::awaited_operation {
public:
    explicit close(unique_fd fd) noexcept : fd_(std::move(fd)) {}
    result<void> await_resume() noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] bool can_begin_again() const noexcept override { return false; }
    [[nodiscard]] std::string_view name() const noexcept override { return "close"; }
    unique_fd fd_; // until the kernel has taken it
};

/// Waits until one of `events` (POLLIN, POLLOUT, ...) happens on a descriptor.
///
/// Result: the events that did, POLLERR and POLLHUP included.
/// Cancel: total.
/// Kernel: IORING_OP_POLL_ADD; poll(2).
class [[nodiscard]] poll : public coronet::detail::awaited_operation {
public:
    poll(int fd, unsigned events) noexcept : fd_(fd), events_(events) {}
    result<unsigned> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "poll"; }
    int fd_;
    unsigned events_;
};

/// One side of a splice: a descriptor, and where in it (a pipe has no place).
struct splice_end {
    int fd;
    std::int64_t offset = -1;
};

/// Moves at most `size` bytes between two descriptors, one of which is a pipe, without copying them
/// to user space.
///
/// Result: bytes moved; 0 at the end of the input.
/// Cancel: total. It runs in a kernel worker and may take some milliseconds to let go.
/// Kernel: IORING_OP_SPLICE; splice(2).
class [[nodiscard]] splice : public coronet::detail::awaited_operation {
public:
    splice(splice_end from, splice_end to, std::size_t size, unsigned flags = 0) noexcept
        : from_(from), to_(to), size_(size), flags_(flags) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] bool works_on(int fd) const noexcept override {
        return from_.fd == fd || to_.fd == fd;
    }
    [[nodiscard]] bool needs_kernel_worker() const noexcept override { return true; }
    [[nodiscard]] std::string_view name() const noexcept override { return "splice"; }
    splice_end from_;
    splice_end to_;
    std::size_t size_;
    unsigned flags_;
};

/// Asks every operation on a descriptor of this scheduler to end; they end by their own
/// completions.
///
/// Result: operations asked that had not been asked before.
/// Cancel: none.
/// Kernel: IORING_OP_ASYNC_CANCEL by id, repeated until each has ended.
class [[nodiscard]] cancel : public coronet::detail::awaited_operation {
public:
    explicit cancel(int fd) noexcept : fd_(fd) {}
    template <coronet::detail::coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        count_ = frame.promise().in_branch().where().cancel_operations_on(fd_);
        return suspend(frame.promise(), frame);
    }
    result<std::size_t> await_resume() const noexcept { return count_; }

private:
    void prepare(io_uring_sqe& sqe) noexcept override; // it comes behind the requests
    [[nodiscard]] std::string_view name() const noexcept override { return "cancel"; }
    int fd_;
    std::size_t count_ = 0;
};

} // namespace coronet::async

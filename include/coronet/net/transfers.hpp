// SPDX-License-Identifier: BSL-1.0
//
// Whole transfers as one await: what the kernel does in part is submitted again for the rest,
// without a coroutine of its own. MSG_WAITALL leaves most of that to the kernel.
#pragma once

#include <coronet/coro/detail/transfer_operation.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

namespace coronet::detail {

class send_all : public transfer_operation {
public:
    send_all(int fd, std::span<const std::byte> data) noexcept
        : transfer_operation(fd, data.size()), data_(data) {}

protected:
    void prepare(io_uring_sqe& sqe) noexcept override;

private:
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "send"; }
    std::span<const std::byte> data_;
};

class receive_all : public transfer_operation {
public:
    receive_all(int fd, std::span<std::byte> room) noexcept
        : transfer_operation(fd, room.size()), room_(room) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }
    std::span<std::byte> room_;
};

class send_all_vectored : public transfer_operation {
public:
    send_all_vectored(int fd, std::span<iovec> parts) noexcept;

protected:
    void prepare(io_uring_sqe& sqe) noexcept override;

private:
    void advance(std::size_t bytes) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "sendmsg"; }
    std::span<iovec> parts_;
    msghdr message_{};
};

/// One receive into several buffers.
class receive_vectored : public awaited_operation {
public:
    receive_vectored(int fd, std::span<const iovec> parts) noexcept;
    [[nodiscard]] bool await_ready() const noexcept { return nothing_to_fill_; }
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recvmsg"; }
    int fd_;
    std::span<const iovec> parts_;
    bool nothing_to_fill_;
    msghdr message_{};
};

} // namespace coronet::detail

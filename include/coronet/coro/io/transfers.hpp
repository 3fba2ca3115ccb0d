// SPDX-License-Identifier: BSL-1.0
//
// Whole transfers to and from files and pipes as one await.
#pragma once

#include <coronet/coro/detail/transfer_operation.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coronet::detail {

/// Reads until the buffer is full, from `offset` on or at the file's own position.
class read_whole : public transfer_operation {
public:
    read_whole(int fd, std::span<std::byte> room, std::uint64_t offset) noexcept
        : transfer_operation(fd, room.size()), room_(room), offset_(offset) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "read"; }
    std::span<std::byte> room_;
    std::uint64_t offset_;
};

/// Writes all of the buffer, from `offset` on, at the file's own position, or at its end.
class write_whole : public transfer_operation {
public:
    write_whole(int fd, std::span<const std::byte> data, std::uint64_t offset, int how = 0) noexcept
        : transfer_operation(fd, data.size()), data_(data), offset_(offset), how_(how) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "write"; }
    std::span<const std::byte> data_;
    std::uint64_t offset_;
    int how_; // RWF_APPEND, or 0
};

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
//
// What Asio's descriptors and files ask the ring for (ring_op.hpp says what a request is). A read
// of a file that is not in memory is a kernel worker's, and so is whatever cannot be polled.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/prepare.hpp>
#include <coronet/net/asio/detail/socket_requests.hpp>
#include <coronet/operation.hpp>

#include <cstdint>
#include <string_view>

#include <poll.h>

namespace coronet::asiox::detail {

/// At `at`, or at the file's own position.
template <class Sequence>
class read_request final : public moves_bytes {
public:
    static constexpr std::string_view name = "read";
    static constexpr bool may_need_kernel_worker = true;
    read_request(int fd, std::uint64_t at, const Sequence& buffers)
        : fd_(fd), at_(at), buffers_(buffers) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        if constexpr (buffers_of<net::mutable_buffer, Sequence>::is_single) {
            const net::mutable_buffer into = buffers_.single();
            prepare_read(sqe, fd_, into.data(), into.size(), at_);
        } else {
            prepare_read(sqe, fd_, buffers_.all(), at_);
        }
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLIN}; }
    [[nodiscard]] bool keeps_order() const noexcept { return at_ == own_position; }
    void finish(std::int32_t res, error_code& error) noexcept {
        moved(res);
        if (res == 0) error = net::error::eof; // no read of nothing is begun
    }

private:
    int fd_;
    std::uint64_t at_;
    buffers_of<net::mutable_buffer, Sequence> buffers_;
};

template <class Sequence>
class write_request final : public moves_bytes {
public:
    static constexpr std::string_view name = "write";
    static constexpr bool may_need_kernel_worker = true;
    write_request(int fd, std::uint64_t at, const Sequence& buffers)
        : fd_(fd), at_(at), buffers_(buffers) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        if constexpr (buffers_of<net::const_buffer, Sequence>::is_single) {
            const net::const_buffer from = buffers_.single();
            prepare_write(sqe, fd_, from.data(), from.size(), at_);
        } else {
            prepare_write(sqe, fd_, buffers_.all(), at_);
        }
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLOUT}; }
    [[nodiscard]] bool keeps_order() const noexcept { return at_ == own_position; }
    void finish(std::int32_t res, error_code&) noexcept { moved(res); }

private:
    int fd_;
    std::uint64_t at_;
    buffers_of<net::const_buffer, Sequence> buffers_;
};

} // namespace coronet::asiox::detail

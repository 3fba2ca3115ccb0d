// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/transfers.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/detail/checkers.hpp>

#include <liburing.h>

#include <algorithm>

#include <poll.h>

namespace coronet::detail {

namespace {

constexpr std::size_t part_max = 0x7ffff000; // MAX_RW_COUNT of read(2)

unsigned size_of(std::span<const std::byte> rest) noexcept {
    return static_cast<unsigned>(std::min(rest.size(), part_max));
}
std::uint64_t moved_on(std::uint64_t offset, std::size_t bytes) noexcept {
    return offset == async::current_position ? offset : offset + bytes;
}

} // namespace

void read_whole::prepare(io_uring_sqe& sqe) noexcept {
    const auto rest = room_.subspan(done());
    lend_to_kernel(rest.data(), rest.size());
    io_uring_prep_read(&sqe, fd(), rest.data(), size_of(rest), moved_on(offset_, done()));
}
void read_whole::complete(std::int32_t res, std::uint32_t flags) noexcept {
    const auto rest = room_.subspan(done());
    take_from_kernel(rest.data(), rest.size(), res);
    transfer_operation::complete(res, flags);
}
operation::subject read_whole::on() const noexcept {
    return {fd(), POLLIN};
}

void write_whole::prepare(io_uring_sqe& sqe) noexcept {
    const auto rest = data_.subspan(done());
    io_uring_prep_write(&sqe, fd(), rest.data(), size_of(rest), moved_on(offset_, done()));
    sqe.rw_flags = how_;
}
operation::subject write_whole::on() const noexcept {
    return {fd(), POLLOUT};
}

} // namespace coronet::detail

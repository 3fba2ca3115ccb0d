// SPDX-License-Identifier: BSL-1.0
//
// The two ends of a pipe(7). One read and one write may be in flight at a time. Owner thread.
//
// For all awaits here:
// Lifetime: the end and the buffer outlive the await. Thread: owner.
#pragma once

#include <coronet/coro/io/descriptor.hpp>
#include <coronet/coro/io/transfers.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace coronet {

/// What comes out of a pipe.
class pipe_reader : public descriptor {
public:
    using descriptor::descriptor;

    /// Result: bytes read, 1 … buffer.size(); 0 when no writer is left (or `buffer` is empty).
    /// Errors: those of read(2). Cancel: total. Kernel: IORING_OP_READ.
    [[nodiscard]] auto read_some(std::span<std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::read>{*this, buffer};
    }
    /// Reads until `buffer` is full.
    ///
    /// Result: bytes read, and why not all: errc::end_of_stream when no writer is left.
    /// Cancel: partial.
    [[nodiscard]] auto read_exactly(std::span<std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::read_whole>{
            *this, buffer, async::current_position};
    }
};

/// What goes into a pipe. Where nobody reads any more that is std::errc::broken_pipe, and a SIGPIPE
/// where the thread is not one of run() or of a runtime: ignore it there.
class pipe_writer : public descriptor {
public:
    using descriptor::descriptor;

    /// Result: bytes written, 1 … buffer.size(); at most PIPE_BUF (4096) go in one piece, or not at
    /// all. Errors: those of write(2). Cancel: total. Kernel: IORING_OP_WRITE.
    [[nodiscard]] auto write_some(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::write>{*this, buffer};
    }
    /// Writes all of `buffer`.
    ///
    /// Result: bytes written, and why not all.
    /// Cancel: partial.
    [[nodiscard]] auto write_all(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::write_whole>{
            *this, buffer, async::current_position};
    }

    /// How much fits in before a write waits; the kernel gives at least what was asked for. Errors:
    /// operation_not_permitted where a user has too much in pipes already. Kernel: F_SETPIPE_SZ.
    result<std::size_t> set_capacity(std::size_t bytes) noexcept;
};

struct pipe_ends {
    /// Makes a pipe, close-on-exec. Throws std::system_error.
    pipe_ends();
    /// The same, with the error as a result.
    [[nodiscard]] static result<pipe_ends> make() noexcept;

    pipe_reader reader;
    pipe_writer writer;

private:
    pipe_ends(unique_fd out, unique_fd in) noexcept
        : reader(std::move(out)), writer(std::move(in)) {}
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// The system call that an entry of io_uring stands for, with the result that the kernel would
// report: the number, or a negated errno. attempt() is for a loop and never waits, whether or not
// the descriptor is non-blocking; perform() is for a thread that may.
//
//   ended          `res` is the result
//   when_readable  nothing to be had now: again when its descriptor is readable
//   when_writable  the same, writable
//   when_polled    again after whatever happens on its descriptor
//   soon           more could be done, and others want their turn: again without a wait
//   on_a_worker    it cannot be known that it would not wait: perform() it
//
// An entry that is tried again goes on where it was: `so_far` keeps what has been transferred
// (MSG_WAITALL), and that a connect is under way. No memory, no lock, no clock.
#pragma once

#include "request_table.hpp"

#include <liburing.h>

#include <cstdint>

namespace coronet::plain_call {

enum class verdict : std::uint8_t {
    ended,
    when_readable,
    when_writable,
    when_polled,
    soon,
    on_a_worker
};

struct outcome {
    verdict what;
    std::int32_t res = 0;
    std::uint32_t flags = 0; // of the completion
};

[[nodiscard]] outcome attempt(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] std::int32_t perform(const io_uring_sqe& entry, const progress& so_far) noexcept;

/// Makes a send that need not copy the one that does: a plain call can do no other.
void send_with_copy(io_uring_sqe& entry) noexcept;

/// What it has come to when it is given up: a part that was transferred is its result.
[[nodiscard]] std::int32_t given_up(const progress& so_far, std::int32_t error) noexcept;

/// Whether it has a completion each time, and goes on.
[[nodiscard]] bool is_multishot(const io_uring_sqe& entry) noexcept;
/// Whether it is received into a buffer of the ring. Nothing else is: such an entry is refused.
[[nodiscard]] bool selects_buffer(const io_uring_sqe& entry) noexcept;
/// Whether it is always ready: what it waits for is a device. O_NONBLOCK means nothing there.
[[nodiscard]] bool is_file(int fd) noexcept;
/// Whether it works on something else than the data that others on its descriptor wait for.
[[nodiscard]] bool is_out_of_band(const io_uring_sqe& entry) noexcept;

// ---- by kind of descriptor ----

[[nodiscard]] outcome attempt_receive(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] outcome attempt_send(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] outcome attempt_message(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] outcome attempt_accept(const io_uring_sqe& entry) noexcept;
[[nodiscard]] outcome attempt_connect(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] outcome attempt_read_or_write(const io_uring_sqe& entry, progress& so_far) noexcept;
[[nodiscard]] outcome attempt_close(const io_uring_sqe& entry) noexcept;
[[nodiscard]] outcome attempt_poll(const io_uring_sqe& entry) noexcept;
[[nodiscard]] std::int32_t perform_connect(const io_uring_sqe& entry) noexcept;
[[nodiscard]] std::int32_t
perform_read_or_write(const io_uring_sqe& entry, const progress& so_far) noexcept;

} // namespace coronet::plain_call

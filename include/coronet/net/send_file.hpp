// SPDX-License-Identifier: BSL-1.0
//
// A file to a socket, as sendfile(2) does it: the bytes go through a pipe and are never copied to
// user space. What is small is read and sent, which costs less there.
#pragma once

#include <coronet/coro/io/copy.hpp>
#include <coronet/coro/io/file.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <span>

namespace coronet {

/// Sends `header`, then a part of a file: no more than `what.length` bytes, and with to_the_end as
/// many as the file has when this begins. So a file that grows meanwhile is sent as it was; one
/// that says that it is empty is read to its end (those in /proc say so).
///
/// While a slow peer is waited for, no thread is (its socket is non-blocking meanwhile).
///
/// Result: bytes that the kernel has taken, the header's among them, and why not all:
///         errc::end_of_stream when the file is shorter, and then all that it has was sent.
/// Errors: those of splice(2), send(2), pipe(2); never SIGPIPE.
/// Cancel: partial: `bytes` tells how many.
/// Lifetime: stream, file and header outlive the await.
/// Thread: owner. One write on the stream at a time: this is one.
/// Kernel: IORING_OP_SPLICE, IORING_OP_SEND.
[[nodiscard]] task<transfer> send_file(
    stream_socket* to, file* from, file_part what = {}, std::span<const std::byte> header = {}
);

} // namespace coronet

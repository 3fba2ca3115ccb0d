// SPDX-License-Identifier: BSL-1.0
//
// Errors of Coronet's own. Whatever the kernel or POSIX has a name for is reported by that name
// (std::errc): a cancelled await is std::errc::operation_canceled, an expired time limit
// std::errc::timed_out.
#pragma once

#include <system_error>

namespace coronet {

enum class errc {
    end_of_stream = 1,  ///< the peer finished sending before all that was asked for had come
    stopped,            ///< the scheduler no longer takes work
    worker_unavailable, ///< no worker thread could be created for it: creation_errno() says why
    would_deadlock,     ///< waiting here would wait for this thread itself
    already_started,    ///< a scheduler is started once
    closed,             ///< the channel has been closed
    sq_thread_dead,     ///< the submission thread of the scheduler's ring has died
    wrong_thread,       ///< this may be called on the scheduler's own thread only
    kernel_workers_disabled, ///< the kernel may not create workers: the soft RLIMIT_NPROC is 0
};

[[nodiscard]] const std::error_category& coronet_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc error) noexcept;
/// The error of an operation whose result is negative.
[[nodiscard]] std::error_code error_of_result(int negative_result) noexcept;

/// errc::worker_unavailable that keeps what pthread_create(3) has answered.
[[nodiscard]] std::error_code worker_unavailable_for(int creation_errno) noexcept;
/// Why a worker was not available: an errno value, or 0 if `error` does not say.
[[nodiscard]] int creation_errno(const std::error_code& error) noexcept;

/// Also true for errors that keep a reason.
[[nodiscard]] bool operator==(const std::error_code& error, errc wanted) noexcept;

} // namespace coronet

template <>
struct std::is_error_code_enum<coronet::errc> : std::true_type {};

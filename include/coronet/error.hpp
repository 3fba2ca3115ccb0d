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
    worker_unavailable, ///< the kernel could not create the worker thread that the operation needs
    would_deadlock,     ///< waiting here would wait for this thread itself
    already_started,    ///< a scheduler is started once
    closed,             ///< the channel has been closed
    sq_thread_dead,     ///< the submission thread of the scheduler's ring has died
};

[[nodiscard]] const std::error_category& coronet_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc error) noexcept;
/// The error of an operation whose result is negative.
[[nodiscard]] std::error_code error_of_result(int negative_result) noexcept;

} // namespace coronet

template <>
struct std::is_error_code_enum<coronet::errc> : std::true_type {};

// SPDX-License-Identifier: BSL-1.0
//
// Makes the kernel answer a system call with an error, for the rest of the process: only in a
// process that exists for that (a death test's).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace coronet::testing {

/// `system_call` (with `second_argument`, if given) comes to `verdict` from now on, on this thread
/// and those that it creates. False if that cannot be had here.
[[nodiscard]] inline bool make_kernel_judge(
    long system_call, std::uint32_t verdict,
    std::optional<std::uint32_t> second_argument = std::nullopt
) {
    constexpr auto load = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
    constexpr auto equal = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
    constexpr auto always = static_cast<std::uint16_t>(BPF_JMP | BPF_JGE | BPF_K);
    constexpr auto answer = static_cast<std::uint16_t>(BPF_RET | BPF_K);
    constexpr auto number_at = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
    // The low half of the argument: both architectures that we run on are little-endian.
    constexpr auto argument_at = static_cast<std::uint32_t>(offsetof(seccomp_data, args[1]));
    const sock_filter if_argument =
        second_argument ? sock_filter{equal, 0, 1, *second_argument} : sock_filter{always, 0, 0, 0};
    sock_filter steps[] = {
        {load, 0, 0, number_at},   {equal, 0, 3, static_cast<std::uint32_t>(system_call)},
        {load, 0, 0, argument_at}, if_argument,
        {answer, 0, 0, verdict},   {answer, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program{static_cast<unsigned short>(std::size(steps)), steps};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// The same: it fails with `error`.
[[nodiscard]] inline bool make_kernel_answer(
    long system_call, int error, std::optional<std::uint32_t> second_argument = std::nullopt
) {
    return make_kernel_judge(
        system_call, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error), second_argument
    );
}

} // namespace coronet::testing

// SPDX-License-Identifier: BSL-1.0
//
// The kernel's call that cancels and waits never returns on some rings. Here whoever makes it is
// killed.
#include "kernel_filter.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"

#include <gtest/gtest.h>

#include <array>

#include <unistd.h>

namespace coronet::testing::synchronous_cancel_tests {
namespace {

/// Cancels what is armed for readiness and what blocks a kernel worker, one by itself and one by
/// the end of the scheduler.
void cancel_of_every_kind() {
    std::array<int, 2> from{};
    std::array<int, 2> to{};
    if (::pipe(from.data()) < 0 || ::pipe(to.data()) < 0) ::_exit(2);
    scheduler loop;
    char byte = 0;
    sample_operation reading{
        [&](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, from[0], &byte, 1, 0); }};
    const auto splice = [&](io_uring_sqe& sqe) {
        io_uring_prep_splice(&sqe, from[0], -1, to[1], -1, 1, 0);
    };
    sample_operation asked{splice};
    sample_operation left{splice};
    for (auto* each : {&reading, &asked, &left})
        loop.start(*each);
    loop.run_once(time_point::min());
    reading.cancel();
    asked.cancel();
    run_until(loop, [&] { return reading.ended() && asked.ended(); });
    loop.shutdown();
    if (!left.ended()) ::_exit(3);
}

TEST(cancelling, C13_makes_no_synchronous_cancel_on_any_way) {
    const auto watched = [] {
        constexpr std::uint32_t sync_cancel = 24; // IORING_REGISTER_SYNC_CANCEL
        if (!make_kernel_judge(SYS_io_uring_register, SECCOMP_RET_KILL_PROCESS, sync_cancel))
            ::_exit(1);
        cancel_of_every_kind();
        ::_exit(0);
    };
    EXPECT_EXIT(watched(), ::testing::ExitedWithCode(0), "");
}

TEST(cancelling, C13_would_be_noticed) {
    const auto caught = [] {
        if (!make_kernel_judge(SYS_io_uring_register, SECCOMP_RET_KILL_PROCESS, 24)) ::_exit(1);
        ::syscall(SYS_io_uring_register, -1, 24, nullptr, 0);
        ::_exit(0);
    };
    EXPECT_EXIT(caught(), ::testing::KilledBySignal(SIGSYS), "");
}

} // namespace
} // namespace coronet::testing::synchronous_cancel_tests

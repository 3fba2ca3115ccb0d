// SPDX-License-Identifier: BSL-1.0
//
// A ring that can be had works; one that cannot be had says why, and what to do.
#include "kernel_filter.hpp"
#include "ring.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include <sched.h>
#include <unistd.h>

namespace ring_tests {
namespace {

using namespace std::chrono_literals;
using coronet::ring;
using coronet::scheduler_options;
using coronet::sqpoll_options;
using coronet::testing::make_kernel_answer;

scheduler_options with_depth(unsigned depth) {
    scheduler_options options;
    options.queue_depth = depth;
    return options;
}

/// A ring that this thread submits to.
class own_ring {
public:
    explicit own_ring(const scheduler_options& options) : ring_(options, nullptr) {
        ring_.enable(options);
    }
    ~own_ring() { ring_.disown(); }
    own_ring(const own_ring&) = delete;
    own_ring& operator=(const own_ring&) = delete;

    ring* operator->() { return &ring_; }

    /// Adds a nop that completes with `user_data`.
    void add_nop(std::uint64_t user_data) {
        io_uring_sqe* sqe = &ring_.entries()[tail_++ & (ring_.entry_count() - 1)];
        io_uring_prep_nop(sqe);
        sqe->user_data = user_data;
    }
    ring::outcome enter(coronet::time_point deadline) { return ring_.enter(tail_, deadline); }

private:
    ring ring_;
    unsigned tail_ = 0;
};

TEST(ring, completes_what_was_entered) {
    own_ring own{with_depth(8)};
    own.add_nop(41);
    own.add_nop(42);
    EXPECT_EQ(own.enter(coronet::time_point::max()), ring::outcome::entered);
    std::vector<std::uint64_t> seen;
    while (seen.size() < 2)
        own->for_each_completion([&](const io_uring_cqe& cqe) { seen.push_back(cqe.user_data); });
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{41, 42}));
    EXPECT_EQ(own->consumed(), 2U);
}

TEST(ring, waits_until_the_deadline) {
    own_ring own{with_depth(8)};
    const auto begin = coronet::clock::now();
    EXPECT_EQ(own.enter(begin + 30ms), ring::outcome::timed_out);
    EXPECT_GE(coronet::clock::now() - begin, 30ms);
}

TEST(ring, does_not_wait_for_a_deadline_that_has_passed) {
    own_ring own{with_depth(8)};
    const auto begin = coronet::clock::now();
    own.enter(begin - 1h);
    own.enter(coronet::time_point{});
    own.enter(coronet::time_point::min());
    EXPECT_LT(coronet::clock::now() - begin, 10s);
}

TEST(ring, is_clamped_where_the_kernel_has_no_more) {
    own_ring own{with_depth(1'000'000)};
    EXPECT_GE(own->entry_count(), 1024U);
    EXPECT_LE(own->entry_count(), 32768U);
}

TEST(ring, has_at_least_two_entries) {
    own_ring own{with_depth(0)};
    EXPECT_GE(own->entry_count(), 2U);
}

TEST(ring, describes_itself) {
    own_ring own{with_depth(8)};
    EXPECT_NE(own->description().find("8 entries"), std::string::npos) << own->description();
}

TEST(ring, is_woken_from_a_thread_without_a_ring_where_the_kernel_can) {
    own_ring own{with_depth(8)};
    if (!own->post_from_anywhere(77)) GTEST_SKIP() << "needs Linux 6.13";
    std::uint64_t seen = 0;
    own.enter(coronet::time_point::max());
    own->for_each_completion([&](const io_uring_cqe& cqe) { seen = cqe.user_data; });
    EXPECT_EQ(seen, 77U);
}

TEST(ring, refuses_a_submission_thread_on_a_cpu_that_is_not_there) {
    scheduler_options options = with_depth(8);
    for (const int cpu : {CPU_SETSIZE - 1, CPU_SETSIZE + 5}) {
        options.sqpoll = sqpoll_options{0ms, cpu, nullptr};
        try {
            const ring refused{options, nullptr};
            FAIL() << "a ring for CPU " << cpu;
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), std::errc::invalid_argument);
            const std::string text = error.what();
            EXPECT_NE(text.find("CPU " + std::to_string(cpu)), std::string::npos) << text;
        }
    }
}

TEST(ring, aborts_when_a_thread_enters_that_does_not_own_it) {
    const auto options = with_depth(8);
    const auto enter_without_owning = [&] {
        ring disabled{options, nullptr};
        disabled.enter(0, coronet::time_point::min());
    };
    EXPECT_DEATH(enter_without_owning(), "the ring was not enabled");
}

// ---- set-up errors ----
//
// In a process of its own, whose stderr and exit status say what came of it.

constexpr int threw_status = 3;

/// Sets a ring up where the kernel refuses, and prints what it throws.
[[noreturn]] void set_up_with(long system_call, int error, unsigned depth = 64) {
    if (!make_kernel_answer(system_call, error)) ::_exit(1);
    try {
        const ring refused{with_depth(depth), nullptr};
    } catch (const std::system_error& thrown) {
        std::fprintf(stderr, "%d: %s", thrown.code().value(), thrown.what());
        ::_exit(threw_status);
    }
    ::_exit(0);
}

TEST(ring_error, of_a_forbidden_io_uring_names_the_call_and_the_remedy) {
    EXPECT_EXIT(
        set_up_with(SYS_io_uring_setup, EPERM), ::testing::ExitedWithCode(threw_status),
        "^1: io_uring_setup.*(seccomp profile must allow|kernel.io_uring_disabled).*not permitted"
    );
}

TEST(ring_error, of_a_missing_io_uring_names_the_kernel_version) {
    EXPECT_EXIT(
        set_up_with(SYS_io_uring_setup, ENOSYS), ::testing::ExitedWithCode(threw_status),
        "^38: io_uring_setup.*Linux 5.11 or newer"
    );
}

TEST(ring_error, of_too_little_memory_comes_after_smaller_rings_were_tried) {
    EXPECT_EXIT(
        set_up_with(SYS_io_uring_setup, ENOMEM, 4096), ::testing::ExitedWithCode(threw_status),
        "^12: io_uring_setup: cannot set up a ring of 64 entries.*ulimit -l"
    );
}

TEST(ring_error, of_too_many_descriptors_names_the_limit) {
    EXPECT_EXIT(
        set_up_with(SYS_io_uring_setup, EMFILE), ::testing::ExitedWithCode(threw_status),
        "^24: io_uring_setup.*ulimit -n"
    );
}

TEST(ring_error, of_an_unknown_flag_comes_after_all_flags_were_given_up) {
    EXPECT_EXIT(
        set_up_with(SYS_io_uring_setup, EINVAL), ::testing::ExitedWithCode(threw_status),
        "^22: io_uring_setup: cannot set up"
    );
}

TEST(ring_error, of_a_ring_that_cannot_be_enabled_names_the_call) {
    const auto enable = [] {
        const auto options = with_depth(8);
        ring disabled{options, nullptr};
        if (!make_kernel_answer(SYS_io_uring_register, EPERM)) ::_exit(1);
        try {
            disabled.enable(options);
        } catch (const std::system_error& thrown) {
            std::fprintf(stderr, "%s", thrown.what());
            ::_exit(threw_status);
        }
        ::_exit(0);
    };
    EXPECT_EXIT(enable(), ::testing::ExitedWithCode(threw_status), "ENABLE_RINGS.*must allow");
}

} // namespace
} // namespace ring_tests

// SPDX-License-Identifier: BSL-1.0
//
// Which driver a scheduler gets, and what is said about it, on machines that forbid io_uring in
// different ways: each in a process of its own, with a filter in front of the kernel.
#include "kernel_filter.hpp"
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace driver_choice_tests {
namespace {

using namespace coronet::testing;
using coronet::driver_choice;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sqpoll_options;
using coronet::unique_fd;

scheduler_options with(driver_choice driver) {
    scheduler_options options;
    options.driver = driver;
    return options;
}

bool is_epoll(const scheduler& loop) {
    return (loop.socket_flags() & SOCK_NONBLOCK) != 0;
}

/// Reads from a pipe that somebody writes to later.
void work(scheduler& loop) {
    const empty_pipe source;
    char byte = 0;
    auto op = read_of(source, byte);
    loop.start(op);
    loop.run_once(coronet::time_point::min());
    source.write();
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{1});
}

/// In a child: what `body` does, and then what the log says, on standard error.
void in_child(const char* environment, const std::function<void()>& body) {
    if (environment)
        ::setenv("CORONET_DRIVER", environment, 1);
    else
        ::unsetenv("CORONET_DRIVER");
    std::ostringstream text;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)
    ));
    spdlog::set_pattern("<%l> %v");
    try {
        body();
    } catch (const std::system_error& error) {
        std::fprintf(stderr, "thrown %d: %s\n", error.code().value(), error.what());
        ::_exit(3);
    }
    std::string line = text.str();
    for (char& each : line)
        if (each == '\n') each = '|';
    std::fputs(line.c_str(), stderr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}
void forbid(long system_call, int error) {
    if (!make_kernel_answer(system_call, error)) ::_exit(2);
}
const auto fine = ::testing::ExitedWithCode(0);
const auto thrown = ::testing::ExitedWithCode(3);

// ---- where io_uring cannot be used ----

TEST(driver_choice, is_epoll_where_io_uring_is_forbidden) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, EPERM);
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(
        in_child(nullptr, body), fine,
        "^<warning> coronet: driver: epoll, as io_uring cannot be used: io_uring_setup "
        ".*(seccomp|sysctl).*not permitted\\|$"
    );
}

TEST(driver_choice, is_epoll_where_there_is_no_io_uring) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, ENOSYS);
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "Linux 5.11 or newer.*not implemented\\|$");
}

TEST(driver_choice, is_epoll_where_a_ring_finds_no_memory) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, ENOMEM);
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "ulimit -l.*allocate memory\\|$");
}

TEST(driver_choice, is_epoll_where_a_ring_can_be_had_and_not_asked) {
    const auto body = [] {
        forbid(SYS_io_uring_register, EPERM);
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "io_uring_register\\(PROBE\\)");
}

TEST(driver_choice, is_epoll_where_a_ring_can_be_had_and_not_entered) {
    const auto body = [] {
        forbid(SYS_io_uring_enter, ENOSYS);
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "io_uring_enter\\(NOP\\)");
}

/// What the probe has found may no longer be true.
TEST(driver_choice, is_epoll_when_io_uring_was_forbidden_after_the_first_ring) {
    const auto body = [] {
        scheduler first;
        forbid(SYS_io_uring_setup, EPERM);
        scheduler second;
        EXPECT_FALSE(is_epoll(first));
        EXPECT_TRUE(is_epoll(second));
        work(second);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "driver: io_uring");
}

TEST(driver_choice, leaves_out_the_submission_thread_and_says_so) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, EPERM);
        scheduler_options options;
        options.sqpoll = sqpoll_options{};
        scheduler loop{options};
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "no submission thread");
}

// ---- who decides ----

TEST(driver_choice, demanded_in_vain_throws_and_names_call_and_remedy) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, EPERM);
        const scheduler loop{with(driver_choice::io_uring)};
    };
    EXPECT_EXIT(in_child(nullptr, body), thrown, "thrown 1: io_uring_setup .*(seccomp|sysctl)");
}

TEST(driver_choice, is_the_environment_s_where_the_options_leave_it) {
    const auto body = [] {
        scheduler loop;
        EXPECT_TRUE(is_epoll(loop));
        work(loop);
    };
    EXPECT_EXIT(in_child("epoll", body), fine, "^<info> coronet: driver: epoll, as demanded\\|$");
}

TEST(driver_choice, of_the_environment_in_vain_throws) {
    const auto body = [] {
        forbid(SYS_io_uring_setup, ENOSYS);
        const scheduler loop;
    };
    EXPECT_EXIT(in_child("io_uring", body), thrown, "thrown 38: io_uring_setup");
}

TEST(driver_choice, of_the_options_comes_before_the_environment) {
    const auto body = [] {
        const scheduler ring{with(driver_choice::io_uring)};
        EXPECT_FALSE(is_epoll(ring));
    };
    EXPECT_EXIT(in_child("epoll", body), fine, "driver: io_uring");
}

TEST(driver_choice, of_a_name_that_is_none_throws) {
    EXPECT_EXIT(
        in_child("kqueue", [] { const scheduler loop; }), thrown,
        "thrown 22: CORONET_DRIVER is neither auto, io_uring nor epoll: kqueue"
    );
}

TEST(driver_choice, of_epoll_with_a_submission_thread_throws) {
    const auto body = [] {
        auto options = with(driver_choice::epoll);
        options.sqpoll = sqpoll_options{};
        const scheduler loop{options};
    };
    EXPECT_EXIT(in_child(nullptr, body), thrown, "thrown 22: sqpoll: the epoll driver");
}

TEST(driver_choice, leaves_errors_of_the_options_to_the_caller) {
    const auto body = [] {
        scheduler_options options;
        options.sqpoll = sqpoll_options{};
        options.sqpoll->cpu = 100'000;
        const scheduler loop{options};
    };
    EXPECT_EXIT(in_child(nullptr, body), thrown, "sqpoll: this process may not run on CPU");
}

/// From here on this process gets no more descriptors; the limit that it had before.
rlimit use_descriptors_up() {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const unique_fd first_free{::dup(STDERR_FILENO)};
    const rlimit none{static_cast<rlim_t>(first_free.get()), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    return before;
}
TEST(driver_choice, is_looked_for_again_where_there_were_no_descriptors) {
    const auto body = [] {
        const rlimit before = use_descriptors_up();
        for (const auto driver : {driver_choice::automatic, driver_choice::io_uring}) {
            try {
                const scheduler loop{with(driver)};
                std::exit(1);
            } catch (const std::system_error& error) {
                if (error.code() != std::errc::too_many_files_open) throw;
            }
        }
        ::setrlimit(RLIMIT_NOFILE, &before);
        const scheduler loop;
        EXPECT_FALSE(is_epoll(loop));
    };
    EXPECT_EXIT(in_child(nullptr, body), fine, "driver: io_uring, a ring of");
}

TEST(driver_choice, is_told_once_however_many_schedulers_there_are) {
    const auto body = [] { const scheduler first, second, third; };
    EXPECT_EXIT(
        in_child(nullptr, body), fine, "^<info> coronet: driver: io_uring, a ring of [^|]*\\|$"
    );
}

} // namespace
} // namespace driver_choice_tests

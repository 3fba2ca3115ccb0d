// SPDX-License-Identifier: BSL-1.0
//
// A kernel that has io_uring, and not all of it: opcodes that it lacks are executed otherwise, with
// the same results; set-up flags that it does not know are given up, and that is told.
#include "driver.hpp"
#include "faulty_ring.hpp"
#include "support/temporary_directory.hpp"
#include "unit/lib/ring_loop.hpp"

#include <coronet/detail/opcodes.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/stats.hpp>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace {

using namespace coronet::testing;
using namespace coronet::test;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::unique_fd;

class old_kernel : public ::testing::Test {
protected:
    old_kernel() {
        for (const unsigned each :
             {IORING_OP_OPENAT, IORING_OP_MKDIRAT, IORING_OP_LINKAT, IORING_OP_UNLINKAT,
              IORING_OP_SOCKET, IORING_OP_SHUTDOWN, IORING_OP_SPLICE, IORING_OP_CLOSE,
              IORING_OP_FSYNC})
            faulty_ring::missing_opcodes.set(each);
        faulty_ring::missing_opcodes.set(coronet::detail::op_ftruncate);
        options.driver = coronet::driver_choice::io_uring;
    }
    ~old_kernel() override {
        faulty_ring::missing_opcodes.reset();
        faulty_ring::unknown_flags = 0;
        faulty_ring::missing_features = 0;
        faulty_ring::knows_napi = true;
    }
    static std::int32_t outcome_of(scheduler& loop, sample_operation::filler fill) {
        sample_operation op{std::move(fill)};
        loop.start(op);
        run_until(loop, [&] { return op.ended(); });
        EXPECT_EQ(op.results.size(), 1U);
        return op.results.back();
    }
    scheduler_options options;
};

TEST_F(old_kernel, that_lacks_opcodes_gives_the_same_results) {
    scheduler loop{options};
    std::string folder = "/tmp/coronet-XXXXXX";
    ASSERT_TRUE(::mkdtemp(folder.data()));
    const auto make = [&](io_uring_sqe& sqe) {
        io_uring_prep_mkdirat(&sqe, AT_FDCWD, folder.c_str(), 0700);
    };
    EXPECT_EQ(outcome_of(loop, make), -EEXIST);
    EXPECT_EQ(
        outcome_of(
            loop, [&](io_uring_sqe& sqe
                  ) { io_uring_prep_unlinkat(&sqe, AT_FDCWD, folder.c_str(), AT_REMOVEDIR); }
        ),
        0
    );
    EXPECT_EQ(outcome_of(loop, make), 0);
    EXPECT_EQ(
        outcome_of(
            loop,
            [&](io_uring_sqe& sqe) {
                io_uring_prep_linkat(&sqe, AT_FDCWD, folder.c_str(), AT_FDCWD, folder.c_str(), 0);
            }
        ),
        -EEXIST
    );
    ::rmdir(folder.c_str());

    const int fd = outcome_of(loop, [](io_uring_sqe& sqe) {
        io_uring_prep_socket(&sqe, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0);
    });
    ASSERT_GE(fd, 0);
    EXPECT_EQ(
        outcome_of(loop, [&](io_uring_sqe& sqe) { io_uring_prep_shutdown(&sqe, fd, SHUT_WR); }),
        -ENOTCONN
    );
    EXPECT_EQ(outcome_of(loop, [&](io_uring_sqe& sqe) { io_uring_prep_close(&sqe, fd); }), 0);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
    EXPECT_EQ(outcome_of(loop, [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }), 0);
}

TEST_F(old_kernel, that_lacks_an_opcode_without_a_name_in_old_headers_gives_the_same_results) {
    scheduler loop{options};
    const unique_fd file{::memfd_create("truncated", MFD_CLOEXEC)};
    ASSERT_TRUE(file);
    EXPECT_EQ(
        outcome_of(
            loop,
            [&](io_uring_sqe& sqe) {
                io_uring_prep_rw(
                    coronet::detail::op_ftruncate, &sqe, file.get(), nullptr, 0, 12'345
                );
            }
        ),
        0
    );
    struct stat seen {};
    ASSERT_EQ(::fstat(file.get(), &seen), 0);
    EXPECT_EQ(seen.st_size, 12'345);
}

TEST_F(old_kernel, that_lacks_an_opcode_still_cancels_it) {
    scheduler loop{options};
    cancel_an_open_that_waits(loop);
}

TEST_F(old_kernel, that_lacks_opcodes_serves_a_submission_thread_too) {
    options.sqpoll = coronet::sqpoll_options{};
    scheduler loop{options};
    const int fd = outcome_of(loop, [](io_uring_sqe& sqe) {
        io_uring_prep_openat(&sqe, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0);
    });
    ASSERT_GE(fd, 0);
    EXPECT_EQ(outcome_of(loop, [&](io_uring_sqe& sqe) { io_uring_prep_close(&sqe, fd); }), 0);
}

TEST_F(old_kernel, that_cannot_wait_as_asked_waits_as_usual_and_is_told_with_the_remedy) {
    using namespace std::chrono_literals;
    constexpr unsigned min_timeout = 1U << 15;
    faulty_ring::missing_features = min_timeout;
    faulty_ring::knows_napi = false;
    options.min_wait = 1s;
    options.napi = 50us;
    auto made = coronet::make_uring_driver(options);
    EXPECT_EQ(
        made->losses(), "without min_wait NAPI, which this kernel does not know: slower; use Linux "
                        "6.12 or newer"
    );
    scheduler loop{options, std::move(made)};
    const auto begin = coronet::clock::now();
    EXPECT_EQ(outcome_of(loop, [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }), 0);
    EXPECT_LT(coronet::clock::now() - begin, 700ms);
    coronet::testing::alarm soon{[&] { loop.stop(); }};
    loop.arm(soon, 10ms); // a time limit is told in another way
    loop.run();
    EXPECT_GE(coronet::clock::now() - begin, 10ms);
}

TEST_F(old_kernel, that_does_not_know_flags_is_told_with_the_remedy) {
    std::ostringstream text;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)
    ));
    faulty_ring::unknown_flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER;
    options.driver = coronet::driver_choice::automatic;
    scheduler loop{options};
    EXPECT_EQ(outcome_of(loop, [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }), 0);
    EXPECT_NE(text.str().find("driver: io_uring"), std::string::npos) << text.str();
    EXPECT_NE(
        text.str().find("without DEFER_TASKRUN SINGLE_ISSUER, which this kernel does not know: "
                        "slower; use Linux 6.1 or newer"),
        std::string::npos
    ) << text.str();
}

} // namespace

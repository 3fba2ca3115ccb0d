// SPDX-License-Identifier: BSL-1.0
//
// What the kernel does with submission threads, and what comes of it: who is told that one has
// died, and whose rights an operation has.
#include "orphans.hpp"
#include "ring_loop.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace submission_thread_facts_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

// ---- the process that owned the thread has died ----

/// The kernel's part, without the library: F18.
TEST(submission_thread_facts, F18_the_child_of_a_dead_parent_is_told_eownerdead) {
    const auto make = [] {
        auto ring = std::make_unique<io_uring>();
        if (::io_uring_queue_init(4, ring.get(), IORING_SETUP_SQPOLL) != 0) ::_exit(1);
        return ring;
    };
    const auto submit = [](io_uring& ring) {
        const time_point limit = clock::now() + 10s;
        int rc = 0;
        while (rc >= 0 && clock::now() < limit) // the thread dies a little later than the process
            rc = ::io_uring_enter2(
                static_cast<unsigned>(ring.ring_fd), 0, 0, IORING_ENTER_SQ_WAKEUP, nullptr, 0
            );
        return -rc;
    };
    EXPECT_EQ(in_an_orphan(make, submit), EOWNERDEAD);
}

/// Something is in flight, something has yet to be submitted.
struct inherited {
    inherited() {
        scheduler_options options;
        options.sqpoll.emplace().idle = 1ms;
        loop.emplace(options);
        loop->start(early);
    }
    empty_pipe quiet;
    char byte = 0;
    sample_operation early = read_of(quiet, byte);
    sample_operation late = read_of(quiet, byte);
    std::optional<scheduler> loop;
};

TEST(submission_thread_facts, L21_a_scheduler_whose_submission_thread_really_died_ends) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the checker would have to know of the clone";
#endif
    enum verdict { good = 7, no_exception, wrong_results };
    const auto go_on = [](inherited& left) {
        std::error_code thrown;
        try {
            left.loop->start(left.late);
            left.loop->run();
        } catch (const std::system_error& error) {
            thrown = error.code();
        }
        if (thrown != coronet::errc::sq_thread_dead) return no_exception;
        const bool ended = left.early.ended_count == 1 && left.late.ended_count == 1;
        const bool told = left.early.end() == operation::no_submission_thread &&
                          left.late.end() == operation::no_submission_thread;
        return ended && told && left.loop->in_flight_count() == 0 ? good : wrong_results;
    };
    EXPECT_EQ(in_an_orphan([] { return std::make_unique<inherited>(); }, go_on), good);
}

// ---- whose rights ----

constexpr uid_t somebody = 3000;

/// A scheduler is made; then the thread becomes somebody else and creates a file by it. Result: the
/// owner of the file.
uid_t owner_of_file_made_by(const scheduler_options& options, const std::filesystem::path& path) {
    uid_t owner = static_cast<uid_t>(-1);
    // On a thread of its own: credentials belong to threads, and this one keeps them.
    std::thread{[&] {
        scheduler loop{options};
        if (::syscall(SYS_setresuid, somebody, somebody, somebody) != 0) return;
        sample_operation open{[&](io_uring_sqe& sqe) {
            io_uring_prep_openat(&sqe, AT_FDCWD, path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
        }};
        loop.start(open);
        run_until(loop, [&] { return open.ended(); });
        struct stat found {};
        if (open.end() >= 0 && ::fstat(*open.end(), &found) == 0) owner = found.st_uid;
        if (open.end() >= 0) ::close(*open.end());
        loop.shutdown();
    }}.join();
    return owner;
}

TEST(submission_thread_facts, L22_operations_have_the_rights_of_the_ring_s_creation) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    std::string folder = "/tmp/coronet-rights-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
    const std::filesystem::path here{folder};
    scheduler_options by_thread;
    by_thread.sqpoll.emplace().idle = 1ms;
    EXPECT_EQ(owner_of_file_made_by(by_thread, here / "sqpoll"), 0U); // frozen
    EXPECT_EQ(owner_of_file_made_by({}, here / "plain"), somebody);   // those of the moment (F27)
    std::filesystem::remove_all(here);
}

} // namespace
} // namespace submission_thread_facts_tests

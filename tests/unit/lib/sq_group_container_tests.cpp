// SPDX-License-Identifier: BSL-1.0
//
// Sharing where /proc gives ids of other processes' world: in a pid namespace, as containers are.
#include <coronet/clock.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/sq_group.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sq_group_container_tests {
namespace {

using namespace std::chrono_literals;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sq_group;

enum verdict { good = 7, not_permitted, does_not_share, slow, threw };

/// Runs `what` in a process of its own. Result: what it gives, or -1 if it did not exit.
template <class What>
int in_a_child(What what) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        ::_exit(what());
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int as_first_of_a_namespace(int (*what)()) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return not_permitted;
    return in_a_child([&]() -> int {
        // Ours must not become everybody's.
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return not_permitted;
        if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return not_permitted;
        return what();
    });
}

int join_a_group() {
    try {
        const auto group = std::make_shared<sq_group>();
        scheduler_options options;
        options.sqpoll.emplace().group = group;
        const auto begin = coronet::clock::now();
        for (int i = 0; i < 3; ++i) {
            const scheduler member{options};
            if (!member.shares_submission_thread()) return does_not_share;
        }
        // Looking in vain takes a second.
        return coronet::clock::now() - begin < 900ms ? good : slow;
    } catch (...) {
        return threw;
    }
}

TEST(sq_group, L19_is_shared_in_a_container_and_says_so_at_once) {
    const int result = in_a_child([] { return as_first_of_a_namespace(&join_a_group); });
    if (result == not_permitted) GTEST_SKIP() << "pid namespaces and mounts are not permitted";
    EXPECT_EQ(result, good);
}

} // namespace
} // namespace sq_group_container_tests

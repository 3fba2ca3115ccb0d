// SPDX-License-Identifier: BSL-1.0
//
// A coroutine that forks, and whose child neither executes anything nor exits.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace forked_child_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet;

/// Forks; the child writes its messages into a pipe.
struct forker {
    forker() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        out.reset(ends[0]);
        in.reset(ends[1]);
    }
    bool is_child_after_fork() {
        child = ::fork();
        if (child != 0) return false;
        ::alarm(20);
        ::dup2(in.get(), STDERR_FILENO);
        return true;
    }
    /// Its status, and what it said.
    int wait_for_child() {
        in.reset();
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        std::array<char, 1000> text{};
        const auto size = ::read(out.get(), text.data(), text.size());
        said.assign(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    unique_fd out, in;
    pid_t child = -1;
    std::string said;
};

enum class then { co_return_, wait, sleep };

task<void> fork_and(forker* here, then next) {
    (void)co_await async::nop();
    if (!here->is_child_after_fork()) co_return;
    if (next == then::wait) (void)co_await async::nop();
    if (next == then::sleep) (void)co_await sleep_for(1ms);
}

/// What another coroutine of the parent does after the fork.
task<void> go_on_beside(int* rounds) {
    for (; *rounds < 20; ++*rounds)
        (void)co_await async::nop();
}

task<void> fork_among_others(forker* here, then next, int* rounds) {
    auto both = when_all(fork_and(here, next), go_on_beside(rounds));
    (void)co_await std::move(both);
}

std::vector<run_options> all_profiles() {
    std::vector<run_options> all(4);
    all[1].scheduler.movable_owner = true;
    all[2].scheduler.sqpoll.emplace();
    all[3].handle_signals = false;
    return all;
}

TEST(fork, L11_run_ends_a_child_that_goes_on_with_a_message) {
    for (const auto& options : all_profiles())
        for (const then next : {then::co_return_, then::wait, then::sleep}) {
            forker here;
            int rounds = 0;
            run(fork_among_others(&here, next, &rounds), options);
            if (here.child == 0) ::_exit(1); // run() has returned in the child
            EXPECT_EQ(rounds, 20);
            EXPECT_EQ(here.wait_for_child(), 70) << here.said;
            EXPECT_NE(here.said.find("_exit"), std::string::npos) << here.said;
        }
}

} // namespace
} // namespace forked_child_tests

// SPDX-License-Identifier: BSL-1.0
//
// A pool under the limits that systems really have. Each in a process of its own, which ends
// afterwards: limits, users and filters cannot all be taken back.
#include "call.hpp"
#include "kernel_filter.hpp"
#include "pool_call.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <grp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace worker_limits_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::creation_errno;
using coronet::scheduler;
using coronet::worker_pool;
namespace fs = std::filesystem;
using outcome = coronet::pool_item::outcome;

enum verdict { good = 7, not_permitted, executed_anyway, another_error, too_late, not_noticed };

/// Turns until `happened()`, or 3 s have passed.
template <class Condition>
bool in_time(scheduler& loop, Condition happened) {
    const auto limit = coronet::clock::now() + 3s;
    while (!happened() && coronet::clock::now() < limit)
        loop.run_once(limit);
    return happened();
}

/// What becomes of three items that are submitted now.
verdict without_threads(scheduler& loop, int error) {
    std::deque<pool_call> items(3);
    const auto begin = coronet::clock::now();
    for (auto& each : items)
        loop.pool().submit(each, loop);
    if (!in_time(loop, [&] { return all_over(items); })) ::_exit(too_late);
    if (coronet::clock::now() - begin > 2s) return too_late;
    for (const auto& each : items) {
        if (each.how == outcome::executed) return executed_anyway;
        if (creation_errno(each.why) != error) return another_error;
    }
    return good;
}

/// The limit is gone.
verdict with_threads(scheduler& loop) {
    pool_call item;
    loop.pool().submit(item, loop);
    if (!in_time(loop, [&] { return item.over(); })) ::_exit(too_late);
    return item.how == outcome::executed ? good : not_noticed;
}

/// Lifted 30 ms after the item was submitted.
verdict with_threads_in_a_moment(scheduler& loop, const std::function<void()>& lift) {
    pool_call item;
    coronet::testing::alarm moment{lift};
    loop.pool().submit(item, loop);
    loop.arm(moment, 30ms);
    if (!in_time(loop, [&] { return item.over(); })) ::_exit(too_late);
    return item.how == outcome::executed ? good : not_noticed;
}

/// Runs `what` in a process of its own. Result: what it gives, or -1 if it did not exit.
int in_a_child(const std::function<int()>& what) {
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

bool set_soft_limit(rlim_t processes) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NPROC, &limit) != 0) return false;
    limit.rlim_cur = processes == RLIM_INFINITY ? limit.rlim_max : processes;
    return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
}

int under_a_limit_of_processes() {
    scheduler loop;
    loop.run_once(coronet::time_point::min());
    if (!set_soft_limit(1) || ::setgroups(0, nullptr) != 0 || ::setresgid(3000, 3000, 3000) != 0 ||
        ::setresuid(3000, 3000, 3000) != 0)
        return not_permitted;
    if (const auto failed = without_threads(loop, EAGAIN); failed != good) return failed;
    const auto lift = [] { set_soft_limit(RLIM_INFINITY); };
    if (const auto failed = with_threads_in_a_moment(loop, lift); failed != good) return failed;
    return with_threads(loop);
}

bool write_to(const fs::path& file, const std::string& text) {
    return static_cast<bool>(std::ofstream{file} << text << std::flush);
}

/// A control group that limits tasks.
class small_group {
public:
    small_group() : folder_("/sys/fs/cgroup/pids/coronet-limit-" + std::to_string(::getpid())) {
        std::error_code ignored;
        made = fs::create_directory(folder_, ignored);
    }
    ~small_group() {
        if (made) ::rmdir(folder_.c_str());
    }
    small_group(const small_group&) = delete;
    small_group& operator=(const small_group&) = delete;

    [[nodiscard]] bool enter() const {
        return write_to(folder_ / "cgroup.procs", std::to_string(::getpid()));
    }
    [[nodiscard]] bool limit(const std::string& tasks) const {
        return write_to(folder_ / "pids.max", tasks);
    }
    bool made = false;

private:
    fs::path folder_;
};

int in_a_full_group(const small_group& group) {
    scheduler loop;
    loop.run_once(coronet::time_point::min());
    if (!group.enter() || !group.limit("1")) return not_permitted;
    if (const auto failed = without_threads(loop, EAGAIN); failed != good) return failed;
    const auto lift = [&] { static_cast<void>(group.limit("max")); };
    if (const auto failed = with_threads_in_a_moment(loop, lift); failed != good) return failed;
    return with_threads(loop);
}

int under_a_filter() {
    scheduler loop;
    loop.run_once(coronet::time_point::min());
    // glibc asks for clone3 first and believes ENOSYS only.
    if (!make_kernel_answer(SYS_clone3, EPERM) || !make_kernel_answer(SYS_clone, EPERM))
        return not_permitted;
    if (const auto failed = without_threads(loop, EPERM); failed != good) return failed;
    return without_threads(loop, EPERM); // again: nothing has been left behind
}

#ifdef __SANITIZE_THREAD__
constexpr bool checker_makes_threads = true;
#else
constexpr bool checker_makes_threads = false;
#endif

TEST(worker_limits, W10_a_limit_of_processes_fails_items_in_time_and_is_noticed_when_it_is_lifted) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody with a limit";
    if (checker_makes_threads) GTEST_SKIP() << "the checker's own threads cannot be had either";
    EXPECT_EQ(in_a_child(under_a_limit_of_processes), good);
}

TEST(worker_limits, W10_a_full_control_group_fails_items_in_time_and_is_noticed_when_it_is_lifted) {
    if (checker_makes_threads) GTEST_SKIP() << "the checker's own threads cannot be had either";
    const small_group group;
    if (!group.made) GTEST_SKIP() << "no control groups of tasks here";
    EXPECT_EQ(in_a_child([&] { return in_a_full_group(group); }), good);
}

TEST(worker_limits, W7_a_filter_that_forbids_threads_fails_items_at_once) {
    if (checker_makes_threads) GTEST_SKIP() << "the checker's own threads cannot be had either";
    const auto begin = coronet::clock::now();
    EXPECT_EQ(in_a_child(under_a_filter), good);
    EXPECT_LT(coronet::clock::now() - begin, 1s);
}

} // namespace
} // namespace worker_limits_tests

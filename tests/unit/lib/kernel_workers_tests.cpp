// SPDX-License-Identifier: BSL-1.0
//
// The kernel's workers: their maxima, where they run, and what becomes of a scheduler that gets
// none. Limits are real, in a child process.
#include "../support/child_process.hpp"
#include "../support/open_files.hpp"
#include "pool_call.hpp"
#include "ring_loop.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/resource.h>

namespace kernel_workers_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::kernel_worker_limits;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;
using coronet::unique_fd;
using coronet::test::in_a_child;

/// On a thread that has no kernel workers yet: they belong to threads.
void on_a_new_thread(const std::function<void()>& function) {
    std::thread{function}.join();
}

std::vector<unsigned> maxima_of(scheduler& loop, kernel_worker_limits wanted = {}) {
    const auto before = loop.kernel_workers(wanted);
    if (!before) return {};
    return {before->bounded, before->unbounded};
}

bool has_maxima(scheduler& loop) {
    return loop.kernel_workers({}).error() != std::errc::invalid_argument;
}

// ---- maxima ----

TEST(kernel_workers, K1_have_maxima_that_the_owner_sets_and_0_leaves_alone) {
    on_a_new_thread([] {
        scheduler loop;
        loop.run_once(time_point::min());
        if (!has_maxima(loop)) GTEST_SKIP() << "this kernel does not tell";
        const auto at_birth = maxima_of(loop);
        EXPECT_GT(at_birth[0], 0U);
        EXPECT_GT(at_birth[1], 0U);
        EXPECT_EQ(maxima_of(loop, {3, 5}), at_birth);
        EXPECT_EQ(maxima_of(loop, {0, 4}), (std::vector{3U, 5U}));
        EXPECT_EQ(maxima_of(loop, {2, 0}), (std::vector{3U, 4U}));
        EXPECT_EQ(maxima_of(loop), (std::vector{2U, 4U}));
    });
}

TEST(kernel_workers, K1_are_those_of_all_rings_of_the_thread) {
    on_a_new_thread([] {
        scheduler one, other;
        one.run_once(time_point::min());
        other.run_once(time_point::min());
        if (!has_maxima(one)) GTEST_SKIP() << "this kernel does not tell";
        maxima_of(one, {3, 5});
        EXPECT_EQ(maxima_of(other), (std::vector{3U, 5U}));
    });
}

TEST(kernel_workers, K1_of_a_submission_thread_are_its_own) {
    on_a_new_thread([] {
        scheduler_options polled;
        polled.sqpoll.emplace().idle = 1ms;
        scheduler plain, with_thread{polled};
        plain.run_once(time_point::min());
        with_thread.run_once(time_point::min());
        if (!has_maxima(plain)) GTEST_SKIP() << "this kernel does not tell";
        maxima_of(plain, {3, 5});
        maxima_of(with_thread, {2, 4});
        EXPECT_EQ(maxima_of(plain), (std::vector{3U, 5U}));
        EXPECT_EQ(maxima_of(with_thread), (std::vector{2U, 4U}));
    });
}

TEST(kernel_workers, have_the_maxima_that_the_options_name) {
    on_a_new_thread([] {
        scheduler_options options;
        options.kernel_workers_bounded = 2;
        options.kernel_workers_unbounded = 3;
        scheduler loop{options};
        loop.run_once(time_point::min());
        if (!has_maxima(loop)) GTEST_SKIP() << "this kernel does not tell";
        EXPECT_EQ(maxima_of(loop), (std::vector{2U, 3U}));
    });
}

TEST(kernel_workers, are_refused_before_the_loop_begins_and_after_its_end) {
    scheduler loop;
    const std::array<int, 1> first{0};
    EXPECT_EQ(loop.kernel_workers({}).error(), coronet::errc::stopped);
    loop.run_once(time_point::min());
    loop.shutdown();
    EXPECT_EQ(loop.kernel_workers({}).error(), coronet::errc::stopped);
    EXPECT_EQ(loop.kernel_worker_affinity(first).error(), coronet::errc::stopped);
    EXPECT_EQ(loop.reset_kernel_worker_affinity().error(), coronet::errc::stopped);
}

TEST(kernel_workers, are_told_something_by_the_owner_only) {
    const std::array<int, 1> first{0};
    for (const bool movable : {false, true}) {
        scheduler_options options;
        options.movable_owner = movable;
        scheduler loop{options};
        loop.run_once(time_point::min());
        const auto refused = [&] {
            return loop.kernel_workers({}).error() == coronet::errc::wrong_thread &&
                   loop.kernel_worker_affinity(first).error() == coronet::errc::wrong_thread &&
                   loop.reset_kernel_worker_affinity().error() == coronet::errc::wrong_thread;
        };
        bool elsewhere = false;
        on_a_new_thread([&] { elsewhere = refused(); });
        EXPECT_TRUE(elsewhere);
        bool on_a_worker = false;
        pool_call item{[&] { on_a_worker = refused(); }};
        loop.pool().submit(item, loop);
        run_until(loop, [&] { return item.over(); });
        EXPECT_TRUE(on_a_worker);
        EXPECT_NE(loop.kernel_workers({}).error(), coronet::errc::wrong_thread);
    }
}

// ---- none ----

bool set_soft_limit(rlim_t soft) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    if (soft > limit.rlim_max) return false;
    limit.rlim_cur = soft;
    return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
}

std::error_code error_of_start(const scheduler_options& options) {
    try {
        scheduler loop{options};
        loop.run_once(time_point::min());
    } catch (const std::system_error& error) {
        return error.code();
    }
    return {};
}

enum verdict { good = 7, not_permitted, wrong_error, leaked, not_at_once, not_healed, too_late };

TEST(kernel_workers, K2_missing_ones_fail_the_start_and_leave_nothing_behind) {
    EXPECT_EQ(good, in_a_child([]() -> int {
                  set_soft_limit(0);
                  const auto before = coronet::test::open_file_count();
                  if (error_of_start({}) != coronet::errc::kernel_workers_disabled)
                      return wrong_error;
                  scheduler_options movable;
                  movable.movable_owner = true; // no ring is registered: the kernel is not asked
                  if (error_of_start(movable) != coronet::errc::kernel_workers_disabled)
                      return wrong_error;
                  return coronet::test::open_file_count() == before ? good : leaked;
              }));
}

TEST(kernel_workers, K2_missing_ones_of_a_submission_thread_fail_the_start) {
    EXPECT_EQ(good, in_a_child([]() -> int {
                  set_soft_limit(0);
                  scheduler_options polled;
                  polled.sqpoll.emplace();
                  const auto error = error_of_start(polled);
                  if (error == std::errc::resource_unavailable_try_again)
                      return good; // not as root
                  return error == coronet::errc::kernel_workers_disabled ? good : wrong_error;
              }));
}

class always_in_a_worker final : public coronet::operation {
public:
    always_in_a_worker(int from, int to) : from_(from), to_(to) {}
    void prepare(io_uring_sqe& sqe) noexcept override {
        io_uring_prep_splice(&sqe, from_, 0, to_, -1, 1, 0);
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "splice"; }
    [[nodiscard]] bool needs_kernel_worker() const noexcept override { return true; }
    void run() noexcept override { ++runs; }
    int runs = 0;

private:
    int from_;
    int to_;
};

unique_fd some_file() {
    return unique_fd{::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
}

template <class Condition>
bool turns_until(scheduler& loop, Condition happened) {
    const auto deadline = coronet::clock::now() + 10s;
    while (!happened() && coronet::clock::now() < deadline)
        loop.run_once(coronet::clock::now() + 20ms);
    return happened();
}

TEST(kernel_workers, K2_missing_ones_that_are_allowed_fail_what_needs_them_at_once) {
    EXPECT_EQ(good, in_a_child([]() -> int {
                  rlimit before{};
                  ::getrlimit(RLIMIT_NPROC, &before);
                  set_soft_limit(0);
                  scheduler_options options;
                  options.allow_no_kernel_workers = true;
                  scheduler loop{options};
                  loop.run_once(time_point::min());
                  const unique_fd file = some_file();
                  const empty_pipe to;
                  always_in_a_worker moved{file.get(), to.in.get()};
                  loop.start(moved);
                  loop.run_once(time_point::min());
                  if (moved.runs != 1) return not_at_once;
                  if (coronet::error_of_result(moved.res()) !=
                      coronet::errc::kernel_workers_disabled)
                      return wrong_error;
                  sample_operation sync{
                      [&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, file.get(), 0); }};
                  loop.start(sync); // of the other kind, which is there
                  if (!turns_until(loop, [&] { return sync.ended(); }) || sync.end() != 0)
                      return wrong_error;

                  set_soft_limit(before.rlim_cur); // and they are there when somebody says so
                  if (!loop.kernel_workers({4, 4})) return not_healed;
                  loop.start(moved);
                  if (!turns_until(loop, [&] { return moved.runs == 2; })) return too_late;
                  return moved.res() == 0 ? good : not_healed; // the file is empty
              }));
}

TEST(kernel_workers, K2_as_many_as_wanted_are_not_taken_for_none) {
    const int result = in_a_child([]() -> int {
        if (!set_soft_limit(RLIM_INFINITY)) return not_permitted;
        return error_of_start({}) ? wrong_error : good; // the kernel says 0 of them
    });
    if (result == not_permitted) GTEST_SKIP() << "the limit cannot be lifted here";
    EXPECT_EQ(result, good);
}

// ---- where they run ----

/// Ids of this process's kernel workers.
std::set<int> workers() {
    std::set<int> found;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream file{task.path() / "comm"};
        std::string name;
        if (std::getline(file, name) && name.starts_with("iou-wrk-"))
            found.insert(std::stoi(task.path().filename()));
    }
    return found;
}

std::vector<int> cpus_of(int thread) {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> found;
    if (::sched_getaffinity(thread, sizeof set, &set) < 0) return found;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) found.push_back(static_cast<int>(cpu));
    return found;
}

/// Where a new worker may run: a splice from an empty pipe blocks it.
std::vector<int> cpus_of_a_new_worker(scheduler& loop) {
    const auto before = workers();
    empty_pipe from, to;
    sample_operation blocked{[&](io_uring_sqe& sqe) {
        io_uring_prep_splice(&sqe, from.out.get(), -1, to.in.get(), -1, 1, 0);
    }};
    // One that is idle would take the first: so that a new one is made, more of them.
    empty_pipe from2, to2;
    sample_operation blocked2{[&](io_uring_sqe& sqe) {
        io_uring_prep_splice(&sqe, from2.out.get(), -1, to2.in.get(), -1, 1, 0);
    }};
    loop.start(blocked);
    loop.start(blocked2);
    std::vector<int> found;
    run_until(loop, [&] {
        for (const int each : workers())
            if (!before.contains(each)) found = cpus_of(each);
        return !found.empty();
    });
    blocked.cancel();
    blocked2.cancel();
    run_until(loop, [&] { return blocked.ended() && blocked2.ended(); });
    return found;
}

TEST(kernel_workers, K3_run_where_they_are_told_and_elsewhere_again_after_a_reset) {
    const auto all = cpus_of(0);
    if (all.size() < 2) GTEST_SKIP() << "needs two CPUs";
    on_a_new_thread([&] {
        scheduler loop;
        loop.run_once(time_point::min());
        const std::array<int, 1> last{all.back()};
        const auto bound = loop.kernel_worker_affinity(last);
        ASSERT_TRUE(bound) << bound.error().message();
        EXPECT_EQ(cpus_of_a_new_worker(loop), std::vector{all.back()});
    });
    on_a_new_thread([&] {
        scheduler loop;
        loop.run_once(time_point::min());
        const std::array<int, 1> last{all.back()};
        ASSERT_TRUE(loop.kernel_worker_affinity(last));
        ASSERT_TRUE(loop.reset_kernel_worker_affinity());
        EXPECT_EQ(cpus_of_a_new_worker(loop), all);
    });
}

TEST(kernel_workers, K3_are_not_sent_where_the_thread_may_not_run) {
    const auto all = cpus_of(0);
    on_a_new_thread([&] {
        scheduler loop;
        loop.run_once(time_point::min());
        const auto refused = [&](std::vector<int> cpus) {
            return loop.kernel_worker_affinity(cpus).error() == std::errc::invalid_argument;
        };
        EXPECT_TRUE(refused({}));
        EXPECT_TRUE(refused({-1}));
        EXPECT_TRUE(refused({CPU_SETSIZE}));
        EXPECT_TRUE(refused({all.front(), all.back() + 1}));
        if (all.size() < 2) return;
        cpu_set_t first;
        CPU_ZERO(&first);
        CPU_SET(static_cast<std::size_t>(all.front()), &first);
        ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
        EXPECT_TRUE(refused({all.back()})) << "there, but not for this thread";
        EXPECT_FALSE(refused({all.front()}));
    });
}

// ---- those that could not be made ----

/// This process becomes another user, who may have no second thread. False if it may not.
bool allow_no_threads() {
    if (::geteuid() == 0 &&
        (::setresgid(3000, 3000, 3000) < 0 || ::setresuid(3000, 3000, 3000) < 0))
        return false;
    return set_soft_limit(1);
}

TEST(kernel_workers, K4_that_failed_and_cost_a_request_are_counted) {
    const int result = in_a_child([]() -> int {
        const unique_fd file = some_file();
        if (!allow_no_threads()) return not_permitted;
        scheduler loop;
        sample_operation sync{[&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, file.get(), 0); }};
        loop.start(sync);
        if (!turns_until(loop, [&] { return sync.ended(); })) return too_late;
        if (sync.end() != coronet::operation::no_worker) return wrong_error;
        return loop.stats().spurious_cancels == 4 ? good : leaked;
    });
    if (result == not_permitted) GTEST_SKIP() << "another user cannot be had here";
    EXPECT_EQ(result, good);
}

TEST(kernel_workers, K4_that_failed_for_a_while_are_counted_and_cost_nothing_else) {
    const int result = in_a_child([]() -> int {
        const unique_fd file = some_file();
        rlimit before{};
        ::getrlimit(RLIMIT_NPROC, &before);
        if (!allow_no_threads()) return not_permitted;
        scheduler loop;
        sample_operation sync{[&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, file.get(), 0); }};
        loop.start(sync);
        if (!turns_until(loop, [&] { return loop.stats().spurious_cancels == 1; })) return too_late;
        set_soft_limit(before.rlim_cur);
        if (!turns_until(loop, [&] { return sync.ended(); })) return too_late;
        return sync.end() == 0 ? good : wrong_error;
    });
    if (result == not_permitted) GTEST_SKIP() << "another user cannot be had here";
    EXPECT_EQ(result, good);
}

} // namespace
} // namespace kernel_workers_tests

// SPDX-License-Identifier: BSL-1.0
//
// What a worker has of its owner: the table of docs/workers.md, read back row by row. Each row has
// a thread of its own for an owner, as most of it can be set for a thread and never be taken back.
#include "kernel_filter.hpp"
#include "pool_call.hpp"
#include "sample_operation.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/interruptible.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace worker_context_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::errc;
using coronet::pool_account;
using coronet::scheduler;
using coronet::worker_pool;
using coronet::test::watchdog;
namespace fs = std::filesystem;

bool is_root() {
    return ::geteuid() == 0;
}

/// Runs `body` on a thread of its own.
void on_a_thread(const std::function<void()>& body) {
    std::thread{body}.join();
}

/// Calls `read` on a worker of `loop`.
std::string on_a_worker(scheduler& loop, const std::function<std::string()>& read) {
    std::string seen;
    pool_call item{[&] { seen = read(); }};
    loop.pool().submit(item, loop);
    run_until(loop, [&] { return item.over(); });
    return seen;
}

std::string line_of(const fs::path& file, const std::string& beginning) {
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(beginning)) return line;
    return "nothing";
}
std::string status(const std::string& field) {
    return line_of("/proc/thread-self/status", field + ":");
}

// ---- rows ----

struct row {
    std::string name;
    std::function<bool()> set; // on the owner; false: it cannot be had here
    std::function<std::string()> read;
    bool inherited = true;
};

bool become(unsigned id) {
    const unsigned group = id;
    return ::syscall(SYS_setgroups, 1, &group) == 0 && ::syscall(SYS_setresgid, id, id, id) == 0 &&
           ::syscall(SYS_setresuid, id, id, id) == 0;
}
std::string credentials() {
    return status("Uid") + status("Gid") + status("Groups");
}

bool drop_a_capability() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) return false;
    data[0].effective &= ~(1U << CAP_NET_RAW);
    data[0].permitted &= ~(1U << CAP_NET_RAW);
    return ::syscall(SYS_capset, &header, data) == 0;
}

std::string of_prctl(int option) {
    return std::to_string(::prctl(option, 0, 0, 0, 0));
}

fs::path fresh_directory() {
    std::string name = fs::temp_directory_path() / "coronet-context-XXXXXX";
    return ::mkdtemp(name.data()) ? fs::path{name} : fs::path{};
}
/// Its own file system attributes, and all of them changed.
bool go_elsewhere() {
    const fs::path there = fresh_directory();
    if (::unshare(CLONE_FS) != 0 || ::chroot(there.c_str()) != 0 || ::chdir("/") != 0) return false;
    ::umask(0123);
    return true;
}
std::string where() {
    struct stat root {};
    struct stat here {};
    ::stat("/", &root);
    ::stat(".", &here);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return std::to_string(root.st_ino) + "," + std::to_string(here.st_ino) + "," +
           std::to_string(mask);
}

std::string namespaces() {
    std::string all;
    for (const char* kind : {"mnt", "net", "uts"})
        all += fs::read_symlink(fs::path{"/proc/thread-self/ns"} / kind).string();
    return all;
}

bool use_one_cpu() {
    cpu_set_t usable;
    if (::sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) < 2) return false;
    cpu_set_t last;
    CPU_ZERO(&last);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &usable)) {
            CPU_ZERO(&last);
            CPU_SET(cpu, &last);
        }
    return ::sched_setaffinity(0, sizeof last, &last) == 0;
}
bool be_a_batch() {
    const sched_param plain{};
    return ::sched_setscheduler(0, SCHED_BATCH, &plain) == 0;
}

constexpr int io_priority_of_a_process = 1;
constexpr int best_effort = 2 << 13;

bool prefer_a_node() {
    constexpr int preferred = 1;
    const unsigned long first_node = 1;
    return ::syscall(SYS_set_mempolicy, preferred, &first_node, 8UL) == 0;
}
std::string memory_policy() {
    int policy = -1;
    ::syscall(SYS_get_mempolicy, &policy, nullptr, 0UL, nullptr, 0UL);
    return std::to_string(policy);
}

/// A control group for single threads (version 1 of them).
class thread_group {
public:
    explicit thread_group(const std::string& name)
        : folder_("/sys/fs/cgroup/cpu/coronet-" + name + "-" + std::to_string(::getpid())) {
        std::error_code ignored;
        made_ = fs::create_directory(folder_, ignored);
    }
    ~thread_group() {
        if (made_) ::rmdir(folder_.c_str());
    }
    thread_group(const thread_group&) = delete;
    thread_group& operator=(const thread_group&) = delete;

    /// This thread is in it from here on.
    [[nodiscard]] bool enter() const {
        return made_ &&
               static_cast<bool>(std::ofstream{folder_ / "tasks"} << ::gettid() << std::flush);
    }
    static std::string of_this_thread() {
        std::ifstream lines{"/proc/thread-self/cgroup"};
        for (std::string line; std::getline(lines, line);)
            if (line.find(":cpu:") != std::string::npos) return line;
        return "none";
    }
    static void leave() { std::ofstream{"/sys/fs/cgroup/cpu/tasks"} << ::gettid() << std::flush; }

private:
    fs::path folder_;
    bool made_ = false;
};

bool leave_a_signal_pending() {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
    return ::pthread_kill(::pthread_self(), SIGUSR2) == 0;
}
std::string pending() {
    sigset_t all;
    ::sigpending(&all);
    return ::sigismember(&all, SIGUSR2) == 1 ? "pending" : "none";
}

#ifndef __SANITIZE_ADDRESS__ // it gives every thread one of its own
bool take_another_stack() {
    static std::vector<char> memory(64 * 1024);
    stack_t stack{};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    return ::sigaltstack(&stack, nullptr) == 0;
}
std::string other_stack() {
    stack_t stack{};
    ::sigaltstack(nullptr, &stack);
    return (stack.ss_flags & SS_DISABLE) != 0 ? "none" : "one";
}
#endif

std::string parent_death_signal() {
    int signal = 0;
    ::prctl(PR_GET_PDEATHSIG, &signal);
    return std::to_string(signal);
}

long thread_keyring(int create) {
    constexpr int get_keyring_id = 0;
    constexpr int of_thread = -1;
    return ::syscall(SYS_keyctl, get_keyring_id, of_thread, create);
}

std::vector<row> all_rows() {
    return {
        {"user, group, groups", [] { return become(3000); }, credentials},
        {"capabilities", drop_a_capability, [] { return status("CapEff") + status("CapPrm"); }},
        {"securebits", [] { return ::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0; },
         [] { return of_prctl(PR_GET_SECUREBITS); }},
        {"no_new_privs", [] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0; },
         [] { return of_prctl(PR_GET_NO_NEW_PRIVS); }},
        {"seccomp", [] { return make_kernel_answer(SYS_swapon, EXDEV); },
         [] { return status("Seccomp"); }},
        {"root, directory, umask", go_elsewhere, where},
        {"mount, network and host name spaces",
         [] { return ::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) == 0; }, namespaces},
        {"CPUs", use_one_cpu, [] { return status("Cpus_allowed_list"); }},
        {"nice", [] { return ::setpriority(PRIO_PROCESS, 0, 7) == 0; },
         [] { return std::to_string(::getpriority(PRIO_PROCESS, 0)); }},
        {"scheduling policy", be_a_batch, [] { return std::to_string(::sched_getscheduler(0)); }},
        {"I/O priority",
         [] {
             return ::syscall(SYS_ioprio_set, io_priority_of_a_process, 0, best_effort | 6) == 0;
         },
         [] { return std::to_string(::syscall(SYS_ioprio_get, io_priority_of_a_process, 0)); }},
        {"timer slack", [] { return ::prctl(PR_SET_TIMERSLACK, 123'456) == 0; },
         [] { return of_prctl(PR_GET_TIMERSLACK); }},
        {"memory policy", prefer_a_node, memory_policy},
        {"personality", [] { return ::personality(WHOLE_SECONDS) >= 0; },
         [] { return std::to_string(::personality(0xffffffff)); }},
        {"rounding of floating point", [] { return std::fesetround(FE_UPWARD) == 0; },
         [] { return std::to_string(std::fegetround()); }},
        {"pending signals", leave_a_signal_pending, pending, false},
#ifndef __SANITIZE_ADDRESS__
        {"alternate signal stack", take_another_stack, other_stack, false},
#endif
        {"parent death signal", [] { return ::prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0; },
         parent_death_signal, false},
        {"thread keyring", [] { return thread_keyring(1) > 0; },
         [] { return std::to_string(thread_keyring(0)); }, false},
    };
}

/// On a fresh owner. True if the row could be looked at.
bool look_at(const row& each) {
    bool had = false;
    on_a_thread([&] {
        scheduler loop;
        const std::string before = on_a_worker(loop, each.read);
        loop.run_once(coronet::time_point::min());
        std::string older;
        {
            scheduler fresh;
            had = each.set();
            if (!had) return;
            const std::string mine = each.read();
            EXPECT_NE(mine, before) << "it was not set";
            const std::string theirs = on_a_worker(fresh, each.read);
            if (each.inherited)
                EXPECT_EQ(theirs, mine);
            else
                EXPECT_NE(theirs, mine);
        }
        older = on_a_worker(loop, each.read);
        EXPECT_EQ(older, before) << "of a worker that was there before";
    });
    return had;
}

TEST(worker_context, T_I1_a_worker_has_what_its_owner_has_row_by_row) {
    if (!is_root()) GTEST_SKIP() << "most of it only root can set";
    const watchdog limit{[] { return std::string{"a row"}; }, 30s};
    std::size_t seen = 0;
    for (const auto& each : all_rows()) {
        SCOPED_TRACE(each.name);
        if (look_at(each))
            ++seen;
        else
            std::cout << "cannot be had here: " << each.name << '\n';
    }
    EXPECT_GE(seen, 15U);
}

TEST(worker_context, T_I1_a_worker_is_in_the_control_group_of_its_owner) {
    const thread_group group{"owner"};
    bool had = false;
    on_a_thread([&] {
        had = group.enter();
        if (!had) return;
        scheduler loop;
        EXPECT_EQ(on_a_worker(loop, thread_group::of_this_thread), thread_group::of_this_thread());
        EXPECT_NE(thread_group::of_this_thread().find("coronet-owner"), std::string::npos);
    });
    if (!had) GTEST_SKIP() << "no control groups for threads here";
}

TEST(worker_context, T_I2_a_worker_is_where_its_owner_went_and_goes_with_it) {
    if (!is_root()) GTEST_SKIP() << "unshare needs root";
    on_a_thread([] {
        const auto here = [] { return fs::current_path().string(); };
        const fs::path there = fresh_directory();
        scheduler loop;
        ASSERT_EQ(::unshare(CLONE_FS), 0);
        ASSERT_EQ(::chdir(there.c_str()), 0);
        EXPECT_EQ(on_a_worker(loop, here), there);
        ASSERT_EQ(::chdir("/"), 0);
        EXPECT_EQ(on_a_worker(loop, here), "/"); // the same worker: it shares the owner's
        EXPECT_EQ(loop.pool().stats().created, 1U);
        fs::remove(there);
    });
    EXPECT_NE(fs::current_path(), "/"); // of other threads
}

TEST(worker_context, T_I3_files_belong_to_the_owner_s_user_after_a_refresh) {
    if (!is_root()) GTEST_SKIP() << "only root can become somebody else";
    const fs::path folder = fresh_directory();
    fs::permissions(folder, fs::perms::all);
    const auto owner_of_a_new_file = [&](const char* name) {
        return [file = (folder / name).string()] {
            const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            struct stat found {};
            const bool there = fd >= 0 && ::fstat(fd, &found) == 0;
            ::close(fd);
            return there ? std::to_string(found.st_uid) : std::string{"none"};
        };
    };
    on_a_thread([&] {
        scheduler loop;
        EXPECT_EQ(on_a_worker(loop, owner_of_a_new_file("before")), "0");
        ASSERT_TRUE(become(3000));
        EXPECT_EQ(on_a_worker(loop, owner_of_a_new_file("between")), "0"); // an older worker
        ASSERT_TRUE(loop.pool().refresh_context());
        EXPECT_EQ(on_a_worker(loop, owner_of_a_new_file("after")), "3000");
    });
    fs::remove_all(folder);
}

TEST(worker_context, T_I4_a_worker_that_one_in_another_group_asks_for_is_in_the_owners) {
    const thread_group group{"worker"};
    bool had = false;
    on_a_thread([&] {
        std::string seen;
        held_call first;
        scheduler loop;
        worker_pool& pool = loop.pool();
        std::binary_semaphore go_on{0};
        pool_call asks{[&] {
            had = group.enter();
            go_on.acquire();
            const coronet::blocking_scope here; // another one is wanted
            while (!first.runs())
                std::this_thread::yield();
            thread_group::leave();
        }};
        pool_call looks{[&] { seen = thread_group::of_this_thread(); }};
        pool.submit(asks, loop, pool_account::bounded);
        run_until(loop, [&] { return asks.executed > 0; });
        pool.submit(looks, loop, pool_account::bounded);
        pool.submit(first, loop, pool_account::bounded);
        go_on.release();
        first.let_go();
        run_until(loop, [&] { return asks.over() && looks.over() && first.over(); });
        EXPECT_EQ(seen, thread_group::of_this_thread());
        EXPECT_NE(looks.thread, asks.thread);
    });
    if (!had) GTEST_SKIP() << "no control groups for threads here";
}

// ---- I1, I3, I5 ----

std::string slack() {
    return of_prctl(PR_GET_TIMERSLACK);
}

TEST(worker_context, I1_a_worker_that_another_thread_asks_for_is_created_by_the_owner) {
    on_a_thread([] {
        ::prctl(PR_SET_TIMERSLACK, 222'222);
        std::string seen;
        pool_call item{[&] { seen = slack(); }};
        scheduler loop;
        loop.run_once(coronet::time_point::min());
        on_a_thread([&] {
            ::prctl(PR_SET_TIMERSLACK, 111'111);
            loop.pool().submit(item, loop);
        });
        run_until(loop, [&] { return item.over(); });
        EXPECT_EQ(seen, "222222");
    });
}

TEST(worker_context, I2_a_worker_is_created_with_what_the_owner_has_at_that_moment) {
    on_a_thread([] {
        held_call first;
        scheduler loop;
        ::prctl(PR_SET_TIMERSLACK, 111'111);
        loop.pool().submit(first, loop);
        run_until(loop, [&] { return first.runs(); });
        ::prctl(PR_SET_TIMERSLACK, 222'222);
        EXPECT_EQ(on_a_worker(loop, slack), "222222");
        first.let_go();
        run_until(loop, [&] { return first.over(); });
    });
}

TEST(worker_context, I3_a_worker_blocks_all_signals_but_those_of_its_own_mistakes) {
    sigset_t nothing;
    ::sigemptyset(&nothing);
    ::pthread_sigmask(SIG_SETMASK, &nothing, nullptr);
    std::vector<int> taken;
    pool_call item{[&] {
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        for (int signal = 1; signal <= SIGRTMAX; ++signal)
            if (::sigismember(&blocked, signal) == 0) taken.push_back(signal);
    }};
    scheduler loop;
    loop.pool().submit(item, loop);
    run_until(loop, [&] { return item.over(); });
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS})
        EXPECT_NE(std::find(taken.begin(), taken.end(), own), taken.end()) << own;
    for (const int other : {SIGTERM, SIGINT, SIGALRM, SIGUSR1, SIGPIPE, SIGRTMAX - 2, SIGRTMIN})
        EXPECT_EQ(std::find(taken.begin(), taken.end(), other), taken.end()) << other;
}

TEST(worker_context, I5_a_worker_has_the_name_of_its_account_and_owner) {
    const auto name = [] { return line_of("/proc/thread-self/comm", ""); };
    const std::string owner = std::to_string(::gettid());
    scheduler loop;
    EXPECT_EQ(on_a_worker(loop, name), ("crn-wu-" + owner).substr(0, 15));
    std::string bounded;
    pool_call item{[&] { bounded = name(); }};
    loop.pool().submit(item, loop, pool_account::bounded);
    run_until(loop, [&] { return item.over(); });
    EXPECT_EQ(bounded, ("crn-wb-" + owner).substr(0, 15));
}

// ---- I4 ----

TEST(worker_context, I4_idle_workers_leave_and_busy_ones_after_their_item) {
    pool_call idle;
    held_call busy;
    pool_call next;
    coronet::scheduler_options options;
    options.workers.idle = 1min; // nobody leaves for that
    scheduler loop{options};
    worker_pool& pool = loop.pool();
    pool.submit(busy, loop);
    pool.submit(idle, loop);
    run_until(loop, [&] { return busy.runs() && idle.over(); });
    ASSERT_TRUE(pool.refresh_context());
    run_until(loop, [&] { return count_threads("crn-wu") == 1; });
    pool.submit(next, loop);
    run_until(loop, [&] { return next.over(); });
    EXPECT_NE(next.thread, idle.thread);
    EXPECT_EQ(pool.stats().created, 3U);
    busy.let_go();
    run_until(loop, [&] { return busy.over() && count_threads("crn-wu") == 1; });
}

TEST(worker_context, I4_a_worker_that_leaves_with_items_queued_is_replaced) {
    std::deque<pool_call> items(3);
    held_call busy;
    coronet::scheduler_options options;
    options.workers.unbounded_max = 1;
    scheduler loop{options};
    worker_pool& pool = loop.pool();
    pool.submit(busy, loop);
    run_until(loop, [&] { return busy.runs(); });
    for (auto& each : items)
        pool.submit(each, loop);
    ASSERT_TRUE(pool.refresh_context());
    busy.let_go();
    run_until(loop, [&] { return all_over(items); });
    for (const auto& each : items)
        EXPECT_NE(each.thread, busy.thread);
}

TEST(worker_context, I4_belongs_to_the_owner) {
    scheduler loop;
    loop.run_once(coronet::time_point::min());
    std::error_code on_worker;
    pool_call item{[&] { on_worker = loop.pool().refresh_context().error(); }};
    loop.pool().submit(item, loop);
    run_until(loop, [&] { return item.over(); });
    EXPECT_EQ(on_worker, errc::wrong_thread);
}

// ---- I6 ----

TEST(worker_context, I6_what_would_wait_for_a_scheduler_is_refused_on_a_worker) {
    scheduler other;
    std::error_code parked, parked_for, joined, joined_for, shut_down;
    scheduler loop;
    pool_call item{[&] {
        parked = loop.park().error();
        parked_for = other.park_for(1s).error();
        joined = loop.join().error();
        joined_for = other.join_for(1s).error();
        shut_down = loop.pool().request_shutdown().error();
    }};
    loop.pool().submit(item, loop);
    run_until(loop, [&] { return item.over(); });
    for (const auto& each : {parked, parked_for, joined, joined_for, shut_down})
        EXPECT_EQ(each, errc::would_deadlock);
}

#ifdef CORONET_HOOKS

TEST(worker_context_death, I6_a_worker_that_submits_to_the_ring_aborts) {
    EXPECT_DEATH(
        {
            scheduler loop;
            sample_operation nop{[](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }};
            pool_call item{[&] { loop.start(nop); }};
            loop.pool().submit(item, loop);
            run_until(loop, [&] { return item.over(); });
        },
        "does not own"
    );
}

// ---- forced interleavings ----

using coronet::test::point;
using coronet::test::script;

TEST(worker_context, X19_a_worker_that_is_asked_for_waits_for_the_owner_and_has_what_it_has_then) {
    on_a_thread([] {
        ::prctl(PR_SET_TIMERSLACK, 111'111);
        std::string seen;
        pool_call looks{[&] { seen = slack(); }};
        std::atomic<bool> wished{false};
        std::atomic<bool> go_on{false};
        pool_call asks{[&] {
            while (!go_on)
                std::this_thread::yield();
            const coronet::blocking_scope here;
            wished = true;
            while (looks.executed == 0)
                std::this_thread::yield();
        }};
        scheduler loop;
        worker_pool& pool = loop.pool();
        pool.submit(asks, loop, pool_account::bounded);
        run_until(loop, [&] { return asks.executed > 0; });
        pool.submit(looks, loop, pool_account::bounded);
        go_on = true;
        // The owner is busy with something of its own.
        ASSERT_TRUE(wait_until([&] { return wished.load(); }));
        const auto busy_until = coronet::clock::now() + 50ms;
        while (coronet::clock::now() < busy_until)
            EXPECT_EQ(looks.executed, 0);
        EXPECT_EQ(pool.stats().created, 1U);
        ::prctl(PR_SET_TIMERSLACK, 222'222);
        run_until(loop, [&] { return asks.over() && looks.over(); });
        EXPECT_EQ(seen, "222222");
    });
}

TEST(worker_context, X20_an_item_between_a_change_and_the_refresh_has_the_old_context) {
    if (!is_root()) GTEST_SKIP() << "only root can become somebody else";
    on_a_thread([] {
        std::string before, after;
        pool_call first;
        pool_call between{[&] { before = credentials(); }};
        pool_call picked{[&] { after = credentials(); }};
        coronet::scheduler_options options;
        options.workers.unbounded_max = 1; // a new one has to wait until the older one has left
        scheduler loop{options};
        worker_pool& pool = loop.pool();
        script play;
        auto& sleeping = play.hold(point::idle);
        const std::string root = credentials();
        pool.submit(first, loop);
        run_until(loop, [&] { return first.over(); });
        sleeping.wait();
        ASSERT_TRUE(become(3000));
        sleeping.release();
        pool.submit(between, loop);
        run_until(loop, [&] { return between.over(); });
        EXPECT_EQ(before, root);
        // Picked before the refresh, and still not executed by who was picked.
        auto& woken = play.hold(point::idle_over);
        pool.submit(picked, loop);
        woken.wait();
        ASSERT_TRUE(pool.refresh_context());
        woken.release();
        run_until(loop, [&] { return picked.over(); });
        EXPECT_EQ(after, credentials());
        EXPECT_NE(picked.thread, between.thread);
    });
}

#endif

} // namespace
} // namespace worker_context_tests

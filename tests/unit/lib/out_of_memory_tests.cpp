// SPDX-License-Identifier: BSL-1.0
//
// Where the engine needs memory and can tell nobody that there is none, it ends the program and
// says why.
#include "call.hpp"
#include "timer_queue.hpp"

#include <coronet/detail/checkers.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

// An address space that is full already cannot be limited: those two take all of it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace out_of_memory_tests {
namespace {

using coronet::time_point;
using coronet::timer_queue;
using coronet::testing::alarm;

/// From here on the system gives this process no more, and there is nothing left to be used again.
void use_memory_up() {
    rlim_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    const rlim_t all = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
    const rlimit limit{all, all};
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
    for (std::size_t size = 1 << 20; size >= 64; size /= 2)
        while (void* volatile taken = std::malloc(size)) // NOLINT(*-no-malloc)
            static_cast<void>(taken);
}

void arm_more_than_there_is_memory_for() {
    std::deque<alarm> alarms;
    for (int i = 0; i < 200'000; ++i)
        alarms.emplace_back([] {});
    timer_queue timers;
    use_memory_up();
    for (alarm& each : alarms)
        timers.arm(each, time_point{}); // due at once: the heap's, and only a heap takes memory
    ::_exit(0);
}

TEST(out_of_memory_death, is_said_by_who_needs_it_for_a_timer) {
    EXPECT_DEATH(arm_more_than_there_is_memory_for(), "no memory for one more timer");
}

} // namespace
} // namespace out_of_memory_tests

#endif

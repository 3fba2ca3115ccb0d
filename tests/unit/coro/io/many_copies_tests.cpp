// SPDX-License-Identifier: BSL-1.0
//
// Ten thousand files are copied, 64 at a time: the copies are equal, and neither threads nor
// descriptors grow with their number.
#include "support/open_files.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/coro/io/copy.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/semaphore.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

namespace coronet::many_copies_tests {
namespace {

using namespace test;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int file_count = 1'000;
#else
constexpr int file_count = 10'000;
#endif
constexpr std::size_t in_flight = 64;
constexpr unsigned kernel_workers_each = 4;
constexpr unsigned pool_workers_each = 4;

std::string content_of(int file) {
    const auto size = static_cast<std::size_t>(file) * 37 % 9'000;
    return std::string(size, static_cast<char>('a' + file % 26)) + std::to_string(file);
}

struct progress {
    explicit progress(std::string folder) : where(std::move(folder)) {}
    std::string where;
    semaphore slots{in_flight};
    int failed = 0;
    std::size_t most_threads = 0;
    std::size_t most_descriptors = 0;

    void look() {
        const std::filesystem::directory_iterator tasks{"/proc/self/task"};
        const auto threads = static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
        most_threads = std::max(most_threads, threads);
        most_descriptors = std::max(most_descriptors, open_file_count());
    }
};

task<void> copy_one(progress* all, int number) {
    const auto name = all->where + "/from/" + std::to_string(number);
    const auto copied = co_await copy_file(name, all->where + "/to/" + std::to_string(number));
    if (!copied || copied.bytes != content_of(number).size()) ++all->failed;
    if (number % 500 == 0) all->look();
    all->slots.release();
}
task<void> copy_all(scope copies, progress* all) {
    for (int i = 0; i < file_count; ++i) {
        const auto slot = co_await all->slots.acquire();
        if (!slot) co_return;
        copies.spawn(copy_one, all, i);
    }
}

int count_of_equal_copies(const temporary_directory& where) {
    int equal = 0;
    for (int i = 0; i < file_count; ++i)
        if (where.content("to/" + std::to_string(i)) == content_of(i)) ++equal;
    return equal;
}

TEST(ten_thousand_files, are_copied_64_at_a_time_by_a_few_threads) {
    const temporary_directory where{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"};
    std::filesystem::create_directory(where.path("from"));
    std::filesystem::create_directory(where.path("to"));
    for (int i = 0; i < file_count; ++i)
        where.put("from/" + std::to_string(i), content_of(i));
    const auto descriptors = open_file_count();

    progress all{where.path()};
    run_options options;
    options.scheduler.kernel_workers_bounded = kernel_workers_each;
    options.scheduler.kernel_workers_unbounded = kernel_workers_each;
    options.scheduler.workers.bounded_max = pool_workers_each;
    options.scheduler.workers.unbounded_max = pool_workers_each;
    run(with_scope(copy_all, &all), options);

    EXPECT_EQ(all.failed, 0);
    EXPECT_EQ(count_of_equal_copies(where), file_count);
    // This one, the pool's and the kernel's of both kinds, and one of a sanitizer perhaps.
    EXPECT_LE(all.most_threads, 1 + 2 * (pool_workers_each + kernel_workers_each) + 1);
    // Two for each copy, and what a scheduler needs.
    EXPECT_LE(all.most_descriptors, descriptors + 2 * in_flight + 8);
    EXPECT_EQ(open_file_count(), descriptors);
}

} // namespace
} // namespace coronet::many_copies_tests

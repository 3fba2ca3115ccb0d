// SPDX-License-Identifier: BSL-1.0
//
// Disks that become full and files that become too large: real ones, in a child process.
#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/coro/io/file.hpp>
#include <coronet/coro/run.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace coronet::full_disk_tests {
namespace {

using namespace test;

enum verdict { good = 7, not_permitted, wrong_error, wrong_size, lost_bytes };

task<transfer> fill(std::string path, std::size_t size) {
    auto to = co_await file::open(path.c_str(), O_CREAT | O_WRONLY);
    if (!to) co_return transfer{0, to.error()};
    const std::vector<std::byte> data(size, std::byte{7});
    co_return co_await to->write_all_at(data, 0);
}

std::uintmax_t size_of(const std::string& path) {
    struct ::stat seen {};
    return ::stat(path.c_str(), &seen) == 0 ? static_cast<std::uintmax_t>(seen.st_size) : 0;
}

bool mount_a_small_disk(const std::string& at) {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("none", at.c_str(), "tmpfs", 0, "size=256k") == 0;
}

TEST(full_disk, takes_a_part_and_says_so) {
    const temporary_directory where;
    const int result = in_a_child([&]() -> int {
        if (!mount_a_small_disk(where.path())) return not_permitted;
        const auto written = run(fill(where.path("file"), 1'000'000));
        if (written.error != std::errc::no_space_on_device) return wrong_error;
        if (written.bytes != 256 * 1024) return wrong_size;
        return size_of(where.path("file")) == written.bytes ? good : lost_bytes;
    });
    if (result == not_permitted) GTEST_SKIP() << "mounting is not permitted";
    EXPECT_EQ(result, good);
}

task<std::error_code> allocate_too_much(std::string path) {
    auto to = co_await file::open(path.c_str(), O_CREAT | O_WRONLY);
    if (!to) co_return to.error();
    const auto allocated = co_await to->allocate(0, 1'000'000);
    co_return allocated.error();
}

TEST(full_disk, is_known_before_anything_is_written_by_who_allocates) {
    const temporary_directory where;
    const int result = in_a_child([&]() -> int {
        if (!mount_a_small_disk(where.path())) return not_permitted;
        const auto error = run(allocate_too_much(where.path("file")));
        return error == std::errc::no_space_on_device ? good : wrong_error;
    });
    if (result == not_permitted) GTEST_SKIP() << "mounting is not permitted";
    EXPECT_EQ(result, good);
}

TEST(file_size_limit, lets_a_part_be_written_and_is_an_error_then) {
    const temporary_directory where;
    EXPECT_EQ(good, in_a_child([&]() -> int {
                  std::signal(SIGXFSZ, SIG_IGN);
                  rlimit now{};
                  ::getrlimit(RLIMIT_FSIZE, &now);
                  now.rlim_cur = 100'000;
                  ::setrlimit(RLIMIT_FSIZE, &now);
                  const auto written = run(fill(where.path("file"), 1'000'000));
                  if (written.error != std::errc::file_too_large) return wrong_error;
                  if (written.bytes != 100'000) return wrong_size;
                  return size_of(where.path("file")) == written.bytes ? good : lost_bytes;
              }));
}

} // namespace
} // namespace coronet::full_disk_tests

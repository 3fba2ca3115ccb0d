// SPDX-License-Identifier: BSL-1.0
//
// Copies: equal to what they are copies of, however they are made, and as long as they say when
// they are cancelled.
#include "support/child_process.hpp"
#include "support/open_files.hpp"
#include "support/script.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/coro/io/copy.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/worker_pool.hpp>

#include <gtest/gtest.h>

#include <string>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace coronet::copy_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

std::string some_content(std::size_t size) {
    std::string content(size, '\0');
    unsigned state = 1;
    for (char& each : content)
        each = static_cast<char>((state = state * 1'103'515'245 + 12'345) >> 16);
    return content;
}

mode_t mode_of(const std::string& path) {
    struct ::stat seen {};
    ::stat(path.c_str(), &seen);
    return seen.st_mode & 0777U;
}

TEST(copy_file, gives_the_content_and_the_permissions) {
    const temporary_directory where;
    const auto before = open_file_count();
    const auto content = some_content(1'000'000);
    const auto from = where.put("from", content);
    ::chmod(from.c_str(), 0640);
    const auto copied = run(copy_file(from, where.path("to"), {true, true}));
    EXPECT_TRUE(copied) << copied.error.message();
    EXPECT_EQ(copied.bytes, content.size());
    EXPECT_TRUE(where.content("to") == content);
    EXPECT_EQ(mode_of(where.path("to")), 0640U);
    // The pool that it used went with the scheduler, and so did every descriptor.
    EXPECT_EQ(open_file_count(), before);
}

TEST(copy_file, of_nothing_is_empty) {
    const temporary_directory where;
    EXPECT_TRUE(run(copy_file(where.put("from"), where.path("to"))));
    EXPECT_TRUE(where.has("to"));
}

TEST(copy_file, replaces_a_longer_one_unless_told_not_to) {
    const temporary_directory where;
    const auto from = where.put("from", "short");
    const auto to = where.put("to", "much longer");
    EXPECT_EQ(run(copy_file(from, to, {false, false})).error, std::errc::file_exists);
    EXPECT_EQ(where.content("to"), "much longer");
    EXPECT_TRUE(run(copy_file(from, to)));
    EXPECT_EQ(where.content("to"), "short");
}

TEST(copy_file, to_itself_is_refused_and_leaves_it_alone) {
    const temporary_directory where;
    const auto from = where.put("from", "content");
    std::filesystem::create_hard_link(from, where.path("same"));
    EXPECT_EQ(run(copy_file(from, where.path("same"))).error, std::errc::invalid_argument);
    EXPECT_EQ(where.content("from"), "content");
}

TEST(copy_file, tells_what_cannot_be_copied) {
    const temporary_directory where;
    EXPECT_EQ(run(copy_file(where.path(), where.path("to"))).error, std::errc::is_a_directory);
    EXPECT_EQ(
        run(copy_file(where.path("none"), where.path("to"))).error,
        std::errc::no_such_file_or_directory
    );
    EXPECT_FALSE(where.has("to"));
}

TEST(copy_file, reads_what_is_made_up_when_it_is_read) {
    const temporary_directory where;
    const auto copied = run(copy_file("/proc/version", where.path("to")));
    EXPECT_TRUE(copied) << copied.error.message();
    EXPECT_GT(copied.bytes, 0u);
    EXPECT_EQ(where.content("to").substr(0, 5), "Linux");
}

task<transfer> copy_a_part(std::string from, std::string to, file_part what) {
    auto source = co_await file::open(from.c_str(), O_RDONLY);
    auto target = co_await file::open(to.c_str(), O_WRONLY | O_CREAT);
    co_return co_await copy_content(&*source, &*target, what);
}

TEST(copy_content, copies_a_part_to_the_same_place) {
    const temporary_directory where;
    const auto from = where.put("from", "0123456789");
    EXPECT_EQ(run(copy_a_part(from, where.path("to"), {3, 4})).bytes, 4u);
    EXPECT_EQ(where.content("to"), (std::string{"\0\0\0", 3} + "3456"));
    EXPECT_EQ(run(copy_a_part(from, where.put("end", "abcdefgh"), {8, 100})).bytes, 2u);
    EXPECT_EQ(where.content("end"), "abcdefgh89");
}

#ifdef CORONET_HOOKS

/// By plain system calls: with the epoll driver a file is opened by a worker, too.
file opened(const std::string& path, int flags) {
    return file{unique_fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)}};
}

task<void> close_and_reuse(script::step* worker, file* closed, std::string other) {
    worker->wait();
    const int number = closed->native_handle();
    closed->release().reset();
    const file next = opened(other, O_RDWR);
    EXPECT_EQ(next.native_handle(), number);
    worker->release();
    const auto finished = co_await scheduler::current()->pool().drain();
    static_cast<void>(finished);
}

task<transfer> copy_while_one_is_closed(std::string from, std::string to, std::string other) {
    file source = opened(from, O_RDONLY);
    file target = opened(to, O_WRONLY | O_CREAT);
    script play;
    auto& worker = play.hold(point::worker_begins); // the item is on its way
    const auto both = co_await when_all(
        copy_content(&source, &target), close_and_reuse(&worker, &target, std::move(other))
    );
    co_return std::get<0>(both);
}

TEST(copy_content, does_not_touch_a_file_that_got_the_number_of_one_that_was_closed) {
    const temporary_directory where;
    const auto content = some_content(100'000);
    const auto other = where.put("other", "untouched");
    const auto before = open_file_count();
    const auto copied =
        run(copy_while_one_is_closed(where.put("from", content), where.path("to"), other));
    EXPECT_TRUE(where.content("other") == "untouched");
    EXPECT_TRUE(copied) << copied.error.message();
    EXPECT_TRUE(where.content("to") == content);
    EXPECT_EQ(open_file_count(), before);
}

#endif

TEST(copy_content, of_a_file_that_is_closed_is_an_error) {
    const temporary_directory where;
    const auto from = where.put("from", "content");
    file source{unique_fd{::open(from.c_str(), O_RDONLY | O_CLOEXEC)}};
    file closed;
    EXPECT_EQ(run(copy_content(&source, &closed)).error, std::errc::bad_file_descriptor);
    EXPECT_EQ(run(copy_content(&closed, &source)).error, std::errc::bad_file_descriptor);
}

enum verdict { good = 7, not_permitted, wrong_error, wrong_content };

TEST(copy_file, goes_to_another_disk_until_that_is_full) {
    const temporary_directory where, other;
    const auto content = some_content(400'000);
    const auto from = where.put("from", content);
    const int result = in_a_child([&]() -> int {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", other.path().c_str(), "tmpfs", 0, "size=512k") != 0)
            return not_permitted;
        const auto copied = run(copy_file(from, other.path("to")));
        if (!copied || other.content("to") != content) return wrong_content;
        const auto second = run(copy_file(from, other.path("second")));
        if (second.error != std::errc::no_space_on_device) return wrong_error;
        return other.content("second") == content.substr(0, second.bytes) ? good : wrong_content;
    });
    if (result == not_permitted) GTEST_SKIP() << "mounting is not permitted";
    EXPECT_EQ(result, good);
}

task<transfer> copy_for(duration limit, std::string from, std::string to) {
    co_return co_await with_timeout(limit, copy_file(std::move(from), std::move(to)));
}

TEST(copy_file, that_is_cancelled_has_what_it_says_it_has) {
    const temporary_directory where;
    const auto from = where.put("from", "begin");
    std::filesystem::resize_file(from, std::uintmax_t{4} << 30); // sparse
    const auto before = open_file_count();
    const auto copied = run(copy_for(20ms, from, where.path("to")));
    EXPECT_EQ(copied.error, std::errc::timed_out);
    EXPECT_LT(copied.bytes, std::uintmax_t{4} << 30);
    EXPECT_EQ(std::filesystem::file_size(where.path("to")), copied.bytes);
    EXPECT_EQ(open_file_count(), before);
}

} // namespace
} // namespace coronet::copy_tests

// SPDX-License-Identifier: BSL-1.0
//
// Names in directories.
#include "support/child_process.hpp"
#include "support/open_files.hpp"
#include "support/temporary_directory.hpp"
#include "support/text.hpp"

#include <coronet/coro/io/directory.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/stop.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace coronet::directory_tests {
namespace {

using namespace test;

task<result<directory>> open(std::string path) {
    co_return co_await directory::open(path.c_str());
}
directory opened(const std::string& path) {
    auto made = run(open(path));
    return std::move(made.value());
}

TEST(directory, that_is_a_file_is_an_error) {
    const temporary_directory where;
    EXPECT_EQ(run(open(where.put("file"))).error(), std::errc::not_a_directory);
}

task<std::error_code> make_and_move(directory* top) {
    const auto made = co_await top->mkdir("inner");
    if (!made) co_return made.error();
    auto inner = co_await top->open_directory("inner");
    if (!inner) co_return inner.error();
    auto created = co_await inner->open_file("file", O_CREAT | O_WRONLY);
    if (!created) co_return created.error();
    const auto text = bytes_of("text");
    const auto written = co_await created->write_all_at(text, 0);
    if (!written) co_return written.error;
    const auto moved = co_await inner->rename("file", *top, "moved");
    if (!moved) co_return moved.error();
    const auto renamed = co_await top->rename("moved", "file");
    if (!renamed) co_return renamed.error();
    const auto removed = co_await top->rmdir("inner");
    co_return removed.error();
}

TEST(directory, has_names_that_are_made_moved_and_removed) {
    const temporary_directory where;
    const auto before = open_file_count();
    {
        directory top = opened(where.path());
        EXPECT_EQ(run(make_and_move(&top)), std::error_code{});
    }
    EXPECT_EQ(where.content("file"), "text");
    EXPECT_FALSE(where.has("inner"));
    EXPECT_EQ(open_file_count(), before);
}

task<std::error_code> remove(directory* top, const char* name, bool is_directory) {
    if (is_directory) {
        const auto gone = co_await top->rmdir(name);
        co_return gone.error();
    }
    const auto gone = co_await top->unlink(name);
    co_return gone.error();
}

TEST(directory, keeps_what_cannot_be_removed) {
    const temporary_directory where;
    directory top = opened(where.path());
    where.put("file");
    std::filesystem::create_directories(where.path("full/inner"));
    EXPECT_EQ(run(remove(&top, "full", true)), std::errc::directory_not_empty);
    EXPECT_EQ(run(remove(&top, "file", true)), std::errc::not_a_directory);
    EXPECT_EQ(run(remove(&top, "full", false)), std::errc::is_a_directory);
    EXPECT_EQ(run(remove(&top, "none", false)), std::errc::no_such_file_or_directory);
    EXPECT_EQ(run(remove(&top, "file", false)), std::error_code{});
    EXPECT_FALSE(where.has("file"));
    EXPECT_TRUE(where.has("full/inner"));
}

task<std::uint64_t> size_of(directory* top, const char* name, int flags) {
    const auto seen = co_await top->stat(name, flags);
    co_return seen ? seen->stx_size : 0;
}

TEST(directory, tells_of_a_name_or_of_the_link_itself) {
    const temporary_directory where;
    directory top = opened(where.path());
    where.put("file", "0123456789");
    std::filesystem::create_symlink("file", where.path("link"));
    EXPECT_EQ(run(size_of(&top, "link", 0)), 10u);
    EXPECT_EQ(run(size_of(&top, "link", AT_SYMLINK_NOFOLLOW)), 4u);
}

TEST(directory, is_where_it_was_although_it_has_been_moved) {
    const temporary_directory where;
    std::filesystem::create_directory(where.path("before"));
    directory inner = opened(where.path("before"));
    std::filesystem::rename(where.path("before"), where.path("after"));
    where.put("after/file", "0123");
    EXPECT_EQ(run(size_of(&inner, "file", 0)), 4u);
}

// ---- listing ----

task<std::vector<directory_entry>> listed(directory* top) {
    auto found = co_await top->list();
    if (!found) co_return std::vector<directory_entry>{};
    std::ranges::sort(*found, {}, &directory_entry::name);
    co_return std::move(*found);
}

TEST(directory, lists_what_is_in_it_again_and_again) {
    const temporary_directory where;
    where.put("a file");
    std::filesystem::create_directory(where.path("directory"));
    std::filesystem::create_symlink("nowhere", where.path("link"));
    directory top = opened(where.path());
    const auto before = open_file_count();
    for (int i = 0; i < 2; ++i) {
        const auto found = run(listed(&top));
        ASSERT_EQ(found.size(), 3u);
        EXPECT_EQ(found[0].name, "a file");
        EXPECT_EQ(found[0].type, std::filesystem::file_type::regular);
        EXPECT_EQ(found[1].type, std::filesystem::file_type::directory);
        EXPECT_EQ(found[2].type, std::filesystem::file_type::symlink);
    }
    EXPECT_EQ(open_file_count(), before);
}

TEST(directory, lists_more_than_fits_in_a_buffer) {
    const temporary_directory where;
    for (int i = 0; i < 3'000; ++i)
        where.put("a name that takes some room in the buffer of readdir " + std::to_string(i));
    directory top = opened(where.path());
    EXPECT_EQ(run(listed(&top)).size(), 3'000u);
}

enum verdict { good = 7, not_permitted, not_listed };

TEST(directory, that_may_be_read_and_not_searched_is_listed) {
    const temporary_directory where;
    const auto inner = where.path("inner");
    std::filesystem::create_directory(inner);
    where.put("inner/file");
    ::chmod(where.path().c_str(), 0755);
    ::chmod(inner.c_str(), 0444);
    const int result = in_a_child([&]() -> int {
        constexpr unsigned nobody = 65'534;
        if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) return not_permitted;
        directory top = opened(inner);
        const auto found = run(listed(&top));
        return found.size() == 1 && found[0].name == "file" ? good : not_listed;
    });
    ::chmod(inner.c_str(), 0755);
    if (result == not_permitted) GTEST_SKIP() << "another user cannot be had here";
    EXPECT_EQ(result, good);
}

task<std::error_code> list_closed(directory* top) {
    const auto closed = co_await top->close();
    static_cast<void>(closed);
    const auto found = co_await top->list();
    co_return found.error();
}
task<std::error_code> list_stopped(directory* top) {
    inplace_stop_source source;
    source.request_stop();
    const auto found = co_await with_stop(source.get_token(), top->list());
    co_return found.error();
}

TEST(directory, is_not_listed_when_it_is_closed_or_nobody_wants_it) {
    const temporary_directory where;
    directory top = opened(where.path());
    const auto before = open_file_count();
    EXPECT_EQ(run(list_stopped(&top)), std::errc::operation_canceled);
    EXPECT_EQ(open_file_count(), before);
    EXPECT_EQ(run(list_closed(&top)), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace coronet::directory_tests

// SPDX-License-Identifier: BSL-1.0
//
// Operations that change files and their names: each succeeds, fails, and is cancelled before,
// during and after it. They do not wait for anybody, so "during" is played by a script.
#include "scripted_coroutines.hpp"
#include "support/temporary_directory.hpp"
#include "support/text.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <filesystem>
#include <optional>
#include <type_traits>

namespace coronet::file_change_operations_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

// For each: start() it so that it succeeds, fail() it with `error`; whether it has done() what it
// is to do; what a script calls it, and the kernel's result if it succeeds.

struct on_names {
    temporary_directory where;
    std::string old_name = where.put("old", "content");
    std::string new_name = where.path("new");
    std::string nowhere = where.path("none/at/all");
    static constexpr std::int32_t success = 0;
    static constexpr auto error = std::errc::no_such_file_or_directory;
};

struct renaming : on_names {
    static constexpr std::uint8_t opcode = IORING_OP_RENAMEAT;
    auto start() const { return between(old_name.c_str()); }
    auto fail() const { return between(nowhere.c_str()); }
    async::renameat between(const char* from) const {
        return {{AT_FDCWD, from}, {AT_FDCWD, new_name.c_str()}};
    }
    bool done() const { return !where.has("old") && where.content("new") == "content"; }
};

struct unlinking : on_names {
    static constexpr std::uint8_t opcode = IORING_OP_UNLINKAT;
    auto start() const { return async::unlinkat{AT_FDCWD, old_name.c_str()}; }
    auto fail() const { return async::unlinkat{AT_FDCWD, nowhere.c_str()}; }
    bool done() const { return !where.has("old"); }
};

struct making_a_directory : on_names {
    static constexpr std::uint8_t opcode = IORING_OP_MKDIRAT;
    auto start() const { return async::mkdirat{AT_FDCWD, new_name.c_str(), 0700}; }
    auto fail() const { return async::mkdirat{AT_FDCWD, nowhere.c_str(), 0700}; }
    bool done() const { return std::filesystem::is_directory(new_name); }
};

struct linking : on_names {
    static constexpr std::uint8_t opcode = IORING_OP_LINKAT;
    auto start() const { return from(old_name.c_str()); }
    auto fail() const { return from(nowhere.c_str()); }
    async::linkat from(const char* name) const {
        return {{AT_FDCWD, name}, {AT_FDCWD, new_name.c_str()}};
    }
    bool done() const { return where.content("new") == "content"; }
};

struct on_content {
    temporary_directory where;
    unique_fd file{::open(where.put("file", "0123456789").c_str(), O_RDWR | O_CLOEXEC)};
    static constexpr std::int32_t success = 0;
    static constexpr auto error = std::errc::bad_file_descriptor;
    std::string content() const { return where.content("file"); }
};

struct truncating : on_content {
    static constexpr std::uint8_t opcode = 55;
    auto start() const { return async::ftruncate{file.get(), 4}; }
    auto fail() const { return async::ftruncate{-1, 4}; }
    bool done() const { return content() == "0123"; }
};

struct allocating : on_content {
    static constexpr std::uint8_t opcode = IORING_OP_FALLOCATE;
    auto start() const { return async::fallocate{file.get(), 0, 0, 12}; }
    auto fail() const { return async::fallocate{-1, 0, 0, 12}; }
    bool done() const { return content().size() == 12; }
};

struct appending : on_content {
    static constexpr std::uint8_t opcode = IORING_OP_WRITE;
    static constexpr std::int32_t success = 3;
    auto start() const { return async::append{file.get(), bytes_of("abc")}; }
    auto fail() const { return async::append{-1, bytes_of("abc")}; }
    bool done() const { return content() == "0123456789abc"; }
};

template <class Kind>
class file_change : public scripted_coroutines {
protected:
    Kind kind;
};

using kinds = ::testing::Types<
    renaming, unlinking, making_a_directory, linking, truncating, allocating, appending>;
struct kind_name {
    template <class Kind>
    static std::string GetName(int) {
        if constexpr (std::is_same_v<Kind, renaming>) return "renameat";
        if constexpr (std::is_same_v<Kind, unlinking>) return "unlinkat";
        if constexpr (std::is_same_v<Kind, making_a_directory>) return "mkdirat";
        if constexpr (std::is_same_v<Kind, linking>) return "linkat";
        if constexpr (std::is_same_v<Kind, truncating>) return "ftruncate";
        if constexpr (std::is_same_v<Kind, allocating>) return "fallocate";
        return "append";
    }
};
TYPED_TEST_SUITE(file_change, kinds, kind_name);

template <class Operation>
task<std::error_code> outcome_of(Operation operation) {
    const auto ended = co_await operation;
    co_return ended.error();
}
template <class Operation>
task<std::error_code> limited(Operation operation) {
    const auto ended = co_await with_timeout(1ms, std::move(operation));
    co_return ended.error();
}
template <class Operation>
task<std::error_code> with_token(Operation operation, inplace_stop_token token) {
    const auto ended = co_await with_stop(token, std::move(operation));
    co_return ended.error();
}
template <class Operation>
task<std::error_code> stopped_too_late(Operation operation) {
    inplace_stop_source source;
    const auto ended = co_await with_stop(source.get_token(), std::move(operation));
    source.request_stop();
    co_return ended.error();
}

TYPED_TEST(file_change, succeeds) {
    EXPECT_EQ(run(outcome_of(this->kind.start())), std::error_code{});
    EXPECT_TRUE(this->kind.done());
}

TYPED_TEST(file_change, reports_why_it_fails) {
    EXPECT_EQ(run(outcome_of(this->kind.fail())), TypeParam::error);
    EXPECT_FALSE(this->kind.done());
}

TYPED_TEST(file_change, changes_nothing_in_a_stopped_branch) {
    inplace_stop_source source;
    source.request_stop();
    const auto outcome = run(with_token(this->kind.start(), source.get_token()));
    EXPECT_EQ(outcome, std::errc::operation_canceled);
    EXPECT_FALSE(this->kind.done());
}

TYPED_TEST(file_change, is_not_touched_by_a_stop_after_its_end) {
    EXPECT_EQ(run(stopped_too_late(this->kind.start())), std::error_code{});
    EXPECT_TRUE(this->kind.done());
}

TYPED_TEST(file_change, ends_when_it_is_cancelled_while_a_worker_has_it) {
    this->script.on(TypeParam::opcode).never().cancel_answered(-EALREADY, -EINTR);
    EXPECT_EQ(this->finish(limited(this->kind.start())), std::errc::timed_out);
    EXPECT_EQ(this->script.count(IORING_OP_ASYNC_CANCEL), 1u);
}

TYPED_TEST(file_change, that_was_made_before_the_cancel_reached_it_is_a_success) {
    this->script.on(TypeParam::opcode).never().cancel_answered(-EALREADY, TypeParam::success);
    EXPECT_EQ(this->finish(limited(this->kind.start())), std::error_code{});
    EXPECT_EQ(this->script.count(IORING_OP_ASYNC_CANCEL), 1u);
}

TYPED_TEST(file_change, that_was_interrupted_is_made_again) {
    this->script.on(TypeParam::opcode).complete(-EINTR);
    this->script.on(TypeParam::opcode).complete(TypeParam::success);
    EXPECT_EQ(this->finish(outcome_of(this->kind.start())), std::error_code{});
    EXPECT_EQ(this->script.count(TypeParam::opcode), 2u);
}

// ---- what is special ----

task<std::error_code> name_it(int file, std::string name) {
    const std::string unnamed = "/proc/self/fd/" + std::to_string(file);
    const async::place_name from{AT_FDCWD, unnamed.c_str()};
    const async::place_name to{AT_FDCWD, name.c_str()};
    const auto linked = co_await async::linkat(from, to, AT_SYMLINK_FOLLOW);
    co_return linked.error();
}

TEST(linkat, names_a_file_that_has_no_name_yet) {
    const temporary_directory where;
    const unique_fd file{::open(where.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (!file) GTEST_SKIP() << "no O_TMPFILE here";
    ASSERT_EQ(::write(file.get(), "late", 4), 4);
    EXPECT_EQ(run(name_it(file.get(), where.path("name"))), std::error_code{});
    EXPECT_EQ(where.content("name"), "late");
}

TEST(renameat, replaces_unless_told_not_to) {
    const temporary_directory where;
    const std::string one = where.put("one", "1");
    const std::string two = where.put("two", "2");
    const async::place_name from{AT_FDCWD, one.c_str()};
    const async::place_name to{AT_FDCWD, two.c_str()};
    EXPECT_EQ(run(outcome_of(async::renameat(from, to, RENAME_NOREPLACE))), std::errc::file_exists);
    EXPECT_EQ(where.content("two"), "2");
    EXPECT_EQ(run(outcome_of(async::renameat(from, to))), std::error_code{});
    EXPECT_EQ(where.content("two"), "1");
    EXPECT_FALSE(where.has("one"));
}

} // namespace
} // namespace coronet::file_change_operations_tests

// SPDX-License-Identifier: BSL-1.0
//
// A result is a value or an error, never both, never neither.
#include <coronet/operation.hpp>
#include <coronet/result.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace result_tests {
namespace {

using coronet::result;

TEST(result, holds_a_value) {
    const result<int> seven{7};
    EXPECT_TRUE(seven);
    EXPECT_TRUE(seven.has_value());
    EXPECT_EQ(*seven, 7);
    EXPECT_FALSE(seven.error());
}

TEST(result, holds_an_error) {
    const result<int> refused{std::errc::connection_refused};
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error(), std::errc::connection_refused);
}

TEST(result, keeps_an_error_of_coronet_apart_from_those_of_posix) {
    const result<int> ended{coronet::errc::end_of_stream};
    EXPECT_EQ(ended.error(), coronet::errc::end_of_stream);
    EXPECT_STREQ(ended.error().category().name(), "coronet");
    EXPECT_NE(ended.error(), std::errc::operation_not_permitted); // the same number
}

TEST(result, value_throws_the_error) {
    result<int> refused{std::errc::connection_refused};
    try {
        static_cast<void>(refused.value());
        FAIL() << "nothing was thrown";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::connection_refused);
    }
}

TEST(result, value_or_gives_the_other_only_without_a_value) {
    EXPECT_EQ(result<int>{7}.value_or(1), 7);
    EXPECT_EQ(result<int>{std::errc::timed_out}.value_or(1), 1);
}

TEST(result, carries_what_can_only_be_moved) {
    result<std::unique_ptr<std::string>> made{std::make_unique<std::string>("text")};
    EXPECT_EQ((*made)->size(), 4U);
    const auto taken = std::move(made).value();
    EXPECT_EQ(*taken, "text");
}

TEST(result, arrow_reaches_into_the_value) {
    result<std::string> text{std::string{"text"}};
    EXPECT_EQ(text->size(), 4U);
}

TEST(result, of_nothing_is_success_or_an_error) {
    const result<void> done;
    EXPECT_TRUE(done);
    EXPECT_NO_THROW(done.value());
    const result<void> failed{std::errc::broken_pipe};
    EXPECT_FALSE(failed);
    EXPECT_THROW(failed.value(), std::system_error);
}

TEST(result, aborts_when_a_missing_value_is_used) {
    result<int> refused{std::errc::connection_refused};
    EXPECT_DEATH(static_cast<void>(*refused), "assertion failed");
}

TEST(result, aborts_when_made_from_success) {
    EXPECT_DEATH(static_cast<void>(result<int>{std::error_code{}}), "assertion failed: error");
}

TEST(transfer, is_true_without_an_error_and_counts_what_was_done) {
    const coronet::transfer all{10};
    EXPECT_TRUE(all);
    const coronet::transfer part{4, std::make_error_code(std::errc::broken_pipe)};
    EXPECT_FALSE(part);
    EXPECT_EQ(part.bytes, 4U);
}

TEST(error, of_a_negative_result_is_the_errno) {
    EXPECT_EQ(coronet::error_of_result(-ECONNRESET), std::errc::connection_reset);
    EXPECT_EQ(
        coronet::error_of_result(coronet::operation::no_worker), coronet::errc::worker_unavailable
    );
}

TEST(error, of_coronet_has_a_message_each) {
    for (const auto each :
         {coronet::errc::end_of_stream, coronet::errc::stopped, coronet::errc::worker_unavailable,
          coronet::errc::would_deadlock}) {
        const auto text = coronet::make_error_code(each).message();
        EXPECT_FALSE(text.empty());
        EXPECT_EQ(text.find("unknown"), std::string::npos) << text;
    }
}

} // namespace
} // namespace result_tests

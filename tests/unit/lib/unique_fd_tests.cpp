// SPDX-License-Identifier: BSL-1.0
//
// A descriptor has one owner, and is closed once.
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>

namespace unique_fd_tests {
namespace {

using coronet::unique_fd;

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}
unique_fd any_fd() {
    return unique_fd{::eventfd(0, EFD_CLOEXEC)};
}

TEST(unique_fd, is_empty_at_first) {
    const unique_fd empty;
    EXPECT_FALSE(empty);
    EXPECT_EQ(empty.get(), -1);
}

TEST(unique_fd, owns_descriptor_zero_too) {
    unique_fd standard_input{0};
    EXPECT_TRUE(standard_input);
    EXPECT_EQ(standard_input.release(), 0);
}

TEST(unique_fd, closes_at_its_end) {
    int number = -1;
    {
        const unique_fd owner = any_fd();
        number = owner.get();
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(unique_fd, leaves_nothing_behind_where_it_was_moved_from) {
    unique_fd first = any_fd();
    const int number = first.get();
    const unique_fd second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(second.get(), number);
    EXPECT_TRUE(is_open(number));
}

TEST(unique_fd, closes_the_old_one_when_it_is_assigned_another) {
    unique_fd owner = any_fd();
    const int old = owner.get();
    unique_fd other = any_fd();
    const int kept = other.get();
    owner = std::move(other);
    EXPECT_FALSE(is_open(old));
    EXPECT_EQ(owner.get(), kept);
    EXPECT_TRUE(is_open(kept));
}

TEST(unique_fd, survives_assignment_to_itself) {
    unique_fd owner = any_fd();
    const int number = owner.get();
    unique_fd& same = owner;
    owner = std::move(same);
    EXPECT_EQ(owner.get(), number);
    EXPECT_TRUE(is_open(number));
}

TEST(unique_fd, keeps_open_what_it_released) {
    unique_fd owner = any_fd();
    const unique_fd next{owner.release()};
    EXPECT_FALSE(owner);
    owner.reset();
    EXPECT_TRUE(is_open(next.get()));
}

} // namespace
} // namespace unique_fd_tests

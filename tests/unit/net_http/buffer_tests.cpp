// SPDX-License-Identifier: BSL-1.0
//
// The byte queue of a connection and the pool that keeps it.
#include <coronet/net/http/buffer.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>

namespace coronet::http::buffer_tests {
namespace {

TEST(http_buffer, gives_back_what_was_appended_in_order) {
    buffer bytes;
    bytes.append("one");
    bytes.append("two");
    bytes.consume(2);
    EXPECT_EQ(bytes.data(), "etwo");
    bytes.truncate(1);
    EXPECT_EQ(bytes.data(), "e");
}

TEST(http_buffer, has_all_its_room_again_when_it_is_empty) {
    buffer bytes{8};
    std::memcpy(bytes.room().data(), "12345678", 8);
    bytes.commit(8);
    EXPECT_TRUE(bytes.room().empty());
    bytes.consume(8);
    EXPECT_EQ(bytes.room().size(), 8u);
}

TEST(http_buffer, makes_room_by_moving_before_it_grows) {
    buffer bytes{8};
    bytes.append("12345678");
    bytes.consume(6);
    bytes.reserve_room(6);
    EXPECT_EQ(bytes.capacity(), 8u);
    EXPECT_EQ(bytes.data(), "78");
    bytes.reserve_room(7);
    EXPECT_GE(bytes.capacity(), 9u);
    EXPECT_EQ(bytes.data(), "78");
}

TEST(http_buffer, is_empty_when_moved_from) {
    buffer one;
    one.append("text");
    const buffer other = std::move(one);
    EXPECT_EQ(other.data(), "text");
    one = buffer{4};
    EXPECT_TRUE(one.empty());
}

TEST(http_buffer_pool, reuses_the_memory_that_was_given_back_last) {
    buffer_pool pool{64};
    buffer first = pool.take();
    first.append("something");
    const std::byte* memory = first.room().data() - first.size();
    pool.give_back(std::move(first));
    buffer second = pool.take();
    EXPECT_TRUE(second.empty());
    EXPECT_EQ(second.room().data(), memory);
}

TEST(http_buffer_pool, keeps_no_buffer_that_has_grown) {
    buffer_pool pool{64};
    buffer grown = pool.take();
    grown.append(std::string(100, 'x'));
    pool.give_back(std::move(grown));
    EXPECT_EQ(pool.take().capacity(), 64u);
}

} // namespace
} // namespace coronet::http::buffer_tests

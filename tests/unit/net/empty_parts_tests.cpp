// SPDX-License-Identifier: BSL-1.0
//
// The kernel takes 1024 buffers of an array at once (UIO_MAXIOV): if all of those are empty it has
// done nothing, and that is not the end of the stream.
#include "connected.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <sys/uio.h>

namespace coronet::empty_parts_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// `count` empty parts, then one that is `what`, then as many empty ones, then `what` again.
std::vector<iovec> parts_between_empty_ones(std::string& what, std::size_t count) {
    std::vector<iovec> parts(2 * count + 2, iovec{what.data(), 0});
    parts[count].iov_len = what.size();
    parts.back().iov_len = what.size();
    return parts;
}

template <class Stream>
class empty_parts : public ::testing::Test {
protected:
    connected<Stream> pair_;
};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(empty_parts, streams, stream_names);

task<transfer> write_all_of(stream_socket* to, std::span<iovec> parts) {
    const auto written = co_await with_timeout(5s, to->write_all(parts));
    co_return written;
}

std::string received(const basic_socket& from) {
    std::array<char, 64> room;
    const auto size = ::recv(from.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    return {room.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

TYPED_TEST(empty_parts, of_what_is_written_are_passed_over) {
    std::string what = "some";
    for (const std::size_t count : {0U, 1U, 1023U, 1024U, 5000U}) {
        auto parts = parts_between_empty_ones(what, count);
        const auto written = run(write_all_of(&this->pair_.here, parts));
        EXPECT_EQ(written.error, std::error_code{}) << count << " empty parts";
        EXPECT_EQ(written.bytes, 8u);
        EXPECT_EQ(received(this->pair_.there), "somesome");
    }
}

task<result<std::size_t>> read_into(stream_socket* from, std::span<const iovec> parts) {
    co_return co_await with_timeout(5s, from->read_some(parts));
}

TYPED_TEST(empty_parts, of_what_is_read_into_are_passed_over) {
    for (const std::size_t count : {0U, 1U, 1023U, 1024U, 5000U}) {
        std::string room = "....";
        ASSERT_EQ(::send(this->pair_.there.native_handle(), "data", 4, 0), 4);
        const auto parts = parts_between_empty_ones(room, count);
        EXPECT_EQ(run(read_into(&this->pair_.here, parts)).value(), 4u) << count << " empty parts";
        EXPECT_EQ(room, "data");
    }
}

TYPED_TEST(empty_parts, alone_are_nothing_to_wait_for) {
    std::vector<iovec> none(2000, iovec{nullptr, 0});
    const auto written = run(write_all_of(&this->pair_.here, none));
    EXPECT_EQ(written.error, std::error_code{});
    EXPECT_EQ(run(read_into(&this->pair_.here, none)).value(), 0u);
}

} // namespace
} // namespace coronet::empty_parts_tests

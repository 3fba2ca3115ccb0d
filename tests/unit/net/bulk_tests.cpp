// SPDX-License-Identifier: BSL-1.0
//
// Transfers that are much larger than the kernel's buffers: all of it arrives, in order, and a
// transfer that is given up says how much the kernel took.
#include "connected.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace coronet::bulk_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t bulk = 50'000'000;

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> data(size);
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>(i * 2'654'435'761u >> 13);
    return data;
}

template <class Stream>
class bulk_transfer : public ::testing::Test {
protected:
    connected<Stream> pair;
    const std::vector<std::byte> data = pattern(bulk);
};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(bulk_transfer, streams, stream_names);

task<transfer> write_and_finish(stream_socket* to, std::span<const std::byte> data) {
    const auto sent = co_await to->write_all(data);
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}
/// Bytes until the end, all of them as in `expected`.
task<std::size_t> read_in_small_steps(stream_socket* from, std::span<const std::byte> expected) {
    std::array<std::byte, 10'007> room;
    std::size_t place = 0;
    for (;;) {
        const auto received = co_await from->read_some(room);
        if (!received || *received == 0) co_return place;
        if (std::memcmp(room.data(), &expected[place], *received) != 0) co_return 0;
        place += *received;
    }
}
task<std::pair<std::size_t, std::size_t>>
write_to_reader(stream_socket* here, stream_socket* there, std::span<const std::byte> data) {
    const auto both =
        co_await when_all(write_and_finish(here, data), read_in_small_steps(there, data));
    co_return std::pair{std::get<0>(both).bytes, std::get<1>(both)};
}

TYPED_TEST(bulk_transfer, write_all_reaches_a_slow_reader_whole) {
    const auto [sent, received] =
        run(write_to_reader(&this->pair.here, &this->pair.there, this->data));
    EXPECT_EQ(sent, bulk);
    EXPECT_EQ(received, bulk);
}

task<std::pair<transfer, transfer>> write_to_exact_reader(
    stream_socket* here, stream_socket* there, std::span<const std::byte> data,
    std::span<std::byte> into
) {
    const auto both = co_await when_all(here->write_all(data), there->read_exactly(into));
    co_return std::pair{std::get<0>(both), std::get<1>(both)};
}

TYPED_TEST(bulk_transfer, read_exactly_takes_it_whole) {
    std::vector<std::byte> into(bulk);
    const auto [sent, received] =
        run(write_to_exact_reader(&this->pair.here, &this->pair.there, this->data, into));
    EXPECT_EQ(sent.bytes, bulk);
    EXPECT_EQ(received.bytes, bulk);
    EXPECT_TRUE(into == this->data);
}

std::vector<iovec> cut(std::span<const std::byte> data, std::size_t part) {
    std::vector<iovec> parts;
    for (std::size_t begin = 0; begin < data.size(); begin += part) {
        const auto piece = data.subspan(begin, std::min(part, data.size() - begin));
        parts.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    }
    return parts;
}
task<transfer> write_parts(stream_socket* to, std::span<const std::byte> data, std::size_t part) {
    std::vector<iovec> parts = cut(data, part);
    const auto sent = co_await to->write_all(std::span<iovec>(parts));
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}
task<std::pair<std::size_t, std::size_t>> write_parts_to_reader(
    stream_socket* here, stream_socket* there, std::span<const std::byte> data, std::size_t part
) {
    const auto both =
        co_await when_all(write_parts(here, data, part), read_in_small_steps(there, data));
    co_return std::pair{std::get<0>(both).bytes, std::get<1>(both)};
}

TYPED_TEST(bulk_transfer, write_all_of_more_buffers_than_one_call_takes_reaches_the_reader_whole) {
    const std::size_t part = 9'973; // 5,013 buffers; sendmsg(2) takes 1,024 at once
    const auto [sent, received] =
        run(write_parts_to_reader(&this->pair.here, &this->pair.there, this->data, part));
    EXPECT_EQ(sent, bulk);
    EXPECT_EQ(received, bulk);
}

task<transfer> write_within(stream_socket* to, std::span<const std::byte> data, duration limit) {
    co_return co_await with_timeout(limit, to->write_all(data));
}

TYPED_TEST(bulk_transfer, write_all_that_is_cancelled_tells_what_the_kernel_took) {
    const auto sent = run(write_within(&this->pair.here, this->data, 20ms));
    EXPECT_EQ(sent.error, std::errc::timed_out);
    EXPECT_GT(sent.bytes, 0u);
    EXPECT_LT(sent.bytes, bulk);
    this->pair.here = TypeParam{};
    EXPECT_EQ(run(read_in_small_steps(&this->pair.there, this->data)), sent.bytes);
}

task<transfer> write_parts_within(
    stream_socket* to, std::span<const std::byte> data, std::size_t part, duration limit
) {
    std::vector<iovec> parts = cut(data, part);
    const std::span<iovec> all{parts};
    co_return co_await with_timeout(limit, to->write_all(all));
}

TYPED_TEST(bulk_transfer, write_all_of_many_buffers_that_is_cancelled_tells_what_the_kernel_took) {
    const auto sent = run(write_parts_within(&this->pair.here, this->data, 9'973, 20ms));
    EXPECT_EQ(sent.error, std::errc::timed_out);
    EXPECT_GT(sent.bytes, 0u);
    EXPECT_LT(sent.bytes, bulk);
    this->pair.here = TypeParam{};
    EXPECT_EQ(run(read_in_small_steps(&this->pair.there, this->data)), sent.bytes);
}

} // namespace
} // namespace coronet::bulk_tests

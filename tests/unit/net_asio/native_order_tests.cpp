// SPDX-License-Identifier: BSL-1.0
//
// Several operations of a kind on one of the ring's sockets.
#include "native_pair.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

namespace coronet::asiox::native_order_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

/// Reads of one byte each, on one socket: what each is told, in the order in which it was told.
class reads_in_a_row {
public:
    explicit reads_in_a_row(test::native_pair& pair) : pair_(pair) {}
    void begin(net::cancellation_slot slot = {}) {
        const std::size_t number = bytes_.size();
        char& byte = bytes_.emplace_back();
        pair_.one.async_read_some(
            buffer(&byte, 1), net::bind_cancellation_slot(
                                  slot,
                                  [this, number, &byte](error_code error, std::size_t) {
                                      told += std::to_string(number) + (error ? '-' : byte) + ' ';
                                  }
                              )
        );
    }
    std::string told;

private:
    test::native_pair& pair_;
    std::deque<char> bytes_;
};

TEST(asio_native_order, reads_are_served_in_the_order_in_which_they_began) {
    io_context context;
    test::native_pair pair{context};
    reads_in_a_row reads{pair};
    for (int i = 0; i < 4; ++i)
        reads.begin();
    context.poll();
    net::write(pair.other, buffer("abcd", 4));
    test::run_to_the_end(context);
    EXPECT_EQ(reads.told, "0a 1b 2c 3d ");
}

TEST(asio_native_order, one_that_has_not_had_its_turn_is_cancelled_alone) {
    io_context context;
    test::native_pair pair{context};
    reads_in_a_row reads{pair};
    net::cancellation_signal signal;
    reads.begin();
    reads.begin(signal.slot());
    reads.begin();
    context.poll();
    signal.emit(net::cancellation_type::total);
    context.poll();
    EXPECT_EQ(reads.told, "1- ");
    net::write(pair.other, buffer("ab", 2));
    test::run_to_the_end(context);
    EXPECT_EQ(reads.told, "1- 0a 2b ");
}

TEST(asio_native_order, all_are_cancelled_in_order) {
    io_context context;
    test::native_pair pair{context};
    reads_in_a_row reads{pair};
    for (int i = 0; i < 3; ++i)
        reads.begin();
    context.poll();
    pair.one.cancel();
    reads.begin();
    while (reads.told.size() < 9 && context.run_one_for(10s) > 0) {
    }
    EXPECT_EQ(reads.told, "0- 1- 2- ");
    net::write(pair.other, buffer("a", 1));
    test::run_to_the_end(context);
    EXPECT_EQ(reads.told, "0- 1- 2- 3a ");
}

TEST(asio_native_order, a_hundred_thousand_end_without_a_turn_of_their_own) {
    io_context context;
    test::native_pair pair{context};
    char byte{};
    std::size_t ended = 0;
    for (int i = 0; i < 100'000; ++i)
        pair.one.async_read_some(buffer(&byte, 1), [&ended](error_code, std::size_t) { ++ended; });
    context.poll();
    pair.one.close();
    test::run_to_the_end(context);
    EXPECT_EQ(ended, 100'000u);
}

TEST(asio_native_order, reads_and_writes_do_not_wait_for_each_other) {
    io_context context;
    test::native_pair pair{context};
    reads_in_a_row reads{pair};
    reads.begin();
    bool is_written = false;
    pair.one.async_write_some(buffer("x", 1), [&is_written](error_code, std::size_t) {
        is_written = true;
    });
    bool is_ready = false;
    pair.one.async_wait(net::socket_base::wait_write, [&is_ready](error_code) { is_ready = true; });
    context.poll();
    EXPECT_TRUE(is_written);
    EXPECT_TRUE(is_ready);
    EXPECT_EQ(reads.told, "");
}

} // namespace
} // namespace coronet::asiox::native_order_tests

// SPDX-License-Identifier: BSL-1.0
//
// Several buffers by one result: what comes is the same, in pieces of one buffer, on every driver.
#include "connected.hpp"
#include "coro/scripted_coroutines.hpp"
#include "pattern.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/detail/buffer_pool.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <chrono>
#include <string>
#include <vector>

namespace coronet::receive_bundle_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t bulk = 2'000'000;
const received all_of_it{bulk, true, {}};

receive_options in_bundles(std::size_t window = receive_options{}.window) {
    receive_options options;
    options.window = window;
    options.bundle = true;
    return options;
}

template <class Stream>
class bundles : public ::testing::Test {
protected:
    connected<Stream> pair;
};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(bundles, streams, stream_names);

struct outcome {
    received got;
    std::size_t not_home = 99;
    friend bool operator==(const outcome&, const outcome&) = default;
};
template <class Stream>
task<outcome> through(Stream* from, Stream* to, receive_options options) {
    const auto both = co_await when_all(send_pattern(from, bulk), receive_pattern(to, options));
    const auto& pool = scheduler::current()->receive_buffers();
    co_return outcome{std::get<1>(both), pool.block_count() - pool.available()};
}

TYPED_TEST(bundles, give_all_in_order) {
    auto job = through(&this->pair.here, &this->pair.there, in_bundles());
    EXPECT_EQ(run(std::move(job), with_buffers(64, 64, 512)), (outcome{all_of_it, 0}));
}

TYPED_TEST(bundles, give_all_in_order_with_two_buffers) {
    auto job = through(&this->pair.here, &this->pair.there, in_bundles());
    EXPECT_EQ(run(std::move(job), with_buffers(2, 2, 512)), (outcome{all_of_it, 0}));
}

TYPED_TEST(bundles, give_all_in_order_with_a_window_of_one_buffer) {
    auto job = through(&this->pair.here, &this->pair.there, in_bundles(512));
    EXPECT_EQ(run(std::move(job), with_buffers(64, 64, 512)), (outcome{all_of_it, 0}));
}

TYPED_TEST(bundles, are_not_made_of_incremental_buffers) {
    auto options = with_buffers(16, 16, 512);
    options.scheduler.receive_buffers.incremental = true;
    auto job = through(&this->pair.here, &this->pair.there, in_bundles());
    EXPECT_EQ(run(std::move(job), options), (outcome{all_of_it, 0}));
}

task<std::vector<std::size_t>> sizes_of_pieces(stream_socket* from, std::size_t total) {
    std::vector<std::size_t> sizes;
    auto incoming = from->receive(in_bundles());
    while (total > 0) {
        const auto piece = co_await incoming.next();
        if (!piece || piece->empty()) break;
        sizes.push_back(piece->size());
        total -= piece->size();
    }
    co_return sizes;
}

TYPED_TEST(bundles, come_as_pieces_of_one_buffer) {
    give(this->pair.here, std::string(3 * 512 + 100, 'x'));
    const std::vector<std::size_t> expected{512, 512, 512, 100};
    auto job = sizes_of_pieces(&this->pair.there, 3 * 512 + 100);
    EXPECT_EQ(run(std::move(job), with_buffers(64, 64, 512)), expected);
}

/// Whether all of the first bundle comes home when its stream is dropped after a piece.
task<bool> drop_after_a_piece(stream_socket* from) {
    {
        auto incoming = from->receive(in_bundles());
        const auto piece = co_await incoming.next();
        EXPECT_TRUE(piece);
    }
    const auto& pool = scheduler::current()->receive_buffers();
    const auto limit = clock::now() + 10s;
    while (pool.available() < pool.block_count() && clock::now() < limit) {
        const auto slept = co_await sleep_for(1ms); // the request's end
        if (!slept) break;
    }
    co_return pool.available() == pool.block_count();
}

TYPED_TEST(bundles, of_a_stream_that_is_dropped_go_home) {
    give(this->pair.here, std::string(10'000, 'x'));
    EXPECT_TRUE(run(drop_after_a_piece(&this->pair.there), with_buffers(64, 64, 512)));
}

// ---- a kernel that knows no bundles ----

class scripted_bundles : public scripted_coroutines {
protected:
    unix_stream peer{unique_fd{fresh_descriptor()}};
};

task<std::string> read_all(receive_stream* from) {
    std::string seen;
    for (;;) {
        const auto piece = co_await from->next();
        if (!piece || piece->empty()) co_return seen;
        seen += text_of(*piece);
    }
}

TEST_F(scripted_bundles, that_are_unknown_are_pieces_by_one_request) {
    script.on(IORING_OP_RECV).complete(-EINVAL);
    script.on(IORING_OP_RECV).first(2).first(3).complete(0);
    auto incoming = peer.receive(in_bundles());
    EXPECT_EQ(finish(read_all(&incoming)), "01234");
    EXPECT_EQ(script.count(IORING_OP_RECV), 2u);
}

TEST_F(scripted_bundles, that_are_unknown_as_multishot_is_are_pieces_by_a_request_each) {
    script.on(IORING_OP_RECV).complete(-EINVAL);
    script.on(IORING_OP_RECV).complete(-EINVAL);
    script.on(IORING_OP_RECV).complete(2);
    script.on(IORING_OP_RECV).complete(3);
    script.on(IORING_OP_RECV).complete(0);
    auto incoming = peer.receive(in_bundles());
    EXPECT_EQ(finish(read_all(&incoming)), "01234");
    EXPECT_EQ(script.count(IORING_OP_RECV), 5u);
}

} // namespace
} // namespace coronet::receive_bundle_tests

// SPDX-License-Identifier: BSL-1.0
//
// A kernel that has io_uring and no rings of buffers: streams of received data give the same, in
// blocks that they take themselves.
#include "faulty_ring.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/detail/buffer_pool.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace {

using namespace coronet;
using namespace coronet::test;

struct outcome {
    bool offers = true;
    std::string seen;
    std::size_t not_home = 99;
};

task<void> send_text(unix_stream* to) {
    constexpr int rounds = 100;
    const std::string text(1000, 'x');
    for (int i = 0; i < rounds; ++i) {
        const auto sent = co_await to->write_all(std::as_bytes(std::span(text)));
        if (!sent) co_return;
    }
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
}
task<outcome> receive_text(unix_stream* from) {
    outcome result;
    auto incoming = from->receive();
    for (;;) {
        const auto piece = co_await incoming.next();
        if (!piece || piece->empty()) break;
        result.seen.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
    auto& pool = scheduler::current()->receive_buffers();
    result.offers = pool.offers();
    result.not_home = pool.block_count() - pool.available();
    co_return result;
}
task<outcome> both_ends(unix_stream* from, unix_stream* to) {
    const auto both = co_await when_all(receive_text(from), send_text(to));
    co_return std::get<0>(both);
}

TEST(old_kernel_receives, into_blocks_of_its_own) {
    faulty_ring::knows_buffer_rings = false;
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    run_options options;
    options.handle_signals = false;
    options.scheduler.driver = driver_choice::io_uring;
    options.scheduler.receive_buffers.count = 2;
    options.scheduler.receive_buffers.max = 2;
    const auto result = run(both_ends(&pair->first, &pair->second), options);
    faulty_ring::knows_buffer_rings = true;
    EXPECT_FALSE(result.offers);
    EXPECT_EQ(result.seen, std::string(100'000, 'x'));
    EXPECT_EQ(result.not_home, 0u);
}

} // namespace

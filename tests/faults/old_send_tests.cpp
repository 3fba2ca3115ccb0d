// SPDX-License-Identifier: BSL-1.0
//
// A kernel that has io_uring and cannot send by reference: it copies, and nobody notices.
#include "faulty_ring.hpp"
#include "unit/net/connected.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <array>
#include <string>

namespace {

using namespace coronet;
using namespace coronet::test;

task<scheduler_stats> say_hello_world(tcp_stream* to) {
    std::string first = "hello, ", rest = "world";
    const auto whole = std::as_bytes(std::span(first));
    auto sent = co_await to->write_all_zc(whole);
    EXPECT_EQ(sent.bytes, first.size());
    std::array<iovec, 2> parts{iovec{rest.data(), 2}, iovec{rest.data() + 2, rest.size() - 2}};
    const std::span<iovec> both{parts};
    sent = co_await to->write_all_zc(both);
    EXPECT_EQ(sent.bytes, rest.size());
    co_return scheduler::current()->stats();
}

TEST(old_kernel_sends, with_a_copy_what_it_cannot_send_by_reference) {
    faulty_ring::missing_opcodes.set(IORING_OP_SEND_ZC).set(IORING_OP_SENDMSG_ZC);
    connected<tcp_stream> pair;
    run_options options;
    options.handle_signals = false;
    options.scheduler.driver = driver_choice::io_uring;
    const auto stats = run(say_hello_world(&pair.here), options);
    faulty_ring::missing_opcodes.reset();
    EXPECT_EQ(stats.zero_copy_sends, 0u);
    EXPECT_EQ(stats.operations, 2u) << "one was refused, and begun again";
    std::array<char, 12> seen;
    ASSERT_EQ(::recv(pair.there.native_handle(), seen.data(), seen.size(), MSG_WAITALL), 12);
    EXPECT_EQ(std::string(seen.begin(), seen.end()), "hello, world");
}

} // namespace

// SPDX-License-Identifier: BSL-1.0
//
// The submission thread dies while the kernel has a buffer that it sends from: no notification
// comes any more, and what goes on may write to the buffer.
#ifdef CORONET_HOOKS

#include "faulty_ring.hpp"
#include "support/script.hpp"
#include "unit/net/connected.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/error.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace coronet;
using namespace coronet::test;

task<transfer> write_all(tcp_stream* to, std::span<const std::byte> data, std::error_code* error) {
    const auto sent = co_await to->write_all_zc(data);
    *error = sent.error;
    co_return sent;
}

TEST(dead_submission_thread_that_sends, resets_the_connection_before_it_gives_the_buffer_back) {
    connected<tcp_stream> pair;
    const int large = 8 * 1024 * 1024;
    ::setsockopt(pair.here.native_handle(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    const std::vector<std::byte> data(std::size_t{256} * 1024);
    run_options options;
    options.handle_signals = false;
    options.scheduler.driver = driver_choice::io_uring;
    options.scheduler.sqpoll = sqpoll_options{1ms, -1, nullptr};
    script play;
    play.once(point::sent_by_reference, [] { faulty_ring::answer_after(0, EOWNERDEAD); });
    std::error_code error;
    EXPECT_THROW(
        static_cast<void>(run(write_all(&pair.here, data, &error), options)), std::system_error
    );
    faulty_ring::answer_truly();
    EXPECT_EQ(error, errc::sq_thread_dead);

    std::array<std::byte, 65536> room;
    ssize_t n = 0;
    while ((n = ::recv(pair.there.native_handle(), room.data(), room.size(), 0)) > 0) {
    }
    EXPECT_EQ(n, -1);
    EXPECT_EQ(errno, ECONNRESET);
}

} // namespace

#endif

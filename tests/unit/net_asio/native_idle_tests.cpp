// SPDX-License-Identifier: BSL-1.0
//
// All of the ring's objects beside one another, waiting: no thread, no wake-up, one place to wait.
#include "running.hpp"
#include "thread_facts.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/posix.hpp>
#include <coronet/net/asio/random_access_file.hpp>
#include <coronet/net/asio/signal_set.hpp>
#include <coronet/net/asio/steady_timer.hpp>
#include <coronet/net/asio/stream_file.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/udp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::asiox::native_idle_tests {
namespace {

using namespace std::chrono_literals;

/// Everything waits but the files, which have been read.
struct waiting_objects {
    explicit waiting_objects(io_context& context)
        : executor{context.get_executor()},
          timer{executor, 1h},
          of_the_day{executor, 1h},
          listening{executor, test::any_port()},
          socket{executor},
          datagrams{executor, {net::ip::address_v4::loopback(), 0}},
          signals{executor, SIGUSR1},
          pipe{executor},
          file{executor, "/proc/self/exe", stream_file::read_only},
          at_random{executor, "/proc/self/exe", random_access_file::read_only} {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        pipe.assign(ends[0]);
        writing_end = ends[1];
        socket.connect(listening.local_endpoint());
        listening.accept();
        const auto nothing = [](error_code, std::size_t) {};
        timer.async_wait([](error_code) {});
        of_the_day.async_wait([](error_code) {});
        listening.async_accept([](error_code, const asiox::tcp::socket&) {});
        socket.async_read_some(net::buffer(bytes), nothing);
        datagrams.async_receive(net::buffer(bytes), nothing);
        signals.async_wait([](error_code, int) {});
        pipe.async_read_some(net::buffer(bytes), nothing);
        file.async_read_some(net::buffer(bytes), nothing);
        at_random.async_read_some_at(7, net::buffer(bytes), nothing);
    }
    ~waiting_objects() { ::close(writing_end); }
    waiting_objects(const waiting_objects&) = delete;
    waiting_objects& operator=(const waiting_objects&) = delete;

    asiox::executor executor;
    steady_timer timer;
    system_timer of_the_day;
    asiox::tcp::acceptor listening;
    asiox::tcp::socket socket;
    asiox::udp::socket datagrams;
    signal_set signals;
    posix::stream_descriptor pipe;
    stream_file file;
    random_access_file at_random;
    int writing_end = -1;
    std::array<char, 16> bytes{};
};

TEST(asio_threads_on_a_ring, AL1_none_is_added_for_any_native_object) {
    const auto before = test::thread_count();
    io_context context;
    const waiting_objects objects{context};
    context.run_for(5ms);
    EXPECT_EQ(test::thread_count(), before);
}

TEST(asio_threads_on_a_ring, AL3_native_objects_that_wait_do_not_wake_it) {
    io_context context;
    const waiting_objects objects{context};
    context.run_for(5ms); // what is there at the beginning
    const test::running loop{context};
    ASSERT_TRUE(test::comes_to_wait_in(loop.thread_id(), SYS_io_uring_enter));
    const long before = test::sleeps_of(loop.thread_id());
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(test::sleeps_of(loop.thread_id()), before);
}

} // namespace
} // namespace coronet::asiox::native_idle_tests

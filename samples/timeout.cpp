// SPDX-License-Identifier: BSL-1.0
//
// Ways to give up waiting. Whatever loses is cancelled and awaited: when a line below prints, the
// kernel no longer holds the buffer that the lost read was given.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/socket.h>

namespace {

using namespace coronet;
using namespace std::chrono_literals;

struct connected_pair {
    connected_pair() {
        std::array<int, 2> fds{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) < 0) {
            throw std::system_error{errno, std::system_category(), "socketpair"};
        }
        here = unique_fd{fds[0]};
        there = unique_fd{fds[1]};
    }
    unique_fd here;
    unique_fd there;
};

std::string told(const result<std::size_t>& outcome) {
    return outcome ? std::to_string(*outcome) + " bytes" : outcome.error().message();
}

// A limit on a whole conversation is a limit on the task that holds it.
task<result<std::size_t>> read_exactly(int fd, std::span<std::byte> buffer) {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
        auto received = co_await async::recv(fd, buffer.subspan(filled));
        if (!received) co_return received.error();
        if (*received == 0) break;
        filled += *received;
    }
    co_return filled;
}

task<void> send_hello(int fd) {
    static constexpr std::string_view hello = "hello";
    const auto bytes = std::as_bytes(std::span(hello));
    auto sent = co_await async::send(fd, bytes);
    if (!sent) throw std::system_error{sent.error(), "send"};
}

task<void> show() {
    connected_pair peers;
    const int here = peers.here.get();
    const int there = peers.there.get();
    std::array<std::byte, 10> buffer{};

    auto silence = co_await with_timeout(50ms, async::recv(here, buffer));
    std::printf("nobody sends: %s\n", told(silence).c_str());

    co_await send_hello(there);
    auto in_time = co_await with_timeout(1h, async::recv(here, buffer));
    std::printf("in time: %s\n", told(in_time).c_str());

    co_await send_hello(there);
    auto half = co_await with_timeout(50ms, read_exactly(here, buffer));
    std::printf("10 bytes wanted, 5 sent: %s\n", told(half).c_str());

    auto first = co_await when_any(async::recv(here, buffer), sleep_for(50ms));
    std::printf("data or a pause: branch %zu was first\n", first.index);
}

} // namespace

int main() {
    // Standard output is for what it shows.
    spdlog::set_default_logger(spdlog::stderr_color_mt("timeout"));
    spdlog::set_level(spdlog::level::warn);
    try {
        run(show());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "timeout: %s\n", error.what());
        return 1;
    }
}

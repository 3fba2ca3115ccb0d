// SPDX-License-Identifier: BSL-1.0
//
// Talks to an echo server and checks what comes back: echo_client 127.0.0.1:8080 --count 1000, or
// without --count its own input, which is printed as it is echoed.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/tcp_stream.hpp>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace {

using namespace coronet;

const std::map<std::string, driver_choice> drivers{
    {"auto", driver_choice::automatic},
    {"io_uring", driver_choice::io_uring},
    {"epoll", driver_choice::epoll}};

struct settings {
    endpoint server;
    std::size_t count = 0; // 0: send the input instead
    std::size_t size = 64;
    duration limit = std::chrono::seconds{10};
};

// Both directions at once: a server that echoes as it reads stops reading while nobody reads from
// it.
task<result<void>>
exchange(tcp_stream* stream, std::span<const std::byte> message, std::span<std::byte> echo) {
    auto both = co_await when_all(stream->write_all(message), stream->read_exactly(echo));
    const auto& [sent, received] = both;
    if (!sent) co_return sent.error;
    if (!received) co_return received.error;
    co_return result<void>{};
}

task<void> check_echo(
    tcp_stream* stream, std::span<const std::byte> message, std::span<std::byte> echo,
    duration limit
) {
    auto echoed = co_await with_timeout(limit, exchange(stream, message, echo));
    if (!echoed) throw std::system_error{echoed.error(), "no echo"};
    if (std::memcmp(message.data(), echo.data(), message.size()) != 0) {
        throw std::runtime_error{"the echo differs from what was sent"};
    }
}

task<void> send_messages(tcp_stream* stream, settings wanted) {
    std::vector<std::byte> message(wanted.size);
    std::vector<std::byte> echo(wanted.size);
    const time_point begin = clock::now();
    for (std::size_t done = 0; done < wanted.count; ++done) {
        for (std::size_t i = 0; i < message.size(); ++i)
            message[i] = std::byte(done + i);
        co_await check_echo(stream, message, echo, wanted.limit);
    }
    const std::chrono::duration<double, std::micro> taken = clock::now() - begin;
    std::printf(
        "%zu messages of %zu bytes echoed in %.3f ms, %.1f us each\n", wanted.count, wanted.size,
        taken.count() / 1000, taken.count() / static_cast<double>(wanted.count)
    );
}

task<void> send_input(tcp_stream* stream, settings wanted) {
    std::vector<std::byte> input(16 * 1024);
    std::vector<std::byte> echo(input.size());
    for (;;) {
        auto typed = co_await async::read(STDIN_FILENO, input);
        if (!typed) throw std::system_error{typed.error(), "standard input"};
        if (*typed == 0) co_return;
        const std::span<const std::byte> message(input.data(), *typed);
        const std::span<std::byte> expected(echo.data(), *typed);
        co_await check_echo(stream, message, expected, wanted.limit);
        std::fwrite(echo.data(), 1, *typed, stdout);
        std::fflush(stdout);
    }
}

task<void> talk(settings wanted) {
    auto stream = co_await with_timeout(wanted.limit, tcp_stream::connect(wanted.server));
    if (!stream) throw std::system_error{stream.error(), wanted.server.to_string()};
    if (wanted.count > 0) {
        co_await send_messages(&*stream, wanted);
    } else {
        co_await send_input(&*stream, wanted);
    }
    auto closed = co_await stream->close();
    if (!closed) throw std::system_error{closed.error(), "close"};
}

} // namespace

int main(int argc, char** argv) {
    std::string address = "127.0.0.1:8080";
    double seconds = 10;
    settings wanted;
    run_options plain;
    CLI::App app{"Sends messages, or its input, to an echo server and checks the echo."};
    app.add_option("SERVER", address, "HOST:PORT of the server")->capture_default_str();
    app.add_option("--count", wanted.count, "messages to send; without it, the input is sent");
    app.add_option("--size", wanted.size, "bytes of a message")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--timeout", seconds, "seconds to wait for an echo")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--driver", plain.scheduler.driver, "auto, io_uring or epoll")
        ->transform(CLI::CheckedTransformer{drivers});
    CLI11_PARSE(app, argc, argv);
    // Standard output is for what is echoed.
    spdlog::set_default_logger(spdlog::stderr_color_mt("echo_client"));
    spdlog::set_level(spdlog::level::warn);

    try {
        wanted.server = endpoint::parse(address).value();
        wanted.limit = std::chrono::duration_cast<duration>(std::chrono::duration<double>{seconds});
        run(talk(wanted), plain);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_client: %s\n", error.what());
        return 1;
    }
}

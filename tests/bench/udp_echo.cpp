// SPDX-License-Identifier: BSL-1.0
//
// UDP echo: some coroutines on one socket, each answers one datagram at a time. For benchmarks; it
// ends when it is killed. Usage: udp_echo PORT [auto|epoll] [COROUTINES]
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/udp_socket.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace coronet;

task<void> answer(udp_socket* socket) {
    std::array<std::byte, 2048> buffer;
    for (;;) {
        const auto received = co_await socket->receive_from(buffer);
        if (!received) co_return;
        const auto content = std::span(buffer).first(received->size);
        const auto sent = co_await socket->send_to(content, received->from);
        if (!sent) std::fprintf(stderr, "udp_echo: %s\n", sent.error().message().c_str());
    }
}

task<void> serve(scope all, udp_socket* socket, int count) {
    for (int i = 0; i < count; ++i)
        all.spawn(answer, socket);
    const auto ended = co_await all.join();
    if (!ended) co_return;
}

task<void> echo(endpoint where, int count) {
    udp_socket socket{where};
    co_await with_scope(serve, &socket, count);
}

} // namespace

int main(int argc, char** argv) try {
    const std::string port = argc > 1 ? argv[1] : "8080";
    run_options options;
    options.handle_signals = false;
    if (argc > 2 && std::string_view{argv[2]} == "epoll")
        options.scheduler.driver = driver_choice::epoll;
    const int count = argc > 3 ? std::atoi(argv[3]) : 8;
    run(echo(endpoint::parse("127.0.0.1:" + port).value(), count), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "udp_echo: %s\n", error.what());
    return 1;
}

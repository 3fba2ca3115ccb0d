// SPDX-License-Identifier: BSL-1.0
//
// The echo server of the samples with everything on the main thread, for counting instructions
// under valgrind. It ends when it is killed, and is not a server for anything else.
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <utility>

namespace {

using namespace coronet;

task<void> echo(tcp_stream peer) {
    std::array<std::byte, 2048> buffer;
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto answer = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(answer);
        if (!sent) break;
    }
}

task<void> serve(scope connections, tcp_listener listener) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) throw std::system_error{accepted.error(), "accept"};
        connections.spawn(echo, std::move(*accepted));
    }
}

task<void> listen(endpoint where) {
    tcp_listener listener(where);
    co_await with_scope(serve, std::move(listener));
}

} // namespace

int main(int argc, char** argv) try {
    const std::string port = argc > 1 ? argv[1] : "8080";
    run_options options;
    options.handle_signals = false;
    run(listen(endpoint::parse("127.0.0.1:" + port).value()), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "echo_one_thread: %s\n", error.what());
    return 1;
}

// SPDX-License-Identifier: BSL-1.0
//
// The echo server of the samples with everything on the main thread, for counting instructions
// under valgrind, and with a buffer of any size. `nested` has every request in a task of its own.
// It ends when it is killed, and is not a server for anything else.
// Usage: echo_one_thread PORT [BUFFER] [flat|nested]
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace coronet;

struct settings {
    std::size_t buffer_size = 2048;
    bool nested = false;
};

task<void> echo(tcp_stream peer, std::size_t buffer_size) {
    std::vector<std::byte> buffer(buffer_size);
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto answer = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(answer);
        if (!sent) break;
    }
}

// Whether there was a request, and it is answered.
task<bool> answer_one(tcp_stream* peer, std::span<std::byte> buffer) {
    const auto received = co_await peer->read_some(buffer);
    if (!received || *received == 0) co_return false;
    const auto answer = buffer.first(*received);
    const auto sent = co_await peer->write_all(answer);
    co_return static_cast<bool>(sent);
}

task<void> echo_nested(tcp_stream peer, std::size_t buffer_size) {
    std::vector<std::byte> buffer(buffer_size);
    for (;;) {
        const bool more = co_await answer_one(&peer, buffer);
        if (!more) break;
    }
}

task<void> serve(scope connections, tcp_listener listener, settings chosen) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) throw std::system_error{accepted.error(), "accept"};
        connections.spawn(
            chosen.nested ? echo_nested : echo, std::move(*accepted), chosen.buffer_size
        );
    }
}

task<void> listen(endpoint where, settings chosen) {
    tcp_listener listener(where);
    co_await with_scope(serve, std::move(listener), chosen);
}

} // namespace

int main(int argc, char** argv) try {
    const std::string port = argc > 1 ? argv[1] : "8080";
    settings chosen;
    if (argc > 2) chosen.buffer_size = std::strtoul(argv[2], nullptr, 10);
    if (argc > 3) chosen.nested = std::string_view{argv[3]} == "nested";
    run_options options;
    options.handle_signals = false;
    run(listen(endpoint::parse("127.0.0.1:" + port).value(), chosen), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "echo_one_thread: %s\n", error.what());
    return 1;
}

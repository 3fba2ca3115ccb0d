// SPDX-License-Identifier: BSL-1.0
//
// The echo server of the samples with everything on the main thread, for counting instructions
// under valgrind: echo_one_thread PORT stream|buffer flat|nested. It ends when it is killed, and is
// not a server for anything else.
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/send_queue.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace coronet;

/// A request that is a task of its own.
task<transfer> answer(tcp_stream* peer, std::span<const std::byte> message) {
    co_return co_await peer->write_all(message);
}

// Each a server's whole loop: what is measured is what a user would write.

task<void> echo_stream(tcp_stream peer) {
    auto incoming = peer.receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto sent = co_await peer.write_all(received->bytes());
        if (!sent) break;
    }
}
task<void> echo_stream_nested(tcp_stream peer) {
    auto incoming = peer.receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto sent = co_await answer(&peer, received->bytes());
        if (!sent) break;
    }
}
task<void> echo_queue(tcp_stream peer) {
    auto incoming = peer.receive();
    send_queue out{peer};
    for (;;) {
        auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto taken = co_await out.send(std::move(*received));
        if (!taken) break;
    }
}
task<void> consider(send_queue* out, received_buffer message) {
    const auto taken = co_await out->send(std::move(message));
    static_cast<void>(taken);
}
task<void> echo_queue_nested(tcp_stream peer) {
    auto incoming = peer.receive();
    send_queue out{peer};
    for (;;) {
        auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        co_await consider(&out, std::move(*received));
    }
}
task<void> echo_buffer(tcp_stream peer) {
    std::array<std::byte, 2048> buffer;
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto message = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(message);
        if (!sent) break;
    }
}
task<void> echo_buffer_nested(tcp_stream peer) {
    std::array<std::byte, 2048> buffer;
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto message = std::span(buffer).first(*received);
        const auto sent = co_await answer(&peer, message);
        if (!sent) break;
    }
}

using server = task<void> (*)(tcp_stream);

server chosen(std::string_view receive, bool nested) {
    if (receive == "stream") return nested ? echo_stream_nested : echo_stream;
    if (receive == "queue") return nested ? echo_queue_nested : echo_queue;
    if (receive == "buffer") return nested ? echo_buffer_nested : echo_buffer;
    throw std::invalid_argument("not stream, queue or buffer: " + std::string(receive));
}

task<void> serve(scope connections, tcp_listener listener, server echo) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) throw std::system_error{accepted.error(), "accept"};
        connections.spawn(echo, std::move(*accepted));
    }
}

task<void> listen(endpoint where, server echo) {
    tcp_listener listener(where);
    co_await with_scope(serve, std::move(listener), echo);
}

} // namespace

int main(int argc, char** argv) try {
    const std::string port = argc > 1 ? argv[1] : "8080";
    const std::string_view receive = argc > 2 ? argv[2] : "buffer";
    const bool nested = argc > 3 && std::string_view{argv[3]} == "nested";
    run_options options;
    options.handle_signals = false;
    if (argc > 4) { // PORT RECEIVE flat|nested SIZE COUNT [incremental]
        options.scheduler.receive_buffers.size = std::stoul(argv[4]);
        options.scheduler.receive_buffers.count = static_cast<unsigned>(std::stoul(argv[5]));
        options.scheduler.receive_buffers.incremental = argc > 6;
    }
    const auto where = endpoint::parse("127.0.0.1:" + port).value();
    run(listen(where, chosen(receive, nested)), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "echo_one_thread: %s\n", error.what());
    return 1;
}

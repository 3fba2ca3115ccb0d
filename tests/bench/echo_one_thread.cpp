// SPDX-License-Identifier: BSL-1.0
//
// Echo servers as users would write them, with everything on the main thread, for counting
// instructions under valgrind and with buffers of any size. `nested` has every request answered by
// a task of its own. It ends when it is killed, and is not a server for anything else.
// Usage: echo_one_thread PORT [buffer|stream|queue] [BUFFER] [flat|nested]
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/send_queue.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace coronet;

/// A request that is a task of its own.
task<transfer> answer(tcp_stream* peer, std::span<const std::byte> message) {
    co_return co_await peer->write_all(message);
}
task<result<void>> queue_answer(send_queue* out, received_buffer message) {
    co_return co_await out->send(std::move(message));
}

// ---- into a buffer of one's own ----

task<void> echo_buffer(tcp_stream peer, std::size_t size) {
    std::vector<std::byte> buffer(size);
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto message = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(message);
        if (!sent) break;
    }
}
task<void> echo_buffer_nested(tcp_stream peer, std::size_t size) {
    std::vector<std::byte> buffer(size);
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break;
        const auto message = std::span(buffer).first(*received);
        const auto sent = co_await answer(&peer, message);
        if (!sent) break;
    }
}

// ---- a stream of the scheduler's buffers ----

task<void> echo_stream(tcp_stream peer, std::size_t) {
    auto incoming = peer.receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto sent = co_await peer.write_all(received->bytes());
        if (!sent) break;
    }
}
task<void> echo_stream_nested(tcp_stream peer, std::size_t) {
    auto incoming = peer.receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto sent = co_await answer(&peer, received->bytes());
        if (!sent) break;
    }
}

// ---- the same, and not waiting for each answer to be sent ----

task<void> echo_queue(tcp_stream peer, std::size_t) {
    auto incoming = peer.receive();
    send_queue out{peer};
    for (;;) {
        auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto taken = co_await out.send(std::move(*received));
        if (!taken) break;
    }
}
task<void> echo_queue_nested(tcp_stream peer, std::size_t) {
    auto incoming = peer.receive();
    send_queue out{peer};
    for (;;) {
        auto received = co_await incoming.next();
        if (!received || received->empty()) break;
        const auto taken = co_await queue_answer(&out, std::move(*received));
        if (!taken) break;
    }
}

using server = task<void> (*)(tcp_stream, std::size_t);
const std::map<std::string_view, std::pair<server, server>> servers{
    {"buffer", {echo_buffer, echo_buffer_nested}},
    {"stream", {echo_stream, echo_stream_nested}},
    {"queue", {echo_queue, echo_queue_nested}},
};

struct settings {
    server echo = echo_buffer;
    std::size_t buffer_size = 2048;
};

task<void> serve(scope connections, tcp_listener listener, settings chosen) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) throw std::system_error{accepted.error(), "accept"};
        connections.spawn(chosen.echo, std::move(*accepted), chosen.buffer_size);
    }
}

task<void> listen(endpoint where, settings chosen) {
    tcp_listener listener(where);
    co_await with_scope(serve, std::move(listener), chosen);
}

} // namespace

int main(int argc, char** argv) try {
    // While a process has never had another thread the C++ library counts references without locks,
    // which no server with workers or schedulers would.
    std::thread{[] {}}.join();
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    const auto word = [&](std::size_t at, std::string_view otherwise) {
        return at < words.size() ? words[at] : otherwise;
    };
    const auto& [flat, nested] = servers.at(word(1, "buffer"));
    settings chosen;
    chosen.echo = word(3, "flat") == "nested" ? nested : flat;
    chosen.buffer_size = std::strtoul(word(2, "2048").data(), nullptr, 10);

    run_options options;
    options.handle_signals = false;
    options.scheduler.receive_buffers.size = chosen.buffer_size;
    const auto where = endpoint::parse("127.0.0.1:" + std::string(word(0, "8080"))).value();
    run(listen(where, chosen), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "echo_one_thread: %s\n", error.what());
    return 1;
}

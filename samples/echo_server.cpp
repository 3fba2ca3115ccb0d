// SPDX-License-Identifier: BSL-1.0
//
// A TCP echo server. Each thread has its own scheduler and its own listener on the same port; a
// connection stays where it was accepted. The main thread waits for Ctrl-C, then lets the servers
// finish what is in flight.
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/accept_all.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/runtime.hpp>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

namespace {

using namespace coronet;
using namespace std::chrono_literals;

enum class receiving { stream, buffer };

struct options {
    std::string listen = "127.0.0.1:8080";
    driver_choice driver = driver_choice::automatic;
    std::string log_level = "info";
    receiving receive = receiving::stream;
    std::size_t threads = 0;
    double drain = 10;
    bool sqpoll = false;
};

const std::map<std::string, driver_choice> drivers{
    {"auto", driver_choice::automatic},
    {"io_uring", driver_choice::io_uring},
    {"epoll", driver_choice::epoll}};

const std::map<std::string, receiving> ways{
    {"stream", receiving::stream}, {"buffer", receiving::buffer}};

using streams = std::unordered_set<const tcp_stream*>;

class listed {
public:
    listed(streams* among, const tcp_stream* peer) : among_(among), peer_(peer) {
        among->insert(peer);
    }
    ~listed() { among_->erase(peer_); }
    listed(const listed&) = delete;
    listed& operator=(const listed&) = delete;

private:
    streams* among_;
    const tcp_stream* peer_;
};

/// In the scheduler's buffers: an idle connection holds none.
task<void> echo_stream(tcp_stream peer, streams* open) {
    const listed here{open, &peer};
    auto incoming = peer.receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) co_return; // an error, or the peer has finished sending
        const auto sent = co_await peer.write_all(received->bytes());
        if (!sent) co_return;
    }
}

/// In the connection's own.
task<void> echo_buffer(tcp_stream peer, streams* open) {
    const listed here{open, &peer};
    std::array<std::byte, 2048> buffer;
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) co_return;
        const auto answer = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(answer);
        if (!sent) co_return;
    }
}

struct service {
    inplace_stop_token ending;
    duration drain;
    receiving how;
};

task<void> serve(scope connections, tcp_listener listener, service wanted) {
    streams open;
    const auto echo = wanted.how == receiving::stream ? echo_stream : echo_buffer;
    auto accepting = accept_all(connections, &listener, echo, &open);
    const auto why = co_await with_stop(wanted.ending, std::move(accepting));
    if (why != std::errc::operation_canceled) spdlog::error("accept: {}", why.message());

    // What has come is still echoed; then reads say that the peer has finished.
    for (const tcp_stream* each : open)
        ::shutdown(each->native_handle(), SHUT_RD);
    const auto finished = co_await with_timeout(wanted.drain, connections.join());
    if (!finished) connections.request_stop();
    const auto ended = co_await connections.join();
    if (!ended) spdlog::debug("stopped at once");
}

task<void> serve_here(tcp_listener listener, service wanted) {
    co_await with_scope(serve, std::move(listener), wanted);
}

task<void> serve_at(scheduler* where, tcp_listener listener, service wanted) {
    const auto served = co_await run_on(*where, serve_here, std::move(listener), wanted);
    if (!served) spdlog::error("a server ended early: {}", served.error().message());
}

task<void> serve_all(scope servers, runtime* threads, const options* chosen) {
    const signal_set signals{SIGINT, SIGTERM};
    inplace_stop_source ending;
    const auto drain =
        std::chrono::duration_cast<duration>(std::chrono::duration<double>(chosen->drain));
    const service wanted{ending.get_token(), drain, chosen->receive};
    listen_options shared;
    shared.reuse_port = true;

    auto where = endpoint::parse(chosen->listen).value();
    for (std::size_t i = 0; i < threads->size(); ++i) {
        tcp_listener listener{where, shared};
        where = listener.local_endpoint().value(); // the port that was picked is for all
        servers.spawn(serve_at, &threads->at(i), std::move(listener), wanted);
    }
    std::printf("listening on %s\n", where.to_string().c_str());
    std::fflush(stdout);

    const auto signal = co_await signals.wait();
    if (signal) spdlog::info("signal {}: finishing what is in flight", *signal);
    ending.request_stop();
    const auto ended = co_await servers.join();
    if (!ended) spdlog::debug("stopped at once");
}

} // namespace

int main(int argc, char** argv) try {
    options chosen;
    CLI::App app{"A TCP echo server"};
    app.add_option("--listen", chosen.listen, "HOST:PORT; port 0 picks one")->capture_default_str();
    app.add_option("--threads", chosen.threads, "0: one for each CPU")->capture_default_str();
    app.add_option("--driver", chosen.driver, "auto, io_uring or epoll")
        ->transform(CLI::CheckedTransformer{drivers});
    app.add_option("--receive", chosen.receive, "stream: buffers of the scheduler, or buffer")
        ->transform(CLI::CheckedTransformer{ways});
    app.add_flag("--sqpoll", chosen.sqpoll, "submit by kernel threads");
    app.add_option("--log-level", chosen.log_level)->capture_default_str();
    app.add_option("--drain", chosen.drain, "seconds for what is in flight at the end")
        ->check(CLI::NonNegativeNumber);
    CLI11_PARSE(app, argc, argv);
    spdlog::set_default_logger(spdlog::stderr_color_mt("echo_server"));
    spdlog::set_level(spdlog::level::from_str(chosen.log_level));

    runtime_options wanted;
    wanted.threads = chosen.threads;
    wanted.scheduler.driver = chosen.driver;
    if (chosen.sqpoll) wanted.scheduler.sqpoll.emplace();
    runtime threads{wanted};
    run_options plain;
    plain.handle_signals = false;
    plain.scheduler.driver = chosen.driver;
    run(with_scope(serve_all, &threads, &chosen), plain);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "echo_server: %s\n", error.what());
    return 1;
}

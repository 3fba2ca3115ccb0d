// SPDX-License-Identifier: BSL-1.0
//
// A TCP echo server. Each thread has its own scheduler and its own listener on the same port; a
// connection stays where it was accepted. The main thread waits for Ctrl-C, then lets the servers
// finish what is in flight.
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
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

struct options {
    std::string listen = "127.0.0.1:8080";
    driver_choice driver = driver_choice::automatic;
    std::string log_level = "info";
    std::size_t threads = 0;
    double drain = 10;
    bool sqpoll = false;
};

const std::map<std::string, driver_choice> drivers{
    {"auto", driver_choice::automatic},
    {"io_uring", driver_choice::io_uring},
    {"epoll", driver_choice::epoll}};

using open_streams = std::unordered_set<tcp_stream*>;

task<void> echo(tcp_stream peer, open_streams* open) {
    std::array<std::byte, 2048> buffer;
    open->insert(&peer);
    for (;;) {
        const auto received = co_await peer.read_some(buffer);
        if (!received || *received == 0) break; // an error, or the peer has finished sending
        const auto answer = std::span(buffer).first(*received);
        const auto sent = co_await peer.write_all(answer);
        if (!sent) break;
    }
    open->erase(&peer);
    const auto closed = co_await peer.close();
    if (!closed) spdlog::debug("close: {}", closed.error().message());
}

task<void> accept_all(scope connections, tcp_listener* listener, open_streams* open) {
    for (;;) {
        auto accepted = co_await listener->accept();
        if (accepted) {
            connections.spawn(echo, std::move(*accepted), open);
            continue;
        }
        if (accepted.error() == std::errc::operation_canceled) co_return;
        spdlog::warn("accept: {}; again in 50 ms", accepted.error().message());
        const auto paused = co_await sleep_for(50ms);
        if (!paused) co_return;
    }
}

task<void>
serve(scope connections, tcp_listener listener, inplace_stop_token ending, duration drain) {
    open_streams open;
    auto accepting = accept_all(connections, &listener, &open);
    co_await with_stop(ending, std::move(accepting));

    // What has come is still echoed; then reads say that the peer has finished.
    for (const tcp_stream* each : open)
        ::shutdown(each->native_handle(), SHUT_RD);
    const auto finished = co_await with_timeout(drain, connections.join());
    if (!finished) connections.request_stop();
    const auto ended = co_await connections.join();
    if (!ended) spdlog::debug("stopped at once");
}

task<void> serve_here(tcp_listener listener, inplace_stop_token ending, duration drain) {
    co_await with_scope(serve, std::move(listener), ending, drain);
}

task<void>
serve_at(scheduler* where, tcp_listener listener, inplace_stop_token ending, duration drain) {
    const auto served = co_await run_on(*where, serve_here, std::move(listener), ending, drain);
    if (!served) spdlog::error("a server ended early: {}", served.error().message());
}

task<void> serve_all(scope servers, runtime* threads, const options* chosen) {
    const signal_set signals{SIGINT, SIGTERM};
    inplace_stop_source ending;
    const auto drain =
        std::chrono::duration_cast<duration>(std::chrono::duration<double>(chosen->drain));
    listen_options shared;
    shared.reuse_port = true;

    auto where = endpoint::parse(chosen->listen).value();
    for (std::size_t i = 0; i < threads->size(); ++i) {
        tcp_listener listener{where, shared};
        where = listener.local_endpoint().value(); // the port that was picked is for all
        servers.spawn(serve_at, &threads->at(i), std::move(listener), ending.get_token(), drain);
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

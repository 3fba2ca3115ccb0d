// SPDX-License-Identifier: BSL-1.0
//
// An HTTP server: GET / says hello, POST /echo gives the body back as it comes. Each thread has its
// own scheduler, its own listener on the same port and its own server; the main thread waits for
// Ctrl-C, then asks the servers to finish what is in flight.
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/when_any.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/http/server.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/runtime.hpp>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace http = coronet::http;

namespace {

struct options {
    std::string listen = "127.0.0.1:8080";
    coronet::driver_choice driver = coronet::driver_choice::automatic;
    std::string log_level = "info";
    std::size_t threads = 0;
    bool sqpoll = false;
    bool access_log = false;
    http::server_options server;
};

const std::map<std::string, coronet::driver_choice> drivers{
    {"auto", coronet::driver_choice::automatic},
    {"io_uring", coronet::driver_choice::io_uring},
    {"epoll", coronet::driver_choice::epoll}};

void hello(http::request, http::response answer) {
    answer.send(http::status::ok, "text/plain", "Hello, World!");
}

coronet::task<void> echo(http::request asked, http::response answer) {
    auto piece = co_await asked.read_body();
    if (!piece) co_return; // the connection answers what is wrong with the body
    answer.begin(http::status::ok);
    answer.field("Content-Type", "application/octet-stream");
    if (const auto length = asked.content_length())
        answer.stream(*length);
    else
        answer.stream();
    while (!piece->empty()) {
        auto written = co_await answer.write(*piece);
        if (!written) co_return;
        piece = co_await asked.read_body();
        if (!piece) co_return;
    }
    answer.finish();
}

http::router make_routes() {
    http::router routes;
    routes.on("GET", "/", hello);
    routes.on("POST", "/echo", echo);
    return routes;
}

void log_access(const http::access_record& seen) {
    spdlog::info(
        "{} {} {} {}", seen.method, seen.target, static_cast<int>(seen.status), seen.content_size
    );
}

options parse(int argc, char** argv) {
    options chosen;
    http::limits& limits = chosen.server.service.limits;
    std::uint64_t head_max = limits.head_max;
    double head = 10, body = 30, idle = 60, drain = 10;
    const CLI::Range seconds{0.001, 1e6};
    const CLI::IsMember levels{{"trace", "debug", "info", "warning", "error", "critical", "off"}};
    CLI::App app{"An HTTP/1.1 server: GET /, POST /echo"};
    app.add_option("--listen", chosen.listen, "HOST:PORT; port 0 picks one")->capture_default_str();
    app.add_option("--threads", chosen.threads, "0: one for each CPU")->capture_default_str();
    app.add_option("--driver", chosen.driver, "auto, io_uring or epoll")
        ->transform(CLI::CheckedTransformer{drivers});
    app.add_flag("--sqpoll", chosen.sqpoll, "submit by kernel threads");
    app.add_option("--log-level", chosen.log_level)->check(levels)->capture_default_str();
    app.add_flag("--access-log", chosen.access_log, "log each answer");
    app.add_option("--max-head", head_max, "bytes, as 32K")->transform(CLI::AsSizeValue{false});
    app.add_option("--max-body", limits.body_max, "bytes, as 2G")
        ->transform(CLI::AsSizeValue{false});
    app.add_option("--head-timeout", head, "seconds for a whole head")->check(seconds);
    app.add_option("--body-timeout", body, "seconds without progress")->check(seconds);
    app.add_option("--idle-timeout", idle, "seconds between requests")->check(seconds);
    app.add_option("--drain", drain, "seconds for what is in flight at the end")
        ->check(CLI::Range(0.0, 1e6));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error));
    }
    limits.head_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(head_max, 1U << 30));
    const auto nanoseconds = [](double count) {
        return std::chrono::nanoseconds{static_cast<std::int64_t>(count * 1e9)};
    };
    http::timeouts& waits = chosen.server.service.timeouts;
    waits.head = nanoseconds(head);
    waits.body = waits.write = nanoseconds(body);
    waits.idle = nanoseconds(idle);
    chosen.server.drain = nanoseconds(drain);
    if (chosen.access_log) chosen.server.service.access_log = log_access;
    return chosen;
}

using servers = std::vector<std::unique_ptr<http::server>>;

coronet::task<void> run_server(coronet::scheduler* where, http::server* one) {
    auto ended = co_await coronet::run_on(*where, &http::server::run, one);
    if (!ended) spdlog::error("a server ended early: {}", ended.error().message());
}

// One server on each scheduler, until a signal comes and all of them have ended.
coronet::task<void> serve(
    coronet::scope children, coronet::runtime* threads, servers* all,
    const coronet::signal_set* signals
) {
    for (std::size_t i = 0; i < all->size(); ++i)
        children.spawn(run_server, &threads->at(i), all->at(i).get());
    auto signal = co_await signals->wait();
    if (signal) spdlog::info("signal {}: finishing what is in flight", *signal);
    for (const auto& each : *all)
        each->request_stop();
    auto another = signals->wait();
    auto first = co_await coronet::when_any(children.join(), std::move(another));
    if (first.index == 1) children.request_stop(); // asked twice: do not finish
}

coronet::task<void>
serve_until_signal(coronet::runtime* threads, servers* all, const coronet::signal_set* signals) {
    co_await coronet::with_scope(serve, threads, all, signals);
}

} // namespace

int main(int argc, char** argv) try {
    const options chosen = parse(argc, argv);
    spdlog::set_default_logger(spdlog::stderr_color_mt("http_server"));
    spdlog::set_level(spdlog::level::from_str(chosen.log_level));

    const coronet::signal_set signals{SIGINT, SIGTERM}; // before there are other threads
    const http::router routes = make_routes();
    coronet::runtime_options wanted;
    wanted.threads = chosen.threads;
    wanted.scheduler.driver = chosen.driver;
    if (chosen.sqpoll) wanted.scheduler.sqpoll.emplace();
    coronet::runtime threads{wanted};

    coronet::endpoint where = coronet::endpoint::parse(chosen.listen).value();
    servers all;
    coronet::listen_options sharing;
    sharing.reuse_port = threads.size() > 1; // a listener for each, and the kernel deals out
    for (std::size_t i = 0; i < threads.size(); ++i) {
        coronet::tcp_listener listener{where, sharing};
        where = listener.local_endpoint().value(); // the port that was picked is for all
        all.push_back(std::make_unique<http::server>(std::move(listener), routes, chosen.server));
    }
    std::printf("listening on %s\n", where.to_string().c_str());
    std::fflush(stdout);

    coronet::run_options plain;
    plain.handle_signals = false;
    plain.scheduler.driver = chosen.driver;
    coronet::run(serve_until_signal(&threads, &all, &signals), plain);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "http_server: %s\n", error.what());
    return 1;
}

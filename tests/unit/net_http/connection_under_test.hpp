// SPDX-License-Identifier: BSL-1.0
//
// A connection without a stream, for its tests: bytes go in, bytes come out. Handlers with awaits
// read from and write to a script.
#pragma once

#include <coronet/coro/run.hpp>
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>

namespace coronet::http::testing {

// What handlers' awaits meet: input in the given order, then the given error.
class scripted_transport final : public transport {
public:
    task<result<std::size_t>> receive(buffer* into, duration) override {
        if (input.empty()) co_return at_end;
        const std::string piece = std::move(input.front());
        input.pop_front();
        into->append(piece);
        co_return piece.size();
    }
    task<result<void>> send(std::span<const std::byte> data, duration) override {
        if (send_error) co_return send_error;
        output.append(reinterpret_cast<const char*>(data.data()), data.size());
        co_return result<void>();
    }
    void stop_receiving() noexcept override { receiving_stopped = true; }

    std::deque<std::string> input;
    result<std::size_t> at_end = std::size_t{0};
    std::error_code send_error;
    std::string output;
    bool receiving_stopped = false;
};

inline void hello(request, response answer) {
    answer.send(status::ok, "text/plain", "Hello");
}

inline task<void> echo(request asked, response answer) {
    auto piece = co_await asked.read_body();
    if (!piece) co_return;
    answer.begin(status::ok);
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

inline task<void> ignore_body(request, response answer) {
    answer.send(status::ok, "text/plain", "ignored");
    co_return;
}

inline task<void> too_short(request, response answer) {
    answer.begin(status::ok);
    answer.stream(10);
    const std::string part = "part";
    const auto bytes = std::as_bytes(std::span(part));
    auto written = co_await answer.write(bytes);
    if (written) answer.finish();
}

inline task<void> throws(request, response answer) {
    answer.begin(status::ok);
    throw std::runtime_error{"a bug in a handler"};
    co_return;
}

inline router test_routes() {
    router routes;
    routes.on("GET", "/", hello);
    routes.on("POST", "/echo", echo);
    routes.on("POST", "/ignore", ignore_body);
    routes.on("GET", "/short", too_short);
    routes.on("GET", "/throws", throws);
    routes.on("GET", "/silent", [](request, response) {});
    routes.on("GET", "/fields", [](request asked, response answer) {
        answer.begin(status::ok);
        answer.field("X-Query", asked.query());
        answer.field("X-Host", asked.host());
        answer.field("X-Forged", "a\r\nSet-Cookie: b");
        answer.send(asked.field("x-body").value_or("none"));
    });
    routes.on("GET", "/nothing", [](request, response answer) {
        answer.begin(status::no_content);
        answer.send("");
    });
    routes.on("GET", "/large", [](request, response answer) {
        answer.send(status::ok, "text/plain", std::string(100'000, 'x'));
    });
    return routes;
}

// The loop of a connection, by hand.
class peer {
public:
    explicit peer(service_options options = small_options())
        : service_{routes_, std::move(options)}, connection_{service_, transport_} {}

    static service_options small_options() {
        service_options options;
        options.limits = {.head_max = 512, .target_max = 128, .body_max = 200'000};
        return options;
    }

    // Gives `input` to the connection in pieces that fit and returns what it says until it wants
    // more than there is (or has ended).
    std::string send(std::string_view input) {
        std::string output;
        while (true) {
            last_ = connection_.next();
            if (last_ == connection::step::receive) {
                if (input.empty()) return output;
                const auto room = connection_.room();
                const std::size_t size = std::min(room.size(), input.size());
                std::memcpy(room.data(), input.data(), size);
                input.remove_prefix(size);
                connection_.received(size);
            } else if (last_ == connection::step::send) {
                ++send_count;
                const auto pending = connection_.pending();
                output.append(reinterpret_cast<const char*>(pending.data()), pending.size());
                connection_.sent(pending.size());
            } else if (last_ == connection::step::call) {
                call();
                output += std::exchange(transport_.output, {});
            } else {
                return output;
            }
        }
    }
    std::string finish_sending() { return end_with(std::size_t{0}); }
    std::string time_out() { return end_with(std::errc::timed_out); }

    connection::step last() const { return last_; }
    scripted_transport& transport() { return transport_; }
    http::service& shared() { return service_; }
    http::connection& served() { return connection_; }
    int send_count = 0;

private:
    std::string end_with(const result<std::size_t>& end) {
        connection_.received(end);
        return send("");
    }
    void call() {
        bool failed = false;
        try {
            run(connection_.call_handler(), {.handle_signals = false});
        } catch (const std::exception&) {
            failed = true;
        }
        connection_.handler_ended(failed);
    }

    router routes_ = test_routes();
    scripted_transport transport_;
    http::service service_;
    http::connection connection_;
    connection::step last_{};
};

using step = connection::step;

inline bool has(const std::string& output, const std::string& part) {
    return output.find(part) != std::string::npos;
}
inline std::string content_of(const std::string& output) {
    return output.substr(output.find("\r\n\r\n") + 4);
}

} // namespace coronet::http::testing

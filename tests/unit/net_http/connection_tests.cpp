// SPDX-License-Identifier: BSL-1.0
//
// The rules of a connection without a stream: bytes go in, bytes come out, and what is next is
// looked at in between. Handlers with awaits read from and write to a script.
#include <coronet/coro/run.hpp>
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace coronet::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// What handlers' awaits meet: input in the given order, then the given error.
class scripted_transport final : public transport {
public:
    task<result<std::size_t>> receive(std::span<std::byte> room, duration) override {
        if (input.empty()) co_return at_end;
        const std::string piece = input.front().substr(0, room.size());
        input.front().erase(0, piece.size());
        if (input.front().empty()) input.pop_front();
        std::memcpy(room.data(), piece.data(), piece.size());
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

void hello(request, response answer) {
    answer.send(status::ok, "text/plain", "Hello");
}

task<void> echo(request asked, response answer) {
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

task<void> ignore_body(request, response answer) {
    answer.send(status::ok, "text/plain", "ignored");
    co_return;
}

task<void> too_short(request, response answer) {
    answer.begin(status::ok);
    answer.stream(10);
    const std::string part = "part";
    const auto bytes = std::as_bytes(std::span(part));
    auto written = co_await answer.write(bytes);
    if (written) answer.finish();
}

task<void> throws(request, response answer) {
    answer.begin(status::ok);
    throw std::runtime_error{"a bug in a handler"};
    co_return;
}

router test_routes() {
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

bool has(const std::string& output, const std::string& part) {
    return output.find(part) != std::string::npos;
}
std::string content_of(const std::string& output) {
    return output.substr(output.find("\r\n\r\n") + 4);
}

TEST(http_connection, answers_with_status_server_date_and_content) {
    peer one;
    const std::string output = one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\nServer: coronet\r\nDate: ")) << output;
    EXPECT_TRUE(
        output.ends_with(" GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nHello")
    ) << output;
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection, answers_pipelined_requests_in_one_send) {
    peer one;
    std::string requests;
    for (int i = 0; i < 10; ++i)
        requests += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string output = one.send(requests + "GET /mis");
    std::size_t count = 0;
    for (std::size_t at = 0; (at = output.find("200 OK", at)) != output.npos; ++at)
        ++count;
    EXPECT_EQ(count, 10u);
    EXPECT_EQ(one.send_count, 1);
    EXPECT_TRUE(
        one.send("sing HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n")
    );
}

TEST(http_connection, sends_what_has_gathered_before_it_looks_at_more_requests) {
    peer one;
    std::string requests;
    for (int i = 0; i < 200; ++i)
        requests += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    one.send(requests);
    EXPECT_GE(one.send_count, 5);
}

TEST(http_connection, keeps_or_ends_the_connection_as_the_request_says) {
    const std::string host = "Host: a\r\n";
    EXPECT_EQ(
        (peer{}.send("GET / HTTP/1.1\r\n" + host + "\r\n").find("Connection:")), std::string::npos
    );
    peer closing;
    EXPECT_TRUE(
        has(closing.send("GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\nGET / HTTP/1.1"),
            "\r\nConnection: close\r\n")
    );
    EXPECT_EQ(closing.last(), step::finish);
    EXPECT_GE(closing.served().room().size(), 512u); // to drop what still comes
    peer old;
    EXPECT_TRUE(has(old.send("GET / HTTP/1.0\r\n\r\n"), "\r\nConnection: close\r\n"));
    EXPECT_EQ(old.last(), step::finish);
    peer kept;
    EXPECT_TRUE(
        has(kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "\r\nConnection: keep-alive\r\n")
    );
    EXPECT_EQ(kept.last(), step::receive);
}

TEST(http_connection, omits_the_content_in_an_answer_to_head) {
    peer one;
    const std::string output = one.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(has(output, "\r\nContent-Length: 5\r\n"));
    EXPECT_EQ(content_of(output), "");
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection, tells_which_methods_a_path_has) {
    peer one;
    std::string output = one.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << output;
    EXPECT_TRUE(has(output, "\r\nAllow: GET, HEAD\r\n")) << output;
    output = one.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(has(output, "\r\nAllow: POST\r\n")) << output;
    output = one.send("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 404 ")) << output;
    output = one.send("get / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 501 ")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection, ends_after_an_error_answer) {
    peer one;
    const std::string output =
        one.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 400 Bad Request\r\n")) << output;
    EXPECT_TRUE(has(output, "\r\nConnection: close\r\n")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection, answers_what_came_before_an_error) {
    peer one;
    const std::string output = one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\n")) << output;
    EXPECT_TRUE(has(output, "HTTP/1.1 400 Bad Request\r\n")) << output;
}

TEST(http_connection, echoes_a_body_with_a_length) {
    peer one;
    const std::string output =
        one.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_TRUE(output.ends_with("Content-Length: 5\r\n\r\nhello")) << output;
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection, echoes_a_body_in_chunks) {
    peer one;
    one.transport().input = {"lo\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n"};
    std::string output =
        one.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    EXPECT_TRUE(
        output.ends_with("Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    ) << output;
    // What the body's buffer received of the next request is not lost.
    output = one.send("Host: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\n")) << output;
}

TEST(http_connection, streams_a_large_body_in_fixed_memory) {
    peer one;
    std::string body;
    for (int i = 0; i < 30'000; ++i)
        body += std::to_string(i);
    for (std::size_t at = 0; at < body.size(); at += 10'000)
        one.transport().input.push_back(body.substr(at, 10'000));
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n"
    );
    EXPECT_EQ(content_of(output), body);
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection, streams_to_an_http_1_0_peer_up_to_the_end_of_the_connection) {
    peer one;
    const std::string output =
        one.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_TRUE(output.ends_with("Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"))
        << output;
}

TEST(http_connection, sends_100_when_the_handler_first_reads_the_body) {
    peer one;
    one.transport().input = {"hi"};
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    );
    EXPECT_TRUE(output.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << output;
    EXPECT_TRUE(output.ends_with("\r\n\r\nhi")) << output;
}

TEST(http_connection, sends_no_100_when_the_body_came_along) {
    peer one;
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
    );
    EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\n")) << output;
}

TEST(http_connection, ends_when_an_expected_100_was_never_sent) {
    for (const char* path : {"/ignore", "/missing"}) {
        peer one;
        const std::string output = one.send(
            "POST "s + path +
            " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        );
        EXPECT_TRUE(has(output, "\r\nConnection: close\r\n")) << output;
        EXPECT_EQ(one.last(), step::finish);
    }
}

TEST(http_connection, skips_a_body_that_nobody_reads) {
    for (const char* path : {"/ignore", "/missing"}) {
        peer one;
        std::string output =
            one.send("POST "s + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
        EXPECT_FALSE(has(output, "Connection: close")) << output;
        output = one.send("lloGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\n")) << output;
        EXPECT_TRUE(one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n")
        );
    }
}

TEST(http_connection, ends_rather_than_skip_a_large_body) {
    peer one;
    const std::string output =
        one.send("POST /missing HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    EXPECT_TRUE(has(output, "\r\nConnection: close\r\n")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection, answers_what_is_wrong_with_a_body_that_a_handler_reads) {
    const std::string chunked =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& [body, line] : std::vector<std::pair<std::string, std::string>>{
             {"x\r\n", "HTTP/1.1 400 Bad Request\r\n"},
             {"fffff\r\n", "HTTP/1.1 413 Content Too Large\r\n"},
             {"5\r\nhel", "HTTP/1.1 400 Bad Request\r\n"}}) {
        peer one;
        const std::string output = one.send(chunked + body);
        if (body == "5\r\nhel") {
            // Some of the answer was under way: the end of the connection has to say it.
            EXPECT_EQ(one.last(), step::close) << output;
            continue;
        }
        EXPECT_TRUE(output.starts_with(line)) << output;
        EXPECT_EQ(one.last(), step::finish);
    }
}

TEST(http_connection, answers_408_when_a_body_does_not_come) {
    peer one;
    one.transport().at_end = std::errc::timed_out;
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    EXPECT_TRUE(has(output, "HTTP/1.1 408 Request Timeout\r\n")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection, closes_at_once_when_the_stream_fails) {
    peer one;
    one.transport().at_end = std::errc::connection_reset;
    EXPECT_EQ(one.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), "");
    EXPECT_EQ(one.last(), step::close);
    peer other;
    other.send("GET / HT");
    other.served().received(std::errc::connection_reset);
    EXPECT_EQ(other.served().next(), step::close);
}

TEST(http_connection, never_lets_a_part_pass_for_the_whole) {
    peer one;
    one.send("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(one.last(), step::close);
}

TEST(http_connection, answers_500_for_a_handler_that_throws_or_says_nothing) {
    for (const char* path : {"/throws", "/silent"}) {
        peer one;
        const std::string output = one.send("GET "s + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_TRUE(output.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << output;
        EXPECT_EQ(output.find("200 OK"), output.npos) << output;
        EXPECT_EQ(one.last(), step::finish);
    }
}

TEST(http_connection, gives_handlers_the_parts_of_the_request_and_keeps_fields_honest) {
    peer one;
    const std::string output =
        one.send("GET /fields?q=1 HTTP/1.1\r\nHost: a:1\r\nX-Body: b\r\n\r\n");
    EXPECT_TRUE(has(output, "\r\nX-Query: q=1\r\nX-Host: a:1\r\nX-Forged: a  Set-Cookie: b\r\n"))
        << output;
    EXPECT_EQ(content_of(output), "b");
}

TEST(http_connection, gives_no_length_to_an_answer_without_content) {
    peer one;
    const std::string output = one.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(output.starts_with("HTTP/1.1 204 No Content\r\n")) << output;
    EXPECT_EQ(output.find("Content-Length"), output.npos) << output;
}

TEST(http_connection, sends_answers_that_are_larger_than_its_buffer) {
    peer one;
    EXPECT_EQ(content_of(one.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")).size(), 100'000u);
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection, answers_408_for_a_head_that_takes_too_long_and_nothing_when_idle) {
    peer one;
    one.send("GET / HT");
    EXPECT_LE(one.served().receive_timeout(), 10s);
    EXPECT_TRUE(one.time_out().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    EXPECT_EQ(one.last(), step::finish);
    peer idle;
    idle.send("");
    EXPECT_EQ(idle.served().receive_timeout(), 60s);
    EXPECT_EQ(idle.time_out(), "");
    EXPECT_EQ(idle.last(), step::close);
}

TEST(http_connection, gives_the_whole_head_one_deadline) {
    peer one;
    one.send("G");
    const duration first = one.served().receive_timeout();
    one.send("E");
    EXPECT_LT(one.served().receive_timeout(), first);
}

TEST(http_connection, meets_the_end_of_input) {
    peer idle;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
    EXPECT_EQ(idle.finish_sending(), "");
    EXPECT_EQ(idle.last(), step::close);
    peer partial;
    partial.send("GET / HTTP/1.1\r\n");
    EXPECT_TRUE(partial.finish_sending().starts_with("HTTP/1.1 400 "));
}

TEST(http_connection, makes_each_answer_the_last_when_the_service_stops) {
    peer one;
    one.send("");
    EXPECT_TRUE(one.served().idle());
    one.shared().begin_stop();
    one.send("GET / H");
    EXPECT_FALSE(one.served().idle());
    one.shared().end_idle_connections();
    EXPECT_FALSE(one.transport().receiving_stopped);
    EXPECT_TRUE(has(one.send("TTP/1.1\r\nHost: a\r\n\r\n"), "\r\nConnection: close\r\n"));
    EXPECT_EQ(one.last(), step::finish);
    peer idle;
    idle.send("");
    idle.shared().end_idle_connections();
    EXPECT_TRUE(idle.transport().receiving_stopped);
}

TEST(http_connection, reports_each_answer_to_the_access_log) {
    std::vector<std::string> lines;
    service_options options = peer::small_options();
    options.access_log = [&](const access_record& seen) {
        lines.push_back(
            std::string{seen.method} + " " + std::string{seen.target} + " " +
            std::to_string(static_cast<int>(seen.status)) + " " + std::to_string(seen.content_size)
        );
    };
    peer one{options};
    one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: "
             "2\r\n\r\nhi"
             "HEAD /?q HTTP/1.1\r\nHost: a\r\n\r\nbad\r\n\r\n");
    const std::vector<std::string> expected{
        "GET / 200 5", "POST /echo 200 2", "HEAD /?q 200 0", "  400 23"};
    EXPECT_EQ(lines, expected);
}

TEST(http_connection, takes_any_split_of_its_input) {
    const std::string input =
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /ignore HTTP/1.1\r\nHost: a\r\n"
        "Content-Length: 3\r\n\r\nabcGET /x HTTP/1.1\r\nHost: a\r\n\r\nbad\n";
    const std::string whole = peer{}.send(input);
    peer bytes;
    std::string output;
    for (const char each : input)
        output += bytes.send({&each, 1});
    const auto without_date = [](std::string text) {
        for (std::size_t at = 0; (at = text.find("Date: ", at)) != text.npos;)
            text.erase(at, 37);
        return text;
    };
    EXPECT_EQ(without_date(output), without_date(whole));
}

TEST(http_connection, is_small_when_idle) {
    EXPECT_LE(sizeof(connection), 512u);
}

} // namespace
} // namespace coronet::http

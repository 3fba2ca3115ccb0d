// SPDX-License-Identifier: BSL-1.0
//
// The rules of a connection: which requests are answered how, and when it ends.
#include "connection_under_test.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coronet::http::connection_tests {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace testing;

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
} // namespace coronet::http::connection_tests

// SPDX-License-Identifier: BSL-1.0
//
// Bodies in both directions: read and skipped, echoed in pieces, expected, missing and malformed.
#include "connection_under_test.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coronet::http::connection_body_tests {
namespace {

using namespace std::string_literals;
using namespace testing;

TEST(http_connection_body, echoes_a_body_with_a_length) {
    peer one;
    const std::string output =
        one.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_TRUE(output.ends_with("Content-Length: 5\r\n\r\nhello")) << output;
    EXPECT_EQ(one.last(), step::receive);
}

TEST(http_connection_body, echoes_a_body_in_chunks) {
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

TEST(http_connection_body, streams_a_large_body_in_fixed_memory) {
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

TEST(http_connection_body, streams_to_an_http_1_0_peer_up_to_the_end_of_the_connection) {
    peer one;
    const std::string output =
        one.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_TRUE(output.ends_with("Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"))
        << output;
}

TEST(http_connection_body, sends_100_when_the_handler_first_reads_the_body) {
    peer one;
    one.transport().input = {"hi"};
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    );
    EXPECT_TRUE(output.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << output;
    EXPECT_TRUE(output.ends_with("\r\n\r\nhi")) << output;
}

TEST(http_connection_body, sends_no_100_when_the_body_came_along) {
    peer one;
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
    );
    EXPECT_TRUE(output.starts_with("HTTP/1.1 200 OK\r\n")) << output;
}

TEST(http_connection_body, ends_when_an_expected_100_was_never_sent) {
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

TEST(http_connection_body, skips_a_body_that_nobody_reads) {
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

TEST(http_connection_body, ends_rather_than_skip_a_large_body) {
    peer one;
    const std::string output =
        one.send("POST /missing HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    EXPECT_TRUE(has(output, "\r\nConnection: close\r\n")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection_body, answers_what_is_wrong_with_a_body_that_a_handler_reads) {
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

TEST(http_connection_body, answers_408_when_a_body_does_not_come) {
    peer one;
    one.transport().at_end = std::errc::timed_out;
    const std::string output = one.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    EXPECT_TRUE(has(output, "HTTP/1.1 408 Request Timeout\r\n")) << output;
    EXPECT_EQ(one.last(), step::finish);
}

TEST(http_connection_body, closes_at_once_when_the_stream_fails) {
    peer one;
    one.transport().at_end = std::errc::connection_reset;
    EXPECT_EQ(one.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), "");
    EXPECT_EQ(one.last(), step::close);
    peer other;
    other.send("GET / HT");
    other.served().received(std::errc::connection_reset);
    EXPECT_EQ(other.served().next(), step::close);
}

TEST(http_connection_body, never_lets_a_part_pass_for_the_whole) {
    peer one;
    one.send("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(one.last(), step::close);
}

} // namespace
} // namespace coronet::http::connection_body_tests

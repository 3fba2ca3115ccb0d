// SPDX-License-Identifier: BSL-1.0
//
// The request head, rule by rule of RFC 9112 (the section is in each row), each row fed in every
// split. What must be accepted is checked for what was understood, too.
#include "split_feeding.hpp"

#include <coronet/net/http/request_parser.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coronet::http::request_parser_tests {
namespace {

using namespace std::string_literals;
using testing::all_splits;
using testing::arrivals;

constexpr limits small_limits{
    .head_max = 256, .target_max = 64, .field_count_max = 8, .body_max = 1000};

// All that a parser says, as text, to compare and to print.
std::string
described(const request_parser& parser, request_parser::outcome outcome, std::string_view text) {
    if (outcome == request_parser::outcome::incomplete) return "incomplete";
    if (outcome == request_parser::outcome::failed)
        return std::to_string(static_cast<unsigned>(parser.error())) + " " +
               std::string{parser.reason()};
    const request_head& head = parser.head();
    std::string all;
    for (const text_range& each : {head.method, head.target, head.path, head.query, head.host})
        all += std::string{each.of(text)} + " | ";
    all += head.version == version::http_1_1 ? "1.1" : "1.0";
    if (head.content_length) all += " length " + std::to_string(*head.content_length);
    if (head.chunked) all += " chunked";
    if (head.keep_alive) all += " keep-alive";
    if (head.expect_continue) all += " expect";
    for (const field& each : fields{head.fields.of(text)})
        all += " <" + std::string{each.name} + "=" + std::string{each.value} + ">";
    return all + " size " + std::to_string(head.size);
}

// As a connection would: stops at the first outcome that is final.
std::string fed(std::string_view text, const arrivals& split, const limits& bounds) {
    request_parser parser{bounds};
    auto outcome = request_parser::outcome::incomplete;
    std::string result = "incomplete";
    for (const std::size_t size : split) {
        const auto received = testing::copy_of(text.substr(0, size));
        outcome = parser.parse(testing::view_of(received));
        result = described(parser, outcome, testing::view_of(received));
        if (outcome != request_parser::outcome::incomplete) break;
    }
    return result;
}

// The outcome, which is checked to be the same in every split.
std::string outcome_of(const std::string& text, const limits& bounds = small_limits) {
    const auto splits = all_splits(text.size());
    const std::string whole = fed(text, splits.front(), bounds);
    for (const auto& split : splits) {
        const std::string result = fed(text, split, bounds);
        EXPECT_EQ(result, whole) << "first arrival of " << split.front() << " bytes of: " << text;
        if (result != whole) break;
    }
    return whole;
}

struct refused {
    const char* section;
    std::string text;
    status expected;
};

void expect_refused(const std::vector<refused>& rows) {
    for (const refused& row : rows) {
        SCOPED_TRACE("RFC 9112, "s + row.section + ": " + row.text);
        const std::string outcome = outcome_of(row.text);
        EXPECT_EQ(outcome.substr(0, 4), std::to_string(static_cast<unsigned>(row.expected)) + " ")
            << outcome;
    }
}

struct accepted {
    const char* section;
    std::string text;
    const char* expected;
};

void expect_accepted(const std::vector<accepted>& rows) {
    for (const accepted& row : rows) {
        SCOPED_TRACE("RFC 9112, "s + row.section + ": " + row.text);
        const std::string outcome = outcome_of(row.text);
        EXPECT_EQ(outcome.substr(0, outcome.rfind(" size ")), row.expected) << outcome;
    }
}

std::string get(const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string line(const std::string& request_line) {
    return request_line + "\r\nHost: a\r\n\r\n";
}

TEST(request_parser, takes_requests_that_are_correct) {
    expect_accepted({
        {"3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET | / | / |  | a | 1.1 keep-alive <Host=a>"},
        {"3", "POST /p?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
         "POST | /p?q=1 | /p | q=1 | a | 1.1 length 5 keep-alive <Host=a> <Content-Length=5>"},
        {"3.1", line("x-$%&'*+.^_`|~!#9 / HTTP/1.1"),
         "x-$%&'*+.^_`|~!#9 | / | / |  | a | 1.1 keep-alive <Host=a>"},
        {"2.2", "\r\n" + get(""), "GET | / | / |  | a | 1.1 keep-alive <Host=a>"},
        {"5", get("A:b\r\nC: \t d e\t \r\nE:\r\n"),
         "GET | / | / |  | a | 1.1 keep-alive <Host=a> <A=b> <C=d e> <E=>"},
        {"5.1", get("X: \xc3\xa9:\"\\\t!\r\n"),
         "GET | / | / |  | a | 1.1 keep-alive <Host=a> <X=\xc3\xa9:\"\\\t!>"},
        {"5", "GET / HTTP/1.1\r\nhOsT: a\r\n\r\n", "GET | / | / |  | a | 1.1 keep-alive <hOsT=a>"},
    });
}

TEST(request_parser, takes_each_form_of_target) {
    expect_accepted({
        {"3.2.1", line("GET /a/b;c=%41:@!$&'()*+,~-._?x/?y= HTTP/1.1"),
         "GET | /a/b;c=%41:@!$&'()*+,~-._?x/?y= | /a/b;c=%41:@!$&'()*+,~-._ | x/?y= | a | 1.1 "
         "keep-alive <Host=a>"},
        {"3.2.1", line("GET /? HTTP/1.1"), "GET | /? | / |  | a | 1.1 keep-alive <Host=a>"},
        {"3.2.1", line("GET //x HTTP/1.1"), "GET | //x | //x |  | a | 1.1 keep-alive <Host=a>"},
        {"3.2.2", line("GET http://b:80/c?d HTTP/1.1"),
         "GET | http://b:80/c?d | /c | d | b:80 | 1.1 keep-alive <Host=a>"},
        {"3.2.2", line("GET HTTPS://[::1]:8443 HTTP/1.1"),
         "GET | HTTPS://[::1]:8443 |  |  | [::1]:8443 | 1.1 keep-alive <Host=a>"},
        {"3.2.2", line("GET http://b?c HTTP/1.1"),
         "GET | http://b?c |  | c | b | 1.1 keep-alive <Host=a>"},
        {"3.2.4", line("OPTIONS * HTTP/1.1"), "OPTIONS | * | * |  | a | 1.1 keep-alive <Host=a>"},
    });
}

TEST(request_parser, takes_hosts_that_are_correct) {
    for (const char* host :
         {"", "a", "a.b-c:80", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:80", "a:", "%41", "a_b"}) {
        SCOPED_TRACE(host);
        const std::string outcome = outcome_of("GET / HTTP/1.1\r\nHost: "s + host + "\r\n\r\n");
        EXPECT_TRUE(outcome.starts_with("GET | / | / |  | "s + host + " | 1.1")) << outcome;
    }
}

TEST(request_parser, knows_whether_the_connection_may_stay) {
    const std::string old = "GET / HTTP/1.0\r\n";
    expect_accepted({
        {"9.3", get("Connection: close\r\n"),
         "GET | / | / |  | a | 1.1 <Host=a> <Connection=close>"},
        {"9.3", get("Connection: x , CLOSE,\r\n"),
         "GET | / | / |  | a | 1.1 <Host=a> <Connection=x , CLOSE,>"},
        {"9.3", get("Connection: x\r\nConnection: close\r\n"),
         "GET | / | / |  | a | 1.1 <Host=a> <Connection=x> <Connection=close>"},
        {"9.3", get("Connection: closed\r\n"),
         "GET | / | / |  | a | 1.1 keep-alive <Host=a> <Connection=closed>"},
        {"9.3", old + "\r\n", "GET | / | / |  |  | 1.0"},
        {"9.3", old + "Connection: Keep-Alive\r\n\r\n",
         "GET | / | / |  |  | 1.0 keep-alive <Connection=Keep-Alive>"},
        {"9.3", old + "Connection: keep-alive, close\r\n\r\n",
         "GET | / | / |  |  | 1.0 <Connection=keep-alive, close>"},
    });
}

TEST(request_parser, knows_how_the_body_is_framed) {
    expect_accepted({
        {"6.1", get("Transfer-Encoding: chunked\r\n"),
         "GET | / | / |  | a | 1.1 chunked keep-alive <Host=a> <Transfer-Encoding=chunked>"},
        {"6.1", get("transfer-encoding:\t ChunkeD \r\n"),
         "GET | / | / |  | a | 1.1 chunked keep-alive <Host=a> <transfer-encoding=ChunkeD>"},
        {"6.2", get("Content-Length: 0\r\n"),
         "GET | / | / |  | a | 1.1 length 0 keep-alive <Host=a> <Content-Length=0>"},
        {"6.2", get("Content-Length: 0001000\r\n"),
         "GET | / | / |  | a | 1.1 length 1000 keep-alive <Host=a> <Content-Length=0001000>"},
        {"9110, 10.1.1", get("Expect: 100-Continue\r\nContent-Length: 1\r\n"),
         "GET | / | / |  | a | 1.1 length 1 keep-alive expect <Host=a> <Expect=100-Continue> "
         "<Content-Length=1>"},
        {"9110, 10.1.1", "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
         "GET | / | / |  |  | 1.0 <Expect=100-continue>"},
    });
}

TEST(request_parser, refuses_lines_that_do_not_end_in_cr_lf) {
    expect_refused({
        {"2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\rHost: a\r\n\r\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\nHost: a\n\r\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n", status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\nHost: a\r\n\rX", status::bad_request},
        {"2.2", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", status::bad_request},
        {"2.2", "\r\n\r\n" + get(""), status::bad_request},
        {"2.2", "\r\r\n" + get(""), status::bad_request},
    });
}

TEST(request_parser, refuses_malformed_request_lines) {
    expect_refused({
        {"3", line("GET /"), status::bad_request},
        {"3", line("GET"), status::bad_request},
        {"3", line(" GET / HTTP/1.1"), status::bad_request},
        {"3", line("GET  / HTTP/1.1"), status::bad_request},
        {"3", line("GET /  HTTP/1.1"), status::bad_request},
        {"3", line("GET / HTTP/1.1 "), status::bad_request},
        {"3", line("GET\t/ HTTP/1.1"), status::bad_request},
        {"3", line("GET / HTTP/1.1 x"), status::bad_request},
        {"3", line("GET HTTP/1.1"), status::bad_request},
        {"3", line("GET  HTTP/1.1"), status::bad_request},
        {"3.1", line("G(T / HTTP/1.1"), status::bad_request},
        {"3.1", line("G\xc3\xa9T / HTTP/1.1"), status::bad_request},
        {"3.1", line("G:T / HTTP/1.1"), status::bad_request},
        {"2.3", line("GET / http/1.1"), status::bad_request},
        {"2.3", line("GET / HTTP/1"), status::bad_request},
        {"2.3", line("GET / HTTP/11"), status::bad_request},
        {"2.3", line("GET / HTTP/1.10"), status::bad_request},
        {"2.3", line("GET / HTTP/01.1"), status::bad_request},
        {"2.3", line("GET / HTTP/1,1"), status::bad_request},
        {"2.3", line("GET / HTTP/a.b"), status::bad_request},
        {"2.3", line("GET / HTTP/ 1.1"), status::bad_request},
        {"2.3", line("GET / HTTPS/1.1"), status::bad_request},
        {"2.3", line("GET / HTTP/2.0"), status::http_version_not_supported},
        {"2.3", line("GET / HTTP/1.2"), status::http_version_not_supported},
        {"2.3", line("GET / HTTP/0.9"), status::http_version_not_supported},
        {"2.3", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status::http_version_not_supported},
        {"3", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, status::bad_request},
        {"3", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, status::bad_request},
    });
}

TEST(request_parser, refuses_malformed_targets) {
    expect_refused({
        {"3.2", line("GET x HTTP/1.1"), status::bad_request},
        {"3.2", line("GET * HTTP/1.1"), status::bad_request},
        {"3.2", line("OPTIONS ** HTTP/1.1"), status::bad_request},
        {"3.2", line("GET ?a HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /a b HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /a\tb HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /a#b HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /\xc3\xa9 HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /\x7f HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /<> HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /\\ HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /% HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /%4 HTTP/1.1"), status::bad_request},
        {"3.2", line("GET /%4g HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http:///a HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http:// HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http://u@b/ HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http://b:x/ HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http://:80/ HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET http:/a HTTP/1.1"), status::bad_request},
        {"3.2.2", line("GET ftp://b/ HTTP/1.1"), status::bad_request},
        {"3.2.3", line("CONNECT a:443 HTTP/1.1"), status::not_implemented},
    });
}

TEST(request_parser, refuses_malformed_field_lines) {
    expect_refused({
        {"5", get("A : b\r\n"), status::bad_request},
        {"5", get("A\t: b\r\n"), status::bad_request},
        {"5", get(": b\r\n"), status::bad_request},
        {"5", get("A\r\n"), status::bad_request},
        {"5", get("A b\r\n"), status::bad_request},
        {"5", get("A(: b\r\n"), status::bad_request},
        {"5", get("\xc3\xa9: b\r\n"), status::bad_request},
        {"5.2", get("A: b\r\n c\r\n"), status::bad_request},
        {"5.2", get("A: b\r\n\tc\r\n"), status::bad_request},
        {"5.2", get("A: b\r\n \r\n"), status::bad_request},
        {"2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", status::bad_request},
        {"5.5", get("A: b\0c\r\n"s), status::bad_request},
        {"5.5", get("A: b\x01\r\n"), status::bad_request},
        {"5.5", get("A: b\x7f\r\n"), status::bad_request},
        {"5.5", get("A: b\x0b\r\n"), status::bad_request},
        {"5.5", get("A\0: b\r\n"s), status::bad_request},
    });
}

TEST(request_parser, refuses_a_host_that_is_missing_doubled_or_malformed) {
    expect_refused({
        {"3.2", "GET / HTTP/1.1\r\n\r\n", status::bad_request},
        {"3.2", "GET http://a/ HTTP/1.1\r\n\r\n", status::bad_request},
        {"3.2", get("Host: a\r\n"), status::bad_request},
        {"3.2", get("host: b\r\n"), status::bad_request},
        {"3.2", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", status::bad_request},
        {"3.2", "GET / HTTP/1.1\r\nHost: %zz\r\n\r\n", status::bad_request},
    });
}

TEST(request_parser, refuses_bodies_whose_framing_two_readers_could_see_differently) {
    const std::string length = "Content-Length: 5\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    expect_refused({
        {"6.1", get(length + chunked), status::bad_request},
        {"6.1", get(chunked + length), status::bad_request},
        {"6.1", get("Transfer-Encoding: gzip\r\n" + length), status::bad_request},
        {"6.1", "GET / HTTP/1.0\r\n" + chunked + "\r\n", status::bad_request},
        {"6.1", get(chunked + chunked), status::bad_request},
        {"6.1", get("Transfer-Encoding: chunked, chunked\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: chunked, gzip\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: chunked;a=b\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: chunked,\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: ,chunked\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding:\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: \"chunked\"\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding: chunked x\r\n"), status::bad_request},
        {"6.1", get("Transfer-Encoding : chunked\r\n"), status::bad_request},
        {"6.1",
         get("Transfer-Encoding: \x0b"
             "chunked\r\n"),
         status::bad_request},
        {"6.1", get("Transfer-Encoding: gzip\r\n"), status::not_implemented},
        {"6.1", get("Transfer-Encoding: gzip, chunked\r\n"), status::not_implemented},
        {"6.1", get("Transfer-Encoding: gzip\r\n" + chunked), status::not_implemented},
        {"6.1", get("Transfer-Encoding: identity\r\n"), status::not_implemented},
        {"6.1", get("Transfer-Encoding: xchunked\r\n"), status::not_implemented},
        {"6.3", get(length + length), status::bad_request},
        {"6.3", get(length + "Content-Length: 6\r\n"), status::bad_request},
        {"6.3", get("Content-Length: 5, 5\r\n"), status::bad_request},
        {"6.2", get("Content-Length:\r\n"), status::bad_request},
        {"6.2", get("Content-Length: +5\r\n"), status::bad_request},
        {"6.2", get("Content-Length: -5\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 0x5\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 5 5\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 5.0\r\n"), status::bad_request},
        {"6.2", get("Content-Length: \xd9\xa5\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 18446744073709551616\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 99999999999999999999999\r\n"), status::bad_request},
        {"6.2", get("Content-Length: 18446744073709551615\r\n"), status::content_too_large},
        {"6.2", get("Content-Length: 1001\r\n"), status::content_too_large},
        {"9110, 10.1.1", get("Expect: 200-ok\r\n"), status::expectation_failed},
        {"9110, 10.1.1", get("Expect: 100-continue, x\r\n"), status::expectation_failed},
        {"9110, 10.1.1", get("Expect:\r\n"), status::expectation_failed},
    });
}

TEST(request_parser, refuses_heads_beyond_the_limits) {
    const std::string target_that_fits(small_limits.target_max - 1, 'x');
    const std::string long_field = "X: " + std::string(300, 'x') + "\r\n";
    std::string many;
    for (int i = 0; i < 8; ++i)
        many += "A: b\r\n";
    expect_refused({
        {"3", line("GET /" + target_that_fits + "x HTTP/1.1"), status::uri_too_long},
        {"3", line("GET /" + std::string(500, 'x') + " HTTP/1.1"), status::uri_too_long},
        {"3", "GET /" + std::string(500, 'x'), status::uri_too_long},
        {"3", std::string(500, 'x'), status::bad_request},
        {"5", get(long_field), status::request_header_fields_too_large},
        {"5", get("").substr(0, 20) + std::string(300, 'x'),
         status::request_header_fields_too_large},
        {"5", get(many), status::request_header_fields_too_large},
    });
    EXPECT_EQ(outcome_of(line("GET /" + target_that_fits + " HTTP/1.1")).substr(0, 5), "GET |");
    EXPECT_EQ(outcome_of(get(many.substr(6))).substr(0, 5), "GET |");
}

TEST(request_parser, takes_a_head_of_exactly_the_limit_and_no_byte_more) {
    const std::string shortest = get("X: \r\n");
    const std::string padding(small_limits.head_max - shortest.size(), 'x');
    EXPECT_EQ(outcome_of(get("X: " + padding + "\r\n")).substr(0, 5), "GET |");
    EXPECT_EQ(outcome_of(get("X: x" + padding + "\r\n")).substr(0, 4), "431 ");
}

TEST(request_parser, is_incomplete_until_the_empty_line) {
    const std::string whole = get("A: b\r\n");
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(outcome_of(whole.substr(0, size)), "incomplete") << size;
}

TEST(request_parser, leaves_what_follows_the_head_alone) {
    const std::string first = get("");
    for (const std::string& after : {"GET /2 HTTP/1.1\r\n"s, "\0\n\r"s, "body"s}) {
        const std::string outcome = outcome_of(first + after);
        EXPECT_EQ(outcome.substr(outcome.rfind(' ') + 1), std::to_string(first.size()));
    }
}

TEST(request_parser, is_at_start_until_something_of_a_request_came) {
    request_parser parser{small_limits};
    EXPECT_TRUE(parser.at_start());
    for (const std::string_view nothing : {"", "\r", "\r\n"}) {
        EXPECT_EQ(parser.parse(nothing), request_parser::outcome::incomplete);
        EXPECT_TRUE(parser.at_start());
    }
    EXPECT_EQ(parser.parse("\r\nG"), request_parser::outcome::incomplete);
    EXPECT_FALSE(parser.at_start());
}

TEST(request_parser, starts_afresh_after_reset) {
    request_parser parser{small_limits};
    EXPECT_EQ(parser.parse("bad\n"), request_parser::outcome::failed);
    parser.reset();
    const std::string good = get("Content-Length: 3\r\n");
    EXPECT_EQ(parser.parse(good), request_parser::outcome::complete);
    parser.reset();
    EXPECT_EQ(parser.parse(get("")), request_parser::outcome::complete);
    EXPECT_FALSE(parser.head().content_length.has_value());
}

TEST(request_parser, is_small_as_every_idle_connection_has_one) {
    EXPECT_LE(sizeof(request_parser), 160u);
}

} // namespace
} // namespace coronet::http::request_parser_tests

// SPDX-License-Identifier: BSL-1.0
//
// Bodies in chunks, rule by rule of RFC 9112, section 7.1, each row fed in every split.
#include "split_feeding.hpp"

#include <coronet/net/http/chunked_decoder.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coronet::http::chunked_decoder_tests {
namespace {

using namespace std::string_literals;
using testing::arrivals;

constexpr limits small_limits{.body_max = 1000, .chunk_extension_max = 32, .trailer_max = 64};

// The body, and how it ended: with what consumed, or with which status.
std::string fed(std::string_view text, const arrivals& split) {
    chunked_decoder decoder{small_limits};
    std::string body;
    std::size_t consumed = 0;
    for (const std::size_t size : split) {
        while (true) {
            const auto received = testing::copy_of(text.substr(consumed, size - consumed));
            const auto step = decoder.next(testing::view_of(received));
            consumed += step.consumed;
            body += step.data;
            if (step.outcome == chunked_decoder::outcome::complete)
                return body + " complete " + std::to_string(consumed);
            if (step.outcome == chunked_decoder::outcome::failed)
                return body + " failed " + std::to_string(static_cast<unsigned>(decoder.error())) +
                       " at " + std::to_string(consumed);
            if (step.outcome == chunked_decoder::outcome::incomplete) break;
        }
        EXPECT_EQ(consumed, size);
    }
    return body + " incomplete";
}

std::string outcome_of(const std::string& text) {
    const auto splits = testing::all_splits(text.size());
    const std::string whole = fed(text, splits.front());
    for (const auto& split : splits) {
        const std::string result = fed(text, split);
        EXPECT_EQ(result, whole) << "first arrival of " << split.front() << " bytes of: " << text;
        if (result != whole) break;
    }
    return whole;
}

TEST(chunked_decoder, takes_bodies_that_are_correct) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"0\r\n\r\n", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
        {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
        {"0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello"},
        {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
        {"1\r\n\0\r\n0\r\n\r\n"s, "\0"s},
    };
    for (const auto& [text, body] : rows)
        EXPECT_EQ(outcome_of(text), body + " complete " + std::to_string(text.size()));
}

TEST(chunked_decoder, skips_extensions) {
    for (const char* extension :
         {";a", ";a=b", ";a;b", ";a=b;c=d", "; a = b", " ;a", "\t;\ta\t=\tb", ";a=\"\"",
          ";a=\"x;\\\"y\\\\ z\"", ";a=\"x\" ;b", ";a ;b", ";a=b ;c"}) {
        SCOPED_TRACE(extension);
        const std::string text = "1"s + extension + "\r\nx\r\n0" + extension + "\r\n\r\n";
        EXPECT_EQ(outcome_of(text), "x complete " + std::to_string(text.size()));
    }
}

TEST(chunked_decoder, skips_trailer_fields) {
    for (const char* trailer :
         {"A: b\r\n", "A:\r\nB: c d\t\r\n",
          "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"}) {
        SCOPED_TRACE(trailer);
        const std::string text = "1\r\nx\r\n0\r\n"s + trailer + "\r\n";
        EXPECT_EQ(outcome_of(text), "x complete " + std::to_string(text.size()));
    }
}

TEST(chunked_decoder, leaves_what_follows_the_body_alone) {
    EXPECT_EQ(outcome_of("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), "x complete 11");
    EXPECT_EQ(outcome_of("0\r\n\r\n\0\n"s), " complete 5");
}

TEST(chunked_decoder, refuses_malformed_chunks) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"\r\n", " failed 400 at 0"},
        {" 1\r\nx", " failed 400 at 0"},
        {"x", " failed 400 at 0"},
        {"-1\r\n", " failed 400 at 0"},
        {"0x1\r\n", " failed 400 at 1"},
        {"1 \r\nx", " failed 400 at 2"},
        {"1 2\r\n", " failed 400 at 2"},
        {"1\nx", " failed 400 at 1"},
        {"1\rx", " failed 400 at 2"},
        {"1\r\r\n", " failed 400 at 2"},
        {"1\r\nxy\r\n", "x failed 400 at 4"},
        {"1\r\nx\n", "x failed 400 at 4"},
        {"1\r\nx\rx", "x failed 400 at 5"},
        {"1\r\nx0\r\n\r\n", "x failed 400 at 4"},
        {"00000000000000001\r\n", " failed 400 at 16"},
        {"10000000000000000\r\n", " failed 400 at 16"},
        {"ffffffffffffffff\r\n", " failed 413 at 17"},
        {"3e9\r\n", " failed 413 at 4"},
        {"1;\r\n", " failed 400 at 2"},
        {"1;;a\r\n", " failed 400 at 2"},
        {"1;a=\r\n", " failed 400 at 4"},
        {"1;a=;\r\n", " failed 400 at 4"},
        {"1;a \r\n", " failed 400 at 4"},
        {"1;a\nx", " failed 400 at 3"},
        {"1;a=\"x\r\n", " failed 400 at 6"},
        {"1;a=\"x\ny\"", " failed 400 at 6"},
        {"1;a=\"x\"y\r\n", " failed 400 at 7"},
        {"1;a\0\r\n"s, " failed 400 at 3"},
        {"1;=b\r\n", " failed 400 at 2"},
        {"0\r\n\n", " failed 400 at 3"},
        {"0\r\n\rx", " failed 400 at 4"},
        {"0\r\n A: b\r\n", " failed 400 at 3"},
        {"0\r\nA : b\r\n", " failed 400 at 4"},
        {"0\r\n: b\r\n", " failed 400 at 3"},
        {"0\r\nA: b\n", " failed 400 at 7"},
        {"0\r\nA: \0\r\n"s, " failed 400 at 6"},
        {"0\r\nA: b\r\n c\r\n\r\n", " failed 400 at 9"},
    };
    for (const auto& [text, outcome] : rows) {
        SCOPED_TRACE(text);
        EXPECT_EQ(outcome_of(text), outcome);
    }
}

TEST(chunked_decoder, counts_all_chunks_against_the_limit) {
    const std::string half(500, 'x');
    const std::string chunk = "1f4\r\n" + half + "\r\n";
    EXPECT_EQ(
        fed(chunk + chunk + "0\r\n\r\n", {chunk.size() * 2 + 5}).substr(1000, 9), " complete"
    );
    const std::string over = chunk + chunk + "1\r\nx\r\n0\r\n\r\n";
    EXPECT_EQ(fed(over, {over.size()}).substr(1000, 11), " failed 413");
}

TEST(chunked_decoder, bounds_extensions_and_trailers) {
    const std::string extension(small_limits.chunk_extension_max, 'a');
    EXPECT_EQ(
        outcome_of("1;" + extension.substr(2) + "\r\nx\r\n0\r\n\r\n").substr(0, 10), "x complete"
    );
    EXPECT_EQ(outcome_of("1;" + extension + "\r\nx\r\n0\r\n\r\n").substr(0, 11), " failed 400");
    const std::string trailer(small_limits.trailer_max, 'a');
    EXPECT_EQ(outcome_of("0\r\n" + trailer + ": b\r\n\r\n").substr(0, 11), " failed 431");
    std::string many = "0\r\n";
    for (int i = 0; i < 20; ++i)
        many += "a: b\r\n";
    EXPECT_EQ(outcome_of(many + "\r\n").substr(0, 11), " failed 431");
}

} // namespace
} // namespace coronet::http::chunked_decoder_tests

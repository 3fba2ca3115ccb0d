// SPDX-License-Identifier: BSL-1.0
//
// The head of an HTTP/1.x request, taken apart strictly by RFC 9112: what is not allowed there is
// refused with the status that belongs to it, there is no lenient mode. It works on the input
// buffer of its connection, remembers how far it has looked (one byte at a time costs the same
// as all at once), gives the same outcome however the input was split, and allocates nothing.
// One thread at a time. Not about bodies: chunked_decoder takes those apart.
#pragma once

#include <coronet/net/http/fields.hpp>
#include <coronet/net/http/limits.hpp>
#include <coronet/net/http/status.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace coronet::http {

enum class version : std::uint8_t { http_1_0, http_1_1 };

/// A part of the head's text, by position: the buffer that holds the text may move.
struct text_range {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;

    [[nodiscard]] std::string_view of(std::string_view text) const noexcept {
        return {text.data() + begin, size};
    }
};

/// What a complete head says. The ranges are positions in the text that was parsed.
struct request_head {
    text_range method;
    text_range target;      ///< As it was sent.
    text_range path;        ///< Of the target, without the query; empty for `http://host`.
    text_range query;       ///< Of the target, after the `?`.
    text_range host;        ///< Of the target in absolute-form, otherwise of the Host field.
    text_range fields;      ///< All field lines, for http::fields.
    std::uint32_t size = 0; ///< Bytes of the whole head, the empty line included.
    http::version version = http::version::http_1_1;
    bool chunked = false;         ///< The body is in chunks; otherwise it has content_length bytes.
    bool keep_alive = true;       ///< The peer allows another request on this connection.
    bool expect_continue = false; ///< The peer waits for 100 before it sends the body.
    std::optional<std::uint64_t> content_length;

    [[nodiscard]] bool has_body() const noexcept {
        return chunked || (content_length && *content_length > 0);
    }
};

class request_parser {
public:
    enum class outcome : std::uint8_t { incomplete, complete, failed };

    /// `bounds` outlives the parser.
    explicit request_parser(const limits& bounds) noexcept : limits_{&bounds} {}

    /// Looks at what has been received of this head so far.
    ///
    /// `received` starts at the first byte of the head and holds at least what it held at the last
    /// call; it may have moved. After `complete` the head's size says where the body begins. Once
    /// complete or failed, the answer stays until `reset`.
    [[nodiscard]] outcome parse(std::string_view received) noexcept;

    /// The head. Only after `complete`.
    [[nodiscard]] const request_head& head() const noexcept { return head_; }

    /// The status to answer with, and why, in a few words. Only after `failed`.
    [[nodiscard]] http::status error() const noexcept { return error_; }
    [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

    /// True until something of a request has been seen (an empty line before it is nothing).
    [[nodiscard]] bool at_start() const noexcept {
        return phase_ <= phase::request_line && scanned_ == line_begin_;
    }

    /// Ready for the head of the next request.
    void reset() noexcept { *this = request_parser{*limits_}; }

private:
    // start        → request_line   an empty line, one only
    // start, request_line → fields  a request line
    // fields       → complete       the empty line, and the fields agree with each other
    // any          → failed
    enum class phase : std::uint8_t { start, request_line, fields, complete, failed };
    // What the Transfer-Encoding fields say, all together.
    enum class coding : std::uint8_t { none, chunked, unknown };

    [[nodiscard]] std::uint32_t size_max() const noexcept;
    [[nodiscard]] bool take_line(std::string_view text, std::string_view& line) noexcept;
    void fail_too_long(std::string_view visible) noexcept;
    void take_request_line(std::string_view text, std::string_view line) noexcept;
    void take_target(std::string_view text, std::string_view target) noexcept;
    void take_absolute_target(std::string_view text, std::string_view after_scheme) noexcept;
    void take_path_and_query(std::string_view text, std::string_view rest) noexcept;
    void take_field(std::string_view text, std::string_view line) noexcept;
    void
    take_known_field(std::string_view text, std::string_view name, std::string_view value) noexcept;
    void take_host(std::string_view text, std::string_view value) noexcept;
    void take_content_length(std::string_view value) noexcept;
    void take_transfer_encoding(std::string_view value) noexcept;
    void take_connection(std::string_view value) noexcept;
    void take_expect(std::string_view value) noexcept;
    void finish() noexcept;
    void fail(http::status error, const char* reason) noexcept;

    const limits* limits_;
    const char* reason_ = "";
    request_head head_;
    std::uint32_t line_begin_ = 0; // of the line that is being read
    std::uint32_t scanned_ = 0;    // bytes that need no second look
    std::uint32_t field_count_ = 0;
    http::status error_{};
    phase phase_ = phase::start;
    coding coding_ = coding::none;
    bool host_seen_ = false;
    bool host_from_target_ = false;
    bool close_seen_ = false;
    bool keep_alive_seen_ = false;
    bool expectation_unknown_ = false;
};

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// What a handler is given: the request that it looks at and the response that it fills in. Both are
// handles of one pointer into the connection, passed by value. They are valid until the handler
// ends, on the connection's scheduler. Not messages that could be stored or sent elsewhere.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/http/fields.hpp>
#include <coronet/net/http/request_parser.hpp>
#include <coronet/net/http/status.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace coronet::http {

class connection;

/// A request whose head has come; its body may still be on the way.
///
/// Lifetime: all views are valid until the handler ends.
class request {
public:
    explicit request(connection& owner) noexcept : connection_{&owner} {}

    [[nodiscard]] std::string_view method() const noexcept;
    /// The target as it was sent.
    [[nodiscard]] std::string_view target() const noexcept;
    /// The path of the target, `/` if that has none; not decoded.
    [[nodiscard]] std::string_view path() const noexcept;
    /// What follows the `?` of the target; not decoded.
    [[nodiscard]] std::string_view query() const noexcept;
    /// The host that is asked for, with its port if one was given.
    [[nodiscard]] std::string_view host() const noexcept;
    [[nodiscard]] http::version version() const noexcept;
    /// All field lines in their order.
    [[nodiscard]] http::fields fields() const noexcept;
    /// The first field of that name, whatever its case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
    /// The length of the body; nothing when it comes in chunks, 0 when there is none.
    [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;

    /// Receives the next piece of the body. The first call sends `100 Continue` if the peer waits
    /// for it. What a handler leaves unread is skipped, or ends the connection if it is much.
    ///
    /// Result: a piece, valid until the next call; empty when the body has ended.
    /// Errors: timed_out, bad_message (malformed), file_too_large, connection_aborted (the peer
    /// finished sending early), those of recv(2). A handler that has not begun to answer may just
    /// end: the connection then answers with the status that belongs to the error.
    /// Cancel: terminal.
    [[nodiscard]] task<result<std::span<const std::byte>>> read_body();

private:
    connection* connection_;
};

/// The answer to one request: `begin`, then fields, then either `send` or `stream` with `write` and
/// `finish`. A handler that ends without an answer gives 500.
class response {
public:
    explicit response(connection& owner) noexcept : connection_{&owner} {}

    /// Writes the status line, Server and Date.
    void begin(http::status code);
    /// Adds a field. Framing and Connection fields are not for the handler. A control character in
    /// `value` becomes a space. `name` is a token.
    void field(std::string_view name, std::string_view value);

    /// Has the connection end after this answer. Before the head ends, that is before send or
    /// stream.
    void close_after() noexcept;

    /// Ends the answer with this content, which is copied. Adds Content-Length.
    void send(std::string_view content);
    /// begin, Content-Type and send in one.
    void send(http::status code, std::string_view content_type, std::string_view content);

    /// Content of `length` bytes follows in pieces.
    void stream(std::uint64_t length);
    /// Content of unknown length follows in pieces: chunks, or up to the end of the connection for
    /// an HTTP/1.0 peer.
    void stream();
    /// Adds a piece of the content. It may wait for more to come in the connection's output buffer;
    /// it leaves when enough has gathered, before the handler waits in read_body, on `flush`, and
    /// when the answer is finished.
    ///
    /// Result: success once `content` is copied or sent; waits while the peer does not receive.
    /// Errors: timed_out, message_size (more than the length that was given), those of send(2).
    /// Cancel: terminal.
    [[nodiscard]] task<result<void>> write(std::span<const std::byte> content);
    /// Sends what has gathered.
    [[nodiscard]] task<result<void>> flush();
    /// Ends the content. Content that is shorter than the length that was given, or that was never
    /// finished, breaks the connection, so that the peer does not take it for whole.
    void finish();

private:
    connection* connection_;
};

} // namespace coronet::http

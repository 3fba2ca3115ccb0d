// SPDX-License-Identifier: BSL-1.0
//
// One connection's side of HTTP/1.1: it understands what was received, has handlers answer, and
// says what is to be done next. Its loop (serve.hpp) does that on a stream of any type, so the
// rules of the protocol are plain functions that can be tested without one. Only the awaits of
// handlers go through a `transport`. Owner thread. It does no I/O by itself and keeps no time.
//
// It looks at a piece in the buffer that it came in, and holds that no longer than until it says
// what is next. While nothing of a request has come it owns no buffer.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/http/body_reader.hpp>
#include <coronet/net/http/buffer.hpp>
#include <coronet/net/http/input.hpp>
#include <coronet/net/http/request_parser.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/status.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace coronet::http {

struct handler;
class transport;

class connection final : public listed_connection {
public:
    /// Joins the list of `owner`, which outlives it, as does `stream`.
    connection(service& owner, transport& stream);
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    // ---- for the loop ----

    enum class step : std::uint8_t {
        receive, ///< within receive_timeout(), a piece or into room(); then received()
        send,    ///< some of pending(), within send_timeout(); then sent()
        call,    ///< await call_handler(), then handler_ended()
        finish,  ///< tell the peer that all is sent, drop what still comes for a while, close
        close,   ///< at once
    };

    /// What to do next. Answers as many requests as have come.
    [[nodiscard]] step next();

    [[nodiscard]] std::span<std::byte> room();
    [[nodiscard]] duration receive_timeout() noexcept;
    /// So much has come into room(), or the end (0), or an error.
    void received(const result<std::size_t>& count);
    /// A piece has come; an empty one is the end.
    void received_piece(result<received_buffer>&& piece);

    [[nodiscard]] std::span<const std::byte> pending() const noexcept { return output_.bytes(); }
    [[nodiscard]] duration send_timeout() const noexcept;
    void sent(const result<std::size_t>& count) noexcept;

    [[nodiscard]] task<void> call_handler();
    void handler_ended(bool failed);

    // ---- for a graceful end ----

    /// Nothing of a request has come and no answer is on its way. (An empty line is nothing.)
    [[nodiscard]] bool idle() const noexcept;
    /// The same, and nothing has to be remembered: a new connection would go on just so.
    [[nodiscard]] bool blank() const noexcept { return idle() && input_.empty(); }
    void end_if_idle() noexcept override;

private:
    friend class request;
    friend class response;

    // head     → called    a whole head has come, its handler is a coroutine
    // head     → skipping  a plain handler has answered, some of the body is left
    // called   → head, skipping   its handler has ended
    // skipping → head      the body has ended
    // any      → finishing the last answer is ready; it is sent, then the connection ends
    // any      → broken    nothing can be said to the peer any more
    enum class phase : std::uint8_t { head, called, skipping, finishing, broken };
    // none → begun (status line) → streaming or complete; streaming → complete
    enum class answer : std::uint8_t { none, begun, streaming, complete };
    enum class framing : std::uint8_t { length, chunked, until_close };

    // connection.cpp: requests
    [[nodiscard]] step find_next();
    [[nodiscard]] std::optional<step> next_in_head();
    [[nodiscard]] std::optional<step> next_in_skipped_body();
    void begin_request();
    void answer_plainly(const handler& chosen);
    void end_request();
    void end_without_answer();
    void meet_end_of_input();
    void meet_timeout();
    void refuse(http::status error, std::string_view reason);
    void log_answer() const;
    [[nodiscard]] std::string_view method() const noexcept;
    [[nodiscard]] std::string_view path() const noexcept;

    // connection_body.cpp: the body of the request, for handlers
    [[nodiscard]] task<result<std::span<const std::byte>>> read_body();
    [[nodiscard]] bool take_piece(result<std::span<const std::byte>>& piece);
    void prepare_body_read();
    [[nodiscard]] std::error_code note_body_input(const result<std::size_t>& count) noexcept;
    void give_back(buffer& used) noexcept;

    // connection_answer.cpp: the answer
    void begin_answer(http::status code);
    void add_field(std::string_view name, std::string_view value);
    void send_answer(std::string_view content);
    void stream_answer(framing how, std::uint64_t length);
    void end_head() noexcept;
    [[nodiscard]] task<result<void>> write_answer(std::span<const std::byte> content);
    [[nodiscard]] task<result<void>> flush();
    void add_content(std::string_view content);
    void finish_answer();
    void drop_answer() noexcept;
    void note_sent(std::size_t count) noexcept;

    service& service_;
    transport& transport_;
    input input_;
    buffer output_;
    buffer body_; // input that came while a body was read
    request_parser parser_;
    body_reader body_reader_;
    const handler* handler_ = nullptr;
    time_point head_deadline_{};
    std::size_t input_used_ = 0; // of input_: the head of this request and what is read of its body
    std::size_t output_before_ = 0;  // of output_: what belongs to earlier answers
    std::uint64_t content_left_ = 0; // of an answer with a length
    std::uint64_t content_size_ = 0; // of the answer so far
    http::status status_{};
    http::status body_error_{}; // what is wrong with the body that a handler reads
    phase phase_ = phase::head;
    answer answer_ = answer::none;
    framing framing_ = framing::length;
    bool answer_sent_ = false;     // some of it: it cannot be taken back
    bool closing_ = false;         // this answer is the last
    bool lost_ = false;            // an await of the handler met an error of the stream
    bool content_omitted_ = false; // HEAD
    bool continue_wanted_ = false; // the peer waits for 100 Continue
    bool date_known_ = false;      // the service has been asked for it in this turn
};

} // namespace coronet::http

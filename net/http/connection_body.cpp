// SPDX-License-Identifier: BSL-1.0
//
// The body of a request as its handler reads it: first what came with the head, in place, then what
// a buffer of its own receives. The head stays where it is meanwhile. Owner thread.
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>

#include <algorithm>

namespace coronet::http {

namespace {

constexpr std::size_t body_capacity = 64 * 1024;

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
}

} // namespace

task<result<std::span<const std::byte>>> connection::read_body() {
    result<std::span<const std::byte>> piece = std::span<const std::byte>();
    while (!take_piece(piece)) {
        prepare_body_read();
        auto flushed = co_await flush();
        if (!flushed) co_return flushed.error();
        const duration limit = service_.options().timeouts.body;
        auto count = co_await transport_.receive(&body_, limit);
        const std::error_code error = note_body_input(count);
        if (error) co_return error;
    }
    co_return piece;
}

// True when `piece` says what there is to say without reading more.
bool connection::take_piece(result<std::span<const std::byte>>& piece) {
    const bool from_input = body_.empty();
    const std::string_view source = from_input ? input_.data().substr(input_used_) : body_.data();
    const body_reader::step taken = body_reader_.next(source);
    if (from_input)
        input_used_ += taken.consumed;
    else
        body_.consume(taken.consumed);
    if (taken.outcome == body_reader::outcome::failed) {
        body_error_ = body_reader_.error();
        closing_ = true;
        const bool too_large = body_error_ == status::content_too_large;
        piece = too_large ? std::errc::file_too_large : std::errc::bad_message;
        return true;
    }
    piece = bytes_of(taken.data);
    return taken.outcome != body_reader::outcome::incomplete;
}

void connection::prepare_body_read() {
    buffer_pool& memory = service_.buffers();
    if (continue_wanted_ && answer_ == answer::none) {
        if (output_.capacity() == 0) output_ = memory.take();
        output_.append("HTTP/1.1 100 Continue\r\n\r\n");
    }
    continue_wanted_ = false;
    if (body_.capacity() > 0) return;
    const std::uint64_t wanted = body_reader_.chunked() ? body_capacity : body_reader_.known_left();
    if (wanted <= memory.capacity())
        body_ = memory.take();
    else
        body_ = buffer{static_cast<std::size_t>(std::min<std::uint64_t>(wanted, body_capacity))};
}

void connection::give_back(buffer& used) noexcept {
    if (used.capacity() != 0) service_.buffers().give_back(std::move(used));
}

std::error_code connection::note_body_input(const result<std::size_t>& count) noexcept {
    if (count && *count > 0) return {};
    closing_ = true;
    if (count) {
        body_error_ = status::bad_request;
        return std::make_error_code(std::errc::connection_aborted);
    }
    if (count.error() == std::errc::timed_out)
        body_error_ = status::request_timeout;
    else
        lost_ = true;
    return count.error();
}

} // namespace coronet::http

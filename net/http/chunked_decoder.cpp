// SPDX-License-Identifier: BSL-1.0
//
// The grammar of chunks as a state machine over bytes; only data is taken in pieces. Framing is a
// few bytes a chunk, so plainness wins over speed there. One thread at a time.
#include "characters.hpp"

#include <coronet/net/http/chunked_decoder.hpp>

#include <algorithm>

namespace coronet::http {

namespace {

constexpr std::uint8_t digits_max = 16; // as many as 64 bits can hold

std::uint64_t hex_value(char c) noexcept {
    return static_cast<std::uint64_t>(c <= '9' ? c - '0' : lower(c) - 'a' + 10);
}

} // namespace

chunked_decoder::step chunked_decoder::next(std::string_view input) noexcept {
    std::size_t at = 0;
    while (state_ < state::complete && at < input.size()) {
        if (state_ == state::data) return take_data(input, at);
        state_ = after(input[at]);
        if (state_ != state::failed) ++at;
    }
    if (state_ == state::complete) return {outcome::complete, at, {}};
    return {state_ == state::failed ? outcome::failed : outcome::incomplete, at, {}};
}

chunked_decoder::step chunked_decoder::take_data(std::string_view input, std::size_t at) noexcept {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
    left_ -= size;
    if (left_ == 0) state_ = state::data_cr;
    return {outcome::data, at + size, input.substr(at, size)};
}

chunked_decoder::state chunked_decoder::after(char byte) noexcept {
    if (state_ <= state::size) return after_size(byte);
    if (state_ <= state::extension_quote_closed) return after_extension(byte);
    if (state_ == state::size_lf) return after_size_line(byte);
    if (state_ >= state::trailer_first) return after_trailer(byte);
    if (state_ == state::data_cr && byte == '\r') return state::data_lf;
    if (state_ == state::data_lf && byte == '\n') {
        digits_ = 0;
        return state::size_first;
    }
    return fail(status::bad_request, "chunk data does not end where its size says");
}

chunked_decoder::state chunked_decoder::after_size(char byte) noexcept {
    if (is(byte, hex_character)) return after_size_digit(byte);
    if (state_ == state::size && byte == '\r') return state::size_lf;
    if (state_ == state::size && byte == ';') return state::extension_name_first;
    if (state_ == state::size && is_space_or_tab(byte)) return state::extension_gap;
    return fail(status::bad_request, "malformed chunk size");
}

chunked_decoder::state chunked_decoder::after_size_digit(char byte) noexcept {
    if (state_ == state::size_first) left_ = overhead_ = 0;
    if (++digits_ > digits_max) return fail(status::bad_request, "chunk size has too many digits");
    left_ = left_ << 4 | hex_value(byte);
    return state::size;
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
chunked_decoder::state chunked_decoder::after_extension(char byte) noexcept {
    if (++overhead_ > limits_->chunk_extension_max)
        return fail(status::bad_request, "chunk extension too long");
    const state next = state_ < state::extension_value_first ? after_extension_name(byte)
                                                             : after_extension_value(byte);
    return next == state::failed ? fail(status::bad_request, "malformed chunk extension") : next;
}

chunked_decoder::state chunked_decoder::after_extension_name(char byte) const noexcept {
    const bool in_name = state_ == state::extension_name;
    const bool at_name = state_ == state::extension_name_first;
    if (is_space_or_tab(byte)) return in_name ? state::extension_name_gap : state_;
    if ((in_name || at_name) && is(byte, token_character)) return state::extension_name;
    if (at_name) return state::failed;
    if (byte == ';') return state::extension_name_first;
    if (byte == '=' && state_ != state::extension_gap) return state::extension_value_first;
    return in_name && byte == '\r' ? state::size_lf : state::failed;
}

// chunk-ext-val = token / quoted-string
chunked_decoder::state chunked_decoder::after_extension_value(char byte) const noexcept {
    const bool at_value = state_ == state::extension_value_first;
    if (state_ == state::extension_escaped)
        return is(byte, value_character) ? state::extension_quoted : state::failed;
    if (state_ == state::extension_quoted) {
        if (byte == '"') return state::extension_quote_closed;
        if (byte == '\\') return state::extension_escaped;
        return is(byte, value_character) ? state_ : state::failed;
    }
    if (at_value && byte == '"') return state::extension_quoted;
    if (at_value && is_space_or_tab(byte)) return state_;
    if (state_ != state::extension_quote_closed && is(byte, token_character))
        return state::extension_token;
    if (at_value) return state::failed;
    if (byte == ';') return state::extension_name_first;
    if (is_space_or_tab(byte)) return state::extension_gap;
    return byte == '\r' ? state::size_lf : state::failed;
}

chunked_decoder::state chunked_decoder::after_size_line(char byte) noexcept {
    if (byte != '\n') return fail(status::bad_request, "carriage return without line feed");
    overhead_ = 0;
    if (left_ == 0) return state::trailer_first;
    if (left_ > limits_->body_max - total_)
        return fail(status::content_too_large, "body too large");
    total_ += left_;
    return state::data;
}

// Field lines as in a head: RFC 9112, 5.
chunked_decoder::state chunked_decoder::after_trailer(char byte) noexcept {
    if (++overhead_ > limits_->trailer_max)
        return fail(status::request_header_fields_too_large, "trailer too large");
    switch (state_) {
    case state::trailer_first:
        if (byte == '\r') return state::last_lf;
        if (is(byte, token_character)) return state::trailer_name;
        break;
    case state::trailer_name:
        if (byte == ':') return state::trailer_value;
        if (is(byte, token_character)) return state::trailer_name;
        break;
    case state::trailer_value:
        if (byte == '\r') return state::trailer_lf;
        if (is(byte, value_character)) return state::trailer_value;
        break;
    case state::trailer_lf:
        if (byte == '\n') return state::trailer_first;
        break;
    default:
        if (byte == '\n') return state::complete;
        break;
    }
    return fail(status::bad_request, "malformed trailer");
}

chunked_decoder::state chunked_decoder::fail(http::status error, const char* reason) noexcept {
    error_ = error;
    reason_ = reason;
    return state::failed;
}

} // namespace coronet::http

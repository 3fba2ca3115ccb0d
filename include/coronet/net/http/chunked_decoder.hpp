// SPDX-License-Identifier: BSL-1.0
//
// A body in chunks (RFC 9112, section 7.1), taken apart in place: the pieces of data that it gives
// are views of the input. Strict, incremental, the same outcome however the input was split, no
// allocation. Extensions and trailer fields are checked and then ignored. One thread at a time.
// Not a buffer: it keeps no byte of the input.
#pragma once

#include <coronet/net/http/limits.hpp>
#include <coronet/net/http/status.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coronet::http {

class chunked_decoder {
public:
    enum class outcome : std::uint8_t { incomplete, data, complete, failed };

    struct step {
        chunked_decoder::outcome outcome;
        std::size_t consumed;  ///< Bytes of the input that are dealt with, the data included.
        std::string_view data; ///< A piece of the body, inside the input; only with `data`.
    };

    /// `bounds` outlives the decoder.
    explicit chunked_decoder(const limits& bounds) noexcept : limits_{&bounds} {}

    /// Takes one step through `input`, which starts where the last step stopped.
    ///
    /// `data`: a piece of the body, call again with the rest. `incomplete`: all of the input is
    /// consumed, call again when there is more. `complete`: what follows belongs to the next
    /// request. `failed`: see `error` and `reason`.
    [[nodiscard]] step next(std::string_view input) noexcept;

    [[nodiscard]] http::status error() const noexcept { return error_; }
    [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

private:
    // In the order of the grammar; a chunk goes round from data_lf to size_first, the last chunk
    // (size 0) goes on to the trailer.
    enum class state : std::uint8_t {
        size_first,
        size,
        extension_gap, // white space, after which only `;` may come
        extension_name_first,
        extension_name,
        extension_name_gap, // white space, after which `=` or `;` may come
        extension_value_first,
        extension_token,
        extension_quoted,
        extension_escaped,
        extension_quote_closed,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_first,
        trailer_name,
        trailer_value,
        trailer_lf,
        last_lf,
        complete,
        failed,
    };

    [[nodiscard]] state after(char byte) noexcept;
    [[nodiscard]] state after_size(char byte) noexcept;
    [[nodiscard]] state after_size_digit(char byte) noexcept;
    [[nodiscard]] state after_extension(char byte) noexcept;
    [[nodiscard]] state after_extension_name(char byte) const noexcept;
    [[nodiscard]] state after_extension_value(char byte) const noexcept;
    [[nodiscard]] state after_size_line(char byte) noexcept;
    [[nodiscard]] state after_trailer(char byte) noexcept;
    [[nodiscard]] step take_data(std::string_view input, std::size_t at) noexcept;
    state fail(http::status error, const char* reason) noexcept;

    const limits* limits_;
    const char* reason_ = "";
    std::uint64_t left_ = 0;     // of the chunk: its size while that is read, then what is to come
    std::uint64_t total_ = 0;    // of all chunks so far
    std::uint32_t overhead_ = 0; // bytes of this chunk's extensions, or of the trailer
    http::status error_{};
    state state_ = state::size_first;
    std::uint8_t digits_ = 0;
};

} // namespace coronet::http

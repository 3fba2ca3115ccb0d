// SPDX-License-Identifier: BSL-1.0
//
// Where the body of one request ends, whichever way that was said: by a length, by chunks, or not
// at all. Gives the body in pieces that are views of the input. Owner thread. Not a buffer.
#pragma once

#include <coronet/net/http/chunked_decoder.hpp>
#include <coronet/net/http/request_parser.hpp>

#include <cstdint>
#include <string_view>

namespace coronet::http {

class body_reader {
public:
    using outcome = chunked_decoder::outcome;
    using step = chunked_decoder::step;

    /// For a request without a body. `bounds` outlives the reader.
    explicit body_reader(const limits& bounds) noexcept : chunks_{bounds} {}
    body_reader(const request_head& head, const limits& bounds) noexcept
        : chunks_{bounds},
          left_{head.content_length.value_or(0)},
          chunked_{head.chunked},
          complete_{!head.has_body()} {}

    /// Takes one step through `input`; see chunked_decoder::next.
    [[nodiscard]] step next(std::string_view input) noexcept;

    [[nodiscard]] bool complete() const noexcept { return complete_; }
    /// Bytes that are known to come; 0 for chunks.
    [[nodiscard]] std::uint64_t known_left() const noexcept { return left_; }
    [[nodiscard]] bool chunked() const noexcept { return chunked_; }

    [[nodiscard]] http::status error() const noexcept { return chunks_.error(); }
    [[nodiscard]] std::string_view reason() const noexcept { return chunks_.reason(); }

private:
    chunked_decoder chunks_;
    std::uint64_t left_ = 0;
    bool chunked_ = false;
    bool complete_ = true;
};

} // namespace coronet::http

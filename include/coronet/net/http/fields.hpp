// SPDX-License-Identifier: BSL-1.0
//
// The field lines of a head that the parser has accepted, found again in its text when somebody
// asks. So a connection keeps no table of fields: an idle one pays nothing, and a handler that
// reads no field pays nothing either. Views of the text they were made from; any thread. Not a
// parser: text that was not accepted before must not be given to it.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace coronet::http {

/// One field line: its name as it was sent, its value without the white space around it.
struct field {
    std::string_view name;
    std::string_view value;
};

/// The field lines of one accepted head, in the order in which they came.
class fields {
public:
    class iterator {
    public:
        using value_type = field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using pointer = const field*;
        using reference = const field&;

        iterator() = default;
        explicit iterator(std::string_view rest) noexcept : rest_{rest} { take_line(); }

        const field& operator*() const noexcept { return current_; }
        const field* operator->() const noexcept { return &current_; }
        iterator& operator++() noexcept {
            take_line();
            return *this;
        }
        void operator++(int) noexcept { take_line(); }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return it.ended_;
        }

    private:
        void take_line() noexcept;

        std::string_view rest_;
        field current_;
        bool ended_ = false;
    };

    fields() = default;
    /// `text` is the part of an accepted head between the request line and the empty line.
    explicit fields(std::string_view text) noexcept : text_{text} {}

    [[nodiscard]] iterator begin() const noexcept { return iterator{text_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// The value of the first field called `name`, whatever its case; nothing when there is none.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

private:
    std::string_view text_;
};

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// What a connection has received and not yet understood, in one piece. A piece that finds nothing
// before it is looked at in the scheduler's buffer that it came in; what has to stay while others
// are waited for moves into memory of its own. While there is nothing there is no memory either
// (but for what room() has made, as long as it is small). Owner thread.
#pragma once

#include <coronet/net/http/buffer.hpp>
#include <coronet/received_buffer.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace coronet::http {

class input {
public:
    /// Memory comes from `memory`, which outlives this, and from the heap for what is larger.
    explicit input(buffer_pool& memory) noexcept : memory_{&memory} {}
    input(const input&) = delete;
    input& operator=(const input&) = delete;
    ~input() { give_back(); }

    [[nodiscard]] std::string_view data() const noexcept {
        return lent_.empty() ? own_.data() : lent_data_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return data().size(); }
    [[nodiscard]] bool empty() const noexcept { return data().empty(); }

    /// Drops `count` bytes at the front.
    void consume(std::size_t count) noexcept;
    void append(std::string_view text);
    /// Adds a piece as it was received.
    void take(received_buffer&& piece);
    /// Gives the buffer back that it came in: it will be a while.
    void keep() {
        if (!lent_.empty()) move_to_own();
    }

    /// At least `count` bytes to receive into; the data may move.
    [[nodiscard]] std::span<std::byte> room(std::size_t count);
    void commit(std::size_t count) noexcept { own_.commit(count); }

private:
    void move_to_own();
    void give_back() noexcept {
        if (own_.capacity() != 0) memory_->give_back(std::move(own_));
    }

    received_buffer lent_;
    std::string_view lent_data_; // what is left of it
    buffer own_;                 // empty while something is lent
    buffer_pool* memory_;
};

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// From the scheduler's buffers to memory of its own, and back to none. Owner thread.
#include <coronet/net/http/input.hpp>

#include <utility>

namespace coronet::http {

namespace {
constexpr std::size_t small_room = 1024; // may stay while a connection waits
} // namespace

void input::consume(std::size_t count) noexcept {
    if (!lent_.empty()) {
        lent_data_.remove_prefix(count);
        if (lent_data_.empty()) lent_ = {};
        return;
    }
    own_.consume(count);
    if (own_.empty() && own_.capacity() > small_room) give_back();
}

void input::append(std::string_view text) {
    if (text.empty()) return;
    keep();
    if (own_.capacity() == 0 && text.size() <= memory_->capacity()) own_ = memory_->take();
    own_.append(text);
}

void input::take(received_buffer&& piece) {
    const std::string_view text{reinterpret_cast<const char*>(piece.data()), piece.size()};
    if (!empty()) {
        append(text);
        return;
    }
    lent_ = std::move(piece);
    lent_data_ = text;
}

void input::move_to_own() {
    const received_buffer lent = std::move(lent_);
    append(lent_data_);
}

std::span<std::byte> input::room(std::size_t count) {
    keep();
    if (own_.capacity() == 0) own_ = buffer{small_room};
    own_.reserve_room(count);
    return own_.room();
}

} // namespace coronet::http

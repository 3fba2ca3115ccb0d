// SPDX-License-Identifier: BSL-1.0
//
// Bytes that come in at the end and leave at the front, in one piece of memory: what a connection
// has received and not yet understood, or has to say and not yet sent. Owner thread. Not a ring:
// the data is contiguous, so that a parser can look at all of it.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace coronet::http {

class buffer {
public:
    buffer() noexcept = default;
    explicit buffer(std::size_t capacity);
    buffer(buffer&& other) noexcept;
    buffer& operator=(buffer&& other) noexcept;
    ~buffer() = default;

    [[nodiscard]] std::string_view data() const noexcept {
        return {memory_.get() + begin_, end_ - begin_};
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return std::as_bytes(std::span{memory_.get() + begin_, end_ - begin_});
    }
    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    /// The memory behind the data, to be filled and then committed.
    [[nodiscard]] std::span<std::byte> room() noexcept {
        return std::as_writable_bytes(std::span{memory_.get() + end_, capacity_ - end_});
    }
    void commit(std::size_t count) noexcept;
    /// Drops `count` bytes at the front. Moves nothing.
    void consume(std::size_t count) noexcept;
    /// Keeps the first `count` bytes only.
    void truncate(std::size_t count) noexcept;
    /// Makes at least `count` bytes of room; the data may move.
    void reserve_room(std::size_t count) {
        if (capacity_ - end_ < count) [[unlikely]]
            make_room(count);
    }
    void append(std::string_view text) {
        reserve_room(text.size());
        append_reserved(text);
    }
    /// Into room that has been reserved: several small pieces in a row.
    void append_reserved(std::string_view text) noexcept {
        if (text.empty()) return; // there may be no memory at all
        std::memcpy(memory_.get() + end_, text.data(), text.size());
        end_ += text.size();
    }

private:
    void make_room(std::size_t count);

    std::unique_ptr<char[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

/// Buffers of one size that are kept for reuse: an answer needs one only until it is sent.
class buffer_pool {
public:
    explicit buffer_pool(std::size_t capacity);

    /// The size of its buffers.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// An empty buffer of that size.
    [[nodiscard]] buffer take();
    /// Keeps `used` if it is of the pool's size and not too many are kept already.
    void give_back(buffer used) noexcept;

private:
    static constexpr std::size_t kept_max = 256;
    std::size_t capacity_;
    std::vector<buffer> kept_;
};

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// Contiguous byte queue and its pool. Owner thread.
#include <coronet/detail/assert.hpp>
#include <coronet/net/http/buffer.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace coronet::http {

// Not value-initialised: what is not committed is never read.
buffer::buffer(std::size_t capacity) : memory_{new char[capacity]}, capacity_{capacity} {}

buffer::buffer(buffer&& other) noexcept
    : memory_{std::move(other.memory_)},
      capacity_{std::exchange(other.capacity_, 0)},
      begin_{std::exchange(other.begin_, 0)},
      end_{std::exchange(other.end_, 0)} {}

buffer& buffer::operator=(buffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
}

void buffer::commit(std::size_t count) noexcept {
    CORONET_ASSERT(count <= capacity_ - end_);
    end_ += count;
}

void buffer::consume(std::size_t count) noexcept {
    CORONET_ASSERT(count <= size());
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
}

void buffer::truncate(std::size_t count) noexcept {
    CORONET_ASSERT(count <= size());
    end_ = begin_ + count;
}

void buffer::make_room(std::size_t count) {
    const std::size_t needed = size() + count;
    if (needed > capacity_) {
        buffer larger{std::max(needed, capacity_ * 2)};
        larger.append(data());
        *this = std::move(larger);
        return;
    }
    std::memmove(memory_.get(), memory_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
}

buffer_pool::buffer_pool(std::size_t capacity) : capacity_{capacity} {
    kept_.reserve(kept_max); // so that giving back cannot fail
}

buffer buffer_pool::take() {
    if (kept_.empty()) return buffer{capacity_};
    buffer last = std::move(kept_.back());
    kept_.pop_back();
    return last;
}

void buffer_pool::give_back(buffer used) noexcept {
    if (used.capacity() != capacity_ || kept_.size() == kept_max) return;
    used.consume(used.size());
    kept_.push_back(std::move(used));
}

} // namespace coronet::http

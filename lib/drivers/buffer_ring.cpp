// SPDX-License-Identifier: BSL-1.0
#include "buffer_ring.hpp"

#include <coronet/detail/assert.hpp>

namespace coronet {

void buffer_ring::attach(io_uring_buf_ring& ring, unsigned entries) noexcept {
    CORONET_ASSERT(!ring_);
    ring_ = &ring;
    mask_ = static_cast<std::uint16_t>(entries - 1);
    head_ = 0;
}

void buffer_ring::detach() noexcept {
    ring_ = nullptr;
}

bool buffer_ring::empty() const noexcept {
    return !ring_ || ring_->tail == head_;
}

const io_uring_buf& buffer_ring::front() const noexcept {
    CORONET_ASSERT(!empty());
    return ring_->bufs[head_ & mask_];
}

std::uint32_t buffer_ring::take() noexcept {
    const std::uint32_t id = front().bid;
    ++head_;
    return IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT;
}

} // namespace coronet

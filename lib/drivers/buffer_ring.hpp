// SPDX-License-Identifier: BSL-1.0
//
// The other end of a ring of provided buffers, where no kernel takes them: whoever offers them
// moves the tail, this the head. Owner thread only.
#pragma once

#include <liburing.h>

#include <cstdint>

namespace coronet {

class buffer_ring {
public:
    void attach(io_uring_buf_ring& ring, unsigned entries) noexcept;
    void detach() noexcept;

    [[nodiscard]] bool empty() const noexcept;
    /// The buffer that is next; it is there until take().
    [[nodiscard]] const io_uring_buf& front() const noexcept;
    /// It has been filled. Result: what its completion says (IORING_CQE_F_BUFFER).
    std::uint32_t take() noexcept;

private:
    io_uring_buf_ring* ring_ = nullptr;
    std::uint16_t mask_ = 0;
    std::uint16_t head_ = 0;
};

} // namespace coronet

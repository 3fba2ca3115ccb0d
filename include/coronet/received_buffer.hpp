// SPDX-License-Identifier: BSL-1.0
//
// Bytes that were received into one of the scheduler's own buffers: on loan until this object is
// destroyed, on whichever thread, also after the scheduler has ended. The fewer are kept, and the
// shorter, the fewer buffers the scheduler needs.
#pragma once

#include <coronet/detail/buffer_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace coronet {

class received_buffer {
public:
    /// Nothing.
    received_buffer() noexcept = default;
    /// For Coronet's own streams: a piece of `block` that is out already; or nothing.
    received_buffer(std::byte* data, std::uint32_t size, detail::receive_block* block) noexcept
        : data_(data), size_(size), block_(block) {}
    received_buffer(received_buffer&& other) noexcept
        : data_(other.data_),
          size_(std::exchange(other.size_, 0)),
          block_(std::exchange(other.block_, nullptr)) {}
    received_buffer& operator=(received_buffer&& other) noexcept {
        received_buffer taken{std::move(other)};
        std::swap(data_, taken.data_);
        std::swap(size_, taken.size_);
        std::swap(block_, taken.block_);
        return *this;
    }
    received_buffer(const received_buffer&) = delete;
    received_buffer& operator=(const received_buffer&) = delete;
    /// Gives the buffer back. Any thread.
    ~received_buffer() {
        if (block_) block_->give_back(data_, size_);
    }

    /// What was received; it may be written to.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
    std::byte* data_ = nullptr;
    std::uint32_t size_ = 0;
    detail::receive_block* block_ = nullptr;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// A whole transfer as one await: what the kernel does in part is submitted again for the rest,
// without a coroutine of its own.
#pragma once

#include <coronet/coro/detail/awaited_operation.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <cstdint>

namespace coronet::detail {

/// An operation that begins again until `wanted` bytes are done, an error comes or it is cancelled.
class transfer_operation : public awaited_operation {
public:
    [[nodiscard]] bool await_ready() const noexcept { return wanted_ == 0; }
    transfer await_resume() const noexcept {
        if (done_ == wanted_) [[likely]]
            return {done_, {}};
        return in_part();
    }

protected:
    transfer_operation(int fd, std::size_t wanted) noexcept : fd_(fd), wanted_(wanted) {}

    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    /// `bytes` more are done, and not all.
    virtual void advance(std::size_t) noexcept {}

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::size_t done() const noexcept { return done_; }

private:
    [[nodiscard]] transfer in_part() const noexcept;
    bool go_on(std::size_t bytes) noexcept;

    int fd_;
    std::size_t wanted_;
    std::size_t done_ = 0;
};

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
//
// Owns a file descriptor. Closing here is the plain close(2): nothing may be in flight on the
// descriptor any more.
#pragma once

#include <coronet/detail/closed_descriptors.hpp>

#include <utility>

#include <unistd.h>

namespace coronet {

class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives up ownership.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) {
            ::close(fd_);
            detail::closed_descriptors::note(fd_);
        }
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

} // namespace coronet

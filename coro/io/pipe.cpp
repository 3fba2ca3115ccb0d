// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/pipe.hpp>

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace coronet {

result<pipe_ends> pipe_ends::make() noexcept {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) < 0) return std::error_code{errno, std::generic_category()};
    return pipe_ends{unique_fd{fds[0]}, unique_fd{fds[1]}};
}

pipe_ends::pipe_ends() {
    auto made = make();
    if (!made) throw std::system_error(made.error(), "pipe2");
    *this = std::move(*made);
}

result<std::size_t> pipe_writer::set_capacity(std::size_t bytes) noexcept {
    const int size = ::fcntl(native_handle(), F_SETPIPE_SZ, static_cast<int>(bytes));
    if (size < 0) return std::error_code{errno, std::generic_category()};
    return static_cast<std::size_t>(size);
}

} // namespace coronet

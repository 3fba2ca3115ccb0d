// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/file.hpp>

#include <liburing.h>

namespace coronet::detail {

void status_of::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_statx(&sqe, directory_, path_, flags_, STATX_BASIC_STATS | STATX_BTIME, &found_);
}

} // namespace coronet::detail

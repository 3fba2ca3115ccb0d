// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/transfer_operation.hpp>
#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>

#include <cerrno>

namespace coronet::detail {

transfer transfer_operation::in_part() const noexcept {
    if (res() < 0) return {done_, error_of_result(res())};
    return {done_, errc::end_of_stream};
}

void transfer_operation::complete(std::int32_t res, std::uint32_t flags) noexcept {
    if (res > 0) {
        done_ += static_cast<std::size_t>(res);
        if (done_ < wanted_) {
            if (go_on(static_cast<std::size_t>(res))) return;
            res = -ECANCELED; // it ended early because it was asked to
        }
    }
    awaited_operation::complete(res, flags);
}

/// After a part of `bytes`.
bool transfer_operation::go_on(std::size_t bytes) noexcept {
    if (cancel_requested()) return false;
    advance(bytes);
    where().start(*this);
    return true;
}

} // namespace coronet::detail

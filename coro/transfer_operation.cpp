// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/transfer_operation.hpp>
#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>

#include <cerrno>

namespace coronet::detail {

transfer transfer_operation::await_resume() const noexcept {
    if (done_ == wanted_) return {done_, {}};
    if (res() < 0) return {done_, error_of_result(res())};
    return {done_, errc::end_of_stream};
}

void transfer_operation::complete(std::int32_t res, std::uint32_t flags) noexcept {
    if (res > 0) {
        done_ += static_cast<std::size_t>(res);
        advance(static_cast<std::size_t>(res));
        if (done_ < wanted_ && !cancel_requested()) {
            where().start(*this);
            return;
        }
        if (done_ < wanted_) res = -ECANCELED; // it ended early because it was asked to
    }
    awaited_operation::complete(res, flags);
}

} // namespace coronet::detail

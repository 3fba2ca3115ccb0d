// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/shield.hpp>

namespace coronet::detail {

void shielding_group::open_shield(promise_base& waiting, std::coroutine_handle<> frame) noexcept {
    open(waiting, frame);
    home().admit(*this); // while it drains, the scheduler asks again after each turn
}

void shielding_group::on_all_ended() noexcept {
    home().dismiss(*this);
    group::on_all_ended();
}

} // namespace coronet::detail

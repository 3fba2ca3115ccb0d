// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/schedule.hpp>

namespace coronet::detail {

bool move::depart() noexcept {
    branch& moving = waiter_.in_branch();
    if (&moving.where() == &target_) {
        target_.ready(*this);
        return true;
    }
    const auto frame = waiter_.let_go(); // the branch resumes it when it has arrived
    const auto refused = moving.move_to(target_, frame);
    if (!refused) return true; // it may run there already: nothing of it is touched here
    moving.clear_leaf();
    error_ = refused;
    return false;
}

} // namespace coronet::detail

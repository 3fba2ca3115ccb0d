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
    if (moving.move_to(target_, frame))
        return true; // it may run there already: nothing of it is touched here
    moving.clear_leaf();
    error_ = errc::stopped;
    return false;
}

} // namespace coronet::detail

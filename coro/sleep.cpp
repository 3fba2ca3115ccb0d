// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/sleep.hpp>

namespace coronet::detail {

void sleep::start() noexcept {
    if (const auto* delay = std::get_if<duration>(&until_))
        waiter_.where().arm(*this, *delay);
    else
        waiter_.where().arm(*this, std::get<time_point>(until_));
}

void sleep::cancel() noexcept {
    if (!armed()) return; // it has expired and is about to resume
    waiter_.where().disarm(*this);
    cancelled_ = true;
    waiter_.where().ready(*this);
}

} // namespace coronet::detail

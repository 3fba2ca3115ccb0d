// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/worker_pool.hpp>

namespace coronet::detail {

void awaited_item::begin() noexcept {
    scheduler& home = waiter_.where();
    if (where_.key)
        where_.pool->submit_serialized(*this, home, *where_.key);
    else
        where_.pool->submit(*this, home, where_.account);
}

} // namespace coronet::detail

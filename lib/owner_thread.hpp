// SPDX-License-Identifier: BSL-1.0
//
// A ring's queues belong to one thread, without a lock: what another one writes there, the kernel
// takes for the owner's. Builds with CORONET_HOOKS look at who comes; others trust.
#pragma once

#include <coronet/detail/assert.hpp>

#ifdef CORONET_HOOKS
#include <thread>
#endif

namespace coronet {

#ifdef CORONET_HOOKS

class owner_thread {
public:
    /// From now on only this thread may come.
    void take() noexcept { id_ = std::this_thread::get_id(); }
    void require() const noexcept {
        if (id_ != std::thread::id{} && id_ != std::this_thread::get_id()) [[unlikely]]
            detail::die("a ring was touched by a thread that does not own it");
    }

private:
    std::thread::id id_; // of no thread: nobody owns it yet, or its owner may move
};

#else

class owner_thread {
public:
    void take() noexcept {}
    void require() const noexcept {}
};

#endif

} // namespace coronet

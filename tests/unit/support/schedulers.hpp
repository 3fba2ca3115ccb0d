// SPDX-License-Identifier: BSL-1.0
//
// Tasks on schedulers of other threads, and knowing what has happened there.
#pragma once

#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/runtime.hpp>

#include <cstddef>
#include <future>
#include <utility>

namespace coronet::test {

inline runtime_options threads(std::size_t count) {
    runtime_options options;
    options.threads = count;
    return options;
}

/// Lets all run that is ready on this scheduler.
inline task<void> pause() {
    const auto went = co_await schedule_on(*scheduler::current());
    static_cast<void>(went);
}

/// Whatever has been given to `other` before has run when this returns, as far as it could.
inline void settle(scheduler& other) {
    sync_wait(other, pause());
}

/// Runs `job` on `where`, beside this thread.
template <class T>
std::future<T> begin_on(scheduler& where, task<T> job) {
    return std::async(std::launch::async, [&where, job = std::move(job)]() mutable {
        return sync_wait(where, std::move(job));
    });
}

} // namespace coronet::test

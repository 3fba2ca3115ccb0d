// SPDX-License-Identifier: BSL-1.0
//
// Several schedulers, each on a thread of its own (see scheduler_thread).
#pragma once

#include <coronet/options.hpp>
#include <coronet/result.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/scheduler_thread.hpp>
#include <coronet/stats.hpp>

#include <cstddef>
#include <vector>

namespace coronet {

struct runtime_options {
    std::size_t threads = 0;       ///< 0: one for each CPU that this process may use
    bool pin = false;              ///< bind each thread to a CPU of its own
    unsigned workers_max = 0;      ///< of all their pools together; 0: each has its own limits only
    scheduler_options scheduler{}; ///< for each of them
};

class runtime {
public:
    /// Sets up all rings and starts all threads. Throws std::system_error, with no thread left.
    explicit runtime(const runtime_options& options = {});
    /// Stops and joins; on a scheduler's thread it stops only, and each scheduler lives until its
    /// thread has ended.
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return threads_.size(); }
    /// Lifetime: of the runtime. Thread: any.
    [[nodiscard]] scheduler& at(std::size_t index) noexcept { return *threads_.at(index); }

    /// Asks all schedulers to end what they do. Thread: any.
    void stop() noexcept;
    /// Waits until all have ended. Errors: as scheduler_thread::join(). Thread: any but a
    /// scheduler's.
    result<void> join();

    /// The figures of each scheduler, in order, as each sees its own when it is asked: they count
    /// for themselves, and nothing is shared meanwhile. Waits until all have answered, which those
    /// that stand still (park()) do afterwards.
    ///
    /// Errors: errc::would_deadlock and errc::stopped (in a forked child) as scheduler::join().
    /// Thread: any but a scheduler's; there, run_on() each: stats() is for the owner.
    [[nodiscard]] result<std::vector<scheduler_stats>> stats();

private:
    std::vector<scheduler_thread> threads_;
};

} // namespace coronet

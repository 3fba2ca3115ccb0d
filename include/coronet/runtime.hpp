// SPDX-License-Identifier: BSL-1.0
//
// Several schedulers, each on a thread of its own. The threads block all signals, so that a signal
// reaches the thread that waits for it and never interrupts the kernel's work for a ring.
#pragma once

#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace coronet {

struct runtime_options {
    std::size_t threads = 0;       ///< 0: one for each CPU that this process may use
    bool pin = false;              ///< bind each thread to a CPU of its own
    scheduler_options scheduler{}; ///< for each of them
};

class runtime {
public:
    /// Sets up all rings and starts all threads. Throws std::system_error, with no thread left.
    explicit runtime(const runtime_options& options = {});
    /// Stops and joins. Not on a thread of its own.
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return schedulers_.size(); }
    /// Lifetime: of the runtime. Thread: any.
    [[nodiscard]] scheduler& at(std::size_t index) noexcept { return *schedulers_.at(index); }

    /// Asks all schedulers to end what they do. Thread: any.
    void stop() noexcept;
    /// Waits until all have ended. Thread: the one that made the runtime.
    void join();

private:
    void start_threads(const runtime_options& options);

    std::vector<std::unique_ptr<scheduler>> schedulers_;
    std::vector<std::thread> threads_;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Schedulers that share one submission thread. A kernel thread that spins for each scheduler would
// take a CPU from each; one for all takes one. The kernel lets a ring use the thread of another
// ring, which then must be there: the group has a tiny ring of its own that executes nothing, so
// that members come and go in any order and the thread stays.
//
// The thread stays as long as the group or a member does.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

namespace coronet {

class ring;

struct sq_group_options {
    /// Until the thread sleeps; 0: the kernel's default (1 s). The kernel takes the longest of the
    /// group's and its members'.
    std::chrono::milliseconds idle{0};
    int cpu = -1; ///< bind the thread to this CPU; -1: anywhere
};

class sq_group {
public:
    /// Starts the thread. Throws std::system_error, with a message that says so if this process may
    /// not run on the CPU. Thread: any. The thread's working directory is that of this one.
    explicit sq_group(const sq_group_options& options = {});
    ~sq_group();
    sq_group(const sq_group&) = delete;
    sq_group& operator=(const sq_group&) = delete;

    [[nodiscard]] const sq_group_options& options() const noexcept { return options_; }

    // ---- for the engine; any thread ----

    /// The ring whose thread members use.
    [[nodiscard]] std::shared_ptr<ring> anchor() const;
    /// Another one instead of `dead`, unless that has been replaced already. Throws
    /// std::system_error.
    std::shared_ptr<ring> anchor_instead_of(const std::shared_ptr<ring>& dead);

private:
    const sq_group_options options_;
    mutable std::mutex mutex_;
    std::shared_ptr<ring> anchor_;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Entries of a driver that workers of its scheduler's pool execute: those that nobody can poll for
// (files, names) and those that cannot be asked not to wait. Each ends once, with a completion in
// the driver's list: its result, -ECANCELED if it was cancelled before a worker had it, or that no
// worker could be had. Owner thread only.
#pragma once

#include "plain_call.hpp"
#include "request_table.hpp"

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace coronet {

class scheduler;

/// As the kernel's completion entry.
struct completion {
    std::uint64_t id;
    std::int32_t res;
    std::uint32_t flags;
};

class worker_jobs {
public:
    explicit worker_jobs(std::vector<completion>& ended) noexcept;
    ~worker_jobs();
    worker_jobs(const worker_jobs&) = delete;
    worker_jobs& operator=(const worker_jobs&) = delete;

    void begin(scheduler& home, const io_uring_sqe& entry, const progress& so_far) noexcept;
    /// False if there is none of this id. Else it ends soon, as cancelled or not.
    [[nodiscard]] bool cancel(std::uint64_t id) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return requests_.size(); }

private:
    class job;
    friend class job;

    [[nodiscard]] job* take() noexcept;
    void ended(job& over, std::int32_t res) noexcept;

    std::vector<completion>& ended_;
    request_table requests_;
    std::vector<std::unique_ptr<job>> jobs_;
    job* free_ = nullptr;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Entries whose opcode this kernel lacks: instead of the kernel, a plain call or a worker executes
// them, with the same result. The entry itself becomes a NOP. All that can wait for readiness is as
// old as the oldest kernel whose rings are used (5.11), so that nothing here has to poll. A send by
// reference becomes one that copies, which the kernel knows. Owner thread only; costs nothing where
// nothing is missing.
#pragma once

#include "../ring.hpp"
#include "worker_jobs.hpp"

#include <liburing.h>

#include <cstdint>
#include <vector>

namespace coronet {

class dispatcher;
class scheduler;

class missing_opcodes {
public:
    explicit missing_opcodes(const ring& kernel) noexcept;

    [[nodiscard]] bool any() const noexcept { return any_; }
    /// Looks at the entries before `tail` that it has not seen yet; those that it takes over are
    /// left as a NOP with `nop_id`.
    void take_over(const ring& kernel, unsigned tail, std::uint64_t nop_id, scheduler& home);
    /// Whether deliver() has something.
    [[nodiscard]] bool has_completions() const noexcept {
        return !ended_.empty() || !cancel_answers_.empty();
    }
    void deliver(dispatcher& sink) noexcept;
    [[nodiscard]] std::size_t in_flight_count() const noexcept { return jobs_.size(); }

private:
    [[nodiscard]] bool executed_here(const ring& kernel, const io_uring_sqe& entry) const noexcept;
    [[nodiscard]] bool execute(const ring& kernel, const io_uring_sqe& entry, scheduler& home);

    bool any_ = false;
    bool copies_sends_ = false;
    unsigned seen_;
    std::vector<completion> ended_;
    std::vector<completion> delivering_;
    std::vector<std::int32_t> cancel_answers_;
    worker_jobs jobs_{ended_};
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"

#include <coronet/kernel_workers.hpp>
#include <coronet/scheduler.hpp>

#include <cerrno>
#include <cstddef>
#include <span>

#include <sched.h>

namespace coronet {

namespace {

bool has(const cpu_set_t& set, int cpu) noexcept {
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(cpu), &set);
}

/// The kernel leaves out what it does not have, and may be left with none.
result<cpu_set_t> allowed_set(std::span<const int> cpus) noexcept {
    cpu_set_t allowed, wanted;
    CPU_ZERO(&allowed);
    CPU_ZERO(&wanted);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return std::error_code{errno, std::generic_category()};
    for (const int cpu : cpus) {
        if (!has(allowed, cpu)) return std::errc::invalid_argument;
        CPU_SET(static_cast<std::size_t>(cpu), &wanted);
    }
    if (cpus.empty()) return std::errc::invalid_argument;
    return wanted;
}

/// The kernel takes the caller's workers for those that are meant. (A movable owner may be between
/// two turns: then it is who made the last one.)
result<void> may_tell_kernel(const detail::engine& machine) noexcept {
    if (!machine.in_loop()) return errc::stopped;
    if (machine.owner.load() != this_thread_number()) return errc::wrong_thread;
    return {};
}

} // namespace

result<kernel_worker_limits> scheduler::kernel_workers(kernel_worker_limits wanted) noexcept {
    if (const auto allowed = may_tell_kernel(*engine_); !allowed) return allowed.error();
    auto before = engine_->driver_->kernel_workers(wanted);
    engine_->dispatcher_.do_without_workers(engine_->driver_->lacks_kernel_workers());
    return before;
}

result<void> scheduler::kernel_worker_affinity(std::span<const int> cpus) noexcept {
    if (const auto allowed = may_tell_kernel(*engine_); !allowed) return allowed;
    const auto wanted = allowed_set(cpus);
    if (!wanted) return wanted.error();
    return engine_->driver_->kernel_worker_affinity(&*wanted);
}

result<void> scheduler::reset_kernel_worker_affinity() noexcept {
    if (const auto allowed = may_tell_kernel(*engine_); !allowed) return allowed;
    return engine_->driver_->kernel_worker_affinity(nullptr);
}

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// The kernel's workers, as far as a ring can tell them something. They belong to the thread that
// submits (the owner, or the submission thread), and so to all of its rings. That thread's first
// ring fixes the maximum of unbounded ones, at the soft RLIMIT_NPROC of that moment. If that is 0,
// what needs such a worker waits for ever: the kernel says nothing.
#include "ring.hpp"
#include "ring_error.hpp"

#include <coronet/error.hpp>

#include <algorithm>
#include <limits>
#include <system_error>

#include <sys/resource.h>

namespace coronet {

namespace {

rlim_t soft_thread_limit() noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NPROC, &limit) == 0 ? limit.rlim_cur : 0;
}

/// As the kernel keeps it.
unsigned as_maximum(rlim_t limit) noexcept {
    return static_cast<unsigned>(std::min<rlim_t>(limit, std::numeric_limits<int>::max()));
}

} // namespace

void ring::set_up_kernel_workers(const scheduler_options& options) {
    const kernel_worker_limits wanted{
        options.kernel_workers_bounded, options.kernel_workers_unbounded};
    if (wanted.bounded || wanted.unbounded) {
        const auto before = exchange_maxima(wanted);
        if (!before)
            throw ring_error("io_uring_register(IOWQ_MAX_WORKERS)", before.error().value());
    }
    lacks_workers_ = !find_kernel_workers();
    if (lacks_workers_ && !options.allow_no_kernel_workers)
        throw std::system_error(
            errc::kernel_workers_disabled,
            "io_uring: raise the soft limit of processes (`ulimit -u`), or allow_no_kernel_workers"
        );
}

/// False if there are none and will be none.
bool ring::find_kernel_workers() noexcept {
    const rlim_t allowed = soft_thread_limit();
    const auto now = exchange_maxima({});
    // A kernel before 5.15 does not tell, and a thread that has no workers yet will have as many as
    // it may.
    if (!now || now->bounded == 0) return allowed != 0;
    if (now->unbounded != 0) return true;
    // None; or more than an int holds: the kernel says 0 of "unlimited", too. In both cases the
    // limit of today is right, and the kernel takes it unless it is 0.
    if (allowed == 0) return false;
    static_cast<void>(exchange_maxima({0, as_maximum(allowed)}));
    const auto then = exchange_maxima({});
    return then && then->unbounded != 0;
}

result<kernel_worker_limits> ring::kernel_workers(kernel_worker_limits wanted) noexcept {
    auto before = exchange_maxima(wanted);
    lacks_workers_ = !find_kernel_workers();
    return before;
}

result<kernel_worker_limits> ring::exchange_maxima(kernel_worker_limits wanted) noexcept {
    unsigned values[2] = {wanted.bounded, wanted.unbounded};
    const int rc = ::io_uring_register_iowq_max_workers(&ring_, values);
    if (rc < 0) return std::error_code{-rc, std::generic_category()};
    return kernel_worker_limits{values[0], values[1]};
}

result<void> ring::kernel_worker_affinity(const cpu_set_t* cpus) noexcept {
    const int rc = cpus ? ::io_uring_register_iowq_aff(&ring_, sizeof *cpus, cpus)
                        : ::io_uring_unregister_iowq_aff(&ring_);
    if (rc < 0) return std::error_code{-rc, std::generic_category()};
    return {};
}

} // namespace coronet

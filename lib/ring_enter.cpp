// SPDX-License-Identifier: BSL-1.0
//
// How a ring is entered: what is submitted, for what and until when it waits, and what the kernel
// answers.
#include "kernel_abi.hpp"
#include "ring.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace coronet {

namespace {

// As good as no time limit, and a valid time still when seconds become nanoseconds.
constexpr duration farthest = std::chrono::hours{24} * 365 * 100;

__kernel_timespec to_kernel_timespec(duration d) {
    using namespace std::chrono;
    const auto whole = duration_cast<seconds>(d);
    return {whole.count(), duration_cast<nanoseconds>(d - whole).count()};
}

} // namespace

void ring::choose_waits(const scheduler_options& options) {
    const auto knows_feature = [&](unsigned which) { return (ring_.features & which) != 0; };
    absolute_deadlines_ = knows_feature(kernel::feature_min_timeout);
    if (options.no_iowait && knows_feature(kernel::feature_no_iowait))
        enter_flags_ |= kernel::enter_no_iowait;
    if (absolute_deadlines_) min_wait_ = options.min_wait;
    lacks_min_wait_ = options.min_wait.count() != 0 && !gathers();
    // The kernel takes what its completion queue holds for more.
    gathered_max_ = static_cast<unsigned>(std::clamp<std::size_t>(options.run_budget, 1, 1U << 20));
    polls_devices_ = options.napi.count() != 0 && poll_devices(options.napi);
    lacks_napi_ = options.napi.count() != 0 && !polls_devices_;
}

/// False where the kernel cannot.
bool ring::poll_devices(std::chrono::microseconds longest) noexcept {
    kernel::napi_registration wanted{};
    wanted.busy_poll_time = static_cast<std::uint32_t>(longest.count());
    wanted.prefer_busy_poll = 1; // of use where the administrator has set gro_flush_timeout
    const auto fd = static_cast<unsigned>(ring_.ring_fd);
    return ::io_uring_register(fd, kernel::register_napi, &wanted, 1) >= 0;
}

void ring::publish(unsigned tail) noexcept {
    owner_.require();
    std::atomic_ref{*ring_.sq.ktail}.store(tail, std::memory_order_release);
}

/// For a submission thread: whether it must be woken. It announces its sleep and then looks at the
/// tail; we move the tail and then look at its announcement: both need the full fence in between.
unsigned ring::submission_flags() noexcept {
    if (!has_submission_thread()) return 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const unsigned flags = std::atomic_ref{*ring_.sq.kflags}.load(std::memory_order_relaxed);
    return (flags & IORING_SQ_NEED_WAKEUP) ? IORING_ENTER_SQ_WAKEUP : 0;
}

ring::outcome ring::submit(unsigned tail) noexcept {
    publish(tail);
    if (!has_submission_thread()) return call(tail - consumed(), 0, 0, nullptr, 0);
    // The thread takes entries by itself: wait until it has taken one.
    return call(tail - consumed(), 0, submission_flags() | IORING_ENTER_SQ_WAIT, nullptr, 0);
}

ring::outcome ring::enter(unsigned tail, time_point deadline) noexcept {
    publish(tail);
    const unsigned pending = tail - consumed();
    if (deadline == time_point::min()) {
        const unsigned wake = submission_flags();
        if (has_submission_thread() && !wake && !wants_enter()) return outcome::entered;
        return call(pending, 0, wake | IORING_ENTER_GETEVENTS, nullptr, 0);
    }
    unsigned flags = submission_flags() | IORING_ENTER_GETEVENTS;
    if (deadline == time_point::max() && !gathers()) return call(pending, 1, flags, nullptr, 0);

    // Before the clock's beginning is past as well, and no valid time. Without a time to wait until
    // the kernel would end the wait when that of gathering is over.
    deadline = std::clamp(deadline, time_point{}, time_point{farthest});
    kernel::wait_argument arg{};
    __kernel_timespec timeout{};
    if (absolute_deadlines_) {
        timeout = to_kernel_timespec(deadline.time_since_epoch());
        flags |= kernel::enter_abs_timer;
    } else {
        timeout = to_kernel_timespec(std::max(deadline - clock::now(), duration::zero()));
    }
    arg.timeout = reinterpret_cast<std::uint64_t>(&timeout);
    arg.min_wait = time_to_gather(deadline);
    const unsigned wanted = arg.min_wait != 0 ? gathered_max_ : 1;
    return call(pending, wanted, flags | IORING_ENTER_EXT_ARG, &arg, sizeof arg);
}

/// In microseconds. The kernel would not look at the deadline before it is over.
unsigned ring::time_to_gather(time_point deadline) const noexcept {
    using namespace std::chrono;
    if (!gathers()) return 0;
    const duration left = std::clamp(deadline - clock::now(), duration::zero(), min_wait_);
    return static_cast<unsigned>(duration_cast<microseconds>(left).count());
}

ring::outcome
ring::call(unsigned submit, unsigned wait, unsigned flags, const void* arg, std::size_t size) {
    flags |= enter_flags_;
    if (ring_.enter_ring_fd != ring_.ring_fd) flags |= IORING_ENTER_REGISTERED_RING;
    ++enters_;
    const int rc = ::io_uring_enter2(
        static_cast<unsigned>(ring_.enter_ring_fd), submit, wait, flags,
        static_cast<sigset_t*>(const_cast<void*>(arg)), size
    );
    if (rc >= 0) return outcome::entered;
    switch (-rc) {
    case EINTR:
        return outcome::interrupted;
    case ETIME:
        return outcome::timed_out;
    case EAGAIN:
    case EBUSY:
        return outcome::busy;
    case EOWNERDEAD:
    case ENXIO:
        return outcome::thread_dead;
    case EEXIST:
        detail::die("io_uring_enter: this thread does not own the ring");
    case EBADFD:
        detail::die("io_uring_enter: the ring was not enabled");
    case EBADR:
        detail::die("io_uring_enter: the kernel lost completions for want of memory");
    default:
        break;
    }
    // EBADF, EFAULT, EINVAL, EOPNOTSUPP: our own mistake.
    detail::die(std::system_category().message(-rc).c_str());
}

} // namespace coronet

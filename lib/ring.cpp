// SPDX-License-Identifier: BSL-1.0
#include "ring.hpp"

#include "kernel_abi.hpp"
#include "log.hpp"
#include "ring_error.hpp"

#include <coronet/detail/assert.hpp>
#include <coronet/detail/checkers.hpp>
#include <coronet/sq_group.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <sched.h>

namespace coronet {

namespace {

constexpr unsigned completions_per_entry = 8;

// The kernel may map a ring where one of another thread has been. ThreadSanitizer does not see how
// the library unmaps and maps, so it is told that the one comes before the other.
char mapped_elsewhere_before;

struct named_flag {
    unsigned bit;
    const char* name;
    const char* since; // Linux
};
// In the order in which they are given up when the kernel does not know them: newest first.
constexpr std::array<named_flag, 6> optional_flags{{
    {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN", "6.1"},
    {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER", "6.0"},
    {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG", "5.19"},
    {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN", "5.19"},
    {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL", "5.18"},
    {IORING_SETUP_R_DISABLED, "R_DISABLED", "5.10"},
}};

unsigned wanted_flags(const scheduler_options& options) {
    const unsigned always = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                            IORING_SETUP_R_DISABLED;
    // Whoever submitted a request must be free to run the kernel's work for it at any time: no
    // DEFER, no COOP.
    const unsigned issuer = options.movable_owner ? 0 : IORING_SETUP_SINGLE_ISSUER;
    if (options.sqpoll) return always | issuer | IORING_SETUP_SQPOLL; // excludes DEFER and COOP
    if (options.movable_owner) return always;
    return always | issuer | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
}

/// The next smaller set of flags to try, or the same when nothing is left to give up.
unsigned without_newest(unsigned flags) {
    for (const auto& each : optional_flags) {
        if (!(flags & each.bit)) continue;
        const unsigned fewer = flags & ~each.bit;
        return each.bit == IORING_SETUP_DEFER_TASKRUN ? fewer | IORING_SETUP_COOP_TASKRUN : fewer;
    }
    return flags;
}

/// The kernel takes the longest of all rings that share a thread, and 0 for a second.
std::chrono::milliseconds idle_of(const sqpoll_options& wanted) {
    if (wanted.idle.count() == 0 && wanted.group) return wanted.group->options().idle;
    return wanted.idle;
}

void require_cpu(int cpu) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    if (cpu < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) return;
    throw std::system_error(
        EINVAL, std::generic_category(),
        "sqpoll: this process may not run on CPU " + std::to_string(cpu)
    );
}

/// The kernel would take what is not there for something else, or leave it out.
void require_valid(const sqpoll_options& wanted) {
    const auto refuse = [](const char* why) {
        throw std::system_error(EINVAL, std::generic_category(), why);
    };
    const auto idle = idle_of(wanted);
    if (idle.count() < 0 || idle > std::chrono::hours{1})
        refuse("sqpoll: the idle time is not within 0 ms and an hour");
    if (wanted.cpu >= 0 && wanted.group)
        refuse("sqpoll: the CPU of a shared thread is its group's");
    if (wanted.cpu >= 0) require_cpu(wanted.cpu);
}

} // namespace

ring::ring(const scheduler_options& options, const ring* share_thread_with)
    : wanted_flags_(wanted_flags(options)) {
    set_up(options, share_thread_with);
    detail::happens_after(&mapped_elsewhere_before);
    try {
        require_features();
    } catch (...) {
        ::io_uring_queue_exit(&ring_);
        throw;
    }
    // Entry i of the indirection array is entry i: written once, then only the tail moves.
    if (ring_.sq.array)
        for (unsigned i = 0; i < ring_.sq.ring_entries; ++i)
            ring_.sq.array[i] = i;
    probe();
    disabled_ = (ring_.flags & IORING_SETUP_R_DISABLED) != 0;
    choose_waits(options);
    log::debug(description());
}

ring::~ring() {
    detail::happens_before(&mapped_elsewhere_before);
    ::io_uring_queue_exit(&ring_);
}

void ring::set_up(const scheduler_options& options, const ring* share_thread_with) {
    io_uring_params params{};
    unsigned depth = std::max(options.queue_depth, 2U);
    unsigned flags = wanted_flags(options);
    if (options.sqpoll) require_valid(*options.sqpoll);
    if (options.sqpoll && options.sqpoll->cpu >= 0) flags |= IORING_SETUP_SQ_AFF;
    if (share_thread_with) flags |= IORING_SETUP_ATTACH_WQ;

    for (;;) {
        params = {};
        params.flags = flags;
        params.cq_entries = depth * completions_per_entry;
        if (options.sqpoll) {
            params.sq_thread_idle = static_cast<unsigned>(idle_of(*options.sqpoll).count());
            params.sq_thread_cpu = static_cast<unsigned>(std::max(options.sqpoll->cpu, 0));
        }
        if (share_thread_with) params.wq_fd = static_cast<unsigned>(share_thread_with->fd());

        const int rc = ::io_uring_queue_init_params(depth, &ring_, &params);
        if (rc == 0) return;
        if (rc == -EINVAL && without_newest(flags) != flags) {
            flags = without_newest(flags);
        } else if (rc == -ENOMEM && depth > 64) {
            depth /= 2;
        } else {
            throw ring_error(
                "io_uring_setup: cannot set up a ring of " + std::to_string(depth) + " entries", -rc
            );
        }
    }
}

void ring::require_features() {
    constexpr unsigned required = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL |
                                  IORING_FEAT_SUBMIT_STABLE;
    if ((ring_.features & required) == required) return;
    throw std::system_error(
        ENOSYS, std::generic_category(), "io_uring: this kernel is too old, use Linux 5.11 or newer"
    );
}

void ring::probe() {
    struct free_probe {
        void operator()(io_uring_probe* p) const noexcept { ::io_uring_free_probe(p); }
    };
    const std::unique_ptr<io_uring_probe, free_probe> found{::io_uring_get_probe_ring(&ring_)};
    can_message_ = found && ::io_uring_opcode_supported(found.get(), IORING_OP_MSG_RING) != 0;
    // Unless it says otherwise the kernel is tried.
    known_.set();
    for (int opcode = 0; found && opcode < 256; ++opcode)
        if (!::io_uring_opcode_supported(found.get(), opcode))
            known_.reset(static_cast<std::size_t>(opcode));
}

void ring::enable(const scheduler_options& options) {
    if (disabled_) {
        const int rc = ::io_uring_register(
            static_cast<unsigned>(ring_.ring_fd), kernel::register_enable_rings, nullptr, 0
        );
        if (rc < 0) throw ring_error("io_uring_register(ENABLE_RINGS)", -rc);
        disabled_ = false;
    }
    // A registered ring saves a look-up in the descriptor table; it belongs to this thread. Without
    // it all works too.
    if (!options.movable_owner) static_cast<void>(::io_uring_register_ring_fd(&ring_));
    try {
        set_up_kernel_workers(options); // this thread has them since it has registered something
    } catch (...) {
        disown();
        throw;
    }
    if (!options.movable_owner) owner_.take();
}

void ring::disown() noexcept {
    owner_.require();
    if (ring_.enter_ring_fd != ring_.ring_fd)
        static_cast<void>(::io_uring_unregister_ring_fd(&ring_));
}

int ring::register_buffers(io_uring_buf_ring& from, unsigned entries, unsigned flags) noexcept {
    kernel::buffer_registration wanted{};
    wanted.address = reinterpret_cast<std::uint64_t>(&from);
    wanted.entries = entries;
    wanted.flags = static_cast<std::uint16_t>(flags);
    return ::io_uring_register(
        static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_PBUF_RING, &wanted, 1
    );
}

void ring::unregister_buffers() noexcept {
    kernel::buffer_registration none{};
    static_cast<void>(::io_uring_register(
        static_cast<unsigned>(ring_.ring_fd), IORING_UNREGISTER_PBUF_RING, &none, 1
    ));
}

unsigned ring::consumed() const noexcept {
    return std::atomic_ref{*ring_.sq.khead}.load(std::memory_order_acquire);
}

bool ring::wants_enter() const noexcept {
    const unsigned flags = std::atomic_ref{*ring_.sq.kflags}.load(std::memory_order_relaxed);
    return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

bool ring::post_from_anywhere(std::uint64_t user_data) const noexcept {
    if (!can_send_message_.load(std::memory_order_relaxed)) return false;
    io_uring_sqe message{};
    message.opcode = IORING_OP_MSG_RING;
    message.fd = ring_.ring_fd;
    message.off = user_data;
    // No ring sends it: the call itself carries the message (Linux 6.13).
    const int rc = ::io_uring_register(~0U, kernel::register_send_msg_ring, &message, 1);
    if (rc == -EINVAL || rc == -ENOSYS || rc == -EBADF)
        can_send_message_.store(false, std::memory_order_relaxed);
    return rc >= 0;
}

std::string ring::description() const {
    std::string text = "ring of " + std::to_string(ring_.sq.ring_entries) + " entries, " +
                       std::to_string(ring_.cq.ring_entries) + " completions,";
    if (has_submission_thread()) text += " SQPOLL";
    for (const auto& each : optional_flags)
        if (ring_.flags & each.bit) text += std::string(" ") + each.name;
    if (gathers()) text += " min_wait";
    if (polls_devices_) text += " NAPI";
    return text;
}

std::string ring::losses() const {
    std::string text;
    const char* newest = nullptr;
    const auto lacks = [&](const char* name, const char* since) {
        text += (text.empty() ? "" : " ") + std::string(name);
        if (!newest) newest = since;
    };
    if (lacks_min_wait_) lacks("min_wait", "6.12");
    if (lacks_napi_) lacks("NAPI", "6.9");
    for (const auto& each : optional_flags)
        if (wanted_flags_ & ~ring_.flags & each.bit) lacks(each.name, each.since);
    if (!newest) return {};
    return "without " + text + ", which this kernel does not know: slower; use Linux " + newest +
           " or newer";
}

} // namespace coronet

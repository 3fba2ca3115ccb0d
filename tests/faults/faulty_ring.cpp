// SPDX-License-Identifier: BSL-1.0
#include "faulty_ring.hpp"

#include <liburing.h>

#include <cerrno>

namespace coronet::test::faulty_ring {

namespace {

struct refusal {
    int calls_left = -1; // -1: without end
    int error = 0;
    bool completes_first = false;
    int calls_in_vain = 0;
};
thread_local refusal here;
std::atomic<int> calls{0};

bool is_interrupted() {
    const int every = interrupt_every.load(std::memory_order_relaxed);
    if (every == 0 || ++calls % every != 0) return false;
    ++interruptions;
    return true;
}

} // namespace

void answer_after(int calls_left, int error) {
    here = {calls_left, error, false, 0};
}
void answer_after_a_completion(int error) {
    here = {0, error, true, 0};
}
void answer_truly() {
    here = {};
}
int calls_in_vain() {
    return here.calls_in_vain;
}

} // namespace coronet::test::faulty_ring

namespace faulty = coronet::test::faulty_ring;

extern "C" {
// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __real_io_uring_enter2(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t* mask, size_t size
);
int __wrap_io_uring_enter2(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t* mask, size_t size
);
int __wrap_io_uring_enter2(
    unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t* mask, size_t size
) {
    if (faulty::is_interrupted()) return -EINTR;
    faulty::refusal& here = faulty::here;
    if (here.calls_left < 0) return __real_io_uring_enter2(fd, submit, wait, flags, mask, size);
    if (here.calls_left > 0) {
        --here.calls_left;
        return __real_io_uring_enter2(fd, submit, wait, flags, mask, size);
    }
    if (here.completes_first) {
        here.completes_first = false;
        const unsigned woken = flags | IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP;
        static_cast<void>(__real_io_uring_enter2(fd, submit, 1, woken, mask, size));
    }
    ++here.calls_in_vain;
    return -here.error;
}

int __real_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* wanted);
int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* wanted);
int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* wanted) {
    if (wanted->flags & faulty::unknown_flags) return -EINVAL;
    const bool attached = (wanted->flags & IORING_SETUP_ATTACH_WQ) != 0;
    if (!attached) ++faulty::unattached_rings;
    if (attached && faulty::refused_attachments > 0) {
        --faulty::refused_attachments;
        return -ENXIO;
    }
    const int rc = __real_io_uring_queue_init_params(entries, ring, wanted);
    ring->features &= ~faulty::missing_features;
    return rc;
}

int __real_io_uring_register(unsigned fd, unsigned opcode, const void* arg, unsigned count);
int __wrap_io_uring_register(unsigned fd, unsigned opcode, const void* arg, unsigned count);
int __wrap_io_uring_register(unsigned fd, unsigned opcode, const void* arg, unsigned count) {
    constexpr unsigned register_napi = 27;
    if (opcode == IORING_REGISTER_PBUF_RING && !faulty::knows_buffer_rings) return -EINVAL;
    if (opcode == register_napi && !faulty::knows_napi) return -EINVAL;
    return __real_io_uring_register(fd, opcode, arg, count);
}

io_uring_probe* __real_io_uring_get_probe_ring(io_uring* ring);
io_uring_probe* __wrap_io_uring_get_probe_ring(io_uring* ring);
io_uring_probe* __wrap_io_uring_get_probe_ring(io_uring* ring) {
    io_uring_probe* const probe = __real_io_uring_get_probe_ring(ring);
    for (unsigned i = 0; probe && i < probe->ops_len; ++i)
        if (faulty::missing_opcodes.test(i))
            probe->ops[i].flags &= static_cast<__u16>(~IO_URING_OP_SUPPORTED);
    return probe;
}
// NOLINTEND(bugprone-reserved-identifier)
}

// SPDX-License-Identifier: BSL-1.0
#include "kernel_probe.hpp"

#include "ring_error.hpp"

#include <liburing.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace coronet {

namespace {

kernel_probe failed(const char* step, int error) {
    return {error, ring_error(step, error).what()};
}

class small_ring {
public:
    small_ring() : set_up_(::io_uring_queue_init(2, &ring_, 0)) {}
    ~small_ring() {
        if (set_up_ == 0) ::io_uring_queue_exit(&ring_);
    }
    small_ring(const small_ring&) = delete;
    small_ring& operator=(const small_ring&) = delete;

    /// Each: 0, or a negated errno.
    [[nodiscard]] int set_up() const noexcept { return set_up_; }
    [[nodiscard]] int ask_for_opcodes() noexcept {
        constexpr unsigned count = 256;
        constexpr std::size_t size = sizeof(io_uring_probe) + count * sizeof(io_uring_probe_op);
        struct release {
            void operator()(void* p) const noexcept { std::free(p); } // NOLINT: sized at run time
        };
        const std::unique_ptr<void, release> room{std::calloc(1, size)};
        if (!room) return -ENOMEM;
        return ::io_uring_register_probe(&ring_, static_cast<io_uring_probe*>(room.get()), count);
    }
    [[nodiscard]] int go_round() noexcept {
        constexpr std::uint64_t mark = 0x636f726f6e6574;
        io_uring_sqe* const sqe = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_nop(sqe);
        sqe->user_data = mark;
        int rc = 0;
        do
            rc = ::io_uring_submit_and_wait(&ring_, 1);
        while (rc == -EINTR);
        if (rc < 0) return rc;
        io_uring_cqe* cqe = nullptr;
        while ((rc = ::io_uring_wait_cqe(&ring_, &cqe)) == -EINTR) {
        }
        if (rc < 0) return rc;
        return cqe->user_data == mark ? cqe->res : -EIO;
    }
    [[nodiscard]] unsigned features() const noexcept { return ring_.features; }

private:
    io_uring ring_{};
    int set_up_;
};

} // namespace

kernel_probe probe_kernel() {
    small_ring ring;
    if (const int rc = ring.set_up(); rc < 0) return failed("io_uring_setup", -rc);
    constexpr unsigned required = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL |
                                  IORING_FEAT_SUBMIT_STABLE;
    if ((ring.features() & required) != required)
        return {ENOSYS, "io_uring: this kernel is too old, use Linux 5.11 or newer"};
    if (const int rc = ring.ask_for_opcodes(); rc < 0)
        return failed("io_uring_register(PROBE)", -rc);
    if (const int rc = ring.go_round(); rc < 0) return failed("io_uring_enter(NOP)", -rc);
    return {};
}

} // namespace coronet

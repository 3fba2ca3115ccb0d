// SPDX-License-Identifier: BSL-1.0
//
// A small io_uring in user space, for machines where the kernel's is forbidden: it executes the
// same entries, with the same results, errors and answers to cancel requests. Everything but wake()
// on the owner thread.
//
// A request (an entry that was submitted):
//
//   submitted → ended     plain_call::attempt() could execute it at once: no request is made of it
//   submitted → waiting   there was nothing to be had: in a queue of its descriptor
//   waiting   → waiting   its descriptor became ready, and still there was nothing; or a multishot
//                         one has had a result
//   waiting   → ended     it could be executed; or a cancel request found it: -ECANCELED, or what
//                         had been transferred by then; or its descriptor was closed by an entry
//                         of this driver: -EBADF
//   submitted, waiting → on a worker   it cannot be had without a wait that only a thread can do
//
// The answer to a cancel request is 0 for one that waits, -ENOENT for one that is not found, and
// -EALREADY for one that a worker is at.
//
// A descriptor: descriptor_table.hpp. It is registered once, edge-triggered, and each entry is
// tried before it waits: so a report that nobody waits for may be dropped, and one too many does no
// harm.
//
// A turn: the entries that were filled are executed in their order; those that were interrupted for
// the sake of the others go on; then the epoll set is looked at, waiting only if nothing has ended.
// While entries end by themselves it is looked at in every fourth turn.
#pragma once

#include "../dispatcher.hpp"
#include "../driver.hpp"
#include "buffer_ring.hpp"
#include "descriptor_table.hpp"
#include "plain_call.hpp"
#include "readiness.hpp"
#include "request_table.hpp"
#include "worker_jobs.hpp"

#include <coronet/options.hpp>

#include <cstdint>
#include <vector>

namespace coronet {

class epoll_driver final : public driver {
public:
    /// Throws std::system_error.
    explicit epoll_driver(const scheduler_options& options);

    void enable() override;
    void submit_and_wait(time_point deadline) noexcept override;
    [[nodiscard]] bool wants_enter() const noexcept override;
    void reap(dispatcher& sink) noexcept override;
    bool wake(driver* from) noexcept override;
    [[nodiscard]] int wait_descriptor() noexcept override { return ready_.descriptor(); }
    [[nodiscard]] time_point wait_outside(time_point deadline) noexcept override;
    void close() noexcept override;
    [[nodiscard]] time_point coarse_now() const noexcept override;
    [[nodiscard]] int socket_flags() const noexcept override;
    [[nodiscard]] std::string description() const override { return "epoll"; }
    [[nodiscard]] std::uint64_t enters() const noexcept override { return ready_.waits(); }
    int offer_buffers(io_uring_buf_ring& from, unsigned entries, unsigned flags) noexcept override;
    void take_buffers_back() noexcept override;

private:
    void make_room() noexcept override;
    [[nodiscard]] bool room_for_completion() noexcept;

    // ---- entries (epoll.cpp) ----
    void execute_filled() noexcept;
    void execute(io_uring_sqe& entry) noexcept;
    void look(time_point deadline) noexcept;
    void complete(const io_uring_sqe& entry, std::int32_t res, std::uint32_t flags = 0) noexcept;

    // ---- requests (epoll_requests.cpp) ----
    void begin(const io_uring_sqe& entry) noexcept;
    void begin_multishot(const io_uring_sqe& entry) noexcept;
    void keep(const io_uring_sqe& entry, const progress& so_far, plain_call::verdict why) noexcept;
    void settle(request& asked, plain_call::outcome came) noexcept;
    void settle_multishot(request& asked, plain_call::outcome came) noexcept;
    void wait(request& asked, plain_call::verdict why) noexcept;
    void end(request& asked, std::int32_t res, std::uint32_t flags = 0) noexcept;
    void move_to_worker(request& asked) noexcept;
    void begin_job(const io_uring_sqe& entry, const progress& so_far) noexcept;
    [[nodiscard]] std::int32_t cancel(std::uint64_t id) noexcept;
    void end_all_on(int fd) noexcept;

    // ---- readiness (epoll_requests.cpp) ----
    void serve(int fd, std::uint32_t events) noexcept;
    void serve_queue(int fd, request::place which) noexcept;
    [[nodiscard]] plain_call::outcome attempt(request& asked) noexcept;
    [[nodiscard]] plain_call::outcome attempt_multishot(request& asked) noexcept;
    [[nodiscard]] plain_call::outcome attempt_selecting(request& asked) noexcept;
    void serve_soon(int fd) noexcept;
    void serve_soon_if_waiting(request& asked) noexcept;
    void serve_those_interrupted() noexcept;

    readiness ready_;
    descriptor_table descriptors_;
    request_table requests_;
    buffer_ring buffers_;
    std::vector<io_uring_sqe> window_;
    std::vector<completion> completed_; // room for all that can end is made before it begins
    worker_jobs jobs_{completed_};
    std::vector<int> soon_; // descriptors that were left for the sake of others
    std::vector<int> soon_now_;
    unsigned consumed_ = 0;
    unsigned turns_unlooked_ = 0;
    time_point audit_due_ = time_point::max(); // when somebody else has waited for so long
    bool job_begun_ = false; // since the loop has looked what is ready, and at its timers
    const bool movable_owner_;
    bool enabled_ = false;
};

} // namespace coronet

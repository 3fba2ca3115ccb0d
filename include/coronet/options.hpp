// SPDX-License-Identifier: BSL-1.0
//
// What a scheduler can be told at its birth. Every default is the recommended value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace coronet {

class sq_group;

/// A kernel thread that picks up submissions, so that submitting makes no system call. It burns a
/// CPU while it is not idle: only where a core can be spared.
struct sqpoll_options {
    std::chrono::milliseconds idle{0}; ///< until the thread sleeps; 0: the kernel's default (1 s)
    int cpu = -1;                      ///< bind the thread to this CPU; -1: anywhere
    std::shared_ptr<sq_group> group{}; ///< share the thread of that group, on its CPU
};

class worker_cap;

/// The threads for what a loop must not do itself (worker_pool.hpp).
struct worker_pool_options {
    unsigned bounded_max = 0;             ///< for what computes; 0: four for each CPU
    unsigned bounded_min = 1;             ///< of these, those that stay however long they are idle
    unsigned unbounded_max = 64;          ///< for what may block; at most 1024
    unsigned unbounded_min = 0;           ///< of these, those that stay
    std::chrono::milliseconds idle{5000}; ///< after which a worker leaves
    std::size_t stack_size = std::size_t{256} * 1024; ///< of each worker
    int notify_signal = 0; ///< interrupts blocking calls of cancelled items; 0: SIGRTMAX - 2
    unsigned creation_retries = 5;     ///< where a limit is in the way: after 5, 10, 20 ... ms
    std::function<void()> on_start{};  ///< on each worker, before its first item; if it throws,
                                       ///< the worker counts as one that could not be created
    std::shared_ptr<worker_cap> cap{}; ///< what several pools have together
};

/// What executes operations.
enum class driver_choice : std::uint8_t {
    automatic, ///< what CORONET_DRIVER in the environment says (auto, io_uring, epoll); where it
               ///< says auto or nothing: io_uring where it can be used, else epoll
    io_uring,  ///< or the scheduler's constructor throws
    epoll,
};

/// The buffers that streams of received data share (docs/receiving.md). They are made when the
/// first stream asks for them; memory is used as they are filled.
struct receive_buffer_options {
    std::size_t size = 16384; ///< of each, 64 bytes to 1 MiB: what one result has at most
    unsigned count = 256;     ///< to begin with
    unsigned max = 4096;      ///< as needed; a power of two, at most 32,768
    bool incremental = false; ///< several results share a buffer, where the kernel can (6.12)
};

struct scheduler_options {
    driver_choice driver = driver_choice::automatic; ///< see docs/drivers.md
    unsigned queue_depth = 1024;                     ///< submission slots; clamped by the kernel
    std::optional<sqpoll_options> sqpoll{}; ///< set: use a submission thread (io_uring only)
    unsigned kernel_workers_bounded = 0;    ///< io-wq maximum for files; 0: the kernel's default
    unsigned kernel_workers_unbounded = 0;  ///< io-wq maximum for the rest; 0: the kernel's default
    /// Start although the kernel may create no unbounded workers; what always needs one (splice)
    /// then fails with errc::kernel_workers_disabled.
    bool allow_no_kernel_workers = false;
    bool no_iowait = true;       ///< waiting for completions is not accounted as iowait
    bool movable_owner = false;  ///< the loop is run by changing threads, one at a time
    std::size_t run_budget = 64; ///< ready items run before the kernel is looked at again
    /// A wait that could end goes on for as long, until there are run_budget completions: fewer
    /// system calls, later answers (docs/tuning.md). 0: it ends at once. At most a second; ignored
    /// where the driver or the kernel (before 6.12) does not know it.
    std::chrono::microseconds min_wait{0};
    /// A wait begins with polling the network devices of its sockets for as long (docs/tuning.md).
    /// 0: not. At most a second; ignored where the driver or the kernel (before 6.9, or built
    /// without) does not know it.
    std::chrono::microseconds napi{0};
    worker_pool_options workers{};
    receive_buffer_options receive_buffers{};
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// In front of the kernel's rings: waits that are interrupted, submission threads that die, rings
// that may not be attached. Defined in faulty_ring.cpp.
#pragma once

#include <atomic>
#include <bitset>

namespace coronet::test::faulty_ring {

/// Every n-th call of io_uring_enter, on any thread, answers EINTR and does nothing; 0: none.
inline std::atomic<int> interrupt_every{0};
inline std::atomic<int> interruptions{0};

/// The rings that this thread enters answer `error` after `calls` more calls, and take nothing.
/// With that of a submission thread that has died, what has been submitted by then goes on: a dying
/// thread cancels it in truth, which the tests must not rely on.
void answer_after(int calls, int error);
/// The last call that works waits for a completion and leaves it in the queue.
void answer_after_a_completion(int error);
void answer_truly();
/// Calls on this thread that were answered so.
int calls_in_vain();

/// The next attempts to attach a ring to another's submission thread answer ENXIO.
inline std::atomic<int> refused_attachments{0};
/// Set-up flags that are refused, as by a kernel that does not know them.
inline std::atomic<unsigned> unknown_flags{0};
/// Features that the kernel does not have.
inline std::atomic<unsigned> missing_features{0};
/// False: polling of network devices is refused.
inline std::atomic<bool> knows_napi{true};
/// False: registering a ring of buffers is refused, as by a kernel that does not know them.
inline std::atomic<bool> knows_buffer_rings{true};
/// Opcodes that the kernel says it lacks.
inline std::bitset<256> missing_opcodes;
/// Rings that were set up and attached to none.
inline std::atomic<int> unattached_rings{0};

} // namespace coronet::test::faulty_ring

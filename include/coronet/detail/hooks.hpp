// SPDX-License-Identifier: BSL-1.0
//
// Named points in the engine at which a test makes a thread wait, act or fail, so that it meets
// another at the one place where it hurts. Without CORONET_HOOKS (a CMake option; the release
// build) nothing is compiled in.
#pragma once

#ifdef CORONET_HOOKS

#include <atomic>
#include <cstdint>

namespace coronet::detail {

/// The subject is the scheduler, unless said otherwise.
enum class hook_point : std::uint8_t {
    loop_head,         // the owner, before it looks at stop and park; a hook may throw here
    head_passed,       // it saw neither; the turn begins
    stop_seen,         // it saw stop; before it drains
    before_sleep,      // before the compare-exchange that announces sleep
    asleep,            // after it
    entering,          // before the system call that waits
    entered,           // after it
    parking,           // it saw park; before it says so
    parked,            // it has said so; before it waits
    unparked,          // it goes on
    pushing,           // any thread, before it pushes into the mailbox
    pushed,            // after the push, before the notification
    taking_mail,       // the owner, after it has cleared the notification
    unparking,         // whoever releases a guard, before the owner is told
    cancel_requested,  // an operation has been marked; the subject is the operation
    before_cancel_sqe, // its cancel request is about to be submitted; the subject is the operation
    stop_requested,    // a branch has been marked; the subject is the branch
    stop_sending,      // any thread, in a token's callback; before it posts to the owner
    stop_sent,         // after it
    group_ending,      // the owner, before it takes that callback back; the subject is the group
    resuming,          // before a frame is resumed; the subject is the branch
    waiting,           // an await was added to a list of waiters, which is the subject
    claimed,           // waiters were claimed and the lock was released; the subject is their list
    before_callback,   // one of them is about to be told; the subject is their list
    draining,          // after the outer lane was closed
    drain_round,       // before each look at what is in flight
    nothing_in_flight, // the look found nothing
    closing,           // before the driver gives everything back
    sent_by_reference, // a send has its result, and the kernel its buffer; the subject is the send
    buffer_returning,  // another thread is about to send a buffer home; the subject is its block
    // Of a pool; the subject is an account of it, the worker (idle, ...), or the item (item_...).
    enqueued,          // an item is in the queue, the lock was released
    errand_sending,    // any thread, before it asks the owner for something
    errand_arrived,    // the owner, before it looks at what is asked for
    creating,          // before pthread_create
    creation_tried,    // after it
    retry_armed,       // another attempt is to follow
    retrying,          // before that
    worker_begins,     // a worker's first instruction
    worker_left,       // it is in no list any more; before it tells the owner
    idle,              // it is in the free list; before it sleeps
    idle_over,         // it has decided whether it was idle for long; before it takes the lock
    item_executed,     // a worker has executed it; to others it still runs
    item_asked,        // it was asked to end, and its token is stopped
    interrupt_checked, // it waits in interruptible_wait(), and is about to call ppoll
    exited,            // the last word
};

using hook_function = void (*)(hook_point, const void* subject);
inline std::atomic<hook_function> hook{nullptr};

inline void reach(hook_point point, const void* subject) {
    if (const hook_function set = hook.load(std::memory_order_acquire)) set(point, subject);
}

} // namespace coronet::detail

#define CORONET_HOOK(point, subject)                                                               \
    ::coronet::detail::reach(::coronet::detail::hook_point::point, subject)

#else

#define CORONET_HOOK(point, subject) static_cast<void>(0)

#endif

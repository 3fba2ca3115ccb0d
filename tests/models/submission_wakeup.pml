// SPDX-License-Identifier: BSL-1.0
//
// Waking a submission thread (SQPOLL). Here the kernel decides the protocol, and it has two words: the owner moves the
// tail and then looks whether the thread sleeps; the thread says that it sleeps and then looks at the tail. A processor
// may hold each one's store back behind its own load, so that both look too early and an entry stays where it is. Hence
// a full fence on both sides. The control word of a scheduler needs none, as cause and sleep are one word there
// (lifecycle.pml).
//
//   here       stands for
//   owner      ring::publish() and ring::submission_flags(), then io_uring_enter with SQ_WAKEUP (lib/ring.cpp)
//   thread     the kernel's io_sq_thread: it looks, announces, looks again, sleeps
//   *_held     a store that its processor holds back; `memory` lets it out at any time, a fence waits until it is out
//
// mutation OWNER_WITHOUT_FENCE: hang: the owner looks for a sleeper before its tail can be seen
// mutation THREAD_WITHOUT_FENCE: hang: the thread looks at the tail before its announcement can be seen
// mutation THREAD_LOOKS_ONCE: hang: it sleeps over an entry that came between look and announcement

#define ENTRIES 3

byte tail, tail_held;            // what all see; what the owner's processor has, if it is more
bool asleep, asleep_held;        // NEED_WAKEUP
bool woken;
byte taken;

active proctype memory() {
end:
    do
    :: atomic { tail_held != tail -> tail = tail_held }
    :: atomic { asleep_held != asleep -> asleep = asleep_held }
    od
}

active proctype owner() {
    do
    :: tail_held < ENTRIES ->
        tail_held++;
#ifndef OWNER_WITHOUT_FENCE
        tail_held == tail;
#endif
        if :: asleep -> woken = true :: else fi
    :: else -> break
    od
}

inline take_entries() {
    do :: taken < tail -> taken++ :: else -> break od
}

active proctype thread() {
    do
    ::  take_entries();
        asleep_held = true;
#ifndef THREAD_WITHOUT_FENCE
        asleep_held == asleep;
#endif
        if
#ifndef THREAD_LOOKS_ONCE
        :: taken < tail
#else
        :: false
#endif
        :: else ->
end_asleep:
            atomic { woken -> woken = false }
        fi;
        asleep_held = false
    od
}

init { taken == ENTRIES } // else this waits for ever

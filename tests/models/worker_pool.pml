// SPDX-License-Identifier: BSL-1.0
//
// One account of a worker pool (lib/worker_account.cpp, lib/recruiter.cpp). Two threads enqueue an
// item each and one of them may cancel it; the first item does not end before the second has; the
// owner creates workers, at most two, and each attempt succeeds, fails and may be repeated, or fails
// for good, as it likes. Workers that are idle leave when they like. A critical section is one step.
//
// What must hold: each item ends once, executed or not; nobody waits for ever; when the pool has
// ended there is no worker, no attempt, and no message of its on the way.
//
//   here               stands for
//   enqueuer           worker_pool::submit() on any thread; then perhaps cancel()
//   worker             worker_account::next(): clear_link_or_token(), look(), take(), leave()
//   owner              recruiter: create(), attempt(), failed(), try_again(), pause_over(); begin_exit()
//   see_to_queue       the function of that name; post, send: an errand for the owner
//   pending, counted   create_pending_, counted_
//   sent, mail         errand_sent_, and that the message has arrived
//   repeating, pausing the timers of retries and of failures beside others: any time is late enough
//   where              busy: in no list; free: in the free list; picked: it has a token
//
// variant END_ANY_TIME: the pool is shut down at any time; else when all items are over
// variant REFRESH: the owner's context changes at any time, once
// variant WARM: at the beginning there are two free workers
//
// mutation NO_CHAIN: hang: a worker that leaves others in the queue asks for nobody (W1b)
// mutation NO_PAUSE: hang: a failure beside others is not made good (W6)
// mutation NO_FATAL: hang: nobody is told that there is no worker (W9)
// mutation STILL_QUEUED with END_ANY_TIME: assertion: an item that failed stays in the queue
// mutation PENDING_TOO_LONG: hang: requests are dropped until the thread has begun
// mutation STALE_TOKEN with WARM: hang: a worker that slept takes an item and stays in the free list (W4)
// mutation LEAVES_PICKED with WARM: hang: a worker that was picked leaves (W4)
// mutation LEAVES_UNLOCKED with WARM: hang: between a worker's decision to leave and its leaving is a gap (W5)
// mutation OLD_LEAVE_SILENTLY with REFRESH: hang: a worker of an older generation leaves items behind
// mutation NOT_WITHDRAWN with END_ANY_TIME: hang: an attempt that is to follow outlives the end (W19)
// mutation SENT_AFTER_END with END_ANY_TIME: assertion: a request is posted without a look at the end
// mutation ENDS_EARLY with END_ANY_TIME: assertion: the end does not wait for a request (W21)
#define ITEMS 2
#define WORKERS 2
#define REPEATS 1

mtype = { fresh, queued, runs, over, busy, free, picked };

mtype item[ITEMS];
byte ends[ITEMS];
byte queue;           // how many are queued

mtype where[WORKERS]; // fresh: there is none
bool old[WORKERS];    // of an older generation
byte unjoined;        // threads that the owner has not joined
byte count, able, free_count;

bool pending;         // a request has not been looked at
bool sent, mail;      // it is owed to the owner; it has arrived
bool counted;         // an attempt is going on, or is to follow
bool repeating, pausing;
byte repeats;
bool exiting, ended;
byte inside;          // who enqueues or cancels

inline end_item(i) {
    item[i] = over;
    ends[i]++;
    assert(ends[i] == 1)
}

// Under the lock: whoever can take what is queued is picked, or wished for. `post` is set if the
// caller is to send the errand.
inline see_to_queue(post) {
    if
    :: queue > 0 && !exiting ->
        if
        :: where[0] == free -> where[0] = picked; free_count--
        :: where[1] == free -> where[1] = picked; free_count--
        :: else ->
            if
            :: count < WORKERS && !pending ->
                pending = true;
                if
                :: !sent -> sent = true; post = true
                :: else
                fi
            :: else
            fi
        fi
    :: else
    fi
}

// Outside of it.
inline send(post) {
    if
    :: post -> post = false; atomic { assert(!ended); mail = true }
    :: else
    fi
}

proctype enqueuer(byte i) {
    bool post = false;
#ifdef SENT_AFTER_END
    bool wish = false;
    atomic {
        if
        :: exiting -> end_item(i)
        :: else -> item[i] = queued; queue++; wish = (free_count == 0 && count < WORKERS && !pending);
            if
            :: free_count > 0 -> see_to_queue(post)
            :: else
            fi
        fi
    }
    if
    :: wish -> atomic {
        if
        :: !pending -> pending = true; if :: !sent -> sent = true; post = true :: else fi
        :: else
        fi }
    :: else
    fi;
#else
    atomic {
        if
        :: exiting -> end_item(i)
        :: else -> item[i] = queued; queue++; see_to_queue(post)
        fi
    }
#endif
    send(post);
    // The second one may be cancelled, if it is still queued.
    if
    :: i == 1 ->
        atomic {
            if
            :: item[i] == queued -> queue--; end_item(i)
            :: else
            fi
        }
    :: true
    fi;
    atomic { inside-- }
}

proctype worker(byte me) {
    byte i;
    bool post = false;
    bool long_idle = false;
    bool leave = false;
life:
    atomic {
        leave = false;
#ifdef STALE_TOKEN
        if
        :: queue > 0 && !old[me] -> skip // and its token, or its place in the free list, stay
        :: else ->
#endif
        // First of all: the token, or the link in the free list.
        if
        :: where[me] == picked ->
#ifndef LEAVES_PICKED
            long_idle = false;
#endif
            where[me] = busy
        :: where[me] == free -> where[me] = busy; free_count--
        :: else
        fi;
#ifdef STALE_TOKEN
        fi;
#endif
        if
#ifdef LEAVES_PICKED
        :: long_idle -> leave = true
        :: queue > 0 && !old[me] && !long_idle ->
#else
        :: queue > 0 && !old[me] ->
#endif
            if
            :: item[0] == queued -> i = 0
            :: else -> assert(item[1] == queued); i = 1
            fi;
            item[i] = runs; queue--;
#ifndef NO_CHAIN
            see_to_queue(post)
#endif
        :: old[me] || (queue == 0 && (exiting || long_idle)) -> leave = true
        :: queue == 0 && !old[me] && !exiting && !long_idle ->
            assert(where[me] == busy);
            where[me] = free; free_count++; i = ITEMS
        fi;
#ifndef LEAVES_UNLOCKED
        if
        :: leave -> goto gone
        :: else
        fi
#endif
    }
#ifdef LEAVES_UNLOCKED
    if
    :: leave -> goto gone
    :: else
    fi;
#endif
    send(post);
    if
    :: i < ITEMS ->
        // The first item does not end before the second.
        if
        :: i == 0 -> (item[1] == over)
        :: else
        fi;
        atomic { end_item(i); i = ITEMS };
        long_idle = false
    :: else ->
        if
        :: where[me] != free -> skip
        :: exiting -> skip
        :: old[me] -> skip
        :: long_idle = true
        fi
    fi;
    goto life;
gone:
    atomic {
        count--;
        if
        :: !old[me] -> able--
        :: else
        fi;
#if !defined(OLD_LEAVE_SILENTLY) && !defined(LEAVES_PICKED) && !defined(LEAVES_UNLOCKED)
        see_to_queue(post);
#endif
        where[me] = fresh
    }
    send(post);
    atomic { unjoined-- } // the owner joins it
}

inline wanted(yes) { yes = !exiting && queue > 0 && free_count == 0 }

inline fail_all() {
    if
    :: item[0] == queued -> end_item(0)
    :: else
    fi;
    if
    :: item[1] == queued -> end_item(1)
    :: else
    fi;
#ifdef STILL_QUEUED
    if
    :: ends[0] == 1 && queue > 0 -> item[0] = queued; queue = 1
    :: else -> queue = 0
    fi
#else
    queue = 0
#endif
}

// A creation that is counted.
inline attempt() {
    if
    :: atomic {
        // It succeeds.
        repeats = 0;
        counted = false;
#ifdef PENDING_TOO_LONG
        pending = false;
#endif
        if
        :: where[0] == fresh -> where[0] = busy; old[0] = false; unjoined++; run worker(0)
        :: else -> assert(where[1] == fresh); where[1] = busy; old[1] = false; unjoined++; run worker(1)
        fi }
    :: repeats < REPEATS && !exiting -> atomic { repeats++; repeating = true }
    :: atomic {
        repeats = 0;
        counted = false;
        count--; able--;
#ifdef PENDING_TOO_LONG
        pending = false;
#endif
        if
        :: able == 0 ->
#ifndef NO_FATAL
            fail_all()
#else
            skip
#endif
        :: else ->
#ifndef NO_PAUSE
            pausing = true
#else
            skip
#endif
        fi }
    fi
}

inline begin_creation() {
    atomic {
#ifndef PENDING_TOO_LONG
        pending = false;
#endif
        wanted(yes);
        yes = yes && count < WORKERS;
        if
        :: yes -> count++; able++; counted = true
        :: else -> pending = false
        fi
    }
    if
    :: yes -> attempt()
    :: else
    fi
}

active proctype owner() {
    bool yes;
#ifdef REFRESH
    bool refreshed = false;
#endif
    do
    :: atomic { mail -> mail = false; sent = false };
        if
        :: repeating || (pausing && able > 0) -> atomic { pending = false }
        :: else -> begin_creation()
        fi
    :: atomic { repeating && !exiting -> repeating = false;
            wanted(yes);
            if
            :: !yes -> counted = false; count--; able--; repeats = 0
            :: else
            fi };
        if
        :: yes -> attempt()
        :: else
        fi
    :: atomic { pausing && !exiting -> pausing = false };
        if
        :: repeating -> skip
        :: else -> begin_creation()
        fi
#ifdef REFRESH
    :: atomic { !refreshed && !exiting -> refreshed = true;
            old[0] = (where[0] != fresh); old[1] = (where[1] != fresh);
            if :: where[0] == free -> where[0] = busy :: else fi;
            if :: where[1] == free -> where[1] = busy :: else fi;
            free_count = 0;
            able = (counted -> 1 : 0);
            yes = false;
            see_to_queue(yes) };
        if
        :: yes -> atomic { mail = true }
        :: else
        fi
#endif
#ifdef END_ANY_TIME
    :: atomic { !exiting -> exiting = true; fail_all();
#else
    :: atomic { !exiting && item[0] == over && item[1] == over -> exiting = true;
#endif
            if :: where[0] == free -> where[0] = busy :: else fi;
            if :: where[1] == free -> where[1] = busy :: else fi;
            free_count = 0;
            pausing = false;
#ifndef NOT_WITHDRAWN
            if
            :: repeating -> repeating = false; counted = false; count--; able--
            :: else
            fi
#endif
        }
#ifdef ENDS_EARLY
    :: atomic { exiting && count == 0 && unjoined == 0 -> ended = true; break }
#else
    :: atomic { exiting && count == 0 && unjoined == 0 && !sent -> ended = true; break }
#endif
    od;
    (inside == 0 && item[0] == over && item[1] == over);
    assert(!mail && !repeating && !pausing && !counted && queue == 0 && able == 0)
}

init {
    atomic {
        item[0] = fresh; item[1] = fresh; where[0] = fresh; where[1] = fresh;
        inside = 2;
#ifdef WARM
        where[0] = free; where[1] = free; free_count = 2; count = 2; able = 2; unjoined = 2;
        run worker(0);
        run worker(1);
#endif
        run enqueuer(0);
        run enqueuer(1)
    }
    (ended && ends[0] == 1 && ends[1] == 1)
}

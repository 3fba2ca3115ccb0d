// SPDX-License-Identifier: BSL-1.0
//
// Parking, stopping and posting to one scheduler, with nothing but one control word between the threads. Whoever waits
// for the owner gets an answer, the owner never sleeps over a cause to wake, a guard keeps it out of everything, every
// posted item runs or is refused, and the ring is not closed under anybody who is about to wake it.
//
// The word is one atomic in the code: here each `atomic` that touches its parts is one read-modify-write of it.
//
//   here            stands for
//   owner           engine::run(): pass_head(), turn(), drain(), close() (lib/engine.cpp), stand_still()
//                   (lib/lifecycle.cpp)
//   try_sleep       run_state::try_sleep(), a compare-exchange (lib/run_state.hpp)
//   announce_*      run_state::set_notified(), set_stop(), request_park(): each says whether the owner must be woken
//   wake            driver::wake(): it ends the present or the next wait, so it is kept until a wait has seen it
//   carried         of the word: all wake-ups so far are such messages (lib/run_state.hpp:18; more in wake_ups.pml)
//   unsent          a wake-up that lies in the sender's own ring until that thread next enters the kernel
//   outer, inner    the lanes of the mailbox (lib/mailbox.hpp)
//   awaited         what is in flight and comes through the inner lane
//   on_word         threads that wait on the word itself (lib/futex.hpp: looks and waits in one step)
//   callers         engine::callers_
//   listed, told    engine::park(state_waiter&), forget_park() (lib/lifecycle.cpp), state_change::told() and cancel()
//
// Two threads park, one of them with a limit (it may give up at any time). One stops and joins. A colleague, an owner
// elsewhere, posts, stops and joins before its own ring is entered. Being parked from birth is the case in which a
// parker comes before the owner's first step. With all of these at once the states are too many, hence the variants.
//
// variant NO_STOP: nobody stops; the colleague posts twice and parks; the owner ends asleep and has run everything
// variant AWAITED_PARK: instead of the parker with a limit, a coroutine elsewhere that may be cancelled; one stops
// variant IN_FLIGHT: nobody parks; something is in flight when the stop comes, and a worker reports its end
//
// mutation SLEEP_IGNORES_NOTIFIED with NO_STOP: hang: the owner sleeps over an item that came after its last look
// mutation SLEEP_IGNORES_PARK with NO_STOP: hang: the owner sleeps over a parker (race A of the kernel's change)
// mutation SLEEP_IGNORES_STOP: hang: the owner sleeps over a stop
// mutation SLEEP_ANNOUNCED_LATER with NO_STOP: hang: look and announcement are two steps
// mutation STOP_BEFORE_PARK: hang: a parker who was counted before the stop gets no answer
// mutation TWO_LOOKS: hang: the same, counted between a look at the parkers and one at the stop (race B)
// mutation PARK_NOT_REFUSED_AFTER_STOP: hang: a parker waits for an owner that has gone
// mutation UNPARK_CLEARS_COUNT: assertion: one guard's end lets the owner run under another's (race C)
// mutation UNPARK_WITHOUT_NOTIFY with NO_STOP: hang: nobody tells the parked owner that it may go on
// mutation RESUME_WITHOUT_COMPARE with NO_STOP: assertion: the owner goes on under a guard that came in between
// mutation PARKED_WITHOUT_NOTIFY with NO_STOP: hang: the owner parks and tells nobody
// mutation NOTIFIED_CLEARED_AFTER_MAIL with NO_STOP: hang: an item that came between the two is forgotten
// mutation STOP_TRUSTS_NOTIFIED with IN_FLIGHT: hang: the wake-up that it relies on has not left its sender
// mutation PARK_TRUSTS_NOTIFIED with NO_STOP: hang: the same for a parker
// mutation WAKE_NOT_KEPT with NO_STOP: hang: a wake-up between the announcement and the wait is lost
// mutation OUTER_LANE_STAYS_OPEN: assertion: an item is accepted and never run
// mutation INNER_LANE_CLOSED_EARLY with IN_FLIGHT: assertion: what is in flight cannot report its end
// mutation LISTED_AFTER_THE_LOCK with AWAITED_PARK: hang: the owner parks between the count and the list
// mutation CANCEL_IGNORES_CLAIM with AWAITED_PARK: assertion: a guard that is under way is released twice
// mutation CALLERS_NOT_COUNTED with IN_FLIGHT: assertion: the ring is closed under a thread that wakes it

#define OWNER 0
#define PARKER 1          // two of them: 1 and 2
#define COLLEAGUE 3
#define STOPPER 4
#define THREADS 5

#ifdef IN_FLIGHT
#define AWAITED 1
#else
#define AWAITED 0
#endif

mtype:phase = { running, parked, draining, exited };

// The control word.
mtype:phase phase = running;
bool stop, notified, carried, sleeping;
byte park;
bool on_word[THREADS];

bool wake, in_wait, unsent, driver_closed;
byte callers;
byte outer, inner, ready;
bool outer_closed, inner_closed;
byte executed, refused;
byte awaited = AWAITED;
bool listed, claimed, told; // a waiter that blocks no thread
byte ended;               // threads, but for the owner
byte guards;              // parkers that have been told that the owner is parked

// ---- the word ----

inline wait_on_word(me, condition) {
    do
    :: atomic { condition -> break }
    :: atomic { !(condition) -> on_word[me] = true }; !on_word[me]
    od
}
inline notify_all() {
    d_step { on_word[0] = false; on_word[1] = false; on_word[2] = false; on_word[3] = false; on_word[4] = false }
}
inline announce_item(must, by_message) {
    atomic {
        must = sleeping && (!notified || carried);
        carried = by_message && (!notified || carried);
        notified = true
    }
}
inline announce_stop(must) {
    atomic {
#ifdef STOP_TRUSTS_NOTIFIED
        must = sleeping && !stop && !notified;
#else
        must = sleeping && !stop;
#endif
        stop = true
    }
}
inline announce_park(must, taken) {
    atomic {
        if
#ifndef PARK_NOT_REFUSED_AFTER_STOP
        :: stop || phase == draining || phase == exited -> taken = false
#endif
        :: else ->
#ifdef PARK_TRUSTS_NOTIFIED
            must = sleeping && !notified;
#else
            must = sleeping;
#endif
            park++;
            taken = true
        fi
    }
}

// ---- any thread ----

inline wake_owner() {
    assert(!driver_closed);
#ifdef WAKE_NOT_KEPT
    wake = in_wait
#else
    wake = true
#endif
}
inline enter_call() {
#ifndef CALLERS_NOT_COUNTED
    callers++
#else
    skip
#endif
}
inline leave_call() {
#ifndef CALLERS_NOT_COUNTED
    callers--
#else
    skip
#endif
}

// `carry`: the thread has a ring of its own, which takes the wake-up along.
inline post(carry) {
    if
    :: phase == exited -> refused++
    :: else ->
        enter_call();
        atomic { if :: outer_closed -> refused++; taken = false :: else -> outer++; taken = true fi };
        if
        :: taken ->
            announce_item(must, carry);
            if
            :: must && carry -> unsent = true
            :: must && !carry -> wake_owner()
            :: else
            fi
        :: else
        fi;
        leave_call()
    fi
}
inline stop_it() {
    if
    :: phase == exited
    :: else ->
        enter_call();
        announce_stop(must);
        if :: must -> wake_owner() :: else fi;
        leave_call()
    fi
}
inline join_it(me) { wait_on_word(me, phase == exited) }

inline hold_guard() {
    atomic { guards++; assert(phase == parked) };
    atomic { guards--; assert(phase == parked) }
}
inline unpark() {
#ifdef UNPARK_CLEARS_COUNT
    park = 0; last = true;
#else
    atomic { assert(park > 0); park--; last = (park == 0) };
#endif
#ifndef UNPARK_WITHOUT_NOTIFY
    if :: last -> notify_all() :: else fi
#endif
}
inline park_it(me, limited) {
    announce_park(must, taken);
    if
    :: taken ->
        if :: must -> wake_owner() :: else fi;
        if
        :: wait_on_word(me, phase == parked); hold_guard()
        :: limited // the limit has passed; on_word[me] is not set: it did not wait, or no longer does
        fi;
        unpark()
    :: else
    fi
}

proctype parker(byte me; bool limited) {
    bool must, taken, last;
    park_it(me, limited);
    ended++
}

// A coroutine elsewhere awaits the guard and may be cancelled while it waits.
proctype awaiting_parker() {
    bool must, taken, last, canceled;
    if :: canceled = true :: canceled = false fi;
#ifdef LISTED_AFTER_THE_LOCK
    announce_park(must, taken);
    if :: taken && phase != parked -> listed = true :: taken && phase == parked -> told = true :: else fi;
#else
    atomic {
        announce_park(must, taken);
        if :: taken && phase != parked -> listed = true :: taken && phase == parked -> told = true :: else fi
    };
#endif
    if
    :: taken ->
        if :: must -> wake_owner() :: else fi;
        if
        :: told -> hold_guard()
#ifdef CANCEL_IGNORES_CLAIM
        :: atomic { !told -> listed = false }; if :: told -> unpark() :: else fi
#else
        :: atomic { listed && canceled -> listed = false }
#endif
        fi;
        unpark()
    :: else
    fi;
    ended++
}

proctype colleague() {
    bool must, taken, last;
#ifdef IN_FLIGHT
    post(false);
#endif
    post(true);
#ifdef NO_STOP
    park_it(COLLEAGUE, false);
#else
    stop_it();
    join_it(COLLEAGUE);
#endif
    // Only now does this thread enter the kernel, and its message leave.
    if :: unsent -> wake = true :: else fi;
#ifdef NO_STOP
    post(false);
#endif
    ended++
}

proctype stopper() {
    bool must;
    stop_it();
    join_it(STOPPER);
    ended++
}

proctype worker() {
    bool must;
    enter_call();
    atomic { assert(!inner_closed); inner++ };
    announce_item(must, false);
    if :: must -> wake_owner() :: else fi;
    leave_call();
    ended++
}

// ---- the owner ----

inline take_mail() {
    atomic { ready = ready + outer; outer = 0 };
    atomic { ready = ready + inner; awaited = awaited - inner; inner = 0 }
}
inline collect_mail() {
    if
    :: notified ->
#ifdef NOTIFIED_CLEARED_AFTER_MAIL
        take_mail(); atomic { notified = false; carried = false }
#else
        atomic { notified = false; carried = false }; take_mail()
#endif
    :: else
    fi
}
inline look_before_sleep(may) {
    may = ready == 0;
#ifndef SLEEP_IGNORES_NOTIFIED
    may = may && !notified;
#endif
#ifndef SLEEP_IGNORES_STOP
    may = may && (!stop || phase == draining);
#endif
#ifndef SLEEP_IGNORES_PARK
    may = may && park == 0;
#endif
}
inline try_sleep(may) {
#ifdef SLEEP_ANNOUNCED_LATER
    atomic { look_before_sleep(may) }; sleeping = may
#else
    atomic { look_before_sleep(may); sleeping = may }
#endif
}
inline touch() { assert(guards == 0) } // whatever the owner does to user code or to the ring, no guard is held

inline turn() {
    collect_mail();
    try_sleep(may_sleep);
    if
    :: may_sleep ->
        atomic { touch(); in_wait = true };
end_asleep:
        if
        :: atomic { wake -> wake = false; in_wait = false }
        :: atomic { phase == draining -> in_wait = false } // a limited wait: the drain looks again
        fi;
        sleeping = false
    :: else
    fi;
    collect_mail();
    do
    :: atomic { ready > 0 -> touch(); ready--; executed++ }
    :: else -> break
    od
}
// engine::enter(), stand_still(): the phase changes and waiters are claimed under one lock; they are told after it.
inline tell_waiters(next) {
    atomic { phase = next; claimed = listed; listed = false };
    if :: claimed -> told = true :: else fi
}
inline stay_parked() {
#ifndef PARKED_WITHOUT_NOTIFY
    notify_all();
#endif
#ifdef RESUME_WITHOUT_COMPARE
    wait_on_word(OWNER, park == 0);
    phase = running
#else
    do
    :: wait_on_word(OWNER, park == 0);
        atomic { if :: park == 0 -> phase = running; break :: else fi }
    od
#endif
}

active proctype owner() {
    bool may_sleep, saw_park, saw_stop;
    do
    ::
#ifdef TWO_LOOKS
        saw_park = park > 0; saw_stop = stop;
#else
        atomic { saw_park = park > 0; saw_stop = stop };
#endif
#ifdef STOP_BEFORE_PARK
        saw_park = saw_park && !saw_stop;
#endif
        if
        :: saw_park -> tell_waiters(parked); stay_parked()
        :: !saw_park && saw_stop ->
            phase = draining; // nobody can have been counted since that look, as none is after a stop
            break
        :: else -> turn()
        fi
    od;

    atomic {
#ifndef OUTER_LANE_STAYS_OPEN
        outer_closed = true;
#endif
#ifdef INNER_LANE_CLOSED_EARLY
        inner_closed = true;
#endif
        ready = ready + outer;
        outer = 0
    };
    do
    :: awaited > 0 -> turn()
    :: else -> break
    od;
    atomic { inner_closed = true; ready = ready + inner; inner = 0 };
    do
    :: atomic { ready > 0 -> touch(); ready--; executed++ }
    :: else -> break
    od;
    callers == 0;
    driver_closed = true;
    tell_waiters(exited);
    notify_all()
}

#if defined(NO_STOP)
#define ALL_ENDED (ended == 3 && executed == 2)
#define ITEMS 2
#elif defined(IN_FLIGHT)
#define ALL_ENDED (ended == 3 && driver_closed)
#define ITEMS 3
#elif defined(AWAITED_PARK)
#define ALL_ENDED (ended == 3 && driver_closed)
#define ITEMS 1
#else
#define ALL_ENDED (ended == 4 && driver_closed)
#define ITEMS 1
#endif

init {
    atomic {
        run colleague();
#if !defined(NO_STOP) && !defined(AWAITED_PARK)
        run stopper();
#endif
#ifdef IN_FLIGHT
        run worker()
#else
        run parker(PARKER, false);
#ifdef AWAITED_PARK
        run awaiting_parker()
#else
        run parker(PARKER + 1, true)
#endif
#endif
    };
    ALL_ENDED; // else this waits for ever, and the search ends here
    assert(executed + refused == ITEMS);
    assert(awaited == 0)
}

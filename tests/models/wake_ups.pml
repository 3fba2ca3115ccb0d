// SPDX-License-Identifier: BSL-1.0
//
// Waking a scheduler by messages that may never leave. A scheduler wakes another with an entry of its own ring, which
// leaves with its next system call: soon as a rule, never while it computes. Such a wake-up must not hold back that of
// anybody else, and as one message is enough until it has left, a second one to the same target is left out. Kept is:
// the item of a thread without a ring is executed, and so is that of a scheduler from the moment at which its entries
// have left, whoever else has a message lying about, with no other time limit. What comes from a scheduler that
// computes on may wait until it is through, or until somebody else wakes the owner. Park and stop: lifecycle.pml.
//
//   here             stands for
//   word             notified, carried, sleeping of run_state (lib/run_state.hpp:15 to 19); each `atomic` is one change
//   set_notified     run_state::set_notified(), awaits_wake(), notified() (lib/run_state.hpp:49, 157, 160)
//   take_notified    run_state::take_notified() (lib/run_state.hpp:106), engine::collect_mail() (lib/engine.cpp:121)
//   try_sleep        run_state::try_sleep() (lib/run_state.hpp:112)
//   owner            engine::turn(), wait() (lib/engine.cpp:106, 140)
//   without_ring     a poster for whom engine::messenger() is null (lib/engine.cpp:269, 304)
//   messenger        a poster that is a scheduler; it ends where it computes for ever
//   send_message     uring_driver::send_message() (lib/drivers/uring.cpp:205)
//   enter            uring_driver::enter(), make_room() (lib/drivers/uring.cpp:145, 164): the note is cleared, and the
//                    kernel may take no entry all the same (EAGAIN, EBUSY), which is then in the ring still
//   owed             uring_driver::owed_to_ (lib/drivers/uring.cpp:229): one target only, the last one
//   unsent           entries for the owner in a messenger's ring
//   wake             driver::wake() or a message that has arrived: it ends the present or the next wait
//   completions      other causes for the owner to be awake, which leave the notes and bits of others behind
//   due              so many items, in the order of the mailbox, are promised to be executed
//
// variant TWO_MESSENGERS: two schedulers and a thread post once each, instead of one scheduler and a thread twice
//
// mutation MESSAGE_COUNTS_AS_WOKEN: hang: an item waits for a message of somebody else, who computes
// mutation SECOND_MESSAGE_COUNTS_AS_WOKEN with TWO_MESSENGERS: hang: neither of them has left
// mutation CARRIED_SET_LATER: hang: between the two steps the message looks like a wake-up that is certain
// mutation OWED_KEPT_AFTER_SUBMIT: hang: the next message is left out for one that has long been used up
// mutation OWED_TO_WHOEVER: hang: a message is left out because another scheduler is owed one
// mutation OWED_AND_NOT_SENT: hang: the note is made, the entry is not

#ifdef TWO_MESSENGERS
#define POSTERS 3
#else
#define POSTERS 2
#endif

mtype:target = { nobody, owner_here, another };

// The control word.
bool notified, carried, sleeping;

bool wake;
byte mail, ready;         // in the mailbox; taken and not executed
byte posted, executed, due;
byte completions = 1;
byte ended;               // posters

inline set_notified(by_message) {
    atomic {
#ifdef MESSAGE_COUNTS_AS_WOKEN
        awaits = !notified;
#else
        awaits = !notified || carried;
#endif
        must = sleeping && awaits;
#ifdef SECOND_MESSAGE_COUNTS_AS_WOKEN
        carried = by_message && !notified;
#elif !defined(CARRIED_SET_LATER)
        carried = by_message && awaits;
#else
        carried = carried && by_message;
#endif
        notified = true
    }
#ifdef CARRIED_SET_LATER
    ; carried = carried || (by_message && awaits)
#endif
}

inline push() { atomic { items--; mail++; posted++; mine = posted } }
inline forget() { must = false; awaits = false } // fewer states
inline promise() {
    if :: mine > due -> due = mine :: else fi;
    mine = 0
}

// ---- posters ----

inline send_message() {
    if
#ifdef OWED_TO_WHOEVER
    :: owed != nobody
#else
    :: owed == owner_here
#endif
    :: else ->
        owed = owner_here;
#ifndef OWED_AND_NOT_SENT
        unsent = true
#endif
    fi
}
inline enter() {
#ifndef OWED_KEPT_AFTER_SUBMIT
    owed = nobody;
#endif
    if
    :: atomic { wake = wake || unsent; unsent = false; promise() }
    :: skip // the kernel takes none this time
    fi
}

proctype messenger(byte items) {
    bool must, awaits, unsent;
    byte mine;
    mtype:target owed = nobody;
    do
    :: items > 0 ->
        push();
        set_notified(true);
        atomic {
            if :: must -> send_message() :: else fi; // nobody sees an entry before it leaves
            forget()
        }
    :: items > 0 && owed != another -> owed = another // it posts elsewhere
    :: mine > 0 -> enter()
    :: break          // it computes for ever
    od;
    ended++
}

proctype without_ring(byte items) {
    bool must, awaits;
    byte mine;
    do
    :: items > 0 ->
        push();
        set_notified(false);
        if :: must -> wake = true :: else fi;
        atomic { promise(); forget() }
    :: else -> break
    od;
    ended++
}

// ---- the owner ----

inline take_notified() {
    if
    :: atomic { notified -> notified = false; carried = false }; atomic { ready = ready + mail; mail = 0 }
    :: else
    fi
}

active proctype owner() {
    bool may_sleep;
    do
    ::  take_notified();
        atomic { may_sleep = ready == 0 && !notified; sleeping = may_sleep };
        if
        :: may_sleep ->
end_asleep:
            if
            :: atomic { wake -> wake = false }
            :: atomic { completions > 0 -> completions--; wake = false }
            fi;
            sleeping = false
        :: else -> wake = false // seen as it looks at its completions
        fi;
        take_notified();
        atomic { executed = executed + ready; ready = 0 }
    od
}

init {
    atomic {
#ifdef TWO_MESSENGERS
        run messenger(1);
        run messenger(1);
        run without_ring(1)
#else
        run messenger(2);
        run without_ring(2)
#endif
    };
    ended == POSTERS && executed >= due // else this waits for ever, and the search ends here
}

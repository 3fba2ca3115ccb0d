// SPDX-License-Identifier: BSL-1.0
//
// A stop on its way from any thread to the kernel, and back as the end of an operation. Each operation ends exactly
// once and does end, nobody touches a frame that is gone, data that was taken is reported, an operation that nobody
// asked to end is left alone, and the scheduler ends with nothing in flight.
//
//   here               stands for
//   coroutine          with_stop(token, first); then second, at the same address; then its frame is gone
//   requester          inplace_stop_source::request_stop() (lib/stop_token.cpp), stoppable_group (coro/stop.cpp)
//   owner              engine::run(), drain() (lib/engine.cpp); dispatcher.cpp, canceller.cpp
//   unsent, asked      the canceller's lists (lib/canceller.hpp); that of operations left alone is the rest
//   resend             canceller::expire(): any time is late enough
//   id                 address and generation (lib/dispatcher.hpp); here: 1 and 2, which share the address
//   kernel             takes entries in order, but may carry out a cancel request later than entries behind it: a
//                      little less orderly than the real one. A request may be between two states, where a cancel
//                      does not find it; in a worker it is only interrupted, and the answer may be -EALREADY or
//                      -ENOENT all the same. Whether an operation ever ends by itself is open.
//
// variant FAIR_END: instead of states without a way out, looks for a way to go on for ever without ending
//
// mutation CANCEL_ONCE: hang: a request between two states did not hear the only cancel
// mutation FREE_ON_CANCEL_ANSWER: assertion: the end is told while the kernel still has the operation
// mutation IDS_WITHOUT_GENERATION: assertion: a late cancel meets the next operation at the address
// mutation COMPLETION_KEEPS_REQUEST: assertion: the canceller touches an operation that has ended
// mutation CANCEL_OVERRIDES_SUCCESS: assertion: data was taken from the kernel and dropped
// mutation GROUP_ENDS_BEFORE_ITS_MESSAGE: assertion: the owner finds a message whose group is gone
// mutation CALLBACK_NOT_AWAITED: assertion: a requester runs a callback whose group is gone
// mutation CALLBACK_STAYS_LISTED: assertion: two requesters send one message twice
// mutation DRAIN_DOES_NOT_WAIT: assertion: the ring is closed with an operation in flight
// mutation DRAIN_ASKS_NOBODY: hang: what does not end by itself keeps the scheduler
// mutation DRAIN_ADMITS_NEW with FAIR_END: cycle: a coroutine that starts anew after each cancel keeps the scheduler

#define OUTSTANDING_MAX 2 // cancel requests without an answer; a second one is enough for every overtaking

mtype:place = { nowhere, between, waiting, in_worker };
mtype:kind = { operation, cancel };
mtype:outcome = { data, canceled, found, already, not_found };
mtype:request = { left_alone, unsent, asked };

bool frame_alive = true;
bool stop, exited;

// ---- the kernel's side ----

mtype:place place_of[3] = nowhere; // by id; 0 is nobody
bool interrupted[3], ends_by_itself[3], taken[3];
chan submissions = [3] of { mtype:kind, byte };
chan completions = [4] of { mtype:kind, byte, mtype:outcome };
chan delayed = [OUTSTANDING_MAX] of { byte };

inline end_in_kernel(id, how) {
    assert(frame_alive);         // the buffer is in it
    place_of[id] = nowhere;
    taken[id] = (how == data);
    completions ! operation, id, how
}
inline execute_cancel(id) {
#ifdef IDS_WITHOUT_GENERATION
    if :: place_of[id] == nowhere -> id = 3 - id :: else fi;
#endif
    if
    :: place_of[id] == waiting -> completions ! cancel, id, found; end_in_kernel(id, canceled)
    :: place_of[id] == waiting -> end_in_kernel(id, canceled); completions ! cancel, id, found
    :: place_of[id] == in_worker -> interrupted[id] = true; completions ! cancel, id, already
    :: place_of[id] == in_worker -> interrupted[id] = true; completions ! cancel, id, not_found
    :: place_of[id] == nowhere || place_of[id] == between -> completions ! cancel, id, not_found
    fi
}
#define WILL_END(id) (place_of[id] == waiting && ends_by_itself[id] || \
                      place_of[id] == in_worker && (ends_by_itself[id] || interrupted[id]))
inline end_by_itself(id) {
    if
    :: end_in_kernel(id, data)
    :: place_of[id] == in_worker && interrupted[id] -> end_in_kernel(id, canceled)
    fi
}
inline settle(id) {
    if :: place_of[id] = waiting :: place_of[id] = in_worker fi
}
active proctype kernel() {
    byte id;
end:
    do
    :: atomic { submissions ? operation, id ->
        place_of[id] = between; interrupted[id] = false;
        if :: ends_by_itself[id] = true :: ends_by_itself[id] = false fi;
        id = 0 }
    :: atomic { submissions ? cancel, id -> delayed ! id; id = 0 }
    :: atomic { delayed ? id -> execute_cancel(id); id = 0 }
    od
}
// A process of its own, so that fairness speaks of it: what can end does, however busy the kernel is with cancels.
active proctype requests() {
end:
    do
    :: atomic { place_of[1] == between -> settle(1) }
    :: atomic { place_of[2] == between -> settle(2) }
    :: atomic { WILL_END(1) -> end_by_itself(1) }
    :: atomic { WILL_END(2) -> end_by_itself(2) }
    od
}

// ---- who asks ----

bool requested;                  // the stop state
bool callback_listed, callback_runs;
bool message_sent, message_queued, message_arrived;
bool group_alive, group_ends;

proctype requester() {
    bool mine;
    atomic {
#ifdef CALLBACK_STAYS_LISTED
        mine = callback_listed;
#else
        mine = !requested && callback_listed;
        callback_listed = callback_listed && !mine;
#endif
        requested = true;
        callback_runs = callback_runs || mine
    };
    if
    :: mine ->
        atomic { assert(group_alive); message_sent = true };
        atomic { assert(group_alive && !message_queued); message_queued = true };
        callback_runs = false
    :: else
    fi
}

// ---- the owner ----

byte current;                    // the operation in flight, or 0
byte in_flight, outstanding;
mtype:request request = left_alone;
bool branch_stopped, refusing;
byte result_of;                  // a result that the coroutine has not seen yet, or 0
mtype:outcome result;

inline begin(id, stopped) {      // dispatcher::start(); a stopped branch does not come so far
    if
    :: stopped || refusing -> resume(id, canceled)
    :: else ->
        current = id; in_flight++; request = left_alone;
        submissions ! operation, id
    fi
}
inline ask() {                   // canceller::request()
    if :: current != 0 && request == left_alone -> request = unsent :: else fi
}
inline finish(id, how) {         // dispatcher::finish(); canceller::forget()
    in_flight--; current = 0;
#ifdef CANCEL_OVERRIDES_SUCCESS
    if
    :: request == left_alone -> resume(id, how)
    :: else -> resume(id, canceled)
    fi;
#else
    assert(how == data || request != left_alone);
    resume(id, how);
#endif
#ifndef COMPLETION_KEEPS_REQUEST
    if :: current == 0 -> request = left_alone :: else fi
#endif
}
inline resume(id, how) {         // the coroutine goes on in a later step; this is what it will see
    result_of = id; result = how
}

// stoppable_group::on_all_ended()
inline end_group() {
    callback_listed = false;
#ifndef CALLBACK_NOT_AWAITED
    !callback_runs;
#endif
#ifndef GROUP_ENDS_BEFORE_ITS_MESSAGE
    group_ends = true;
    if :: !message_sent || message_arrived -> leave_group() :: else fi
#else
    leave_group()
#endif
}
inline leave_group() {
    group_alive = false; group_ends = false;
    begin(2, false)
}
inline run_coroutine() {
    id = result_of; how = result; result_of = 0;
    assert(!taken[id] || how == data);
    taken[id] = false;
    if
    :: id == 1 -> end_group()
#ifdef DRAIN_ADMITS_NEW
    :: id == 2 && how == canceled -> begin(2, false)
    :: id == 2 && how == data -> frame_alive = false
#else
    :: id == 2 -> frame_alive = false
#endif
    fi
}
inline take_completion() {
    completions ? kind, id, how;
    if
    :: kind == operation -> finish(id, how)
    :: kind == cancel ->
        outstanding--;
#ifdef FREE_ON_CANCEL_ANSWER
        if :: id == current && how != already -> finish(id, canceled) :: else fi
#endif
    fi
}
inline take_message() {
    message_queued = false;
    assert(group_alive);
    message_arrived = true;
    branch_stopped = true;
    if :: current == 1 -> ask() :: else fi;
    if :: group_ends -> leave_group() :: else fi
}
inline send() {
    assert(current != 0);
    request = asked; outstanding++;
    submissions ! cancel, current
}

active proctype owner() {
    byte id; mtype:kind kind; mtype:outcome how;
    atomic {
        group_alive = true;
        branch_stopped = requested;
        callback_listed = !requested;
        begin(1, branch_stopped)
    };
    do
    :: atomic { nempty(completions) -> take_completion(); id = 0 }
    :: atomic { result_of != 0 -> run_coroutine(); id = 0 }
    :: atomic { message_queued -> take_message() }
    :: atomic { request == unsent && outstanding < OUTSTANDING_MAX -> send() }
#ifndef CANCEL_ONCE
    :: atomic { request == asked && outstanding < OUTSTANDING_MAX -> request = unsent }
#endif
    :: atomic { stop && !refusing ->
#ifndef DRAIN_ADMITS_NEW
        refusing = true
#else
        refusing = false
#endif
       }
#ifndef DRAIN_ASKS_NOBODY
    :: atomic { stop && current != 0 && request == left_alone -> ask() }
#endif
#ifdef DRAIN_DOES_NOT_WAIT
    :: atomic { stop && request == asked -> break }
#endif
    :: atomic { stop && in_flight == 0 && !frame_alive -> break }
    od;
    atomic {
        assert(place_of[1] == nowhere && place_of[2] == nowhere);
        assert(in_flight == 0);
        exited = true
    }
}

init {
    atomic { run requester(); run requester() };
    stop = true;
    exited
}

#ifdef FAIR_END
ltl ends { <> exited }
#endif

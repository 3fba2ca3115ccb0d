// SPDX-License-Identifier: BSL-1.0
//
// A script: what a program does with a context, one step after another. There are two kinds, as not
// everything has one order: in those of functions and timers every handler's turn is told; in those
// of sockets what completes between two pauses has no order, nothing is cancelled that may just
// have succeeded, and a read meets one write at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coronet::differential {

enum class verb : unsigned char {
    // functions
    post,
    dispatch,
    defer,
    post_to_strand,
    post_nested,
    post_throwing,
    post_stopping,
    // timers
    wait_past,
    wait_far,
    set_expiry,
    cancel_timer,
    cancel_one_wait,
    emit_timer,
    // the loop
    poll,
    poll_one,
    run_for,
    run_one_for,
    run_until,
    run,
    stop,
    restart,
    guard,
    // sockets
    read,
    read_exactly,
    read_nothing,
    write,
    write_nothing,
    wait_readable,
    wait_writable,
    shut_down,
    cancel_socket,
    close,
    reopen,
    emit,
    accept,
    connect,
    connect_in_vain,
    cancel_acceptor,
    send_to,
    receive_from,
    cancel_datagrams,
    // signals
    await_signal,
    raise_signal,
    cancel_signals,
    // other
    settle,
    fork,
    last_of_all = fork,
};

struct step {
    verb what;
    unsigned which;  // of the objects of its kind
    unsigned amount; // bytes
};
using script = std::vector<step>;

inline std::string_view name_of(verb what) {
    static constexpr std::array names{
        "post",
        "dispatch",
        "defer",
        "post_to_strand",
        "post_nested",
        "post_throwing",
        "post_stopping",
        "wait_past",
        "wait_far",
        "set_expiry",
        "cancel_timer",
        "cancel_one_wait",
        "emit_timer",
        "poll",
        "poll_one",
        "run_for",
        "run_one_for",
        "run_until",
        "run",
        "stop",
        "restart",
        "guard",
        "read",
        "read_exactly",
        "read_nothing",
        "write",
        "write_nothing",
        "wait_readable",
        "wait_writable",
        "shut_down",
        "cancel_socket",
        "close",
        "reopen",
        "emit",
        "accept",
        "connect",
        "connect_in_vain",
        "cancel_acceptor",
        "send_to",
        "receive_from",
        "cancel_datagrams",
        "await_signal",
        "raise_signal",
        "cancel_signals",
        "settle",
        "fork",
    };
    static_assert(names.size() == static_cast<std::size_t>(verb::last_of_all) + 1);
    return names[static_cast<std::size_t>(what)];
}

inline std::string to_string(const step& one) {
    return std::string{name_of(one.what)} + ' ' + std::to_string(one.which) + ' ' +
           std::to_string(one.amount);
}

/// Whether a script pauses before it.
inline bool needs_a_pause(verb what) {
    switch (what) {
    case verb::write:
    case verb::shut_down:
    case verb::cancel_socket:
    case verb::close:
    case verb::emit:
    case verb::cancel_acceptor:
    case verb::cancel_datagrams:
    case verb::cancel_signals:
    case verb::fork:
        return true;
    default:
        return false;
    }
}

inline script random_script(std::uint64_t seed) {
    using enum verb;
    static constexpr std::array of_functions{
        post,      dispatch,   defer,       post_to_strand,  post_nested, post_throwing,
        wait_past, wait_past,  wait_far,    wait_far,        set_expiry,  cancel_timer,
        post,      emit_timer, poll_one,    cancel_one_wait, poll,        post_stopping,
        run_for,   run_until,  run_one_for, poll_one,        run,         stop,
        restart,   restart,    guard,
    };
    static constexpr std::array of_sockets{
        read,          read,
        read_exactly,  read_nothing,
        write,         write,
        write_nothing, wait_readable,
        wait_writable, shut_down,
        cancel_socket, close,
        reopen,        emit,
        emit,          accept,
        accept,        connect,
        connect,       connect_in_vain,
        send_to,       send_to,
        receive_from,  receive_from,
        post,          cancel_acceptor,
        wait_past,     cancel_datagrams,
        await_signal,  raise_signal,
        post_throwing, cancel_signals,
        settle,        settle,
        fork,
    };
    std::minstd_rand random{static_cast<std::minstd_rand::result_type>(seed * 2654435761U + 1)};
    const auto below = [&random](std::size_t limit) {
        return static_cast<unsigned>(random() / 7 % limit);
    };
    const bool has_sockets = below(2) == 0;
    const std::span<const verb> words =
        has_sockets ? std::span<const verb>{of_sockets} : std::span<const verb>{of_functions};
    script made;
    const unsigned length = 10 + below(50);
    for (unsigned i = 0; i < length; ++i) {
        const step next{words[below(words.size())], below(6), 1 + below(40)};
        if (needs_a_pause(next.what)) made.push_back({settle, 0, 0});
        made.push_back(next);
    }
    made.push_back({settle, 0, 0});
    return made;
}

} // namespace coronet::differential

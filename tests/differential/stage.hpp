// SPDX-License-Identifier: BSL-1.0
//
// Where a script is played: a context with its executor, and what has been told. And the three
// kinds of it: Asio as it is, Coronet's loop below it, and Coronet's objects on that.
#pragma once

#include "net_asio/which_asio.hpp"
#include "tale.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/local.hpp>
#include <coronet/net/asio/posix.hpp>
#include <coronet/net/asio/signal_set.hpp>
#include <coronet/net/asio/steady_timer.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/udp.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace coronet::differential {

namespace net = asiox::net;

struct as_it_is {
    using context = net::io_context;
    using executor = net::io_context::executor_type;
};
struct loop_below {
    using context = asiox::io_context;
    using executor = net::io_context::executor_type;
};
struct native_objects {
    using context = asiox::io_context;
    using executor = asiox::executor;
};

template <class Kind>
class stage {
public:
    stage(tale& to, bool is_patient) : told(to), is_patient_(is_patient) {}

    tale& told;
    typename Kind::context context{1};
    typename Kind::executor executor{context.get_executor()};

    /// A handler that tells when it is called, and with what.
    teller handler(std::string_view what) { return {told, ++number_, what, has_order}; }
    /// A slot that emit() may choose.
    net::cancellation_slot slot() { return signals_.emplace_back().slot(); }
    /// A handler with such a slot.
    auto cancellable(std::string_view what) {
        return net::bind_cancellation_slot(slot(), handler(what));
    }
    /// Cancels one of all that have ever been made so.
    void emit(unsigned which) {
        if (signals_.empty()) return;
        // Those of late: the others are over, mostly.
        const std::size_t back = which % std::min<std::size_t>(signals_.size(), 6);
        signals_[signals_.size() - 1 - back].emit(net::cancellation_type::terminal);
    }

    /// Tells what one of the loop's functions returns, or that it throws.
    template <class Function>
    std::size_t tell_turns(std::string_view what, Function&& function) {
        std::size_t count = 0;
        try {
            count = function();
            told.say(std::string{what} + ": " + std::to_string(count));
        } catch (const std::exception& error) {
            told.say(std::string{what} + " threw " + error.what());
        }
        return count;
    }
    /// Lets everything complete that can without a step of the script.
    void settle() {
        // A signal without a waiter is no work, and would be looked at or not.
        const auto work = net::make_work_guard(executor);
        if (context.stopped()) context.restart();
        std::size_t count = 0;
        for (int idle = 0; idle < 3;) {
            const std::size_t more = poll_through_exceptions();
            count += more;
            idle = more > 0 ? 0 : idle + 1;
            if (context.stopped()) context.restart();
            // That nothing more is on its way in the kernel is no event.
            if (is_patient_) std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        told.pause();
        // Asio counts a socket's event that completes nothing, too.
        if (has_order) told.say("settled after " + std::to_string(count));
    }

    bool has_order = true;

private:
    std::size_t poll_through_exceptions() {
        try {
            return context.poll();
        } catch (const std::exception& error) {
            told.say_sometime(std::string{"threw "} + error.what());
            return 1;
        }
    }

    std::deque<net::cancellation_signal> signals_;
    unsigned number_ = 0;
    bool is_patient_;
};

} // namespace coronet::differential

// SPDX-License-Identifier: BSL-1.0
//
// Plays the steps of functions, timers and the loop.
#pragma once

#include "script.hpp"
#include "stage.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace coronet::differential {

template <class Kind>
class loop_player {
    using clock = std::chrono::steady_clock;
    using timer =
        net::basic_waitable_timer<clock, net::wait_traits<clock>, typename Kind::executor>;
    using strand = net::strand<typename Kind::executor>;

public:
    explicit loop_player(stage<Kind>& at) : at_(at) {}

    /// Whether it is one of its steps.
    bool play(const step& next) {
        return play_function(next.what) || play_timer(next) || play_loop(next.what);
    }

private:
    bool play_function(verb what) {
        switch (what) {
        case verb::post:
            net::post(at_.executor, at_.handler("post"));
            return true;
        case verb::dispatch:
            net::dispatch(at_.executor, at_.handler("dispatch"));
            return true;
        case verb::defer:
            net::defer(at_.executor, at_.handler("defer"));
            return true;
        case verb::post_to_strand:
            net::post(strand_, at_.handler("strand"));
            return true;
        case verb::post_nested:
            post_nested();
            return true;
        case verb::post_throwing:
            post_throwing();
            return true;
        case verb::post_stopping:
            net::post(at_.executor, [this, handler = at_.handler("stopping")] {
                at_.context.stop();
                handler();
            });
            return true;
        default:
            return false;
        }
    }
    void post_nested() {
        net::post(at_.executor, [this, handler = at_.handler("nested")] {
            net::post(at_.executor, at_.handler("nested post"));
            net::defer(at_.executor, at_.handler("nested defer"));
            net::dispatch(at_.executor, at_.handler("nested dispatch"));
            net::dispatch(strand_, at_.handler("nested strand"));
            handler();
        });
    }
    void post_throwing() {
        net::post(at_.executor, [handler = at_.handler("throwing")] {
            handler();
            throw std::runtime_error("as the script says");
        });
    }

    bool play_timer(const step& next) {
        timer& which = timers_[next.which % timers_.size()];
        switch (next.what) {
        case verb::wait_past:
            wait(which, past());
            return true;
        case verb::wait_far:
            wait(which, clock::now() + std::chrono::hours{1});
            return true;
        case verb::set_expiry:
            say_count(next, which.expires_at(next.amount % 2 ? past() : clock::time_point::max()));
            return true;
        case verb::cancel_timer:
            say_count(next, which.cancel());
            return true;
        case verb::cancel_one_wait:
            say_count(next, which.cancel_one());
            return true;
        case verb::emit:
        case verb::emit_timer:
            at_.emit(next.amount);
            return true;
        default:
            return false;
        }
    }
    /// Where others wait, it waits with them.
    void wait(timer& which, clock::time_point until) {
        if (&which != &timers_.back()) which.expires_at(until);
        which.async_wait(at_.cancellable("timer"));
    }
    /// Each later than those before.
    clock::time_point past() { return past_ += std::chrono::microseconds{1}; }
    void say_count(const step& next, std::size_t count) {
        at_.told.say(std::string{name_of(next.what)} + ": " + std::to_string(count));
    }

    bool play_loop(verb what) {
        switch (what) {
        case verb::poll:
            at_.tell_turns("poll", [this] { return at_.context.poll(); });
            break;
        case verb::poll_one:
            at_.tell_turns("poll_one", [this] { return at_.context.poll_one(); });
            break;
        case verb::run_for:
            let_waits_end();
            at_.tell_turns("run_for", [this] {
                return at_.context.run_for(std::chrono::hours{1});
            });
            break;
        case verb::run_one_for:
            net::post(at_.executor, at_.handler("post")); // nothing to wait for
            at_.tell_turns("run_one_for", [this] {
                return at_.context.run_one_for(std::chrono::hours{1});
            });
            break;
        case verb::run_until:
            at_.tell_turns("run_until", [this] { return at_.context.run_until(past()); });
            break;
        case verb::run:
            let_waits_end();
            at_.tell_turns("run", [this] { return at_.context.run(); });
            break;
        case verb::stop:
            at_.context.stop();
            break;
        case verb::restart:
            at_.context.restart();
            break;
        case verb::guard:
            toggle_guard();
            break;
        default:
            return false;
        }
        at_.told.say(at_.context.stopped() ? "stopped" : "not stopped");
        return true;
    }
    void let_waits_end() {
        guard_.reset();
        for (timer& each : timers_)
            each.cancel();
    }
    void toggle_guard() {
        if (guard_)
            guard_.reset();
        else
            guard_.emplace(at_.executor);
    }

    stage<Kind>& at_;
    strand strand_{at_.executor};
    clock::time_point past_ = clock::now() - std::chrono::hours{1};
    std::array<timer, 3> timers_{
        timer{at_.executor}, timer{at_.executor}, timer{at_.executor, clock::time_point::max()}};
    std::optional<net::executor_work_guard<typename Kind::executor>> guard_;
};

} // namespace coronet::differential

// SPDX-License-Identifier: BSL-1.0
//
// Plays a whole script on one kind of stage.
#pragma once

#include "loop_player.hpp"
#include "other_player.hpp"
#include "script.hpp"
#include "socket_player.hpp"
#include "stage.hpp"
#include "tale.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace coronet::differential {

template <class Kind>
class player {
public:
    player(tale& told, bool is_patient) : at_(told, is_patient), functions_(at_) {}

    void play(const script& all) {
        for (const step& next : all) {
            at_.told.say("-- " + to_string(next));
            play(next);
        }
    }

private:
    void play(const step& next) {
        if (next.what == verb::settle) {
            at_.settle();
        } else if (next.what == verb::fork) {
            go_two_ways();
        } else if (!functions_.play(next)) {
            at_.has_order = false;
            if (!sockets_) {
                sockets_.emplace(at_);
                others_.emplace(at_);
            }
            if (!sockets_->play(next) && !others_->play(next))
                throw std::logic_error("nobody plays " + to_string(next));
        }
    }

    /// The child goes on for a while with things of its own, while the parent waits for it.
    void go_two_ways() {
        std::array<int, 2> pipe{};
        if (::pipe(pipe.data()) != 0) throw std::runtime_error("no pipe");
        at_.context.notify_fork(net::execution_context::fork_prepare);
        const pid_t child = ::fork();
        if (child == 0) be_child(pipe[1]);
        at_.context.notify_fork(net::execution_context::fork_parent);
        ::close(pipe[1]);
        std::string said;
        std::array<char, 512> some{};
        for (ssize_t count = 0; (count = ::read(pipe[0], some.data(), some.size())) > 0;)
            said.append(some.data(), static_cast<std::size_t>(count));
        ::close(pipe[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        at_.told.say("the child: " + said + "ended with " + std::to_string(status));
    }
    [[noreturn]] void be_child(int report) {
        const std::size_t before = at_.told.lines().size();
        at_.context.notify_fork(net::execution_context::fork_child);
        for (const verb what : {verb::post, verb::wait_past, verb::post_nested, verb::settle})
            play({what, 0, 1});
        if (sockets_)
            for (const verb what : {verb::reopen, verb::read, verb::write, verb::settle})
                play({what, 1, 30});
        std::string said;
        for (std::size_t i = before; i < at_.told.lines().size(); ++i)
            said += at_.told.lines()[i] + '\n';
        const bool is_whole = ::write(report, said.data(), said.size()) >= 0;
        ::_exit(is_whole ? 0 : 1);
    }

    stage<Kind> at_;
    loop_player<Kind> functions_;
    std::optional<socket_player<Kind>> sockets_;
    std::optional<other_player<Kind>> others_;
};

/// What a script tells on that kind of stage, its end included.
template <class Kind>
std::vector<std::string> play(const script& all, bool is_patient) {
    tale told;
    {
        player<Kind> plays{told, is_patient};
        plays.play(all);
    }
    told.pause();
    told.say("left of handlers: " + std::to_string(told.handlers()));
    return told.lines();
}

} // namespace coronet::differential

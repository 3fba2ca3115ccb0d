// SPDX-License-Identifier: BSL-1.0
//
// Plays the steps of stream sockets: of two TCP connections and a pair of Unix domain.
//
// Not asked of them, as Asio's own sockets do otherwise (docs/asio.md has the list):
//   a read after the end of the stream was told, which never completes there; hence one read is
//   waiting when the end comes, and no more
//   a write after one has failed, which never completes either
#pragma once

#include "script.hpp"
#include "stage.hpp"

#include <array>
#include <cerrno>
#include <deque>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace coronet::differential {

template <class Kind>
class socket_player {
    using protocol = net::generic::stream_protocol;
    using socket = net::basic_stream_socket<protocol, typename Kind::executor>;
    using local = net::basic_stream_socket<net::local::stream_protocol, typename Kind::executor>;
    using tcp = net::basic_stream_socket<net::ip::tcp, typename Kind::executor>;

public:
    explicit socket_player(stage<Kind>& at) : at_(at) {
        for (unsigned i = 0; i < ends_.size(); i += 2)
            connect(i);
    }

    /// Whether it is one of its steps.
    bool play(const step& next) {
        end& here = ends_[next.which];
        return play_reads(here, next) || play_writes(here, next) || play_ends(next);
    }

private:
    struct end {
        explicit end(const typename Kind::executor& executor) : open(executor) {}
        socket open;
        std::deque<std::string> buffers; // each of one operation, to the end
        unsigned reading = 0;
        bool reads_on = false;  // with one read after another
        bool is_ending = false; // the peer sends nothing any more
        bool is_at_end = false; // which has been told
        unsigned writing = 0;
        bool is_unheard = false; // what it sends cannot be delivered
        bool may_write = true;   // no write has failed
    };
    end& peer_of(unsigned which) { return ends_[which ^ 1U]; }

    /// The connection of which `which` is an end.
    void connect(unsigned which) {
        end& one = ends_[which];
        end& other = peer_of(which);
        if (which / 2 == 2) {
            local a{at_.executor};
            local b{at_.executor};
            net::local::connect_pair(a, b);
            one.open = std::move(a);
            other.open = std::move(b);
        } else {
            net::basic_socket_acceptor<net::ip::tcp, typename Kind::executor> listening{
                at_.executor, asiox::test::any_port()};
            tcp a{at_.executor};
            a.connect(listening.local_endpoint());
            one.open = std::move(a);
            other.open = listening.accept();
        }
        for (end* each : {&one, &other}) {
            each->is_ending = each->is_at_end = each->is_unheard = false;
            each->may_write = true;
        }
    }

    net::mutable_buffer room(end& here, unsigned size) {
        return net::buffer(here.buffers.emplace_back(size, '.'));
    }
    bool play_reads(end& here, const step& next) {
        switch (next.what) {
        case verb::read:
            if (may_read(here))
                here.open.async_read_some(room(here, next.amount), reader(here, "read"));
            return true;
        case verb::read_exactly:
            if (!may_read(here) || here.reading > 0) return true;
            here.reads_on = true;
            net::async_read(here.open, room(here, next.amount), reader(here, "read_exactly"));
            return true;
        case verb::read_nothing:
            here.open.async_read_some(net::mutable_buffer{}, at_.handler("read_nothing"));
            return true;
        case verb::wait_readable:
            if (!may_read(here)) return true;
            ++here.reading;
            wait_readable(here, at_.handler("wait_readable"));
            return true;
        default:
            return false;
        }
    }
    /// Asio's own socket may be said to be ready when it is not, after the death of another one.
    void wait_readable(end& here, const teller& handler) {
        here.open.async_wait(socket::wait_read, [this, &here, handler](const error_code& error) {
            char next{};
            const auto peeked =
                ::recv(here.open.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
            if (!error && peeked < 0 && errno == EAGAIN) {
                wait_readable(here, handler);
                return;
            }
            --here.reading;
            handler(error);
        });
    }
    static bool may_read(const end& here) {
        return !here.is_at_end && !here.reads_on && here.reading < (here.is_ending ? 1U : 2U);
    }
    /// Tells what was read, and notes whether that was the last.
    auto reader(end& here, const char* what) {
        ++here.reading;
        return net::bind_cancellation_slot(
            at_.slot(),
            [&here, handler = at_.handler(what)](const error_code& error, std::size_t count) {
                --here.reading;
                here.reads_on = false;
                if (error && error != net::error::operation_aborted) here.is_at_end = true;
                handler(error, count);
            }
        );
    }

    bool play_writes(end& here, const step& next) {
        switch (next.what) {
        case verb::write:
            if (here.may_write && (here.writing == 0 || !here.is_unheard))
                net::async_write(here.open, room(here, next.amount * 9), writer(here));
            return true;
        case verb::write_nothing:
            here.open.async_write_some(net::const_buffer{}, at_.handler("write_nothing"));
            return true;
        case verb::wait_writable:
            here.open.async_wait(socket::wait_write, at_.cancellable("wait_writable"));
            return true;
        default:
            return false;
        }
    }

    auto writer(end& here) {
        ++here.writing;
        return net::bind_cancellation_slot(
            at_.slot(),
            [&here, handler = at_.handler("write")](const error_code& error, std::size_t count) {
                --here.writing;
                if (error) here.may_write = false;
                handler(error, count);
            }
        );
    }

    bool play_ends(const step& next) {
        end& here = ends_[next.which];
        error_code error;
        switch (next.what) {
        case verb::shut_down:
            if (!may_end(next.which)) return true;
            here.is_unheard = true;
            here.open.shutdown(socket::shutdown_send, error);
            break;
        case verb::cancel_socket:
            here.open.cancel(error);
            break;
        case verb::close:
            if (!may_end(next.which)) return true;
            peer_of(next.which).is_unheard = true;
            here.open.close(error);
            break;
        case verb::reopen:
            reopen(next.which);
            break;
        default:
            return false;
        }
        at_.told.say(std::string{name_of(next.what)} + ": " + error.message());
        return true;
    }

    /// It sends nothing any more.
    bool may_end(unsigned which) {
        end& peer = peer_of(which);
        if (peer.reading < 2) peer.is_ending = true;
        return peer.is_ending;
    }
    void reopen(unsigned which) {
        if (!may_end(which)) return;
        for (end* each : {&ends_[which], &peer_of(which)}) {
            at_.settle();
            each->open.close();
        }
        at_.settle();
        connect(which);
    }

    stage<Kind>& at_;
    std::array<end, 6> ends_{end{at_.executor}, end{at_.executor}, end{at_.executor},
                             end{at_.executor}, end{at_.executor}, end{at_.executor}};
};

} // namespace coronet::differential

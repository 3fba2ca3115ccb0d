// SPDX-License-Identifier: BSL-1.0
//
// Plays the steps of an acceptor and those who connect to it, of two datagram sockets, and of
// signals.
#pragma once

#include "script.hpp"
#include "stage.hpp"

#include <array>
#include <csignal>
#include <deque>
#include <string>
#include <utility>

namespace coronet::differential {

template <class Kind>
class other_player {
    using executor = typename Kind::executor;
    using tcp = net::ip::tcp;
    using udp = net::ip::udp;
    using stream = net::basic_stream_socket<tcp, executor>;
    using datagrams = net::basic_datagram_socket<udp, executor>;

public:
    explicit other_player(stage<Kind>& at) : at_(at) {
        signals_.add(SIGUSR2);
        const tcp::endpoint nobody =
            net::basic_socket_acceptor<tcp, executor>{at.executor, asiox::test::any_port()}
                .local_endpoint();
        nobody_ = nobody;
    }

    /// Whether it is one of its steps.
    bool play(const step& next) {
        return play_connections(next.what) || play_datagrams(next) || play_signals(next.what);
    }

private:
    bool play_connections(verb what) {
        switch (what) {
        case verb::accept:
            listening_.async_accept(sockets_.emplace_back(at_.executor), at_.cancellable("accept"));
            return true;
        case verb::connect:
            sockets_.emplace_back(at_.executor)
                .async_connect(listening_.local_endpoint(), at_.cancellable("connect"));
            return true;
        case verb::connect_in_vain:
            sockets_.emplace_back(at_.executor).async_connect(nobody_, at_.handler("in vain"));
            return true;
        case verb::cancel_acceptor:
            listening_.cancel();
            return true;
        default:
            return false;
        }
    }

    bool play_datagrams(const step& next) {
        datagrams& here = next.which % 2 ? one_ : other_;
        datagrams& peer = next.which % 2 ? other_ : one_;
        switch (next.what) {
        case verb::send_to:
            here.async_send_to(
                room(next.amount - 1), peer.local_endpoint(), at_.cancellable("send_to")
            );
            return true;
        case verb::receive_from:
            receive_from(here, peer, next.amount);
            return true;
        case verb::cancel_datagrams:
            here.cancel();
            return true;
        default:
            return false;
        }
    }
    void receive_from(datagrams& here, datagrams& peer, unsigned size) {
        udp::endpoint& from = endpoints_.emplace_back();
        here.async_receive_from(
            room(size), from,
            net::bind_cancellation_slot(
                at_.slot(),
                [this, &from, wanted = peer.local_endpoint(),
                 handler =
                     at_.handler("receive_from")](const error_code& error, std::size_t count) {
                    handler(error, count);
                    if (!error && from != wanted) at_.told.say("from somebody else");
                }
            )
        );
    }
    net::mutable_buffer room(unsigned size) {
        return net::buffer(buffers_.emplace_back(size, '.'));
    }

    bool play_signals(verb what) {
        switch (what) {
        case verb::await_signal:
            signals_.async_wait(at_.cancellable("signal"));
            return true;
        case verb::raise_signal:
            std::raise(SIGUSR2);
            return true;
        case verb::cancel_signals:
            signals_.cancel();
            return true;
        default:
            return false;
        }
    }

    stage<Kind>& at_;
    net::basic_socket_acceptor<tcp, executor> listening_{at_.executor, asiox::test::any_port()};
    tcp::endpoint nobody_;
    std::deque<stream> sockets_;
    datagrams one_{at_.executor, {net::ip::address_v4::loopback(), 0}};
    datagrams other_{at_.executor, {net::ip::address_v4::loopback(), 0}};
    std::deque<udp::endpoint> endpoints_;
    std::deque<std::string> buffers_;
    net::basic_signal_set<executor> signals_{at_.executor};
};

} // namespace coronet::differential

// SPDX-License-Identifier: BSL-1.0
//
// What is below Asio's sockets of Coronet's executor. What completes at once (opening, options,
// blocking calls) is Asio's own; what is asynchronous is an operation of the ring. No socket is in
// Asio's epoll set.
//
// Closing: what is in flight is asked to end and handed to the kernel, then the descriptor is
// closed: nothing that was begun on it can meet another file under its number.
#pragma once

#include <coronet/detail/closed_descriptors.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/accept_requests.hpp>
#include <coronet/net/asio/detail/native_socket.hpp>
#include <coronet/net/asio/detail/on_ring.hpp>
#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_op.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/net/asio/detail/socket_requests.hpp>

#include <cstddef>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/reactive_socket_service.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#else
#include <asio/detail/reactive_socket_service.hpp>
#include <asio/detail/socket_ops.hpp>
#endif

namespace coronet::asiox::detail {

template <class Protocol>
class ring_socket_service final
    : private on_ring,
      public asio_detail::execution_context_service_base<ring_socket_service<Protocol>>,
      private asio_detail::reactive_socket_service_base {
    using plain = asio_detail::reactive_socket_service<Protocol>;
    using any_socket = asio_detail::reactive_socket_service_base;
    using flags = net::socket_base::message_flags;

public:
    using protocol_type = Protocol;
    using endpoint_type = typename Protocol::endpoint;
    using native_handle_type = asio_detail::socket_type;

    struct implementation_type : plain::implementation_type {
        open_descriptor::reference open;
    };

    explicit ring_socket_service(net::execution_context& context)
        : on_ring(context),
          asio_detail::execution_context_service_base<ring_socket_service>(context),
          any_socket(context),
          plain_(context) {}

    void shutdown() override {}

    // ---- as Asio does it, for all sockets ----

    using any_socket::at_mark;
    using any_socket::available;
    using any_socket::io_control;
    using any_socket::is_open;
    using any_socket::listen;
    using any_socket::native_handle;
    using any_socket::native_non_blocking;
    using any_socket::non_blocking;
    using any_socket::receive;
    using any_socket::receive_with_flags;
    using any_socket::send;
    using any_socket::wait;

    // ---- as Asio does it, for those of the protocol ----

    error_code bind(implementation_type& socket, const endpoint_type& to, error_code& error) {
        return plain_.bind(socket, to, error);
    }
    template <class Option>
    error_code set_option(implementation_type& socket, const Option& option, error_code& error) {
        return plain_.set_option(socket, option, error);
    }
    template <class Option>
    error_code
    get_option(const implementation_type& socket, Option& option, error_code& error) const {
        return plain_.get_option(socket, option, error);
    }
    /// For what Asio's front ends lack (native_socket.hpp).
    error_code get_option(
        const implementation_type& socket, native_socket<Protocol>& told, error_code& error
    ) const {
        told = {&ring(), socket.open, socket.socket_, socket.state_, socket.protocol_};
        return error = is_open(socket) ? error_code() : net::error::bad_descriptor;
    }
    endpoint_type local_endpoint(const implementation_type& socket, error_code& error) const {
        return plain_.local_endpoint(socket, error);
    }
    endpoint_type remote_endpoint(const implementation_type& socket, error_code& error) const {
        return plain_.remote_endpoint(socket, error);
    }
    error_code
    shutdown(implementation_type& socket, net::socket_base::shutdown_type what, error_code& error) {
        if (!is_open(socket) || socket.open->surely_idle())
            return plain_.shutdown(socket, what, error);
        // What was begun before comes before.
        const auto shut = [&ring = ring(), native = socket.socket_, what](error_code& told) {
            ring.submit();
            asio_detail::socket_ops::shutdown(native, what, told);
        };
        error = error_code();
        if (!ring().try_as_owner([&] { shut(error); }))
            ring().soon_as_owner([shut, told = error_code()]() mutable { shut(told); });
        return error;
    }
    error_code connect(implementation_type& socket, const endpoint_type& to, error_code& error) {
        return plain_.connect(socket, to, error);
    }
    template <class Socket>
    error_code
    accept(implementation_type& socket, Socket& peer, endpoint_type* from, error_code& error) {
        return plain_.accept(socket, peer, from, error);
    }
    template <class Buffers>
    std::size_t send_to(
        implementation_type& socket, const Buffers& buffers, const endpoint_type& to, flags how,
        error_code& error
    ) {
        return plain_.send_to(socket, buffers, to, how, error);
    }
    template <class Buffers>
    std::size_t receive_from(
        implementation_type& socket, const Buffers& buffers, endpoint_type& from, flags how,
        error_code& error
    ) {
        return plain_.receive_from(socket, buffers, from, how, error);
    }

    // ---- the life of a socket ----

    void construct(implementation_type& socket) {
        any_socket::construct(socket);
        socket.reactor_data_ = nullptr; // never registered with the epoll set
    }
    void move_construct(implementation_type& to, implementation_type& from) noexcept {
        construct(to);
        to.open = std::move(from.open);
        plain_.move_construct(to, from);
    }
    void move_assign(
        implementation_type& to, ring_socket_service& /*other*/, implementation_type& from
    ) {
        destroy(to);
        move_construct(to, from);
    }
    template <class OtherProtocol>
    void converting_move_construct(
        implementation_type& to, ring_socket_service<OtherProtocol>& /*other*/,
        typename ring_socket_service<OtherProtocol>::implementation_type& from
    ) {
        construct(to);
        to.socket_ = std::exchange(from.socket_, asio_detail::invalid_socket);
        to.state_ = std::exchange(from.state_, asio_detail::socket_ops::state_type{});
        to.protocol_ = Protocol(from.protocol_);
        to.open = std::move(from.open);
    }
    void destroy(implementation_type& socket) {
        error_code ignored;
        if (is_open(socket)) end(socket, true, ignored);
    }

    error_code open(implementation_type& socket, const Protocol& protocol, error_code& error) {
        if (is_open(socket)) return error = net::error::already_open;
        asio_detail::socket_holder made(asio_detail::socket_ops::socket(
            protocol.family(), protocol.type(), protocol.protocol(), error
        ));
        if (made.get() == asio_detail::invalid_socket) return error;
        take(socket, protocol, made.get(), error);
        made.release();
        return error;
    }
    error_code assign(
        implementation_type& socket, const Protocol& protocol, native_handle_type native,
        error_code& error
    ) {
        if (is_open(socket)) return error = net::error::already_open;
        return take(socket, protocol, native, error);
    }
    error_code close(implementation_type& socket, error_code& error) {
        error = error_code();
        if (is_open(socket)) end(socket, false, error);
        return error;
    }
    native_handle_type release(implementation_type& socket, error_code& error) {
        error = is_open(socket) ? error_code() : net::error::bad_descriptor;
        if (error) return asio_detail::invalid_socket;
        leave_to_others(socket.open, socket.socket_);
        const native_handle_type released = socket.socket_;
        socket.open = {};
        construct(socket);
        return released;
    }
    error_code cancel(implementation_type& socket, error_code& error) {
        if (!is_open(socket)) return error = net::error::bad_descriptor;
        cancel_all(socket.open);
        return error = error_code();
    }

    // ---- asynchronous operations ----

    template <class Handler, class IoExecutor>
    void async_wait(
        implementation_type& socket, net::socket_base::wait_type what, Handler& handler,
        const IoExecutor& executor
    ) {
        unsigned events = 0;
        if (what == net::socket_base::wait_read) events = POLLIN;
        if (what == net::socket_base::wait_write) events = POLLOUT;
        if (what == net::socket_base::wait_error) events = urgent;
        begin(
            socket, wait_request(socket.socket_, events), handler, executor, events == 0,
            net::error::invalid_argument
        );
    }

    template <class Buffers, class Handler, class IoExecutor>
    void async_send(
        implementation_type& socket, const Buffers& buffers, flags how, Handler& handler,
        const IoExecutor& executor
    ) {
        using adapter = asio_detail::buffer_sequence_adapter<net::const_buffer, Buffers>;
        const bool nothing = is_stream(socket) && adapter::all_empty(buffers);
        begin(
            socket, send_request<Buffers>(socket.socket_, buffers, how), handler, executor, nothing
        );
    }
    template <class Handler, class IoExecutor>
    void async_send(
        implementation_type& socket, const net::null_buffers&, flags, Handler& handler,
        const IoExecutor& executor
    ) {
        begin_wait(socket, POLLOUT, handler, executor);
    }

    template <class Buffers, class Handler, class IoExecutor>
    void async_receive(
        implementation_type& socket, const Buffers& buffers, flags how, Handler& handler,
        const IoExecutor& executor
    ) {
        using adapter = asio_detail::buffer_sequence_adapter<net::mutable_buffer, Buffers>;
        const bool nothing = is_stream(socket) && adapter::all_empty(buffers);
        receive_request<Buffers> request(socket.socket_, is_stream(socket), buffers, how);
        begin(socket, std::move(request), handler, executor, nothing);
    }
    template <class Handler, class IoExecutor>
    void async_receive(
        implementation_type& socket, const net::null_buffers&, flags how, Handler& handler,
        const IoExecutor& executor
    ) {
        begin_wait(socket, readable(how), handler, executor);
    }

    template <class Buffers, class Handler, class IoExecutor>
    void async_receive_with_flags(
        implementation_type& socket, const Buffers& buffers, flags how, flags& told,
        Handler& handler, const IoExecutor& executor
    ) {
        receive_with_flags_request<Buffers> request(
            socket.socket_, is_stream(socket), buffers, how, told
        );
        begin(socket, std::move(request), handler, executor);
    }
    template <class Handler, class IoExecutor>
    void async_receive_with_flags(
        implementation_type& socket, const net::null_buffers&, flags how, flags& told,
        Handler& handler, const IoExecutor& executor
    ) {
        told = 0;
        begin_wait(socket, readable(how), handler, executor);
    }

    template <class Buffers, class Handler, class IoExecutor>
    void async_send_to(
        implementation_type& socket, const Buffers& buffers, const endpoint_type& to, flags how,
        Handler& handler, const IoExecutor& executor
    ) {
        send_to_request<Buffers, endpoint_type> request(socket.socket_, buffers, to, how);
        begin(socket, std::move(request), handler, executor);
    }
    template <class Handler, class IoExecutor>
    void async_send_to(
        implementation_type& socket, const net::null_buffers&, const endpoint_type&, flags,
        Handler& handler, const IoExecutor& executor
    ) {
        begin_wait(socket, POLLOUT, handler, executor);
    }

    template <class Buffers, class Handler, class IoExecutor>
    void async_receive_from(
        implementation_type& socket, const Buffers& buffers, endpoint_type& from, flags how,
        Handler& handler, const IoExecutor& executor
    ) {
        receive_from_request<Buffers, endpoint_type> request(socket.socket_, buffers, from, how);
        begin(socket, std::move(request), handler, executor);
    }
    template <class Handler, class IoExecutor>
    void async_receive_from(
        implementation_type& socket, const net::null_buffers&, endpoint_type& from, flags how,
        Handler& handler, const IoExecutor& executor
    ) {
        from = endpoint_type();
        begin_wait(socket, readable(how), handler, executor);
    }

    template <class Socket, class Handler, class IoExecutor>
    void async_accept(
        implementation_type& socket, Socket& peer, endpoint_type* from, Handler& handler,
        const IoExecutor& executor
    ) {
        using request = accept_request<Protocol, Socket>;
        const error_code refusal = peer.is_open() ? net::error::already_open : error_code();
        begin(
            socket, request(socket.socket_, socket.state_, peer, socket.protocol_, from), handler,
            executor, peer.is_open(), refusal
        );
    }
    template <class PeerExecutor, class Handler, class IoExecutor>
    void async_move_accept(
        implementation_type& socket, const PeerExecutor& peers, endpoint_type* from,
        Handler& handler, const IoExecutor& executor
    ) {
        using accepted = typename Protocol::socket::template rebind_executor<PeerExecutor>::other;
        using request = move_accept_request<Protocol, accepted>;
        begin(
            socket, request(socket.socket_, socket.state_, peers, socket.protocol_, from), handler,
            executor
        );
    }

    template <class Handler, class IoExecutor>
    void async_connect(
        implementation_type& socket, const endpoint_type& to, Handler& handler,
        const IoExecutor& executor
    ) {
        begin(socket, connect_request<endpoint_type>(socket.socket_, to), handler, executor);
    }

private:
    [[nodiscard]] static bool is_stream(const implementation_type& socket) noexcept {
        return (socket.state_ & asio_detail::socket_ops::stream_oriented) != 0;
    }
    [[nodiscard]] static unsigned readable(flags how) noexcept {
        return (how & net::socket_base::message_out_of_band) ? urgent : POLLIN;
    }

    /// Begins, or tells at once `refusal` or that nothing was to be done.
    template <class Request, class Handler, class IoExecutor>
    void begin(
        implementation_type& socket, Request&& request, Handler& handler,
        const IoExecutor& executor, bool at_once = false, error_code refusal = {}
    ) {
        if (!is_open(socket)) refusal = net::error::bad_descriptor;
        initiate(
            ring(), socket.open, std::move(request), handler, executor, at_once || !is_open(socket),
            refusal
        );
    }
    /// Of null_buffers, whose handlers are told 0 bytes.
    template <class Handler, class IoExecutor>
    void begin_wait(
        implementation_type& socket, unsigned events, Handler& handler, const IoExecutor& executor
    ) {
        begin(socket, ready_request(socket.socket_, events), handler, executor);
    }

    error_code take(
        implementation_type& socket, const Protocol& protocol, native_handle_type native,
        error_code& error
    ) {
        socket.open = open_descriptor::reference::make();
        socket.socket_ = native;
        socket.protocol_ = protocol;
        socket.state_ = 0;
        if (protocol.type() == SOCK_STREAM)
            socket.state_ = asio_detail::socket_ops::stream_oriented;
        if (protocol.type() == SOCK_DGRAM)
            socket.state_ = asio_detail::socket_ops::datagram_oriented;
        return error = error_code();
    }

    /// The socket is no longer open.
    void end(implementation_type& socket, bool is_destroyed, error_code& error) {
        const auto close = [&open = socket.open.get(), native = socket.socket_,
                            state = socket.state_, is_destroyed, &error](bool is_now) {
            if (open.lends()) {
                finish_lent(native);
                open.keep(unique_fd{native}, false);
                return;
            }
            auto before = state;
            error_code ignored;
            asio_detail::socket_ops::close(native, before, is_destroyed, is_now ? error : ignored);
            coronet::detail::closed_descriptors::note(native);
        };
        leave(socket.open, close);
        socket.open = {};
        construct(socket);
    }

    /// As close(2) would, but that the number stays.
    static void finish_lent(native_handle_type native) noexcept {
        linger wanted{};
        socklen_t size = sizeof wanted;
        ::getsockopt(native, SOL_SOCKET, SO_LINGER, &wanted, &size);
        if (wanted.l_onoff && wanted.l_linger == 0) {
            sockaddr nobody{};
            nobody.sa_family = AF_UNSPEC;
            ::connect(native, &nobody, sizeof nobody); // a reset
        } else {
            ::shutdown(native, SHUT_RDWR);
        }
        wanted = {}; // the ring does not wait for a peer
        ::setsockopt(native, SOL_SOCKET, SO_LINGER, &wanted, sizeof wanted);
    }

    plain plain_;
};

} // namespace coronet::asiox::detail

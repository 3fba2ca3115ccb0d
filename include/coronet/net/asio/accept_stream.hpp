// SPDX-License-Identifier: BSL-1.0
//
// Connections of an acceptor as they come, by one request to the kernel for all.
//
//     coronet::asiox::accept_stream connections(acceptor);
//     auto peer = co_await connections.async_accept(use_awaitable);
#pragma once

#include <coronet/coro/multishot.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/accept_requests.hpp>
#include <coronet/net/asio/detail/stream_handle.hpp>
#include <coronet/net/asio/executor.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/socket_holder.hpp>
#else
#include <asio/async_result.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/detail/bind_handler.hpp>
#include <asio/detail/socket_holder.hpp>
#endif

namespace coronet::asiox {

namespace detail {

class accept_answer : public stream_operation {
public:
    void give(int connection) noexcept { connection_.reset(connection); }

protected:
    using stream_operation::stream_operation;
    ~accept_answer() = default;

    asio_detail::socket_holder connection_;
};

template <class Protocol, class Socket>
class socket_accept_answer : public accept_answer {
protected:
    template <class Executor>
    socket_accept_answer(
        func_type call, std::shared_ptr<native_stream> on, const Executor& executor,
        const Protocol& protocol
    )
        : accept_answer(call, std::move(on)), socket_(executor), protocol_(protocol) {}

    template <class Handler>
    auto bind(Handler& handler, error_code error) {
        if (!error && connection_.get() != asio_detail::invalid_socket)
            give_connection(connection_, socket_, protocol_, error);
        return asio_detail::move_binder2<Handler, error_code, Socket>(
            0, std::move(handler), error, std::move(socket_)
        );
    }

private:
    Socket socket_;
    Protocol protocol_;
};

class native_accepts final : public native_stream, private coronet::detail::result_wait {
public:
    native_accepts(
        ring_reactor& reactor, const open_descriptor::reference& open, int fd, bool tells_aborted
    )
        : native_stream(reactor, open),
          tells_aborted_(tells_aborted),
          source_(new coronet::detail::accept_multishot(fd)) {}

private:
    // ---- native_stream ----

    [[nodiscard]] bool take() noexcept override {
        std::int32_t res = 0;
        while (source_->take(res)) {
            if (is_nobodys(res)) continue;
            tell(res);
            return true;
        }
        return false;
    }
    void wait() noexcept override { source_->wait(*this, reactor().ring()); }
    void stop_asking() noexcept override { source_->stop_waiting(); }
    void end_request() noexcept override { source_->request_end(); }
    void drop_request() noexcept override { source_.reset(); }

    // ---- result_wait ----

    void arrive(std::int32_t res) noexcept override {
        if (res != -ECANCELED && is_nobodys(res)) return ask();
        tell(res);
        answered();
    }
    void cancel() noexcept override {}
    void run() noexcept override {}
    [[nodiscard]] std::string_view name() const noexcept override { return "accept"; }

    void tell(std::int32_t res) noexcept {
        res < 0 ? first()->fail(res) : static_cast<accept_answer*>(first())->give(res);
    }
    /// A connection that went away before it was accepted is nobody's concern, as a rule.
    [[nodiscard]] bool is_nobodys(std::int32_t res) const noexcept {
        return is_leftover(res) || (is_lost_connection(res) && !tells_aborted_);
    }

    const bool tells_aborted_;
    std::unique_ptr<coronet::detail::multishot, coronet::detail::abandoning> source_;
};

} // namespace detail

/// Connections to an acceptor, for completion tokens. They are not accepted in another way
/// meanwhile. The acceptor may be moved, or closed.
template <class Protocol, class Executor = executor>
class accept_stream : public detail::stream_handle<Executor> {
    using base = detail::stream_handle<Executor>;
    using acceptor = net::basic_socket_acceptor<Protocol, Executor>;

public:
    using socket = typename Protocol::socket::template rebind_executor<Executor>::other;

    /// Of one of Coronet's executor. Nothing is begun yet. Throws system_error if it is not open,
    /// or std::bad_alloc.
    explicit accept_stream(acceptor& listening) requires(native_executor<Executor>)
        : accept_stream(listening, base::open_socket(listening)) {}

    /// Waits for the next connection. The first call begins the request; what comes between two
    /// calls is accepted and kept, up to 128 connections or a few more. Several calls are served in
    /// their order.
    ///
    /// Result: void(error_code, socket), of this object's executor, close-on-exec.
    /// Errors: those of accept(2) (a connection that went away is one only with
    /// enable_connection_aborted); operation_aborted after a cancellation, or when the acceptor is
    /// closed; when what was kept is told, bad_descriptor from then on.
    /// Cancel: each kind, and all are total: no connection is lost.
    /// Lifetime: the object may be destroyed at any time; what waits is cancelled, and connections
    /// that are kept are closed.
    /// Thread: as with an acceptor: any, but one at a time.
    /// Kernel: IORING_OP_ACCEPT with IORING_ACCEPT_MULTISHOT, 5.19; a request a connection before.
    template <class Token = net::default_completion_token_t<Executor>>
    auto async_accept(Token&& token = Token()) {
        using answer = detail::socket_accept_answer<Protocol, socket>;
        return net::async_initiate<Token, void(error_code, socket)>(
            detail::stream_initiation<answer, Executor>(this->on(), this->get_executor()), token,
            this->get_executor(), protocol_
        );
    }

private:
    template <class Native>
    accept_stream(acceptor& listening, const Native& native)
        : base(
              std::make_shared<detail::native_accepts>(
                  *native.reactor, native.open, native.fd,
                  (native.state & detail::asio_detail::socket_ops::enable_connection_aborted) != 0
              ),
              listening.get_executor()
          ),
          protocol_(native.protocol) {}

    Protocol protocol_;
};

} // namespace coronet::asiox

// SPDX-License-Identifier: BSL-1.0
//
// What a peer sends, in buffers of the ring's: one request to the kernel for all of it. A silent
// connection holds no buffer, and a busy one needs no request for each read.
//
//     coronet::asiox::receive_stream incoming(socket);
//     auto piece = co_await incoming.async_receive(use_awaitable); // coronet::received_buffer
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/stream_handle.hpp>
#include <coronet/net/asio/executor.hpp>
#include <coronet/net/detail/receive_operation.hpp>
#include <coronet/net/receive_options.hpp>
#include <coronet/received_buffer.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#else
#include <asio/async_result.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/detail/bind_handler.hpp>
#endif

namespace coronet::asiox {

namespace detail {

class receive_answer : public stream_operation {
public:
    void give(received_buffer&& piece) noexcept { piece_ = std::move(piece); }

protected:
    using stream_operation::stream_operation;
    template <class Handler>
    auto bind(Handler& handler, error_code error) {
        if (!error && piece_.empty()) error = net::error::eof;
        return asio_detail::move_binder2<Handler, error_code, received_buffer>(
            0, std::move(handler), error, std::move(piece_)
        );
    }

private:
    received_buffer piece_;
};

class native_receives final : public native_stream, private coronet::detail::receive_wait {
public:
    native_receives(
        ring_reactor& reactor, const open_descriptor::reference& open, int fd,
        const receive_options& options
    )
        : native_stream(reactor, open), source_(new request(open, fd, options)) {}

private:
    class request final : public coronet::detail::receive_operation {
    public:
        request(open_descriptor::reference open, int fd, const receive_options& options) noexcept
            : receive_operation(fd, options), open_(std::move(open)) {}

    private:
        [[nodiscard]] bool usable() const noexcept override { return !open_->left(); }
        void on_begun() noexcept override {}
        void on_resting() noexcept override {}

        const open_descriptor::reference open_;
    };

    // ---- native_stream ----

    [[nodiscard]] bool take() noexcept override {
        while (source_->take(*this, reactor().ring())) {
            const std::int32_t error = std::exchange(error_, 0);
            if (is_leftover(error)) continue;
            error == 0 ? give() : first()->fail(error);
            return true;
        }
        return false;
    }
    /// Buffers are there from the ring's first turn on.
    void wait() noexcept override {
        if (in_first_turn_) return;
        if (reactor().has_begun()) return source_->wait(*this, reactor().ring());
        in_first_turn_ = shared_from_this();
        reactor().ring().ready(*this);
    }
    void stop_asking() noexcept override { source_->stop_waiting(); }
    void end_request() noexcept override { source_->request_end(); }
    void drop_request() noexcept override { source_.reset(); }

    // ---- member_of_ring ----

    void ring_is_parents() noexcept override { source_->ring_is_parents(); }

    // ---- receive_wait ----

    void go_on(scheduler& /*here*/) noexcept override {
        const std::int32_t error = std::exchange(error_, 0);
        if (error == operation::left_to_parent) return ask();
        error == 0 ? give() : first()->fail(error);
        answered();
    }
    void cancel() noexcept override {}
    void run() noexcept override {
        const auto here = std::exchange(in_first_turn_, nullptr);
        ask();
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }

    void give() noexcept {
        const auto piece = std::exchange(piece_, {});
        static_cast<receive_answer*>(first())->give({piece.data, piece.size, piece.block});
    }

    std::unique_ptr<request, coronet::detail::abandoning_receive> source_;
    std::shared_ptr<native_stream> in_first_turn_; // itself, while it waits for that
};

} // namespace detail

/// Pieces of what the peer of a connected socket sends, in their order, for completion tokens. The
/// socket is not read from in another way meanwhile. It may be moved, or closed.
template <class Executor = executor>
class receive_stream : public detail::stream_handle<Executor> {
    using base = detail::stream_handle<Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = receive_stream<Other>;
    };

    /// Of a socket of Coronet's executor. Nothing is begun yet. Throws system_error if it is not
    /// open, or std::bad_alloc.
    template <class Protocol>
    requires(native_executor<Executor>) explicit receive_stream(
        net::basic_stream_socket<Protocol, Executor>& from, const receive_options& options = {}
    )
        : receive_stream(from, base::open_socket(from), options) {}

    /// Waits for the next piece. The first call begins the request; what comes between two calls is
    /// kept, as far as the window of the options allows. Several calls are served in their order.
    ///
    /// Result: void(error_code, coronet::received_buffer): at least a byte, in memory of the ring's
    /// that goes home when the buffer is destroyed, on whichever thread.
    /// Errors: eof when the peer has finished sending; those of recv(2); no_memory without memory
    /// for buffers; operation_aborted after a cancellation, or when the socket is closed, and
    /// bad_descriptor from then on. A want of buffers is no error: it waits until one comes home.
    /// Cancel: each kind, and all are total: nothing that comes is lost.
    /// Lifetime: the object may be destroyed at any time; what waits is cancelled.
    /// Thread: as with a socket: any, but one at a time.
    /// Kernel: IORING_OP_RECV with IORING_RECV_MULTISHOT, 6.0; a request a piece before.
    template <class Token = net::default_completion_token_t<Executor>>
    auto async_receive(Token&& token = Token()) {
        return net::async_initiate<Token, void(error_code, received_buffer)>(
            detail::stream_initiation<detail::receive_answer, Executor>(
                this->on(), this->get_executor()
            ),
            token
        );
    }

private:
    template <class Socket, class Native>
    receive_stream(Socket& from, const Native& native, const receive_options& options)
        : base(
              std::make_shared<detail::native_receives>(
                  *native.reactor, native.open, native.fd, options
              ),
              from.get_executor()
          ) {}
};

template <class Protocol, class Executor>
receive_stream(net::basic_stream_socket<Protocol, Executor>&) -> receive_stream<Executor>;
template <class Protocol, class Executor>
receive_stream(net::basic_stream_socket<Protocol, Executor>&, const receive_options&)
    -> receive_stream<Executor>;

} // namespace coronet::asiox

// SPDX-License-Identifier: BSL-1.0
//
// What a peer sends, piece by piece, in buffers of the scheduler's (detail/receive_operation.hpp).
// While the operation neither rests nor has been abandoned it is in its socket's list of what is in
// flight. Owner thread only.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/coro/io/descriptor.hpp>
#include <coronet/net/detail/receive_operation.hpp>
#include <coronet/net/receive_options.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/result.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string_view>

namespace coronet {

namespace detail {

/// What its socket asks to end: it may be starved, and then it is not an operation in flight. (A
/// base and not a member, so that a connection that waits takes less.)
class receive_ender : public pending_work {
public:
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }

protected:
    receive_ender() noexcept = default;
    ~receive_ender() = default;

private:
    void run() noexcept override {}
};

class socket_receive final : public receive_operation,
                             private may_outlive_descriptor,
                             private receive_ender {
public:
    socket_receive(descriptor& from, const receive_options& options) noexcept
        : receive_operation(from.native_handle(), options),
          may_outlive_descriptor(from),
          generation_(from.generation()) {}

private:
    friend class receive_ender;
    [[nodiscard]] bool usable() const noexcept override {
        return fd() >= 0 && generation_ == whose().generation();
    }
    void on_begun() noexcept override { began(static_cast<receive_ender&>(*this)); }
    void on_resting() noexcept override { may_outlive_descriptor::ended(); }
    void on_abandoned() noexcept override { let_go(); }

    std::uint32_t generation_; // of its socket, when it was made
};

/// One next().
class [[nodiscard]] receive_next : public receive_wait, public leaf_await {
public:
    explicit receive_next(receive_operation& source) noexcept : source_(&source) {}
    /// Awaitables are copied until they begin.
    receive_next(const receive_next& other) noexcept
        : receive_wait(), leaf_await(), source_(other.source_) {}
    receive_next& operator=(const receive_next&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        scheduler& here = frame.promise().in_branch().where();
        const bool bare = source_->is_bare(here);
        if (!bare && source_->take(*this, here)) return false;
        if (!waiter_.suspend(frame, *this)) [[unlikely]] {
            error_ = -ECANCELED;
            return false;
        }
        if (bare) [[likely]]
            source_->wait_armed(*this);
        else
            source_->wait(*this, here);
        return true;
    }
    result<received_buffer> await_resume() const noexcept {
        if (error_ != 0) [[unlikely]]
            return error_of_result(error_);
        return received_buffer{piece_.data, piece_.size, piece_.block};
    }

    void go_on(scheduler& here) noexcept final { here.ready(*this); }
    /// The stream goes on: what comes is kept.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    void run() noexcept override { waiter_.resume(); }
    [[nodiscard]] scheduler& where() const noexcept { return waiter_.where(); }

private:
    receive_operation* source_;
    waiter waiter_;
};

} // namespace detail

/// Pieces of what a peer sends, in their order. Moved freely, also while it receives; destroyed at
/// any time, but not under a next(): what arrives afterwards is dropped.
class [[nodiscard]] receive_stream {
public:
    /// As stream_socket::receive(). Throws std::bad_alloc.
    explicit receive_stream(descriptor& from, const receive_options& options = {})
        : source_(new detail::socket_receive(from, options)) {}

    /// Waits for the next piece. The first call begins; what comes between two calls is kept, as
    /// far as the window allows.
    ///
    /// Result: at least a byte, at most the size of a buffer; an empty one when the peer has
    /// finished sending. A buffer that is kept is one that others do not have: see received_buffer.
    /// Errors: those of recv(2); not_enough_memory without memory for buffers; operation_canceled
    /// after cancel(), or when this await ended early; bad_file_descriptor when the socket has been
    /// closed. A want of buffers is no error: it waits until one comes home.
    /// Cancel: total: the stream goes on, and keeps what comes.
    /// Lifetime: the stream outlives the await. One next() at a time.
    /// Thread: owner; the one of the first call.
    [[nodiscard]] detail::receive_next next() noexcept { return detail::receive_next{*source_}; }

    /// Asks the request to end. next() gives what came before its end, then operation_canceled
    /// once; the next() after that begins anew.
    void cancel() noexcept { source_->request_end(); }

private:
    std::unique_ptr<detail::receive_operation, detail::abandoning_receive> source_;
};

} // namespace coronet

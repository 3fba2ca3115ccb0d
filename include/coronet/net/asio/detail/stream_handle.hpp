// SPDX-License-Identifier: BSL-1.0
//
// What the user's objects over native_stream.hpp have in common: the object itself, and how an
// operation begins on it.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/call_handler.hpp>
#include <coronet/net/asio/detail/native_stream.hpp>
#include <coronet/net/asio/detail/ring_op.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/handler_work.hpp>
#include <boost/asio/detail/throw_error.hpp>
#else
#include <asio/associated_cancellation_slot.hpp>
#include <asio/detail/handler_alloc_helpers.hpp>
#include <asio/detail/handler_work.hpp>
#include <asio/detail/throw_error.hpp>
#endif

namespace coronet::asiox::detail {

/// One async_...() of such an object. `Answer`, a stream_operation, gets the result and gives the
/// handler with its arguments:
///     auto bind(Handler&, error_code);     when it is called
///     auto bind_nothing(Handler&);         when it is dropped
template <class Answer, class Handler, class IoExecutor>
class stream_op final : public Answer {
public:
    CORONET_ASIO_HANDLER_PTR(stream_op);

    template <class... Arguments>
    stream_op(
        std::shared_ptr<native_stream> on, Handler& handler, const IoExecutor& executor,
        Arguments&&... arguments
    )
        : Answer(&stream_op::call, std::move(on), std::forward<Arguments>(arguments)...),
          handler_(std::move(handler)),
          work_(handler_, executor) {}

private:
    static void call(
        void* owner, asio_detail::scheduler_operation* base, const error_code& /*error*/,
        std::size_t /*count*/
    ) {
        auto* op = static_cast<stream_op*>(base);
        call_handler(op, op->handler_, op->work_, owner != nullptr, [op] {
            return op->bind(op->handler_, op->res() < 0 ? asio_error(op->res()) : error_code());
        });
    }

    Handler handler_;
    asio_detail::handler_work<Handler, IoExecutor> work_;
};

/// In the cancellation slot of a handler: ends its operation.
class stream_cancellation {
public:
    stream_cancellation(std::shared_ptr<native_stream> on, std::uint64_t number) noexcept
        : on_(std::move(on)), number_(number) {}

    void operator()(net::cancellation_type_t asked) const {
        using kind = net::cancellation_type;
        if (!!(asked & (kind::terminal | kind::partial | kind::total)))
            on_->reactor().soon_as_owner([on = on_, number = number_] { on->cancel(number); });
    }

private:
    std::shared_ptr<native_stream> on_;
    std::uint64_t number_;
};

/// Begins an operation on a stream.
template <class Answer, class Executor>
class stream_initiation {
public:
    using executor_type = Executor;
    stream_initiation(std::shared_ptr<native_stream> on, const Executor& executor)
        : on_(std::move(on)), executor_(executor) {}
    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    template <class Handler, class... Arguments>
    void operator()(Handler&& handler, Arguments&&... arguments) const {
        using handler_type = std::decay_t<Handler>;
        using op = stream_op<Answer, handler_type, Executor>;
        handler_type mine(std::forward<Handler>(handler));
        auto slot = net::get_associated_cancellation_slot(mine);
        typename op::ptr memory = {std::addressof(mine), op::ptr::allocate(mine), nullptr};
        memory.p = new (memory.v) op(on_, mine, executor_, std::forward<Arguments>(arguments)...);
        op& made = *memory.p;
        const std::uint64_t number = on_->number(made);
        if (slot.is_connected()) slot.template emplace<stream_cancellation>(on_, number);
        memory.v = memory.p = nullptr;
        on_->reactor().begin(made);
    }

private:
    std::shared_ptr<native_stream> on_;
    Executor executor_;
};

/// The user's object: movable, and its end is that of what is on it. One that has been moved from
/// is assigned to or destroyed, and nothing else.
template <class Executor>
class stream_handle {
public:
    using executor_type = Executor;

    stream_handle(stream_handle&&) noexcept = default;
    stream_handle& operator=(stream_handle&& other) noexcept {
        if (this == &other) return *this;
        end();
        on_ = std::move(other.on_);
        executor_ = std::move(other.executor_);
        return *this;
    }
    ~stream_handle() { end(); }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// All operations that wait end with operation_aborted. The request goes on: what comes is kept
    /// for those that follow.
    void cancel() {
        on_->reactor().soon_as_owner([on = on_] { on->cancel_waiting(); });
    }

protected:
    stream_handle(std::shared_ptr<native_stream> on, const Executor& executor)
        : on_(std::move(on)), executor_(executor) {}
    [[nodiscard]] const std::shared_ptr<native_stream>& on() const noexcept { return on_; }

    /// Throws system_error, bad_descriptor, if it is not open.
    template <class Socket>
    [[nodiscard]] static auto open_socket(const Socket& socket) {
        error_code error;
        auto told = native_of(socket, error);
        asio_detail::throw_error(error, "stream");
        return told;
    }

private:
    void end() noexcept {
        if (!on_) return;
        ring_reactor& reactor = on_->reactor();
        reactor.soon_as_owner([on = std::move(on_)] {
            on->abandon();
            on->reactor().submit(); // what comes after this is not the request's
        });
    }

    std::shared_ptr<native_stream> on_;
    Executor executor_;
};

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// A task as an operation of Asio's: it counts as work of the context from its initiation on, runs
// on the ring under the context, and is then one of the operations in Asio's queue, where its
// handler is called as any other's.
//
//   made    in memory of the handler's allocator
//   begun   in a turn of the ring (task_run.hpp)
//   over    its result is kept; it waits in Asio's queue for a thread of the context
//   called  the memory is given back, then the handler is called; at the end of the context it is
//           destroyed instead
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/error.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/call_handler.hpp>
#include <coronet/net/asio/detail/on_ring.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/net/asio/detail/task_run.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/handler_work.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>
#else
#include <asio/associated_cancellation_slot.hpp>
#include <asio/detail/bind_handler.hpp>
#include <asio/detail/handler_alloc_helpers.hpp>
#include <asio/detail/handler_work.hpp>
#include <asio/execution/context.hpp>
#include <asio/query.hpp>
#include <asio/system_executor.hpp>
#endif

namespace coronet::asiox::detail {

/// In the cancellation slot of a handler: ends its task.
class run_cancellation {
public:
    explicit run_cancellation(std::shared_ptr<run_stop> stops) noexcept
        : stops_(std::move(stops)) {}

    void operator()(net::cancellation_type_t asked) const {
        using kind = net::cancellation_type;
        if (!!(asked & (kind::terminal | kind::partial | kind::total))) stops_->ask();
    }

private:
    std::shared_ptr<run_stop> stops_;
};

template <class T, class Handler, class IoExecutor>
class run_op final : public asio_detail::scheduler_operation, public task_run {
public:
    CORONET_ASIO_HANDLER_PTR(run_op);

    run_op(ring_reactor& reactor, task<T>&& job, Handler& handler, const IoExecutor& executor)
        : asio_detail::scheduler_operation(&run_op::call),
          task_run(reactor.ring()),
          reactor_(reactor),
          child_(std::move(job)),
          handler_(std::move(handler)),
          work_(handler_, executor) {}

    /// It is not begun, and its handler is told why.
    void refuse(const std::error_code& why) { refusal_ = why; }

private:
    using work_guard = asio_detail::handler_work<Handler, IoExecutor>;

    /// `owner` is null when it is destroyed without a call.
    static void call(
        void* owner, asio_detail::scheduler_operation* base, const error_code& /*error*/,
        std::size_t /*count*/
    ) {
        auto* op = static_cast<run_op*>(base);
        call_handler(op, op->handler_, op->work_, owner != nullptr, [op] { return op->bind(); });
    }

    auto bind() {
        auto& result = child_.result();
        std::exception_ptr thrown = result.exception();
        if (refusal_)
            thrown = std::make_exception_ptr(std::system_error(refusal_, "a task for Asio"));
        if constexpr (std::is_void_v<T>)
            return asio_detail::binder1<Handler, std::exception_ptr>(handler_, thrown);
        else
            return asio_detail::move_binder2<Handler, std::exception_ptr, T>(
                0, std::move(handler_), thrown, result.has_value() ? result.take() : T()
            );
    }

    void start_children() noexcept override { child_.start(*this); }
    void over() noexcept override { reactor_.over(*this); }

    ring_reactor& reactor_;
    coronet::detail::child<T> child_;
    std::error_code refusal_;
    Handler handler_;
    work_guard work_;
};

/// The ring that tasks for `executor` run on. Throws as install() does.
template <class Executor>
[[nodiscard]] ring_reactor& reactor_for(const Executor& executor) {
    static_assert(
        !std::is_same_v<Executor, net::system_executor>,
        "a task runs in an io_context or a thread_pool: async_run() with its executor, or "
        "as_operation() with a handler that is bound to one"
    );
    return reactor_under(net::query(executor, net::execution::context));
}

/// Makes the operation and begins it.
template <class T, class Handler, class Executor>
void begin_run(task<T>&& job, Handler& handler, const Executor& executor) {
    static_assert(
        std::is_void_v<T> || std::is_default_constructible_v<T>,
        "the handler of a task that throws is given a T(): let the task give a std::optional"
    );
    using op = run_op<T, Handler, Executor>;
    ring_reactor& reactor = reactor_for(executor);
    auto slot = net::get_associated_cancellation_slot(handler);
    typename op::ptr memory = {std::addressof(handler), op::ptr::allocate(handler), nullptr};
    memory.p = new (memory.v) op(reactor, std::move(job), handler, executor);
    op& made = *memory.p;
    if (slot.is_connected()) slot.template emplace<run_cancellation>(made.stop_handle());
    memory.v = memory.p = nullptr;
    reactor.begin_in_turn(made);
}

} // namespace coronet::asiox::detail

// SPDX-License-Identifier: BSL-1.0
//
// Coronet's coroutines as operations of Asio's, with any completion token:
//
//     async_run(context, serve(), detached);                        // beside everything else
//     auto answer = async_run(context, ask(), use_future);          // from another thread
//     auto [bytes] = ... (as_operation(read_page())(use_awaitable)); // in an asio::awaitable
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/run_op.hpp>

#include <exception>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution_context.hpp>
#else
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/execution_context.hpp>
#endif

namespace coronet::asiox {

namespace detail {

template <class T>
struct signature_of_task {
    using type = void(std::exception_ptr, T);
};
template <>
struct signature_of_task<void> {
    using type = void(std::exception_ptr);
};

/// Begins a task for a given executor.
template <class Executor>
class run_for {
public:
    using executor_type = Executor;
    explicit run_for(const Executor& executor) : executor_(executor) {}
    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    template <class Handler, class T>
    void operator()(Handler&& handler, task<T> job) const {
        std::decay_t<Handler> mine(std::forward<Handler>(handler));
        begin_run(std::move(job), mine, executor_);
    }

private:
    Executor executor_;
};

/// Begins one for that of its handler.
struct run_for_handler {
    template <class Handler, class T>
    void operator()(Handler&& handler, task<T> job) const {
        std::decay_t<Handler> mine(std::forward<Handler>(handler));
        begin_run(std::move(job), mine, net::get_associated_executor(mine));
    }
};

template <class T>
class task_operation {
    template <class Token>
    static auto initiate(Token& token, task<T>&& job)
        -> decltype(net::async_initiate<Token, typename signature_of_task<T>::type>(
            run_for_handler(), token, std::move(job)
        )) {
        return net::async_initiate<Token, typename signature_of_task<T>::type>(
            run_for_handler(), token, std::move(job)
        );
    }

public:
    explicit task_operation(task<T>&& job) noexcept : job_(std::move(job)) {}

    /// Whether it can be called decides how Asio's coroutines await it.
    template <class Token>
    auto operator()(Token&& token) && -> decltype(initiate(token, std::declval<task<T>>())) {
        return initiate(token, std::move(job_));
    }

private:
    task<T> job_;
};

template <class A>
using run_value = typename decltype(coronet::detail::as_task(std::declval<A>()))::value_type;

} // namespace detail

/// Runs `job` (a task, or what else Coronet's coroutines await) on the ring under the context of
/// the executor `where`, beside everything else there. It is begun in a turn of the ring, never
/// inside this call, and counts as work of the context until its handler has been called. Where the
/// context has no ring yet, it is installed.
///
/// Result: of the initiating function with that token. The handler's signature is
/// void(std::exception_ptr), with the value of the job behind it if it is not void; it is called as
/// Asio calls those of its own operations, on its associated executor, else on `where`.
/// Errors: what the job throws; std::system_error with errc::stopped if the ring has been stopped.
/// The initiation throws as install() does.
/// Cancel: the slot of the handler stops the task: each kind of cancellation does. It ends by the
/// usual way, with what its awaits then tell it.
/// Lifetime: a context that ends stops the job, waits for it, and destroys the handler.
/// Thread: any.
template <class Executor, class A, class Token>
requires(!std::is_lvalue_reference_v<A> && !std::is_convertible_v<Executor&, net::execution_context&>) auto async_run(
    const Executor& where, A&& job, Token&& token
) {
    using signature = typename detail::signature_of_task<detail::run_value<A>>::type;
    return net::async_initiate<Token, signature>(
        detail::run_for<Executor>(where), token, coronet::detail::as_task(std::move(job))
    );
}
/// The same on an io_context or a thread_pool.
template <class Context, class A, class Token>
requires(!std::is_lvalue_reference_v<A> && std::is_convertible_v<Context&, net::execution_context&>) auto async_run(
    Context& context, A&& job, Token&& token
) {
    return async_run(context.get_executor(), std::move(job), std::forward<Token>(token));
}

/// async_run() without an executor: the job runs in the context of its handler's associated
/// executor. What it gives is called with a completion token, once; in an asio::awaitable of Asio
/// 1.30 or later it can be awaited as it is.
template <class A>
requires(!std::is_lvalue_reference_v<A>) [[nodiscard]] auto as_operation(A&& job) {
    return detail::task_operation<detail::run_value<A>>(coronet::detail::as_task(std::move(job)));
}

} // namespace coronet::asiox

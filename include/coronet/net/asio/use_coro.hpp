// SPDX-License-Identifier: BSL-1.0
//
// Asio's operations in Coronet's coroutines:
//
//     co_await timer.async_wait(use_coro);
//     std::size_t count = co_await socket.async_read_some(buffer, use_coro);
//     auto [error, count] = ... (as_tuple(use_coro)); // not straight from an await
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/operation_await.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/async_result.hpp>
#include <boost/asio/redirect_error.hpp>
#else
#include <asio/async_result.hpp>
#include <asio/redirect_error.hpp>
#endif

namespace coronet::asiox {

/// The type of use_coro.
class use_coro_t {};

/// A completion token: the initiating function gives something to await in a coronet::task. The
/// operation begins when it is awaited, not before.
///
/// Result: the handler's arguments: nothing, a value, or a tuple of several. A leading error_code
/// or exception_ptr is not among them.
/// Errors: throws that one: system_error, or the exception. operation_aborted, when it was
/// cancelled, when the branch had been stopped before, and when the handler was destroyed without
/// having been called, as by the end of its context. Adapted by as_tuple or redirect_error, it
/// throws nothing.
/// Cancel: that of the operation: a stop of the task emits cancellation_type::all on the scheduler.
/// What has no cancellation of its own ends when it ends.
/// Lifetime: of what the operation refers to, as Asio documents it; its arguments are moved in.
/// Thread: owner, on which it also resumes, whichever thread runs the operation's context. With
/// bind_executor() a composed operation goes on elsewhere between its steps: then it is cancelled
/// safely only if that is on the same thread.
inline constexpr use_coro_t use_coro{};

} // namespace coronet::asiox

#if defined(CORONET_ASIO_USE_BOOST)
namespace boost::asio {
#else
namespace asio {
#endif

template <class R, class... Arguments>
class async_result<::coronet::asiox::use_coro_t, R(Arguments...)> {
    using wait = ::coronet::asiox::detail::answer_wait<std::decay_t<Arguments>...>;

public:
    using return_type = void; // what it really is depends on the operation

    template <class Initiation, class... Given>
    [[nodiscard]] static auto
    initiate(Initiation&& initiation, ::coronet::asiox::use_coro_t, Given&&... given) {
        return ::coronet::asiox::detail::when_awaited<wait>(
            std::tuple<>(), std::forward<Initiation>(initiation), std::forward<Given>(given)...
        );
    }
};

// Not as Asio does it: a stop that comes before, or the end of the context, is told there, too.
template <class R, class... Arguments>
struct async_result<
    redirect_error_t<::coronet::asiox::use_coro_t>, R(::coronet::asiox::error_code, Arguments...)> {
    using wait = ::coronet::asiox::detail::redirected_wait<std::decay_t<Arguments>...>;
    using return_type = void;

    template <class Initiation, class Token, class... Given>
    [[nodiscard]] static auto initiate(Initiation&& initiation, Token&& token, Given&&... given) {
        return ::coronet::asiox::detail::when_awaited<wait>(
            std::tuple(&token.ec_), std::forward<Initiation>(initiation),
            std::forward<Given>(given)...
        );
    }
};

} // namespace asio

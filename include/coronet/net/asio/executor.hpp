// SPDX-License-Identifier: BSL-1.0
//
// The executor by whose type Asio's sockets, timers and so on become operations of the ring. It
// runs functions exactly as the io_context's own does, of which it is made: only its type is
// another.
#pragma once

#include <coronet/net/asio/config.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#else
#include <asio/any_io_executor.hpp>
#include <asio/execution.hpp>
#include <asio/io_context.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#include <asio/require.hpp>
#endif

namespace coronet::asiox {

/// Runs functions in the threads of an io_context. `Inner` is that one's executor, with the
/// properties that have been required of it.
template <class Inner>
class basic_executor {
public:
    using inner_executor_type = Inner;

    /// Of a context, or of its executor.
    basic_executor(const Inner& inner) noexcept
        : inner_(inner) {} // NOLINT(*-explicit-*): one for another
    basic_executor(Inner&& inner) noexcept
        : inner_(std::move(inner)) {} // NOLINT(*-explicit-*): as above

    /// Of one that has been hidden, as by `co_await this_coro::executor`. Throws bad_executor if it
    /// is another kind of executor (a strand): what that one promises would be lost.
    template <std::same_as<net::any_io_executor> Hidden>
    requires(std::is_same_v<Inner, net::io_context::executor_type>)
        basic_executor(const Hidden& hidden) // NOLINT(*-explicit-*): as above
        : inner_(found_in(hidden)) {}

    [[nodiscard]] const Inner& inner() const noexcept { return inner_; }

    // ---- properties: those of Inner ----

    template <class Property>
    requires(net::can_require_v<Inner, Property>)
        [[nodiscard]] auto require(const Property& wanted) const {
        return wrap(net::require(inner_, wanted));
    }
    template <class Property>
    requires(net::can_query_v<Inner, Property>) [[nodiscard]] decltype(auto)
        query(const Property& asked) const
        noexcept(noexcept(net::query(std::declval<const Inner&>(), asked))) {
        return net::query(inner_, asked);
    }

    template <class Function>
    void execute(Function&& function) const {
#if CORONET_ASIO_VERSION >= 102600
        inner_.execute(std::forward<Function>(function));
#else
        net::execution::execute(inner_, std::forward<Function>(function)); // the member is private
#endif
    }
    [[nodiscard]] bool running_in_this_thread() const noexcept {
        return inner_.running_in_this_thread();
    }

    friend bool operator==(const basic_executor& a, const basic_executor& b) noexcept {
        return a.inner_ == b.inner_;
    }
    friend bool operator!=(const basic_executor& a, const basic_executor& b) noexcept {
        return a.inner_ != b.inner_;
    }

#if !defined(ASIO_NO_TS_EXECUTORS) && !defined(BOOST_ASIO_NO_TS_EXECUTORS)
    // What a strand of it, and work guards of that, still ask for.
    [[nodiscard]] net::io_context& context() const noexcept {
        return inner_.context();
    }
    void on_work_started() const noexcept {
        inner_.on_work_started();
    }
    void on_work_finished() const noexcept {
        inner_.on_work_finished();
    }
    template <class Function, class Allocator>
    void dispatch(Function&& function, const Allocator& allocator) const {
        inner_.dispatch(std::forward<Function>(function), allocator);
    }
    template <class Function, class Allocator>
    void post(Function&& function, const Allocator& allocator) const {
        inner_.post(std::forward<Function>(function), allocator);
    }
    template <class Function, class Allocator>
    void defer(Function&& function, const Allocator& allocator) const {
        inner_.defer(std::forward<Function>(function), allocator);
    }
#endif

private:
    [[nodiscard]] static Inner found_in(const net::any_io_executor& given) {
        const auto hidden = net::prefer(given, net::execution::outstanding_work.untracked);
        // target() of some versions of Asio's does not look.
        const std::type_info& kind = hidden.target_type();
        if (kind == typeid(Inner)) return *hidden.target<Inner>();
        if (kind == typeid(basic_executor)) return hidden.target<basic_executor>()->inner_;
        throw net::execution::bad_executor();
    }
    template <class Other>
    [[nodiscard]] static basic_executor<std::decay_t<Other>> wrap(Other&& other) noexcept {
        return basic_executor<std::decay_t<Other>>{std::forward<Other>(other)};
    }

    Inner inner_;
};

using executor = basic_executor<net::io_context::executor_type>;

namespace detail {
template <class Inner>
void takes_native(const basic_executor<Inner>&);
} // namespace detail

/// Coronet's executor, or one made of it: that of as_default_on.
template <class Executor>
concept native_executor = requires(const Executor& given) {
    detail::takes_native(given);
};

} // namespace coronet::asiox

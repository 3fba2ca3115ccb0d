// SPDX-License-Identifier: BSL-1.0
//
// An operation of Asio's that a coroutine awaits: it is initiated when the coroutine suspends, with
// a handler that refers to the await (handler_wait.hpp says what becomes of that). What the handler
// is associated with:
//   executor     the coroutine's scheduler: there the handler is called, and there a composed
//                operation does what it does between its steps
//   allocator    the memory of frames
//   slot         in the coroutine's frame; a stop emits there, on the scheduler
// bind_executor() and the like replace them.
#pragma once

#include <coronet/coro/detail/recipe.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/await_slot.hpp>
#include <coronet/net/asio/detail/awaited_result.hpp>
#include <coronet/net/asio/detail/handler_wait.hpp>
#include <coronet/net/asio/detail/scheduler_executor.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/cancellation_type.hpp>
#else
#include <asio/cancellation_type.hpp>
#endif

namespace coronet::asiox::detail {

/// The await without what it initiates. `Arguments` are those of the handler, decayed.
template <class... Arguments>
class answer_wait : public handler_wait {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; } // the branch may be stopped
    typename awaited_result<Arguments...>::type await_resume() {
        using result = awaited_result<Arguments...>;
        auto& told = answer();
        if (!told) return aborted_result<typename result::type>::make();
        return result::take(*std::move(told));
    }

    /// Called, or destroyed without a call.
    class handler;

protected:
    answer_wait() noexcept = default;
    ~answer_wait() = default;

    /// For those that resume otherwise: nothing, if the handler was not called.
    [[nodiscard]] std::optional<std::tuple<Arguments...>>& answer() {
        if (thrown_) [[unlikely]]
            std::rethrow_exception(std::move(thrown_));
        return arguments_;
    }

    /// Why it was not initiated (the handler is gone by then), or what copying its result threw.
    void failed(std::exception_ptr why) noexcept { thrown_ = std::move(why); }

private:
    void ask_to_end() noexcept override { signal_.emit(net::cancellation_type::all); }

    template <class... A>
    void called(A&&... arguments) {
        try {
            arguments_.emplace(std::forward<A>(arguments)...);
        } catch (...) {
            arguments_.reset();
            failed(std::current_exception());
        }
        answered();
    }

    await_signal signal_;
    std::optional<std::tuple<Arguments...>> arguments_;
    std::exception_ptr thrown_;
};

template <class... Arguments>
class answer_wait<Arguments...>::handler {
public:
    using executor_type = scheduler_executor;
    using allocator_type = frame_allocator<void>;
    using cancellation_slot_type = await_slot;

    explicit handler(answer_wait& waits) noexcept : waits_(&waits) {}
    handler(handler&& other) noexcept : waits_(std::exchange(other.waits_, nullptr)) {}
    handler& operator=(handler&& other) noexcept {
        std::swap(waits_, other.waits_);
        return *this;
    }
    ~handler() {
        if (waits_) waits_->answered();
    }

    template <class... A>
    requires std::is_constructible_v<std::tuple<Arguments...>, A...>
    void operator()(A&&... arguments) {
        CORONET_ASSERT(waits_ != nullptr); // called twice
        std::exchange(waits_, nullptr)->called(std::forward<A>(arguments)...);
    }

    [[nodiscard]] executor_type get_executor() const noexcept {
        return scheduler_executor{waits_->where()};
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
        return await_slot{waits_->signal_};
    }

private:
    answer_wait* waits_;
};

/// One whose error goes to a variable.
template <class... T>
class redirected_wait : public answer_wait<error_code, T...> {
public:
    typename awaited_value<T...>::type await_resume() {
        auto& told = this->answer();
        *into_ = told ? std::get<0>(*told) : error_code(net::error::operation_aborted);
        if constexpr ((std::is_default_constructible_v<T> && ...))
            if (!told) told.emplace();
        if (!told) throw_error(*into_);
        return awaited_value<T...>::take(without_error(*std::move(told)));
    }

protected:
    explicit redirected_wait(error_code* into) noexcept : into_(into) {}
    ~redirected_wait() = default;

private:
    error_code* into_;
};

template <class Wait, class Initiation, class... Given>
class [[nodiscard]] operation_await final : public Wait {
public:
    template <class... OfWait>
    operation_await(Initiation&& initiation, std::tuple<Given...>&& given, OfWait... of_wait)
        : Wait(of_wait...), initiation_(std::move(initiation)), given_(std::move(given)) {}

    template <coronet::detail::coronet_promise P>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (!this->suspend(frame)) return false;
        try {
            initiate();
        } catch (...) {
            this->failed(std::current_exception());
        }
        return true; // also if it has been answered: it goes on in a later turn of this thread
    }

private:
    void initiate() {
        const auto begin = [this](Given&... given) {
            std::move(initiation_)(typename Wait::handler(*this), std::move(given)...);
        };
        std::apply(begin, given_);
    }

    Initiation initiation_;
    std::tuple<Given...> given_;
};

/// What an initiating function returns. `of_wait` is what Wait is made of.
template <class Wait, class Initiation, class... Given, class... OfWait>
[[nodiscard]] auto
when_awaited(std::tuple<OfWait...> of_wait, Initiation&& initiation, Given&&... given) {
    using begun = std::decay_t<Initiation>;
    using parts = std::tuple<std::decay_t<Given>...>;
    using awaiter = operation_await<Wait, begun, std::decay_t<Given>...>;
    const auto make = [&](OfWait... each) {
        return coronet::detail::recipe<awaiter, begun, parts, OfWait...>{
            begun(std::forward<Initiation>(initiation)), parts(std::forward<Given>(given)...),
            each...};
    };
    return std::apply(make, of_wait);
}

} // namespace coronet::asiox::detail

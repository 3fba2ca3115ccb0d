// SPDX-License-Identifier: BSL-1.0
//
// async_generator<T> is a sequence of which each element may have to be waited for: a coroutine
// that awaits and yields.
//
//     async_generator<std::string> lines(tcp_stream* from);
//     ...
//     auto each = lines(&peer);
//     for (;;) {
//         auto line = co_await each.next();
//         if (!line) break;
//         ...
//     }
//
// Between two elements it runs as a task would, in the branch of whoever awaits next(): stops, time
// limits and the scheduler are his, at each next() anew. The frame belongs to the generator object:
//
//   fresh     → running   next()
//   yielded   → running   next()
//   running   → yielded   co_yield; the element moves into the frame that awaits
//   running   → ended     co_return, or an exception, which comes out of next()
//   fresh, yielded, ended → gone   the object is destroyed, and the body's locals with it
//
// Owner thread; no thread at all while it is yielded.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coronet {

template <class T>
class async_generator;

namespace detail {

template <class T>
class next_element;

template <class T>
class async_generator_promise final : public awaiting_promise {
public:
    [[nodiscard]] async_generator<T> get_return_object() noexcept;
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    /// The frame stays, as it belongs to the generator.
    [[nodiscard]] std::suspend_always final_suspend() noexcept {
        stop_at(state::ended);
        return {};
    }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

    template <class U>
    requires std::constructible_from<T, U>
    [[nodiscard]] std::suspend_always yield_value(U&& yielded) {
        into_->emplace(std::forward<U>(yielded));
        stop_at(state::yielded);
        return {};
    }

    [[nodiscard]] bool ended() const noexcept { return state_ == state::ended; }
    [[nodiscard]] bool running() const noexcept { return state_ == state::running; }
    /// It goes on for `awaiting`, and leaves its next element at `into`.
    void
    go_on(std::optional<T>& into, promise_base& awaiting, std::coroutine_handle<> frame) noexcept {
        CORONET_ASSERT(!running()); // one next() at a time
        state_ = state::running;
        into_ = &into;
        run_for(awaiting, frame);
    }
    void rethrow() {
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

private:
    enum class state : std::uint8_t { fresh, running, yielded, ended };

    void stop_at(state reached) noexcept {
        state_ = reached;
        hand_over();
    }

    std::optional<T>* into_ = nullptr;
    std::exception_ptr thrown_;
    state state_ = state::fresh;
};

template <class T>
class [[nodiscard]] next_element {
    using handle = std::coroutine_handle<async_generator_promise<T>>;

public:
    explicit next_element(handle frame) noexcept : generator_(frame) {}
    next_element(next_element&&) noexcept(std::is_nothrow_move_constructible_v<T>) = default;
    next_element& operator=(next_element&&) = delete;
    /// Catches a frame that is destroyed before its element has come.
    ~next_element() {
        if (in_flight_) [[unlikely]]
            die("a coroutine was destroyed while the next() that it awaits was in flight, at this "
                "await",
                generator_.promise().place());
    }

    [[nodiscard]] bool await_ready() const noexcept { return generator_.promise().ended(); }
    template <coronet_promise P>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        in_flight_ = true;
        awaiting_ = &frame.promise();
        generator_.promise().go_on(element_, frame.promise(), frame);
        return !frame.promise().in_branch().call(generator_);
    }
    std::optional<T> await_resume() {
        in_flight_ = false;
        generator_.promise().rethrow();
        cut_short_ = awaiting_ && !element_ && awaiting_->in_branch().stopped();
        return std::move(element_);
    }
    /// The body ended in this await, and had been asked to: it is not known to be complete.
    [[nodiscard]] bool cut_short() const noexcept { return cut_short_; }

private:
    handle generator_;
    const promise_base* awaiting_ = nullptr; // null: it had ended before
    std::optional<T> element_;
    bool cut_short_ = false;
    bool in_flight_ = false;
};

/// For with_timeout() and when_any(), whose result can tell that the end was asked for.
template <class T>
task<result<std::optional<T>>> as_telling_task(next_element<T> next) {
    auto element = co_await next;
    if (next.cut_short()) co_return std::make_error_code(std::errc::operation_canceled);
    co_return std::move(element);
}

} // namespace detail

template <class T>
class [[nodiscard]] async_generator {
    static_assert(std::is_object_v<T>, "an element is moved out of the generator");

public:
    using promise_type = detail::async_generator_promise<T>;
    using value_type = T;

    async_generator(async_generator&& other) noexcept
        : frame_(std::exchange(other.frame_, nullptr)) {}
    async_generator& operator=(async_generator&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    /// Ends the body where it has yielded: its locals are destroyed here. Aborts while next() is in
    /// flight.
    ~async_generator() {
        if (!frame_) return;
        if (frame_.promise().running()) [[unlikely]]
            detail::die(
                "an async_generator was destroyed while its next() was in flight, at this await",
                frame_.promise().place()
            );
        frame_.destroy();
    }

    /// Runs the body to its next co_yield.
    ///
    /// Result: the element; nothing when the body has ended, again and again.
    /// Errors: throws what leaves the body, once; it has ended then.
    /// Cancel: as what the body awaits; the body sees it and may go on. If it ends for that this is
    /// its end; with_timeout() says timed_out then, and when_any() operation_canceled.
    /// Lifetime: the generator outlives the await. One next() at a time.
    /// Thread: owner.
    [[nodiscard]] detail::next_element<T> next() noexcept {
        CORONET_ASSERT(frame_ != nullptr); // moved away
        return detail::next_element<T>{frame_};
    }

private:
    friend promise_type;
    explicit async_generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

template <class T>
async_generator<T> detail::async_generator_promise<T>::get_return_object() noexcept {
    return async_generator<T>{std::coroutine_handle<async_generator_promise>::from_promise(*this)};
}

} // namespace coronet

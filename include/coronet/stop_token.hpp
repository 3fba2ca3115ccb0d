// SPDX-License-Identifier: BSL-1.0
//
// The stop tokens of C++26 (std::inplace_stop_source and its kin): no allocation, a callback lives
// where it is declared. request_stop() may come from any thread; callbacks run on that thread, one
// after the other, outside the lock. Destroying a callback waits until its run on another thread is
// over.
#pragma once

#include <atomic>
#include <concepts>
#include <thread>
#include <type_traits>
#include <utility>

namespace coronet {

class inplace_stop_token;
template <class Callback>
class inplace_stop_callback;

namespace detail {

class stop_callback_base {
public:
    stop_callback_base(const stop_callback_base&) = delete;
    stop_callback_base& operator=(const stop_callback_base&) = delete;

protected:
    using invoker = void (*)(stop_callback_base&) noexcept;
    explicit stop_callback_base(invoker invoke) noexcept : invoke_(invoke) {}
    ~stop_callback_base() = default;

private:
    friend class stop_state;
    invoker invoke_;
    stop_callback_base* next_ = nullptr;
    stop_callback_base** link_ = nullptr; // what points to us; null: not in the list
    bool* destroyed_in_call_ =
        nullptr; // set while the callback runs, for a callback that destroys itself
    std::atomic<bool> returned_{false};
};

class stop_state {
public:
    stop_state() noexcept = default;
    stop_state(const stop_state&) = delete;
    stop_state& operator=(const stop_state&) = delete;

    [[nodiscard]] bool requested() const noexcept {
        return (bits_.load(std::memory_order_acquire) & requested_bit) != 0;
    }
    bool request() noexcept;
    /// False, after having called it, if stop was requested already.
    bool add(stop_callback_base& callback) noexcept;
    void remove(stop_callback_base& callback) noexcept;

private:
    static constexpr unsigned char requested_bit = 1;
    static constexpr unsigned char locked_bit = 2;

    void lock() noexcept;
    void unlock() noexcept;
    bool lock_and_request() noexcept;

    std::atomic<unsigned char> bits_{0};
    stop_callback_base* callbacks_ = nullptr; // guarded by locked_bit
    std::thread::id requester_;               // written before the first callback runs
};

} // namespace detail

/// Owns the state that its tokens and callbacks refer to; it outlives them.
class inplace_stop_source {
public:
    inplace_stop_source() noexcept = default;

    [[nodiscard]] inplace_stop_token get_token() const noexcept;
    [[nodiscard]] static constexpr bool stop_possible() noexcept { return true; }
    [[nodiscard]] bool stop_requested() const noexcept { return state_.requested(); }
    /// Runs the callbacks on this thread. Result: true for the first call. Thread: any.
    bool request_stop() noexcept { return state_.request(); }

private:
    friend class inplace_stop_token;
    template <class>
    friend class inplace_stop_callback;
    mutable detail::stop_state state_;
};

/// A cheap handle to a source; a default constructed one is never stopped.
class inplace_stop_token {
public:
    template <class Callback>
    using callback_type = inplace_stop_callback<Callback>;

    inplace_stop_token() noexcept = default;
    [[nodiscard]] bool stop_requested() const noexcept {
        return source_ && source_->stop_requested();
    }
    [[nodiscard]] bool stop_possible() const noexcept { return source_ != nullptr; }
    void swap(inplace_stop_token& other) noexcept { std::swap(source_, other.source_); }
    friend bool operator==(const inplace_stop_token&, const inplace_stop_token&) noexcept = default;

private:
    friend class inplace_stop_source;
    template <class>
    friend class inplace_stop_callback;
    explicit inplace_stop_token(const inplace_stop_source* source) noexcept : source_(source) {}
    const inplace_stop_source* source_ = nullptr;
};

inline inplace_stop_token inplace_stop_source::get_token() const noexcept {
    return inplace_stop_token{this};
}

/// Calls `Callback` once stop is requested (at once, here, if it has been).
template <class Callback>
class inplace_stop_callback : detail::stop_callback_base {
    static_assert(std::invocable<Callback> && std::destructible<Callback>);

public:
    using callback_type = Callback;

    template <class Initializer>
    requires std::constructible_from<Callback, Initializer>
    explicit inplace_stop_callback(
        inplace_stop_token token, Initializer&& init
    ) noexcept(std::is_nothrow_constructible_v<Callback, Initializer>)
        : stop_callback_base(&call),
          callback_(std::forward<Initializer>(init)),
          source_(token.source_) {
        if (source_ && !source_->state_.add(*this)) source_ = nullptr;
    }
    ~inplace_stop_callback() {
        if (source_) source_->state_.remove(*this);
    }

private:
    static void call(stop_callback_base& self) noexcept {
        std::forward<Callback>(static_cast<inplace_stop_callback&>(self).callback_)();
    }

    Callback callback_;
    const inplace_stop_source* source_;
};

template <class Callback>
inplace_stop_callback(inplace_stop_token, Callback) -> inplace_stop_callback<Callback>;

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// generator<T> is a sequence that a coroutine computes while somebody iterates over it: a range,
// read once, without awaits (std::generator of C++23, where there is one). What awaits between its
// elements is an async_generator.
//
//     generator<int> powers(int base) {
//         for (int power = 1;; power *= base)
//             co_yield power;
//     }
//     for (const int each : powers(3) | std::views::take(5)) ...
//
// It belongs to no scheduler and no branch: its frame runs inside begin() and ++ of whoever
// iterates, on his thread.
#pragma once

#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/detail/assert.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace coronet {

template <class T>
class generator;

namespace detail {

template <class T>
class generator_promise {
    using element = std::remove_reference_t<T>;

public:
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame) noexcept { free_frame(frame); }

    [[nodiscard]] generator<T> get_return_object() noexcept;
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

    /// The element stays where it is, in the frame: a temporary lives until the body goes on.
    [[nodiscard]] std::suspend_always yield_value(element& yielded) noexcept {
        at_ = std::addressof(yielded);
        return {};
    }
    [[nodiscard]] std::suspend_always yield_value(element&& yielded) noexcept
        requires(!std::is_reference_v<T>) {
        at_ = std::addressof(yielded);
        return {};
    }
    /// What may not be changed is handed out as a copy.
    [[nodiscard]] auto yield_value(const element& yielded
    ) requires(!std::is_reference_v<T> && !std::is_const_v<element> && std::copy_constructible<element>) {
        struct copied : std::suspend_always {
            copied(const element& from, element*& at) : copy(from), place(at) {}
            void await_suspend(std::coroutine_handle<>) noexcept { place = std::addressof(copy); }
            element copy;
            element*& place;
        };
        return copied{yielded, at_};
    }
    /// A generator does not wait: async_generator does.
    void await_transform(auto&&) = delete;

    [[nodiscard]] element& here() const noexcept { return *at_; }
    void rethrow() {
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

private:
    element* at_ = nullptr;
    std::exception_ptr thrown_;
};

} // namespace detail

/// A range of T&, or of what T refers to. Read once; moved, not copied.
template <class T>
class [[nodiscard]] generator : public std::ranges::view_interface<generator<T>> {
public:
    using promise_type = detail::generator_promise<T>;

private:
    using handle = std::coroutine_handle<promise_type>;

public:
    class iterator {
    public:
        using value_type = std::remove_cvref_t<T>;
        using reference = std::remove_reference_t<T>&;
        using difference_type = std::ptrdiff_t;

        [[nodiscard]] reference operator*() const noexcept { return frame_.promise().here(); }
        [[nodiscard]] auto* operator->() const noexcept { return std::addressof(**this); }
        /// Runs the body to its next co_yield. Throws what leaves the body.
        iterator& operator++() {
            frame_.resume();
            frame_.promise().rethrow();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept {
            return at.frame_.done();
        }

    private:
        friend generator;
        explicit iterator(handle frame) noexcept : frame_(frame) {}
        handle frame_;
    };

    generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    generator& operator=(generator&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    /// Ends the body where it is: what it holds is freed.
    ~generator() {
        if (frame_) frame_.destroy();
    }

    /// Runs the body to its first co_yield. Once. Throws what leaves the body.
    [[nodiscard]] iterator begin() {
        CORONET_ASSERT(frame_ != nullptr); // moved away
        CORONET_ASSERT(!frame_.done());    // read once, to its end
        iterator first{frame_};
        ++first;
        return first;
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    friend promise_type;
    explicit generator(handle frame) noexcept : frame_(frame) {}
    handle frame_;
};

template <class T>
generator<T> detail::generator_promise<T>::get_return_object() noexcept {
    return generator<T>{std::coroutine_handle<generator_promise>::from_promise(*this)};
}

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// An executor whose thread is a scheduler's: with it an operation that a coroutine awaits runs
// whatever it has to run between its steps where the coroutine is, one at a time with it and with
// a stop that reaches it. Functions never run inside execute(). Their memory is that of frames.
//
// A function that throws ends the program: there is nobody to catch it.
#pragma once

#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/send_to_scheduler.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/execution/blocking.hpp>
#else
#include <asio/execution/blocking.hpp>
#endif

namespace coronet::asiox::detail {

/// An allocator of the memory that coroutine frames are made of: kept by each thread for reuse.
template <class T>
class frame_allocator {
public:
    using value_type = T;

    frame_allocator() noexcept = default;
    template <class U>
    frame_allocator(const frame_allocator<U>&) noexcept {} // NOLINT(*-explicit-*): as allocators do

    [[nodiscard]] T* allocate(std::size_t count) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(coronet::detail::allocate_frame(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { coronet::detail::free_frame(memory); }

    friend bool operator==(const frame_allocator&, const frame_allocator&) noexcept { return true; }
};

/// Something to call, on its way to a scheduler.
template <class Function>
class called_there final : public work {
public:
    template <class F>
    explicit called_there(F&& function) : function_(std::forward<F>(function)) {}

    static void* operator new(std::size_t size) { return coronet::detail::allocate_frame(size); }
    static void operator delete(void* memory) noexcept { coronet::detail::free_frame(memory); }

private:
    void run() noexcept override {
        Function function(std::move(function_));
        delete this; // its memory is free for what the function begins
        std::move(function)();
    }

    Function function_;
};

class scheduler_executor {
public:
    explicit scheduler_executor(scheduler& runs) noexcept : runs_(&runs) {}

    template <class Function>
    void execute(Function&& function) const {
        using item = called_there<std::decay_t<Function>>;
        auto made = std::make_unique<item>(std::forward<Function>(function));
        if (send_to(*runs_, *made)) static_cast<void>(made.release());
    }
    [[nodiscard]] scheduler_executor require(net::execution::blocking_t::never_t) const noexcept {
        return *this;
    }

    /// In a forked child: what it would run is the parent's.
    [[nodiscard]] bool is_parents() const noexcept { return runs_->in_forked_child(); }

    friend bool operator==(const scheduler_executor& a, const scheduler_executor& b) noexcept {
        return a.runs_ == b.runs_;
    }
    friend bool operator!=(const scheduler_executor& a, const scheduler_executor& b) noexcept {
        return a.runs_ != b.runs_;
    }

private:
    scheduler* runs_;
};

} // namespace coronet::asiox::detail

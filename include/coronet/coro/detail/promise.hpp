// SPDX-License-Identifier: BSL-1.0
//
// What every coroutine of Coronet carries: the branch that it runs in, the frame that waits for it,
// where in the source it is suspended and on what. From a branch's leaf, parents lead down to its
// root: the asynchronous stack.
#pragma once

#include <coronet/coro/detail/branch.hpp>
#include <coronet/coro/detail/frame_cache.hpp>

#include <coroutine>
#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>

namespace coronet::detail {

class promise_base {
public:
    promise_base() noexcept = default;
    promise_base(const promise_base&) = delete;
    promise_base& operator=(const promise_base&) = delete;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame) noexcept { free_frame(frame); }

    /// This frame is run for `parent`, in the same branch.
    void run_for(promise_base& parent, std::coroutine_handle<> continuation) noexcept {
        branch_ = parent.branch_;
        parent_ = &parent;
        continuation_ = continuation;
    }
    /// This frame is the root of `owner`.
    void run_as_root_of(branch& owner) noexcept { branch_ = &owner; }

    /// The frame's body is over, for now at least: whoever waits for it goes on.
    void hand_over() noexcept {
        if (continuation_)
            branch_->return_to(continuation_);
        else
            branch_->end();
    }
    /// The frame suspends on `awaited`, which is what a stop will cancel.
    void suspend_on(pending_work& awaited) noexcept {
        awaiting_ = &awaited;
        branch_->set_leaf(this);
    }
    void set_place(std::source_location place) noexcept { place_ = place; }

    [[nodiscard]] branch& in_branch() const noexcept { return *branch_; }
    [[nodiscard]] const promise_base* parent() const noexcept { return parent_; }
    /// What it is suspended on; meaningful while it is the leaf of its branch.
    [[nodiscard]] pending_work& awaiting() const noexcept { return *awaiting_; }
    /// Its last await.
    [[nodiscard]] std::source_location place() const noexcept { return place_; }

private:
    branch* branch_ = nullptr;
    promise_base* parent_ = nullptr;
    std::coroutine_handle<> continuation_;
    pending_work* awaiting_ = nullptr;
    std::source_location place_;
};

/// Base of what a frame waits for without starting other frames: a timer beside it is enough to
/// limit it. It has where(), cancel(), and a run() that resumes the frame; a limit overrides that.
class leaf_await {
protected:
    ~leaf_await() = default;
};

template <class P>
concept coronet_promise = std::derived_from<P, promise_base>;

/// An awaitable that knows how to wait inside a coroutine of Coronet.
template <class A>
concept awaitable_here = requires(A& a, std::coroutine_handle<promise_base> h) {
    a.await_ready();
    a.await_suspend(h);
    a.await_resume();
};

template <class A>
using await_result = decltype(std::declval<A&>().await_resume());

} // namespace coronet::detail

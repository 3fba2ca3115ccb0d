// SPDX-License-Identifier: BSL-1.0
//
// The way to start something concurrent: with_scope() runs a body that may spawn children, and does
// not end before all of them have. An exception that leaves the body or a child stops the others
// and is rethrown at the end.
//
//     task<void> serve(scope children, tcp_listener listener) {
//         for (;;) {
//             auto peer = co_await listener.accept();
//             if (!peer) co_return;
//             children.spawn(talk_to, std::move(*peer));
//         }
//     }
//     ...
//     co_await with_scope(serve, std::move(listener));
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/result.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace coronet {

class scope;

namespace detail {

class scope_join;

/// The children of a scope. It ends when the body has and no child is left.
class scope_children final : public group {
public:
    class listener {
    public:
        virtual void children_failed() noexcept = 0;
        virtual void children_ended() noexcept = 0;

    protected:
        ~listener() = default;
    };
    explicit scope_children(listener& owner) noexcept : owner_(owner) {}

    void open_at(scheduler& home) noexcept {
        open_root(home);
        hold(); // the body
    }
    void body_ended() noexcept { release(); }

    void spawn(task<void>&& job);
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] std::exception_ptr failure() const noexcept { return failure_; }

    void wait(scope_join& joining) noexcept;

private:
    struct spawned;
    void on_ended(branch& ended) noexcept override;
    void on_all_ended() noexcept override { owner_.children_ended(); }

    listener& owner_;
    std::size_t count_ = 0;
    std::exception_ptr failure_;
    intrusive_list<scope_join> joining_;
};

class [[nodiscard]] scope_join final : public pending_work, public list_hook<scope_join> {
public:
    explicit scope_join(scope_children& children) noexcept : children_(children) {}
    scope_join(const scope_join& other) noexcept
        : pending_work(other), list_hook(), children_(other.children_) {}
    scope_join& operator=(const scope_join&) = delete;
    ~scope_join() = default;

    [[nodiscard]] bool await_ready() const noexcept { return children_.size() == 0; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        cancelled_ = !waiter_.suspend(frame, *this);
        if (!cancelled_) children_.wait(*this);
        return !cancelled_;
    }
    result<void> await_resume() const noexcept {
        if (cancelled_) return std::errc::operation_canceled;
        return {};
    }

    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "join"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }
    void run() noexcept override { waiter_.resume(); }

private:
    scope_children& children_;
    waiter waiter_;
    bool cancelled_ = false;
};

/// The body as one branch, the children as a group beside it.
class scope_base : public group, private scope_children::listener {
protected:
    scope_base() noexcept = default;
    ~scope_base() { require_over(); } // before the children's list is gone

    void open_scope(promise_base& waiting, std::coroutine_handle<> frame) noexcept;
    [[nodiscard]] scope handle() noexcept;
    [[nodiscard]] scope_children& children() noexcept { return children_; }

private:
    void on_cancel() noexcept override { children_.cancel(); }
    void on_ended(branch& body) noexcept override;
    [[nodiscard]] virtual bool body_failed() noexcept = 0;
    void children_failed() noexcept override { cancel(); }
    void children_ended() noexcept override { release(); }

    scope_children children_{*this};
};

} // namespace detail

/// A handle to the children of a with_scope(), for its body. Copied freely; valid until the
/// with_scope() ends. Owner.
class scope {
public:
    /// Starts the task `function(arguments...)` beside the body; it runs in this turn or the next.
    ///
    /// Errors: an exception that leaves the child stops the body and the other children;
    /// with_scope() rethrows it. One that says operation_canceled after the children were asked to
    /// end is their end and no failure. Throws std::bad_alloc.
    template <class Function, class... Arguments>
    void spawn(Function&& function, Arguments&&... arguments) const {
        children_->spawn(
            std::invoke(std::forward<Function>(function), std::forward<Arguments>(arguments)...)
        );
    }

    /// Waits until no child is left.
    ///
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total: the children go on, unless the stop is meant for them, too.
    [[nodiscard]] detail::scope_join join() const noexcept {
        return detail::scope_join{*children_};
    }

    /// Asks the children to end, those to come too; not the body.
    void request_stop() const noexcept { children_->cancel(); }

    /// Children that have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return children_->size(); }

private:
    friend class detail::scope_base;
    explicit scope(detail::scope_children& children) noexcept : children_(&children) {}
    detail::scope_children* children_;
};

namespace detail {

template <class Function, class... Arguments>
using body_value = typename std::invoke_result_t<Function, scope, Arguments...>::value_type;

template <class Function, class... Arguments>
class [[nodiscard]] scope_run final : public scope_base {
    using value = body_value<Function, Arguments...>;

public:
    explicit scope_run(Function&& body, Arguments&&... arguments)
        : body_(std::invoke(std::move(body), handle(), std::move(arguments)...)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open_scope(frame.promise(), frame);
        body_.start(*this);
        release();
    }
    value await_resume() {
        const auto failure = children().failure();
        if (failure && !body_threw_first_) std::rethrow_exception(failure);
        return body_.result().take();
    }

private:
    bool body_failed() noexcept override {
        const bool threw = fails_with(body_.result().exception());
        body_threw_first_ = threw && !children().failure();
        return threw;
    }

    child<value> body_;
    bool body_threw_first_ = false;
};

} // namespace detail

/// Runs the task `body(scope, arguments...)` and waits for it and for all that it spawned.
///
/// Result: what the body gives.
/// Errors: the first exception that left the body or a child, after all have ended; but not
/// operation_canceled from a child that was asked to end.
/// Cancel: cancels the body and all children.
/// Lifetime: body and arguments are copied or moved in.
/// Thread: owner. Children run on this scheduler.
template <class Body, class... Arguments>
auto with_scope(Body&& body, Arguments&&... arguments) {
    using awaiter = detail::scope_run<std::decay_t<Body>, std::decay_t<Arguments>...>;
    return detail::recipe<awaiter, std::decay_t<Body>, std::decay_t<Arguments>...>{
        std::forward<Body>(body), std::forward<Arguments>(arguments)...};
}

} // namespace coronet

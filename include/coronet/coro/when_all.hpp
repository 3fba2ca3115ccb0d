// SPDX-License-Identifier: BSL-1.0
//
// Several awaits at once, and all of their results.
#pragma once

#include <coronet/coro/detail/child.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coronet {

namespace detail {

/// void has no place in a tuple.
template <class T>
using storable = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
/// An exception here is no failure: a stop of the group has made the task throw it. A T that cannot
/// tell leaves no other way than to throw it again.
template <class T>
storable<T> take_storable(outcome<T>& from) {
    if constexpr (tells_errors<T>) {
        return take_result_or_cancelled(from);
    } else if constexpr (std::is_void_v<T>) {
        from.take();
        return {};
    } else {
        return from.take();
    }
}

/// A fixed number of children, all of which end before it does; the first that throws has the
/// others cancelled.
template <class... T>
class children_of : public group {
public:
    explicit children_of(task<T>&&... jobs) noexcept : children_(std::move(jobs)...) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        hold();
        std::apply([this](auto&... each) { (each.start(*this), ...); }, children_);
        release();
    }

protected:
    ~children_of() = default;

    void on_ended(branch& ended) noexcept override {
        std::size_t index = 0;
        std::apply([&](auto&... each) { (note_end(each, ended, index++), ...); }, children_);
    }
    virtual void on_first_end(std::size_t) noexcept {}

    void rethrow_failure() const {
        if (failure_) std::rethrow_exception(failure_);
    }
    std::tuple<child<T>...> children_;

private:
    template <class U>
    void note_end(child<U>& each, branch& ended, std::size_t index) noexcept {
        if (!each.is(ended)) return;
        if (const auto thrown = each.result().exception(); !failure_ && this->fails_with(thrown)) {
            failure_ = thrown;
            cancel();
        }
        if (!std::exchange(any_ended_, true)) on_first_end(index);
    }

    std::exception_ptr failure_;
    bool any_ended_ = false;
};

template <class... T>
class [[nodiscard]] all_of final : public children_of<T...> {
public:
    using children_of<T...>::children_of;
    std::tuple<storable<T>...> await_resume() {
        this->rethrow_failure();
        return std::apply(
            [](auto&... each) {
                return std::tuple<storable<T>...>{take_storable(each.result())...};
            },
            this->children_
        );
    }
};

/// One of many children: its outcome is found from its branch, not by looking at all of them.
template <class T>
class ranged_child {
    struct line final : branch {
        line(group& starter, ranged_child& from) noexcept : branch(starter), of(from) {}
        ranged_child& of;
    };

public:
    explicit ranged_child(task<T>&& job) noexcept : job_(std::move(job)) {}

    void start(group& starter) noexcept {
        line_.emplace(starter, *this);
        const auto frame = job_.begin(outcome_);
        line_->start(frame.promise(), frame);
    }
    /// `ended` is a branch of a ranged_child<T>.
    static outcome<T>& result_of(branch& ended) noexcept {
        return static_cast<line&>(ended).of.outcome_;
    }
    [[nodiscard]] outcome<T>& result() noexcept { return outcome_; }

private:
    task<T> job_;
    outcome<T> outcome_;
    std::optional<line> line_;
};

template <class T>
class [[nodiscard]] all_of_range final : public group {
public:
    explicit all_of_range(std::vector<task<T>>&& jobs) {
        children_.reserve(jobs.size());
        for (auto& job : jobs)
            children_.emplace_back(std::make_unique<ranged_child<T>>(std::move(job)));
    }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        hold();
        for (auto& each : children_)
            each->start(*this);
        release();
    }
    std::vector<storable<T>> await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        std::vector<storable<T>> results;
        results.reserve(children_.size());
        for (auto& each : children_)
            results.push_back(take_storable(each->result()));
        return results;
    }

private:
    void on_ended(branch& ended) noexcept override {
        const auto thrown = ranged_child<T>::result_of(ended).exception();
        if (failure_ || !fails_with(thrown)) return;
        failure_ = thrown;
        cancel();
    }

    std::vector<std::unique_ptr<ranged_child<T>>> children_;
    std::exception_ptr failure_;
};

} // namespace detail

/// Awaits all of `awaited` (tasks or operations) at once.
///
/// Result: a tuple of what each gives (std::monostate for void), in the order given; a vector for a
/// vector of tasks.
/// Errors: the first exception that one of them throws, after the others were cancelled and have
/// ended. One that says operation_canceled after a stop of them all is the result of that one if
/// its type can tell an error (result<U>, transfer, std::error_code); if not it is thrown when no
/// other is. Cancel: cancels all of them. Thread: owner. All of them run on this scheduler.
template <class... A>
requires(!std::is_lvalue_reference_v<A> && ...) auto when_all(A&&... awaited) {
    using awaiter = detail::all_of<detail::value_of<A>...>;
    return detail::recipe<awaiter, task<detail::value_of<A>>...>{
        detail::as_task(std::move(awaited))...};
}
template <class T>
auto when_all(std::vector<task<T>> awaited) {
    return detail::recipe<detail::all_of_range<T>, std::vector<task<T>>>{std::move(awaited)};
}

} // namespace coronet

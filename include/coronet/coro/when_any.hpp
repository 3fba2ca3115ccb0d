// SPDX-License-Identifier: BSL-1.0
//
// Several awaits at once, until the first has ended. The others are cancelled and waited for; what
// they achieved all the same is in the result, too: nothing is lost.
#pragma once

#include <coronet/coro/detail/cancelled.hpp>
#include <coronet/coro/when_all.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet {

/// What when_any gives.
template <class... R>
struct any_of {
    std::size_t index;        ///< the one that ended first
    std::tuple<R...> results; ///< of all; mostly operation_canceled for the others
};

namespace detail {

template <class... R>
struct cancellation<any_of<R...>> {
    static bool is(const any_of<R...>& all) noexcept { return says_cancelled(all.results); }
};

template <class... T>
class [[nodiscard]] first_of final : public children_of<T...> {
public:
    using children_of<T...>::children_of;
    any_of<as_result<T>...> await_resume() {
        this->rethrow_failure();
        return std::apply(
            [this](auto&... each) {
                return any_of<as_result<T>...>{
                    first_,
                    std::tuple<as_result<T>...>{take_result_or_cancelled(each.result())...}};
            },
            this->children_
        );
    }

private:
    void on_first_end(std::size_t index) noexcept override {
        first_ = index;
        this->cancel();
    }
    std::size_t first_ = 0;
};

} // namespace detail

/// Awaits all of `awaited` (tasks or operations) at once and has the others cancelled when the
/// first has ended.
///
/// Result: which was first, and the result<...> of each.
/// Errors: the first exception that one of them throws, after all have ended. One that says
/// operation_canceled after they were asked to end is the result of that one.
/// Cancel: cancels all of them.
/// Thread: owner. All of them run on this scheduler.
template <class... A>
requires(sizeof...(A) > 0 && (!std::is_lvalue_reference_v<A> && ...)) auto when_any(A&&... awaited
) {
    using detail::as_telling_task;
    using awaiter = detail::first_of<detail::told_value_of<A>...>;
    return detail::recipe<awaiter, task<detail::told_value_of<A>>...>{
        as_telling_task(std::move(awaited))...};
}

} // namespace coronet

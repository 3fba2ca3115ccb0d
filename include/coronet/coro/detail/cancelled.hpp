// SPDX-License-Identifier: BSL-1.0
//
// Whether a value says that what gave it was cancelled, and says nothing else: what a time limit
// may replace by timed_out without losing anything. Compounds say it if each of their members does.
#pragma once

#include <coronet/result.hpp>

#include <algorithm>
#include <system_error>
#include <tuple>
#include <vector>

namespace coronet::detail {

/// Most values say nothing of the kind.
template <class T>
struct cancellation {
    static bool is(const T&) noexcept { return false; }
};

template <class T>
bool says_cancelled(const T& value) noexcept {
    return cancellation<T>::is(value);
}

template <>
struct cancellation<std::error_code> {
    static bool is(const std::error_code& code) noexcept {
        return code == std::errc::operation_canceled;
    }
};
/// Not if bytes were done before.
template <>
struct cancellation<transfer> {
    static bool is(const transfer& done) noexcept {
        return done.bytes == 0 && says_cancelled(done.error);
    }
};
template <>
struct cancellation<result<void>> {
    static bool is(const result<void>& answer) noexcept { return says_cancelled(answer.error()); }
};
template <class T>
struct cancellation<result<T>> {
    static bool is(const result<T>& answer) noexcept {
        return answer ? says_cancelled(*answer) : says_cancelled(answer.error());
    }
};
template <class... T>
requires(sizeof...(T) > 0) struct cancellation<std::tuple<T...>> {
    static bool is(const std::tuple<T...>& all) noexcept {
        return std::apply([](const T&... each) { return (says_cancelled(each) && ...); }, all);
    }
};
template <class T>
struct cancellation<std::vector<T>> {
    static bool is(const std::vector<T>& all) noexcept {
        return !all.empty() && std::all_of(all.begin(), all.end(), says_cancelled<T>);
    }
};

} // namespace coronet::detail

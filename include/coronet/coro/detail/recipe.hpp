// SPDX-License-Identifier: BSL-1.0
//
// What with_timeout(), when_all() and the like return: the parts of an awaitable that cannot be
// moved once it has begun. The recipe can be moved, kept and handed to another combinator; the
// awaitable itself is made in the frame that awaits.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet::detail {

template <class Awaiter, class... Parts>
class [[nodiscard]] recipe {
public:
    using awaiter = Awaiter;

    explicit recipe(Parts... parts) : parts_(std::move(parts)...) {}
    [[nodiscard]] Awaiter make() && { return std::make_from_tuple<Awaiter>(std::move(parts_)); }

private:
    std::tuple<Parts...> parts_;
};

template <class A>
concept is_recipe = requires {
    typename A::awaiter;
};

} // namespace coronet::detail

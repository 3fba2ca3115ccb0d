// SPDX-License-Identifier: BSL-1.0
//
// What the handler of an operation that moves bytes was told, if it has been called.
#pragma once

#include "which_asio.hpp"

#include <cstddef>
#include <optional>

namespace coronet::asiox::test {

struct outcome {
    std::optional<error_code> error;
    std::size_t count = 0;
};
/// A handler that notes it.
inline auto note(outcome& told) {
    return [&told](error_code error, std::size_t count) { told = {error, count}; };
}

} // namespace coronet::asiox::test

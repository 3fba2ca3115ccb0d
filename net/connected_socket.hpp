// SPDX-License-Identifier: BSL-1.0
//
// How every stream connects.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

namespace coronet::detail {

/// A stream socket connected to `peer`. Cancel: total.
[[nodiscard]] task<result<unique_fd>> connected_socket(endpoint peer);

} // namespace coronet::detail

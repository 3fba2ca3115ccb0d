// SPDX-License-Identifier: BSL-1.0
//
// Why a ring could not be set up, in words that say what to do.
#pragma once

#include <string>
#include <system_error>

namespace coronet {

/// `call` failed with `error` (positive).
[[nodiscard]] std::system_error ring_error(const std::string& call, int error);

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Whether this process is a child of the one that made a scheduler. There its rings are the
// parent's and its threads do not exist: nothing of it may be touched.
#pragma once

namespace coronet::forks {

/// Forks between the first call of this in any ancestor and here.
[[nodiscard]] unsigned count() noexcept;

} // namespace coronet::forks

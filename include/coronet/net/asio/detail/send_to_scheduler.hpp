// SPDX-License-Identifier: BSL-1.0
//
// From any thread to the owner of a scheduler that cannot end meanwhile.
#pragma once

#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

namespace coronet::asiox::detail {

/// `item` runs in a turn of `target`, never inside this call. False, and not taken, if that has
/// ended or is the parent's of this forked child.
[[nodiscard]] bool send_to(scheduler& target, work& item) noexcept;

} // namespace coronet::asiox::detail

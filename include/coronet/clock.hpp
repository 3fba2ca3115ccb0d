// SPDX-License-Identifier: BSL-1.0
//
// The one clock of timers and time limits (CLOCK_MONOTONIC).
#pragma once

#include <chrono>

namespace coronet {

using clock = std::chrono::steady_clock;
using time_point = clock::time_point;
using duration = clock::duration;

} // namespace coronet

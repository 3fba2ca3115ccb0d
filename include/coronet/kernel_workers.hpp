// SPDX-License-Identifier: BSL-1.0
//
// How many threads the kernel may have at work for a ring: for what it cannot do without waiting.
#pragma once

namespace coronet {

/// Maxima. Bounded work ends soon by itself: regular files, metadata. The rest is unbounded: pipes,
/// sockets, devices.
struct kernel_worker_limits {
    unsigned bounded = 0;
    unsigned unbounded = 0;
};

} // namespace coronet

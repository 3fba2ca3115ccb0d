// SPDX-License-Identifier: BSL-1.0
//
// How a stream of what a peer sends keeps what nobody has asked for yet.
#pragma once

#include <cstddef>

namespace coronet {

struct receive_options {
    /// Memory that may be kept for one stream while nobody asks for the next piece: each counts as
    /// the buffer that it occupies. After that the peer has to wait, as with any reader that does
    /// not read.
    std::size_t window = std::size_t{256} * 1024;
    /// Several buffers by one result, where the kernel can (6.10, and not with incremental ones).
    bool bundle = false;
};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Descriptors of any kind on the ring (pipes, terminals, eventfds, files), by Asio's own class (see
// tcp.hpp). Where there is a position, reads and writes are at it and move it.
//
// Not as with Asio's default executor: the descriptor is not made non-blocking, and a regular file
// is as good as any.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_descriptors.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#else
#include <asio/posix/basic_stream_descriptor.hpp>
#endif

namespace coronet::asiox {

struct posix {
    using descriptor = net::posix::basic_descriptor<executor>;
    using stream_descriptor = net::posix::basic_stream_descriptor<executor>;
};

} // namespace coronet::asiox

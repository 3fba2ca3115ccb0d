// SPDX-License-Identifier: BSL-1.0
//
// A socket that TCP connections come from. Owner thread.
#pragma once

#include <coronet/net/basic_listener.hpp>
#include <coronet/net/tcp_stream.hpp>

namespace coronet {

using tcp_listener = basic_listener<tcp_stream>;

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// A socket that unix(7) stream connections come from. Owner thread.
#pragma once

#include <coronet/net/basic_listener.hpp>
#include <coronet/net/unix_stream.hpp>

namespace coronet {

using unix_listener = basic_listener<unix_stream>;

} // namespace coronet

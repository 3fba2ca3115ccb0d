// SPDX-License-Identifier: BSL-1.0
//
// The version of Coronet, in one place: the build system, the packages and programs all read it
// from here. It is the version of the headers that were compiled against; as the library is built
// from the same tree, there is no other.
#pragma once

#include <string_view>

#define CORONET_VERSION_MAJOR 0
#define CORONET_VERSION_MINOR 1
#define CORONET_VERSION_PATCH 0
#define CORONET_VERSION_STRING "0.1.0"

namespace coronet {

/// The version as `major.minor.patch`. The macros above serve conditional compilation.
inline constexpr std::string_view version{CORONET_VERSION_STRING};

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace coronet::detail {

void die(const char* what, std::source_location where) noexcept {
    std::fprintf(
        stderr, "coronet: %s\n  at %s:%u in %s\n", what, where.file_name(),
        static_cast<unsigned>(where.line()), where.function_name()
    );
    std::abort();
}

} // namespace coronet::detail

// SPDX-License-Identifier: BSL-1.0
//
// Whether io_uring can be used here, found by trying and never by the kernel's version: each step
// by which it is used, on a ring of its own. A seccomp filter may forbid any of them.
//
//   set-up → features → opcodes (IORING_REGISTER_PROBE) → one NOP there and back
#pragma once

#include <string>

namespace coronet {

struct kernel_probe {
    int error = 0;       // errno of the step that failed; 0: it can be used
    std::string problem; // which it was, and the remedy
};

[[nodiscard]] kernel_probe probe_kernel();

} // namespace coronet

// SPDX-License-Identifier: BSL-1.0
//
// Options of run() for tests: signals are the test's own.
#pragma once

#include <coronet/coro/run.hpp>

namespace coronet::test {

inline run_options quiet() {
    run_options options;
    options.handle_signals = false;
    return options;
}

} // namespace coronet::test

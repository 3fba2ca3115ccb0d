// SPDX-License-Identifier: BSL-1.0
//
// Does not compile alone, on purpose: it uses std::string and includes nothing.
#pragma once

inline std::string greeting() {
    return "hello";
}

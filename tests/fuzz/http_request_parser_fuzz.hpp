// SPDX-License-Identifier: BSL-1.0
//
// The body of the fuzz target, so that a compiler without libFuzzer can run it over the seeds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coronet::http {

/// Aborts with a message when a property of the request parser does not hold for this input.
void check_request_stream(const std::uint8_t* data, std::size_t size);

} // namespace coronet::http

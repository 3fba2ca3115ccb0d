// SPDX-License-Identifier: BSL-1.0
//
// What connections share. Owner thread.
#include <coronet/net/http/service.hpp>

#include <utility>

namespace coronet::http {

namespace {

// Room for some 25 small answers; what does not fit grows.
constexpr std::size_t output_capacity = 4096;

} // namespace

service::service(const router& routes, service_options options)
    : routes_{routes}, options_{std::move(options)}, buffers_{output_capacity} {
    if (!options_.server_name.empty()) common_fields_ = "Server: " + options_.server_name + "\r\n";
    common_fields_ += "Date: ";
}

void service::end_idle_connections() noexcept {
    for (listed_connection* each = connections_.front(); each; each = connections_.after(*each))
        each->end_if_idle();
}

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// What connections share. Owner thread.
#include <coronet/net/http/connection.hpp>
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

void service::admit(connection& started) noexcept {
    connections_.push_back(started);
}

void service::end_idle_connections() noexcept {
    for (connection* each = connections_.front(); each; each = connections_.after(*each))
        if (each->idle()) each->stop_receiving();
}

} // namespace coronet::http

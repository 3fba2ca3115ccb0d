// SPDX-License-Identifier: BSL-1.0
//
// What connections share. Owner thread.
#include "date.hpp"

#include <coronet/net/http/service.hpp>

#include <utility>

namespace coronet::http {

namespace {

// Room for some 25 small answers; what does not fit grows.
constexpr std::size_t output_capacity = 4096;

} // namespace

service::service(const router& routes, service_options options)
    : routes_{routes}, options_{std::move(options)}, buffers_{output_capacity} {
    begin_of_ok_ = "HTTP/1.1 200 OK\r\n";
    status_line_size_ = begin_of_ok_.size();
    if (!options_.server_name.empty()) begin_of_ok_ += "Server: " + options_.server_name + "\r\n";
    begin_of_ok_ += "Date: " + std::string(date_size, ' ') + "\r\n";
}

void service::refresh_date() noexcept {
    const std::int64_t now = second_now();
    if (now == second_) return;
    second_ = now;
    const std::size_t at = begin_of_ok_.size() - date_size - 2;
    date_now().copy(begin_of_ok_.data() + at, date_size);
}

void service::end_idle_connections() noexcept {
    for (listed_connection* each = connections_.front(); each; each = connections_.after(*each))
        each->end_if_idle();
}

} // namespace coronet::http

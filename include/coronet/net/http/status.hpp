// SPDX-License-Identifier: BSL-1.0
//
// The status codes of HTTP that this library and its users answer with, and their reason phrases.
// Plain values: any thread. Not a registry: a code that is missing here can be cast into `status`.
#pragma once

#include <cstdint>
#include <string_view>

namespace coronet::http {

/// A status code of RFC 9110, section 15.
enum class status : std::uint16_t {
    continue_ = 100,
    ok = 200,
    created = 201,
    accepted = 202,
    no_content = 204,
    partial_content = 206,
    moved_permanently = 301,
    found = 302,
    see_other = 303,
    not_modified = 304,
    temporary_redirect = 307,
    permanent_redirect = 308,
    bad_request = 400,
    unauthorized = 401,
    forbidden = 403,
    not_found = 404,
    method_not_allowed = 405,
    not_acceptable = 406,
    request_timeout = 408,
    conflict = 409,
    gone = 410,
    length_required = 411,
    precondition_failed = 412,
    content_too_large = 413,
    uri_too_long = 414,
    unsupported_media_type = 415,
    range_not_satisfiable = 416,
    expectation_failed = 417,
    unprocessable_content = 422,
    too_many_requests = 429,
    request_header_fields_too_large = 431,
    internal_server_error = 500,
    not_implemented = 501,
    bad_gateway = 502,
    service_unavailable = 503,
    gateway_timeout = 504,
    http_version_not_supported = 505,
};

/// The reason phrase of `code`; empty for a code that has none here.
/// Thread: any.
[[nodiscard]] std::string_view reason_phrase(status code) noexcept;

} // namespace coronet::http

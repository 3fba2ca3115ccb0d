// SPDX-License-Identifier: BSL-1.0
//
// The lines of a request head in the order in which they come, then what they mean together.
// An error is found at the first byte that makes one, or at the end of its line, or at the end of
// the head: never depending on how much more has been received. That is what makes the outcome
// the same for every split of the input. One thread at a time.
#include "characters.hpp"
#include "request_syntax.hpp"
#include "scan.hpp"

#include <coronet/net/http/request_parser.hpp>

#include <algorithm>

namespace coronet::http {

namespace {

// A request line holds more than its target: a method, a version, two spaces, and an empty line
// that may come first.
constexpr std::uint32_t request_line_overhead = 64;

text_range range_of(std::string_view text, std::string_view part) noexcept {
    return {
        static_cast<std::uint32_t>(part.data() - text.data()),
        static_cast<std::uint32_t>(part.size())};
}

} // namespace

request_parser::outcome request_parser::parse(std::string_view received) noexcept {
    std::string_view line;
    while (phase_ < phase::complete && take_line(received, line)) {
        if (!line.empty() && phase_ == phase::fields) {
            take_field(received, line);
        } else if (!line.empty()) {
            take_request_line(received, line);
        } else if (phase_ == phase::start) {
            phase_ = phase::request_line;
        } else if (phase_ == phase::request_line) {
            fail(status::bad_request, "more than one empty line before the request");
        } else {
            finish();
        }
    }
    if (phase_ == phase::complete) return outcome::complete;
    return phase_ == phase::failed ? outcome::failed : outcome::incomplete;
}

// Where the line that is being read must have ended. What lies beyond is not looked at, whether it
// has been received or not.
std::uint32_t request_parser::size_max() const noexcept {
    if (phase_ == phase::fields) return limits_->head_max;
    const std::uint64_t line_max = std::uint64_t{limits_->target_max} + request_line_overhead;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(line_max, limits_->head_max));
}

// True when `line` is the next whole line, without its CR LF.
bool request_parser::take_line(std::string_view text, std::string_view& line) noexcept {
    const std::string_view visible = text.substr(0, size_max());
    const char* const end = visible.data() + visible.size();
    const char* const stop = find_line_stop(visible.data() + scanned_, end);
    scanned_ = static_cast<std::uint32_t>(stop - visible.data());
    if (stop == end || (*stop == '\r' && stop + 1 == end)) {
        if (visible.size() == size_max()) fail_too_long(visible);
        return false;
    }
    if (*stop != '\r' || stop[1] != '\n') {
        fail(
            status::bad_request,
            *stop == '\n' ? "line feed without carriage return" : "control character in the head"
        );
        return false;
    }
    line = visible.substr(line_begin_, scanned_ - line_begin_);
    scanned_ += 2;
    line_begin_ = scanned_;
    return true;
}

void request_parser::fail_too_long(std::string_view visible) noexcept {
    if (phase_ == phase::fields) {
        fail(status::request_header_fields_too_large, "head too large");
    } else if (visible.substr(line_begin_).find(' ') == visible.npos) {
        fail(status::bad_request, "no request line");
    } else {
        fail(status::uri_too_long, "request target too long");
    }
}

void request_parser::take_request_line(std::string_view text, std::string_view line) noexcept {
    phase_ = phase::fields;
    head_.fields.begin = line_begin_;
    const std::size_t method_end = prefix_of(line, token_character);
    const bool usual = line.ends_with(" HTTP/1.1");
    const std::size_t version_begin = usual ? line.size() - 8 : line.rfind(' ') + 1;
    if (method_end == 0 || method_end == line.size() || line[method_end] != ' ' ||
        version_begin <= method_end + 1)
        return fail(status::bad_request, "malformed request line");

    const std::string_view protocol = line.substr(version_begin);
    const std::string_view method = line.substr(0, method_end);
    const std::string_view target = line.substr(method_end + 1, version_begin - method_end - 2);
    if (target.empty() || (!usual && !is_http_version(protocol)))
        return fail(status::bad_request, "malformed request line");
    if (!usual && protocol != "HTTP/1.1" && protocol != "HTTP/1.0")
        return fail(status::http_version_not_supported, "neither HTTP/1.1 nor HTTP/1.0");

    head_.version = protocol.back() == '1' ? version::http_1_1 : version::http_1_0;
    head_.method = range_of(text, method);
    head_.target = range_of(text, target);
    if (target.size() > limits_->target_max)
        return fail(status::uri_too_long, "request target too long");
    take_target(text, target);
}

// RFC 9112, 3.2: origin-form, absolute-form, or asterisk-form with OPTIONS.
void request_parser::take_target(std::string_view text, std::string_view target) noexcept {
    const std::string_view method = head_.method.of(text);
    if (method == "CONNECT") return fail(status::not_implemented, "tunnels are not offered");
    if (target.front() == '/') return take_path_and_query(text, target);
    if (target == "*" && method == "OPTIONS") {
        head_.path = head_.target;
        return;
    }
    for (const std::string_view scheme : {"http://", "https://"})
        if (equals_ignoring_case(target.substr(0, scheme.size()), scheme))
            return take_absolute_target(text, target.substr(scheme.size()));
    fail(status::bad_request, "malformed request target");
}

void request_parser::take_absolute_target(
    std::string_view text, std::string_view after_scheme
) noexcept {
    const std::size_t host_size = std::min(after_scheme.find_first_of("/?"), after_scheme.size());
    const std::string_view host = after_scheme.substr(0, host_size);
    if (host.empty() || host.front() == ':' || !is_host_and_port(host))
        return fail(status::bad_request, "malformed request target");
    head_.host = range_of(text, host);
    host_from_target_ = true;
    take_path_and_query(text, after_scheme.substr(host_size));
}

void request_parser::take_path_and_query(std::string_view text, std::string_view rest) noexcept {
    if (!is_encoded(rest, target_character))
        return fail(status::bad_request, "character not allowed in the request target");
    const std::size_t path_size = std::min(rest.find('?'), rest.size());
    head_.path = range_of(text, rest.substr(0, path_size));
    head_.query = range_of(text, rest.substr(std::min(path_size + 1, rest.size())));
}

void request_parser::take_field(std::string_view text, std::string_view line) noexcept {
    if (is_space_or_tab(line.front()))
        return fail(status::bad_request, "folded or indented field line");
    const std::size_t colon = prefix_of(line, token_character);
    if (colon == 0 || colon == line.size() || line[colon] != ':')
        return fail(status::bad_request, "malformed field name");
    if (++field_count_ > limits_->field_count_max)
        return fail(status::request_header_fields_too_large, "too many fields");
    take_known_field(text, line.substr(0, colon), trimmed(line.substr(colon + 1)));
}

// The length tells most names apart before a character is compared.
void request_parser::take_known_field(
    std::string_view text, std::string_view name, std::string_view value
) noexcept {
    switch (name.size()) {
    case 4:
        if (equals_ignoring_case(name, "host")) take_host(text, value);
        break;
    case 6:
        if (equals_ignoring_case(name, "expect")) take_expect(value);
        break;
    case 10:
        if (equals_ignoring_case(name, "connection")) take_connection(value);
        break;
    case 14:
        if (equals_ignoring_case(name, "content-length")) take_content_length(value);
        break;
    case 17:
        if (equals_ignoring_case(name, "transfer-encoding")) take_transfer_encoding(value);
        break;
    default:
        break;
    }
}

// RFC 9112, 3.2: more than one Host, or one that is no host, is a bad request. The authority of an
// absolute-form target counts in its place.
void request_parser::take_host(std::string_view text, std::string_view value) noexcept {
    if (host_seen_) return fail(status::bad_request, "more than one Host");
    if (!is_host_and_port(value)) return fail(status::bad_request, "malformed Host");
    host_seen_ = true;
    if (!host_from_target_) head_.host = range_of(text, value);
}

// RFC 9112, 6.3 allows to accept a list of equal lengths; it is refused here as it only ever
// serves to make two parsers disagree.
void request_parser::take_content_length(std::string_view value) noexcept {
    if (head_.content_length) return fail(status::bad_request, "more than one Content-Length");
    std::uint64_t length = 0;
    if (!parse_decimal(value, length)) return fail(status::bad_request, "malformed Content-Length");
    head_.content_length = length;
}

// RFC 9112, 6.1 and 6.3: `chunked` comes last and once. All fields of this name are one list.
void request_parser::take_transfer_encoding(std::string_view value) noexcept {
    bool more = true;
    while (more) {
        more = value.find(',') != value.npos;
        const std::string_view element = take_element(value);
        const std::string_view name = trimmed(element.substr(0, element.find(';')));
        const bool is_chunked = equals_ignoring_case(name, "chunked");
        if (!is_token(name) || head_.chunked || (is_chunked && name.size() != element.size()))
            return fail(status::bad_request, "malformed Transfer-Encoding");
        head_.chunked = is_chunked;
        if (coding_ != coding::unknown) coding_ = is_chunked ? coding::chunked : coding::unknown;
    }
}

void request_parser::take_connection(std::string_view value) noexcept {
    while (!value.empty()) {
        const std::string_view option = take_element(value);
        if (equals_ignoring_case(option, "close")) close_seen_ = true;
        if (equals_ignoring_case(option, "keep-alive")) keep_alive_seen_ = true;
    }
}

// RFC 9110, 10.1.1: an expectation in HTTP/1.0 is ignored.
void request_parser::take_expect(std::string_view value) noexcept {
    if (head_.version == version::http_1_0) return;
    if (equals_ignoring_case(value, "100-continue"))
        head_.expect_continue = true;
    else
        expectation_unknown_ = true;
}

void request_parser::finish() noexcept {
    const bool is_1_1 = head_.version == version::http_1_1;
    const bool coded = coding_ != coding::none;
    if (is_1_1 && !host_seen_) return fail(status::bad_request, "no Host");
    if (coded && !is_1_1) return fail(status::bad_request, "Transfer-Encoding in HTTP/1.0");
    if (coded && head_.content_length)
        return fail(status::bad_request, "both Transfer-Encoding and Content-Length");
    if (coding_ == coding::unknown) return fail(status::not_implemented, "unknown transfer coding");
    if (expectation_unknown_) return fail(status::expectation_failed, "unknown expectation");
    if (head_.content_length && *head_.content_length > limits_->body_max)
        return fail(status::content_too_large, "body too large");

    head_.keep_alive = !close_seen_ && (is_1_1 || keep_alive_seen_);
    head_.fields.size = line_begin_ - 2 - head_.fields.begin;
    head_.size = line_begin_;
    phase_ = phase::complete;
}

void request_parser::fail(http::status error, const char* reason) noexcept {
    error_ = error;
    reason_ = reason;
    phase_ = phase::failed;
}

} // namespace coronet::http

// SPDX-License-Identifier: BSL-1.0
//
// The handles that handlers hold. Owner thread.
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/request.hpp>

namespace coronet::http {

std::string_view request::method() const noexcept {
    return connection_->method();
}
std::string_view request::path() const noexcept {
    return connection_->path();
}

std::string_view request::target() const noexcept {
    return connection_->parser_.head().target.of(connection_->input_.data());
}
std::string_view request::query() const noexcept {
    return connection_->parser_.head().query.of(connection_->input_.data());
}
std::string_view request::host() const noexcept {
    return connection_->parser_.head().host.of(connection_->input_.data());
}
http::version request::version() const noexcept {
    return connection_->parser_.head().version;
}

http::fields request::fields() const noexcept {
    return http::fields{connection_->parser_.head().fields.of(connection_->input_.data())};
}

std::optional<std::string_view> request::field(std::string_view name) const noexcept {
    return fields().find(name);
}

std::optional<std::uint64_t> request::content_length() const noexcept {
    const request_head& head = connection_->parser_.head();
    if (head.chunked) return std::nullopt;
    return head.content_length.value_or(0);
}

task<result<std::span<const std::byte>>> request::read_body() {
    return connection_->read_body();
}

void response::begin(http::status code) {
    connection_->begin_answer(code);
}

void response::field(std::string_view name, std::string_view value) {
    connection_->add_field(name, value);
}

void response::close_after() noexcept {
    connection_->closing_ = true;
}

void response::send(std::string_view content) {
    connection_->send_answer(content);
}

void response::send(http::status code, std::string_view content_type, std::string_view content) {
    begin(code);
    field("Content-Type", content_type);
    send(content);
}

void response::stream(std::uint64_t length) {
    connection_->stream_answer(connection::framing::length, length);
}

void response::stream() {
    connection_->stream_answer(connection::framing::chunked, 0);
}

task<result<void>> response::write(std::span<const std::byte> content) {
    return connection_->write_answer(content);
}

task<result<void>> response::flush() {
    return connection_->flush();
}

void response::finish() {
    connection_->finish_answer();
}

} // namespace coronet::http
